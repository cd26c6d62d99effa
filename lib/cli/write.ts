// rumpblk write: a file or a pipe onto the device.
import { createReadStream } from 'node:fs';
import type { Command } from './bundled/commander.js';
import { copyBy } from '../copy/copy.js';
import type { CopyProgress, CopyResult } from '../copy/options.js';
import { BlockDeviceError, type BlockDevice } from '../index.js';
import { pastTheEnd } from './support/diagnosis.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import { addFileCommand, addSharedOptions, type Done } from './support/file-command.js';
import { explain } from './support/help.js';
import { isSameFile, withImage, type ImageOptions } from './support/image.js';
import { interruptedText } from './support/interrupted.js';
import { addProgressOptions, createProgress, type Progress, type ProgressOptions } from './support/progress.js';
import { emitJson, note } from './support/report.js';
import { endedBySignals } from './support/signals.js';
import { parseSource, sourceOf } from './support/source.js';
import { isStream, STANDARD, standardInput } from './support/streams.js';
import { parseBytes } from './support/units.js';

interface WriteOptions extends ImageOptions, ProgressOptions {
  position: number;
  length?: number;
  input?: string;
  fua?: boolean;
  flush: boolean;
  json?: boolean;
}

const WRITE_HELP = {
  notes: ['Input that does not fit is ENOSPC, exit status 1; what fitted has been written.'],
  examples: [
    { what: 'Put a partition back that rumpblk read has got out.', line: 'rumpblk write disk.img --partition 2 -i root.img' },
    { what: 'Write boot code into the first sector, and nothing behind it.', line: 'rumpblk write disk.img -l 440 -i boot.bin' },
    { what: 'Unpack an image onto a disk.', line: 'zcat disk.img.gz | rumpblk write /dev/sdb' },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addWrite(program: Command, done: Done): void {
  const command = addFileCommand(program, 'write', 'Copy a file or stdin onto a device, and flush it.')
    .option('-p, --position <bytes>', 'where on the device to begin', parseBytes, 0)
    .option('-l, --length <bytes>', 'how much to write at most (default: all of the input)', parseBytes)
    .option('-i, --input <file>', 'where from, - for stdin (default: stdin)', parseSource)
    .option('--fua', 'make every piece durable before the next one is written')
    .option('--no-flush', 'end without making the data durable');
  explain(addProgressOptions(addSharedOptions(command)), WRITE_HELP).action(async (file: string, options: WriteOptions) =>
    done(await writeCommand(file, options)),
  );
}

async function writeCommand(file: string, options: WriteOptions): Promise<number> {
  const input = options.input ?? STANDARD;
  refuseInput(file, options, input);
  const { position, length, fua = false, flush } = options;
  // Without the flush there must be none at close either: cache mode unsafe promises nothing and syncs nothing.
  const cache = flush ? 'writeback' : 'unsafe';
  const progress = createProgress(options);
  let holes = 0;
  const write = async (): Promise<{ bytesWritten: number }> =>
    withImage(file, options, { mode: 'r+', cache }, async (device, driver) => {
      const { bytes: bytesWritten, bytesHoles } = await copyIn(device, options, input, progress);
      holes = bytesHoles;
      return { file, position, bytesWritten, input, fua, flushed: flush, access: device.access, counters: driver.counters() };
    });
  const report = await endedBySignals(write, progress, () => interruptedText(progress, file));
  progress.finish({ bytes: report.bytesWritten, holes });
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

/** Copies the input. What does not fit is a failure: ENOSPC, with everything before it on the device. */
async function copyIn(device: BlockDevice, options: WriteOptions, input: string, progress: Progress): Promise<CopyResult> {
  const { position, length, fua = false, flush, lock } = options;
  if (position > device.size) await pastTheEnd(device, position, () => device.write(Buffer.alloc(1), position));
  const standard = input === STANDARD;
  const from = standard ? standardInput(length) : { source: isStream(input) ? createReadStream(input) : sourceOf(input) };
  const { source, ...start } = from;
  const range = { ...start, targetPosition: position, ...(length !== undefined && { length }) };
  // Durable piece by piece means one after the other.
  const pace = fua ? { concurrency: 1 } : {};
  progress.start('writing', length);
  const onProgress = ({ bytes, total }: CopyProgress): void => {
    if (total !== undefined && progress.reached().total !== total) progress.start('writing', total);
    progress.reach(bytes);
  };
  try {
    return await copyBy(source, device, { ...range, ...pace, flush, onProgress }, { fill: true, fua, lock });
  } catch (error) {
    const isFull = error instanceof BlockDeviceError && error.code === 'ENOSPC' && error.path === device.path;
    if (isFull) note(`${error.bytesTransferred ?? 0} bytes written, then the device ended at ${device.size}`);
    throw withPath(error, standard ? 'stdin' : input);
  } finally {
    progress.stop();
  }
}
