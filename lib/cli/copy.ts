// rumpblk copy, or convert: an image or a disk onto another, or into a new file, by what of it is data.
import { statSync } from 'node:fs';
import { contentOfDevice } from '../device-content.js';
import { Option, type Command } from './bundled/commander.js';
import { copyBy } from '../copy/copy.js';
import type { CopyOptions, CopyProgress, CopyResult } from '../copy/options.js';
import type { CopySource, CopyTarget } from '../copy/kinds.js';
import { BlockDeviceError, open, type BlockDevice, type ImageFormat } from '../index.js';
import { pastTheEnd, withRegisterHint } from './support/diagnosis.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import type { Done } from './support/file-command.js';
import { explain } from './support/help.js';
import { formatOption, isSameFile, partitionOption } from './support/image.js';
import { interruptedText } from './support/interrupted.js';
import { formatIn } from './support/nature.js';
import { withNewQcow2 } from './support/new-image.js';
import { addProgressOptions, createProgress, type Progress, type ProgressOptions } from './support/progress.js';
import { emitJson, note } from './support/report.js';
import { useAndClose } from './support/scope.js';
import { abortedBySignals } from './support/signals.js';
import { FILE_HELP, mediumKind, parseSource, sourceOf } from './support/source.js';
import { isStream, STANDARD } from './support/streams.js';
import { parseBytes } from './support/units.js';

/** Options of `rumpblk copy`. */
export interface CopyCommandOptions extends ProgressOptions {
  outputFormat?: 'raw' | 'qcow2';
  format?: ImageFormat;
  targetFormat?: ImageFormat;
  sourcePosition?: number;
  targetPosition?: number;
  length?: number;
  sourcePartition?: string | number;
  targetPartition?: string | number;
  sparse?: 'extents' | 'detect' | 'off';
  reflink?: 'auto' | 'always' | 'never';
  targetIsZero?: boolean;
  verify?: boolean;
  flush: boolean;
  lock: boolean;
  json?: boolean;
}

const COPY_HELP = {
  notes: [
    'What SRC says to be holes is not read, and reads as zeros from DST afterwards. A file DST that is there is replaced, unless --target-position or --target-format is given; a file that the copy made is removed when it fails. -O qcow2 makes a new file, and refuses one that is there. To and from pipes: rumpblk read, rumpblk write.',
  ],
  examples: [
    { what: 'Make an image of a disk, and check it.', line: 'rumpblk copy /dev/sdb disk.img --verify' },
    { what: 'Turn an image into qcow2, and back.', line: 'rumpblk copy disk.img disk.qcow2 -O qcow2' },
    { what: '', line: 'rumpblk copy --format qcow2 disk.qcow2 disk.img' },
    { what: 'Write a file system onto the second partition of a disk.', line: 'rumpblk copy root.ext4 disk.img --target-partition 2' },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addCopy(program: Command, done: Done): void {
  const command = program
    .command('copy')
    .alias('convert')
    .description('Copy an image or a disk, holes as holes, also from one format into another.')
    .argument('<src>', FILE_HELP, parseSource)
    .argument('<dst>', 'file that is made or replaced, or device node, memory:SIZE, null:SIZE or an nbd: URL', parseSource)
    .addOption(new Option('-O, --output-format <format>', 'make DST of this format (default: raw)').choices(['raw', 'qcow2']))
    .addOption(formatOption('--format', 'SRC'))
    .addOption(formatOption('--target-format', 'DST', ', and write it in place'))
    .option('--source-position <bytes>', 'where in SRC to begin', parseBytes)
    .option('--target-position <bytes>', 'where in DST to begin; a file is changed in place with it', parseBytes)
    .option('-l, --length <bytes>', 'how much to copy at most (default: to the end of SRC)', parseBytes)
    .addOption(partitionOption('--source-partition', 'SRC'))
    .addOption(partitionOption('--target-partition', 'DST'))
    .addOption(
      new Option('--sparse <how>', 'which zeros become holes: those of holes, those in data as well, or none')
        .choices(['extents', 'detect', 'off'])
        .default('extents'),
    )
    .addOption(
      new Option('--reflink <when>', 'share blocks of SRC, where a file system can').choices(['auto', 'always', 'never']).default('auto'),
    )
    .option('--target-is-zero', 'write no zeros: all that DST has is zeros already, which is believed')
    .option('--verify', 'read both again afterwards, and compare')
    .option('--no-flush', 'end without making it durable')
    .option('--no-lock', 'go on even when another process has SRC or DST locked')
    .option('--json', 'print one JSON document on stdout');
  addProgressOptions(command);
  explain(command, COPY_HELP).action(async (source: string, target: string, options: CopyCommandOptions) =>
    done(await copyCommand(source, target, options)),
  );
}

export async function copyCommand(source: string, target: string, options: CopyCommandOptions): Promise<number> {
  refuse(source, target, options);
  const { outputFormat, flush } = options;
  const progress = createProgress(options);
  const result = await abortedBySignals(
    async (signal) => {
      try {
        return await (outputFormat === 'qcow2' ? intoQcow2 : onto)(source, { options, target, progress, signal });
      } finally {
        progress.stop();
      }
    },
    () => interruptedText(progress, target),
  );
  progress.finish({ bytes: result.bytes, holes: result.bytesHoles });
  if (options.json === true)
    await emitJson({ source, target, format: outputFormat ?? options.targetFormat ?? 'raw', ...result, flushed: flush });
  return EXIT.ok;
}

/** What makes no sense, before anything is opened. */
function refuse(source: string, target: string, options: CopyCommandOptions): void {
  const { outputFormat, targetFormat, targetPosition, targetPartition } = options;
  if (source === STANDARD || target === STANDARD) {
    throw new UsageError(`a pipe has no holes: rumpblk read gives one, rumpblk write takes one; a file of that name is ./${STANDARD}`);
  }
  if (mediumKind(target) === undefined && statSync(target, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new UsageError(`'${target}' is a directory: give the name of a file in it`);
  }
  refusePipe(source, `rumpblk write DST -i '${source}'`);
  refusePipe(target, `rumpblk read SRC -o '${target}'`);
  if (outputFormat !== undefined && targetFormat !== undefined) {
    throw new UsageError('-O makes a new image, and --target-format is of one that is there: give one of them');
  }
  if (outputFormat === 'qcow2') {
    if (targetPosition !== undefined || targetPartition !== undefined) {
      throw new UsageError('-O qcow2 makes a new image: --target-position and --target-partition are of a target that is there');
    }
    if (mediumKind(target) !== undefined) throw new UsageError(`-O qcow2 makes a file, and '${target}' is none`);
  }
  const isWhole = [options.sourcePosition, targetPosition, options.sourcePartition, targetPartition].every((value) => value === undefined);
  const isAsIs = [options.format, targetFormat].every((format) => format === undefined || format === 'raw');
  if ((isWhole || !isAsIs) && isSameFile(source, target)) throw new UsageError(`the target is '${source}' itself`);
}

/** A pipe or a terminal among the ends, which /dev/zero is not. */
function refusePipe(end: string, way: string): void {
  if (isStream(end)) throw new UsageError(`'${end}' is a pipe or a character device, which has no holes and no end to begin from: ${way}`);
}

/** What every way of copying needs beside the options. */
interface Means {
  readonly options: CopyCommandOptions;
  readonly target: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Copies into a file, which it makes or replaces, onto a disk, or onto what an image holds. */
async function onto(source: string, means: Means): Promise<CopyResult> {
  const { options, target } = means;
  const { format, targetFormat, sourcePartition, targetPartition, flush, lock } = options;
  // What is raw copy() opens itself: it knows files that grow, and those that do not tell their size.
  const isRaw = format === undefined || format === 'raw';
  return withEnd(isRaw ? undefined : () => openSource(source, options), async (opened) => {
    const from = opened ?? sourceOf(source);
    const parts = {
      ...(opened === undefined && sourcePartition !== undefined && { sourcePartition }),
      ...(targetFormat === undefined && targetPartition !== undefined && { targetPartition }),
    };
    const openTarget = (): Promise<BlockDevice> =>
      open(sourceOf(target), {
        ...(targetFormat !== undefined && { format: targetFormat }),
        ...(targetPartition !== undefined && { partition: targetPartition }),
        mode: 'r+',
        cache: flush ? 'writeback' : 'unsafe',
        lock,
      });
    return withEnd(targetFormat === undefined ? undefined : openTarget, (to) => transfer(from, to ?? sourceOf(target), parts, means));
  });
}

/** Copies into a new qcow2 image, which is removed again when that fails. */
async function intoQcow2(source: string, means: Means): Promise<CopyResult> {
  const { options, target } = means;
  const { sourcePosition = 0, length = Infinity, flush, lock } = options;
  const from = await openSource(source, options);
  return useAndClose(from, async () => {
    if (sourcePosition > from.size) await pastTheEnd(from, sourcePosition, () => from.read(Buffer.alloc(1), sourcePosition));
    const size = Math.min(length, from.size - sourcePosition);
    const result = await withNewQcow2(target, { size, flush, lock }, (to) => transfer(from, to, { targetIsZero: true }, means));
    await tellNested(source, from, options);
    return result;
  });
}

/** Says that an image was put into an image: which format it is of was probably forgotten. */
async function tellNested(source: string, from: BlockDevice, { format }: CopyCommandOptions): Promise<void> {
  const inside = format === undefined ? formatIn(await contentOfDevice(from)) : undefined;
  if (inside === undefined) return;
  note(`'${source}' was copied as the bytes of a ${inside} image: --format ${inside} copies the disk in it`);
}

function openSource(source: string, { format, sourcePartition, lock }: CopyCommandOptions): Promise<BlockDevice> {
  const partition = sourcePartition === undefined ? {} : { partition: sourcePartition };
  return open(sourceOf(source), { ...partition, ...(format !== undefined && { format }), lock });
}

/** Runs `use` on the device that `open` gives, if there is something to open, and closes it. */
async function withEnd<T>(opens: (() => Promise<BlockDevice>) | undefined, use: (device?: BlockDevice) => Promise<T>): Promise<T> {
  if (opens === undefined) return use();
  const device = await opens();
  return useAndClose(device, () => use(device));
}

const PHASES = { copy: 'copying', verify: 'verifying' } as const;

async function transfer(from: CopySource, to: CopyTarget, given: CopyOptions, means: Means): Promise<CopyResult> {
  const { options, target, progress, signal } = means;
  const { sourcePosition, targetPosition, length, sparse, reflink, targetIsZero, verify, flush, lock } = options;
  let phase: CopyProgress['phase'] | undefined;
  const onProgress = (told: CopyProgress): void => {
    if (told.phase !== phase) progress.start(PHASES[(phase = told.phase)], told.total);
    progress.reach(told.bytes);
  };
  const settings: CopyOptions = {
    ...(sourcePosition !== undefined && { sourcePosition }),
    ...(targetPosition !== undefined && { targetPosition }),
    ...(length !== undefined && { length }),
    ...(sparse !== undefined && { sparse }),
    ...(reflink !== undefined && { reflink }),
    ...(targetIsZero !== undefined && { targetIsZero }),
    ...(verify !== undefined && { verify }),
    flush,
    ...given,
    onProgress,
    signal,
  };
  progress.start('copying');
  try {
    return await copyBy(from, to, settings, { lock });
  } catch (error) {
    throw withRegisterHint(withPath(error, target), pathOf(error) ?? target);
  }
}

function pathOf(error: unknown): string | undefined {
  return error instanceof BlockDeviceError ? error.path : undefined;
}
