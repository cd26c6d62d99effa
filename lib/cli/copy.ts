// rumpblk copy, or convert: an image or a disk onto another, or into a new file, by what of it is data.
import { copyBy } from '../copy/copy.js';
import type { CopyOptions, CopyProgress, CopyResult } from '../copy/options.js';
import type { CopySource, CopyTarget } from '../copy/kinds.js';
import { open, type BlockDevice, type ImageFormat } from '../index.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import { isSameFile } from './support/image.js';
import { withNewQcow2 } from './support/new-image.js';
import { createProgress, type Progress } from './support/progress.js';
import { emitJson } from './support/report.js';
import { useAndClose } from './support/scope.js';
import { abortedBySignals } from './support/signals.js';
import { mediumKind, sourceOf } from './support/source.js';
import { STANDARD } from './support/streams.js';

/** Options of `rumpblk copy`. */
export interface CopyCommandOptions {
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

export async function copyCommand(source: string, target: string, options: CopyCommandOptions): Promise<number> {
  refuse(source, target, options);
  const { outputFormat, flush } = options;
  const progress = createProgress(true);
  const result = await abortedBySignals(async (signal) => {
    try {
      return await (outputFormat === 'qcow2' ? intoQcow2 : onto)(source, { options, target, progress, signal });
    } finally {
      progress.stop();
    }
  });
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
    // The device itself says what it thinks of a position beyond its end.
    if (sourcePosition > from.size) await from.read(Buffer.alloc(1), sourcePosition);
    const size = Math.min(length, from.size - sourcePosition);
    return withNewQcow2(target, { size, flush, lock }, (to) => transfer(from, to, { targetIsZero: true }, means));
  });
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
    if (told.phase !== phase) progress.start(PHASES[(phase = told.phase)], told.total ?? 0);
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
  try {
    return await copyBy(from, to, settings, { lock });
  } catch (error) {
    throw withPath(error, target);
  }
}
