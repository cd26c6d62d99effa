// rumpblk read: a byte range of the device to a file or a pipe.
import { createWriteStream } from 'node:fs';
import { copyBy } from '../copy/copy.js';
import type { BlockDevice } from '../index.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import { isSameFile, withImage, type ImageOptions } from './support/image.js';
import { emitJson, note, ReaderGone } from './support/report.js';
import { sourceOf } from './support/source.js';
import { isStream, STANDARD } from './support/streams.js';

export interface ReadOptions extends ImageOptions {
  position: number;
  length?: number;
  output?: string;
  json?: boolean;
}

export async function readCommand(file: string, options: ReadOptions): Promise<number> {
  const output = options.output ?? STANDARD;
  refuseOutput(file, options, output);
  const { position, length } = options;
  const report = await withImage(file, options, { mode: 'r' }, async (device, driver) => {
    const bytesRead = await copyOut(device, options, output);
    return { file, position, bytesRead, output, access: device.access, counters: driver.counters() };
  });
  if (length !== undefined && report.bytesRead < length) {
    note(`the device ends here: ${report.bytesRead} of ${length} bytes read`);
  }
  if (options.json === true) await emitJson(report);
  return EXIT.ok;
}

function refuseOutput(file: string, options: ReadOptions, output: string): void {
  const standard = output === STANDARD;
  if (standard && options.json === true) throw new UsageError('--json takes stdout for its document: give -o FILE for the data');
  if (standard && options.output === undefined && process.stdout.isTTY) {
    throw new UsageError('not writing raw data to a terminal: give -o FILE, a pipe, or -o - to insist');
  }
  if (isSameFile(file, standard ? process.stdout.fd : output)) {
    throw new UsageError(`the output is '${file}' itself`);
  }
}

/** Copies the range and gives the bytes moved. The output is not touched before the first read has succeeded. */
async function copyOut(device: BlockDevice, { position, length, lock }: ReadOptions, output: string): Promise<number> {
  // The device itself says what it thinks of a position beyond its end.
  if (position > device.size) await device.read(Buffer.alloc(1), position);
  const standard = output === STANDARD;
  const target = standard ? process.stdout : isStream(output) ? createWriteStream(output) : sourceOf(output);
  const range = { sourcePosition: position, ...(length !== undefined && { length }) };
  try {
    return (await copyBy(device, target, { ...range, flush: false }, { lock })).bytes;
  } catch (error) {
    // The reader has what it wanted.
    if (standard && (error as NodeJS.ErrnoException).code === 'EPIPE') throw new ReaderGone('EPIPE', { cause: error });
    throw withPath(error, standard ? 'stdout' : output);
  }
}
