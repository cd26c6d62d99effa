// rumpblk map: what of an image is data, and what is a hole. With --json the keys that `qemu-img map --output=json` prints, with
// --bmap the XML of bmaptool. What was listed is printed while more is: a list may be longer than memory.
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Command } from './bundled/commander.js';
import { copyBy } from '../copy/copy.js';
import type { BlockDevice, Extent } from '../index.js';
import { blockMapOf, bmapLines } from './bmap.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import { addFileCommand, addSharedOptions, type Done } from './support/file-command.js';
import { explain } from './support/help.js';
import { isSameFile, withImage, type ImageOptions } from './support/image.js';
import { addProgressOptions, createProgress, type Progress, type ProgressOptions } from './support/progress.js';
import { emit, table } from './support/report.js';
import { onSignals } from './support/signals.js';
import { isStream, STANDARD } from './support/streams.js';
import { formatExact, parseBytes, parsePath } from './support/units.js';

interface MapOptions extends ImageOptions, ProgressOptions {
  position?: number;
  length?: number;
  detectZeroes?: number;
  bmap?: boolean;
  output?: string;
  json?: boolean;
}

/** Rows that are put into columns, and lines that are printed, at a time. */
const AT_ONCE = 1024;

const MAP_HELP = {
  notes: ['What the host does not tell is data. --json prints the keys of qemu-img map --output=json.'],
  examples: [
    { what: 'Show the holes of an image.', line: 'rumpblk map disk.img' },
    { what: 'Make the block map that bmaptool copies by.', line: 'rumpblk map disk.img --bmap -o disk.bmap' },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addMap(program: Command, done: Done): void {
  const command = addFileCommand(program, 'map', 'Show what of a device is data, and what is a hole.')
    .option('-p, --position <bytes>', 'where on the device to begin (default: 0)', parseBytes)
    .option('-l, --length <bytes>', 'how much of it (default: to the end)', parseBytes)
    .option('--detect-zeroes <bytes>', 'read the data, and show zeros in it, in steps of so much', parseBytes)
    .option('--bmap', 'print the XML of bmaptool: blocks that are data, with their checksums')
    .option('-o, --output <file>', 'where to, - for stdout (default: stdout)', parsePath);
  explain(addProgressOptions(addSharedOptions(command)), MAP_HELP).action(async (file: string, options: MapOptions) =>
    done(await mapCommand(file, options)),
  );
}

async function mapCommand(file: string, options: MapOptions): Promise<number> {
  const { output = STANDARD, bmap = false, json = false } = options;
  if (bmap && json) throw new UsageError('--bmap and --json exclude each other');
  if (bmap && (options.position !== undefined || options.length !== undefined)) {
    throw new UsageError('--bmap is of all of the device: --offset and --size say what that is');
  }
  if (isSameFile(file, output === STANDARD ? process.stdout.fd : output)) throw new UsageError(`the output is '${file}' itself`);
  const progress = createProgress(options);
  const release = onSignals(() => progress.stop());
  try {
    await withImage(file, options, { mode: 'r' }, async (device) => {
      const text = bmap ? bmapOf(device, options, progress) : listOf(device, options, progress);
      await (output === STANDARD ? print(text) : save(text, output));
      progress.finish({ bytes: progress.reached().done });
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
  // A list that is being printed on the terminal is progress enough.
  const isSeen = options.output === undefined && process.stdout.isTTY;
  if (!isSeen || options.progress === true) progress.start('listing', Math.min(device.size, position + (length ?? Infinity)));
  let rows: Extent[] = [];
  let isFirst = true;
  for await (const extent of device.extents(range)) {
    rows.push(extent);
    progress.reach(extent.position + extent.length);
    if (rows.length < AT_ONCE) continue;
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
