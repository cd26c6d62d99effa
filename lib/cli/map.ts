// rumpblk map: what of an image is data, and what is a hole. With --json the keys that `qemu-img map --output=json` prints, with
// --bmap the XML of bmaptool. What was listed is printed while more is: a list may be longer than memory.
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { copyBy } from '../copy/copy.js';
import type { BlockDevice, Extent } from '../index.js';
import { blockMapOf, bmapLines } from './bmap.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import { isSameFile, withImage, type ImageOptions } from './support/image.js';
import { createProgress, type Progress } from './support/progress.js';
import { emit, table } from './support/report.js';
import { onSignals } from './support/signals.js';
import { isStream, STANDARD } from './support/streams.js';
import { formatExact } from './support/units.js';

export interface MapOptions extends ImageOptions {
  position?: number;
  length?: number;
  detectZeroes?: number;
  bmap?: boolean;
  output?: string;
  json?: boolean;
}

/** Rows that are put into columns, and lines that are printed, at a time. */
const AT_ONCE = 1024;

export async function mapCommand(file: string, options: MapOptions): Promise<number> {
  const { output = STANDARD, bmap = false, json = false } = options;
  if (bmap && json) throw new UsageError('--bmap and --json exclude each other');
  if (bmap && (options.position !== undefined || options.length !== undefined)) {
    throw new UsageError('--bmap is of all of the device: --offset and --size say what that is');
  }
  if (isSameFile(file, output === STANDARD ? process.stdout.fd : output)) throw new UsageError(`the output is '${file}' itself`);
  const progress = createProgress(true);
  const release = onSignals(() => progress.stop());
  try {
    await withImage(file, options, { mode: 'r' }, async (device) => {
      const text = bmap ? bmapOf(device, options, progress) : listOf(device, options, progress);
      await (output === STANDARD ? print(text) : save(text, output));
    });
    return EXIT.ok;
  } finally {
    progress.stop();
    release();
  }
}

async function print(text: AsyncIterable<string>): Promise<void> {
  for await (const part of text) await emit(part);
}

/** Writes to a file, which is not touched before there is something for it, and not at all while it is open as a disk or as a part of one. */
async function save(text: AsyncGenerator<string, void>, output: string): Promise<void> {
  const bytes = async function* (): AsyncGenerator<Buffer, void> {
    for await (const part of text) yield Buffer.from(part);
  };
  try {
    if (isStream(output)) await pipeline(bytes, createWriteStream(output));
    else await copyBy(bytes(), output, { flush: false }, {});
  } catch (error) {
    throw withPath(error, output);
  }
}

async function* bmapOf(device: BlockDevice, { detectZeroes }: MapOptions, progress: Progress): AsyncGenerator<string, void> {
  progress.start('reading', device.size);
  const onProgress = (bytes: number): void => progress.reach(bytes);
  const map = await blockMapOf(device, { onProgress, ...(detectZeroes !== undefined && { detectZeroes }) });
  progress.stop();
  yield* inParts(bmapLines(map));
}

async function* listOf(device: BlockDevice, options: MapOptions, progress: Progress): AsyncGenerator<string, void> {
  const { position = 0, length, detectZeroes, json } = options;
  const range = { position, ...(length !== undefined && { length }), ...(detectZeroes !== undefined && { detectZeroes }) };
  // Beside a list that is being printed on it, a terminal has no place for a bar.
  const isSeen = options.output === undefined && process.stdout.isTTY;
  if (!isSeen) progress.start('listing', device.size);
  let rows: Extent[] = [];
  let isFirst = true;
  for await (const extent of device.extents(range)) {
    rows.push(extent);
    if (rows.length < AT_ONCE) continue;
    progress.reach(extent.position + extent.length);
    yield json === true ? rowsOf(rows, isFirst) : render(rows, isFirst);
    [rows, isFirst] = [[], false];
  }
  progress.stop();
  if (isFirst || rows.length > 0) yield json === true ? rowsOf(rows, isFirst) : render(rows, isFirst);
  if (json === true) yield '\n]\n';
}

/** Lines, many at a time. */
function* inParts(lines: Iterable<string>): Generator<string, void> {
  let part: string[] = [];
  for (const line of lines) {
    if (part.push(line) < AT_ONCE) continue;
    yield part.join('');
    part = [];
  }
  yield part.join('');
}

/** Rows of a JSON array, each in a line, as QEMU prints them. */
function rowsOf(extents: readonly Extent[], isFirst: boolean): string {
  const text = extents.map((extent) => JSON.stringify(toRow(extent))).join(',\n');
  return isFirst ? `[${text}` : `,\n${text}`;
}

function toRow({ position, length, type, depth, offset, present: isThere }: Extent): object {
  const isData = type === 'data';
  const present = isThere ?? true;
  return { start: position, length, depth, present, zero: !isData, data: isData, ...(offset !== undefined && { offset }) };
}

const COLUMNS = ['>start', '>bytes', 'type', '>depth', '>offset'];

function render(extents: readonly Extent[], isFirst: boolean): string {
  const rows = extents.map(({ position, length, type, depth, offset }) => [
    formatExact(position),
    formatExact(length),
    type,
    String(depth),
    offset === undefined ? '-' : formatExact(offset),
  ]);
  return `${table(isFirst ? COLUMNS : COLUMNS.map((title) => title.replace(/\w+/, '')), rows)}\n`;
}
