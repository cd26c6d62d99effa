// rumpblk discard and rumpblk zero: a range of the device that nobody needs, or that is to read as zeros.
import type { Command } from './bundled/commander.js';
import type { BlockDevice } from '../index.js';
import { pastTheEnd } from './support/diagnosis.js';
import { EXIT, UsageError } from './support/failure.js';
import { addFileCommand, addSharedOptions, type Done } from './support/file-command.js';
import { explain } from './support/help.js';
import { withImage, type ImageOptions } from './support/image.js';
import { interruptedText } from './support/interrupted.js';
import { addProgressOptions, createProgress, type ProgressOptions } from './support/progress.js';
import { emitJson, note } from './support/report.js';
import { endedBySignals } from './support/signals.js';
import { parseBytes } from './support/units.js';

interface DiscardOptions extends ImageOptions, ProgressOptions {
  position: number;
  length: number;
  flush: boolean;
  json?: boolean;
}

interface ZeroOptions extends DiscardOptions {
  keepRoom?: boolean;
  fua?: boolean;
}

/** What is done at a time, so that progress is seen; pieces begin at multiples of it. */
const PIECE = 2 ** 30;

const DISCARD_HELP = {
  notes: ['Parts of blocks at its ends stay as they are. A file system or a node that cannot does nothing, and a line on stderr says so.'],
  examples: [
    { what: 'Give back what lies in the second partition.', line: 'rumpblk discard disk.img --partition 2 -p 0 -l 512M' },
    { what: 'Punch a hole into a file.', line: 'rumpblk discard disk.img -p 1M -l 64M' },
  ],
};

const ZERO_HELP = {
  examples: [
    { what: 'Clear the first MiB, and the tables in it.', line: 'rumpblk zero disk.img -p 0 -l 1M' },
    { what: 'Make a range of zeros that has its room on the disk.', line: 'rumpblk zero disk.img -p 1G -l 64M --keep-room' },
  ],
};

/** What both commands have. */
function addRangeCommand(program: Command, name: string, description: string): Command {
  return addFileCommand(program, name, description)
    .requiredOption('-p, --position <bytes>', 'where on the device to begin', parseBytes)
    .requiredOption('-l, --length <bytes>', 'how much of it', parseBytes)
    .option('--no-flush', 'end without making it durable');
}

/** Declares `rumpblk discard`; `done` gets its exit status. */
export function addDiscard(program: Command, done: Done): void {
  const command = addRangeCommand(program, 'discard', 'Give a range back to the host: it reads as before or as zeros.');
  explain(addProgressOptions(addSharedOptions(command)), DISCARD_HELP).action(async (file: string, options: DiscardOptions) =>
    done(await discardCommand(file, options)),
  );
}

/** Declares `rumpblk zero`; `done` gets its exit status. */
export function addZero(program: Command, done: Done): void {
  const command = addRangeCommand(program, 'zero', 'Make a range read as zeros, by holes where the host can have them.')
    .option('--keep-room', 'keep, or take, the room of the range')
    .option('--fua', 'make it durable before the command goes on');
  explain(addProgressOptions(addSharedOptions(command)), ZERO_HELP).action(async (file: string, options: ZeroOptions) =>
    done(await zeroCommand(file, options)),
  );
}

async function discardCommand(file: string, options: DiscardOptions): Promise<number> {
  let discarded = 0;
  const done = await onRange(file, options, 'bytesDiscarded', async (device, position, length) => {
    const { bytesDiscarded } = await device.discard(position, length);
    discarded += bytesDiscarded;
    return { moved: bytesDiscarded, reached: Math.min(length, device.size - position) };
  });
  if (discarded < done) note(`this medium cannot discard: ${discarded} of ${done} bytes`);
  return EXIT.ok;
}

async function zeroCommand(file: string, options: ZeroOptions): Promise<number> {
  const { keepRoom = false, fua = false, flush } = options;
  if (fua && !flush) throw new UsageError('--fua and --no-flush exclude each other');
  await onRange(file, options, 'bytesZeroed', async (device, position, length) => {
    const { bytesWritten } = await device.writeZeroes(position, length, { mayUnmap: !keepRoom, fua });
    return { moved: bytesWritten, reached: bytesWritten };
  });
  return EXIT.ok;
}

/** What came of a piece. */
interface PieceDone {
  /** Bytes of which it is true. */
  readonly moved: number;
  /** Bytes that the device has there. */
  readonly reached: number;
}

/** Does `work` on the device, piece by piece, and tells what it gives by that name. -> bytes that the device has of the range. */
async function onRange(
  file: string,
  options: DiscardOptions,
  name: 'bytesDiscarded' | 'bytesZeroed',
  work: (device: BlockDevice, position: number, length: number) => Promise<PieceDone>,
): Promise<number> {
  const { position, length, flush } = options;
  const progress = createProgress(options);
  let [moved, reached] = [0, 0];
  const run = async (device: BlockDevice): Promise<void> => {
    if (position > device.size) return pastTheEnd(device, position, () => work(device, position, length));
    const end = Math.min(position + length, device.size);
    progress.start(name === 'bytesZeroed' ? 'zeroing' : 'discarding', end - position);
    do {
      const from = position + reached;
      const piece = await work(device, from, Math.min(end, (Math.floor(from / PIECE) + 1) * PIECE) - from);
      moved += piece.moved;
      reached += piece.reached;
      progress.reach(reached);
      if (piece.reached === 0) break;
    } while (position + reached < end);
  };
  // Without the flush there must be none at close either: cache mode unsafe promises nothing and syncs nothing.
  const command = (): Promise<object> =>
    withImage(file, options, { mode: 'r+', cache: flush ? 'writeback' : 'unsafe' }, async (device, driver) => {
      await run(device);
      if (flush) await device.flush();
      return { file, position, [name]: moved, flushed: flush, access: device.access, counters: driver.counters() };
    });
  try {
    const report = await endedBySignals(command, progress, () => interruptedText(progress, file));
    progress.finish({ bytes: reached });
    if (reached < length && name === 'bytesZeroed') note(`the device ended: ${reached} of ${length} bytes`);
    if (options.json === true) await emitJson(report);
  } finally {
    progress.stop();
  }
  return reached;
}
