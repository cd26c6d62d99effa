// rumpblk write: a file or a pipe onto the device.
import { createReadStream } from 'node:fs';
import { copyBy } from '../copy/copy.js';
import { BlockDeviceError, type BlockDevice } from '../index.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import { isSameFile, withImage, type ImageOptions } from './support/image.js';
import { emitJson, note } from './support/report.js';
import { sourceOf } from './support/source.js';
import { isStream, STANDARD, standardInput } from './support/streams.js';

export interface WriteOptions extends ImageOptions {
  position: number;
  length?: number;
  input?: string;
  fua?: boolean;
  flush: boolean;
  json?: boolean;
}

export async function writeCommand(file: string, options: WriteOptions): Promise<number> {
  const input = options.input ?? STANDARD;
  refuseInput(file, options, input);
  const { position, length, fua = false, flush } = options;
  // Without the flush there must be none at close either: cache mode unsafe promises nothing and syncs nothing.
  const cache = flush ? 'writeback' : 'unsafe';
  const report = await withImage(file, options, { mode: 'r+', cache }, async (device, driver) => {
    const bytesWritten = await copyIn(device, options, input);
    return { file, position, bytesWritten, input, fua, flushed: flush, access: device.access, counters: driver.counters() };
  });
  if (length !== undefined && report.bytesWritten < length) {
    note(`the input ended: ${report.bytesWritten} of ${length} bytes written`);
  }
  if (options.json === true) await emitJson(report);
  return EXIT.ok;
}

function refuseInput(file: string, options: WriteOptions, input: string): void {
  const standard = input === STANDARD;
  if (options.fua === true && !options.flush) throw new UsageError('--fua and --no-flush exclude each other');
  if (standard && options.input === undefined && process.stdin.isTTY) {
    throw new UsageError('not reading from a terminal: give -i FILE, a pipe, or -i - to insist');
  }
  if (isSameFile(file, standard ? 0 : input)) throw new UsageError(`the input is '${file}' itself`);
}

/** Copies the input and gives the bytes moved. What does not fit is a failure: ENOSPC, with everything before it on the device. */
async function copyIn(device: BlockDevice, options: WriteOptions, input: string): Promise<number> {
  const { position, length, fua = false, flush, lock } = options;
  // The device itself says what it thinks of a position beyond its end.
  if (position > device.size) await device.write(Buffer.alloc(1), position);
  const standard = input === STANDARD;
  const from = standard ? standardInput(length) : { source: isStream(input) ? createReadStream(input) : sourceOf(input) };
  const { source, ...start } = from;
  const range = { ...start, targetPosition: position, ...(length !== undefined && { length }) };
  // Durable piece by piece means one after the other.
  const pace = fua ? { concurrency: 1 } : {};
  try {
    return (await copyBy(source, device, { ...range, ...pace, flush }, { fill: true, fua, lock })).bytes;
  } catch (error) {
    const isFull = error instanceof BlockDeviceError && error.code === 'ENOSPC' && error.path === device.path;
    if (isFull) note(`${error.bytesTransferred ?? 0} bytes written, then the device ended at ${device.size}`);
    throw withPath(error, standard ? 'stdin' : input);
  }
}
