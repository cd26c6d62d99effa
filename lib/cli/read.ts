// rumpblk read: a byte range of the device to a file or a pipe.
import { createWriteStream } from 'node:fs';
import type { Command } from './bundled/commander.js';
import { copyBy } from '../copy/copy.js';
import type { CopyProgress, CopyResult } from '../copy/options.js';
import type { BlockDevice } from '../index.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import { addFileCommand, addSharedOptions, type Done } from './support/file-command.js';
import { explain } from './support/help.js';
import { isSameFile, withImage, type ImageOptions } from './support/image.js';
import { interruptedText } from './support/interrupted.js';
import { addProgressOptions, createProgress, type Progress, type ProgressOptions } from './support/progress.js';
import { pastTheEnd } from './support/diagnosis.js';
import { emitJson, note, ReaderGone } from './support/report.js';
import { abortedBySignals, endedBySignals } from './support/signals.js';
import { parseSource, sourceOf } from './support/source.js';
import { isStream, STANDARD } from './support/streams.js';
import { formatNumber, parseBytes } from './support/units.js';

interface ReadOptions extends ImageOptions, ProgressOptions {
  position: number;
  length?: number;
  output?: string;
  json?: boolean;
}

const READ_HELP = {
  notes: ['A range that runs past the end of the device gives what there is, and a line on stderr.'],
  examples: [
    { what: 'Get the second partition out of an image.', line: 'rumpblk read disk.img --partition 2 -o root.img' },
    { what: 'Look at the first sector.', line: 'rumpblk read disk.img -l 1s | hexdump -C' },
    { what: 'Fetch an export of an NBD server.', line: 'rumpblk read nbd://localhost/disk -o disk.img' },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addRead(program: Command, done: Done): void {
  const command = addFileCommand(program, 'read', 'Copy bytes of a device to a file or to stdout.')
    .option('-p, --position <bytes>', 'where on the device to begin', parseBytes, 0)
    .option('-l, --length <bytes>', 'how much to read (default: to the end)', parseBytes)
    .option('-o, --output <file>', 'where to, - for stdout (default: stdout)', parseSource);
  explain(addProgressOptions(addSharedOptions(command)), READ_HELP).action(async (file: string, options: ReadOptions) =>
    done(await readCommand(file, options)),
  );
}

async function readCommand(file: string, options: ReadOptions): Promise<number> {
  const output = options.output ?? STANDARD;
  refuseOutput(file, options, output);
  const { position, length } = options;
  const progress = createProgress(options);
  // What goes to a pipe leaves nothing to put away, and a reader that takes nothing must not hold up the end.
  const isPipe = output === STANDARD || isStream(output);
  const tell = (): string => interruptedText(progress, isPipe ? undefined : output);
  const run = (signal?: AbortSignal): Promise<Report> =>
    withImage(file, options, { mode: 'r' }, async (device, driver) => {
      const { bytes, bytesHoles } = await copyOut(device, options, { output, progress, ...(signal !== undefined && { signal }) });
      const told = { file, position, bytesRead: bytes, output, access: device.access, counters: driver.counters() };
      return { told, bytesHoles, size: device.size };
    });
  const { told, bytesHoles, size } = await (isPipe ? endedBySignals(run, progress, tell) : abortedBySignals(run, tell));
  progress.finish({ bytes: told.bytesRead, holes: bytesHoles });
  if (length !== undefined && told.bytesRead < length) note(shortText(size, position, length, told.bytesRead));
  if (options.json === true) await emitJson(told);
  return EXIT.ok;
}

interface Report {
  /** The JSON document. */
  readonly told: { readonly bytesRead: number };
  readonly bytesHoles: number;
  /** Bytes of the device. */
  readonly size: number;
}

interface Means {
  readonly output: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** What is left of a range that runs past the end of the device. */
function shortText(size: number, position: number, length: number, bytesRead: number): string {
  const part = bytesRead === 0 ? 'none' : `from ${position} to ${position + bytesRead - 1}`;
  return `the device has ${formatNumber(size, 'byte')}: ${bytesRead} of ${length} bytes read, ${part}`;
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

/** Copies the range. The output is not touched before the first read has succeeded. */
async function copyOut(
  device: BlockDevice,
  { position, length, lock }: ReadOptions,
  { output, progress, signal }: Means,
): Promise<CopyResult> {
  if (position > device.size) await pastTheEnd(device, position, () => device.read(Buffer.alloc(1), position));
  const standard = output === STANDARD;
  const target = standard ? process.stdout : isStream(output) ? createWriteStream(output) : sourceOf(output);
  const range = { sourcePosition: position, ...(length !== undefined && { length }) };
  progress.start('reading', Math.min(length ?? Infinity, device.size - position));
  const onProgress = ({ bytes }: CopyProgress): void => progress.reach(bytes);
  try {
    return await copyBy(device, target, { ...range, flush: false, onProgress, ...(signal !== undefined && { signal }) }, { lock });
  } catch (error) {
    // The reader has what it wanted.
    if (standard && (error as NodeJS.ErrnoException).code === 'EPIPE') throw new ReaderGone('EPIPE', { cause: error });
    throw withPath(error, standard ? 'stdout' : output);
  } finally {
    progress.stop();
  }
}
