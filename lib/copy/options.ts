// Options of copy(), checked, and what it tells meanwhile and in the end.
import { invalidArgType, invalidArgValue } from '../errors.js';
import type { PartitionChoice } from '../index.js';
import { chosenPartition } from '../label/choice.js';
import type { Bytes, Position } from '../request/transfer.js';
import { keysOf } from '../arguments/known-keys.js';
import { abortSignal, bytes, flag, integer, requireOptions } from '../arguments/validate.js';

const DEFAULT_CHUNK = 1 << 20;
const LARGEST_CHUNK = 1 << 28;
const DEFAULT_LANES = 4;
const MOST_LANES = 64;

/** How far a copy has come. */
export interface CopyProgress {
  /** What is done at the moment: `'verify'` begins when everything is copied. */
  phase: 'copy' | 'verify';
  /** Bytes done in this phase. */
  bytes: Bytes;
  /** Bytes of the whole copy; undefined while a stream has not told its end. */
  total: Bytes | undefined;
}

/** What became of a copy. */
export interface CopyResult {
  /** Bytes copied. */
  bytes: Bytes;
  /** Tells whether the target was read again and compared. */
  verified: boolean;
}

/** Options of {@link copy}. */
export interface CopyOptions {
  /** First byte of the source; default 0. Not for a stream. */
  sourcePosition?: Position;
  /** First byte of the target; default 0. Not for a stream. A file that is named by a path is changed in place with it, and replaced without. */
  targetPosition?: Position;
  /** Partition of the disk that the source path names; default: all of the disk. Positions count from its start. Only for a path. */
  sourcePartition?: PartitionChoice;
  /** Partition of the disk that the target path names, which has to be there; nothing outside it is written. Default: all of the disk. Only for a path. */
  targetPartition?: PartitionChoice;
  /** Bytes to copy at most; default: to the end of the source. */
  length?: Position;
  /** Bytes that are moved at a time; default 1 MiB. */
  chunkSize?: Bytes;
  /** Chunks that are under way at once; default 4. They, and nothing else, are in memory. */
  concurrency?: number;
  /** Reads the target again when everything is written, and compares it with digests of what was read from the source; default false. */
  verify?: boolean;
  /** Reads no hole of the source and writes no zeros where the target holds zeros already, so that holes stay holes; default true. */
  sparse?: boolean;
  /** Makes the copy durable before the promise is fulfilled; default true. */
  flush?: boolean;
  /** Is called after each chunk; what it throws ends the copy. */
  onProgress?: (progress: CopyProgress) => void;
  /** Ends the copy early: it rejects with the reason when nothing is under way any more. */
  signal?: AbortSignal;
}

const COPY_KEYS = keysOf<CopyOptions>(
  {
    sourcePosition: true,
    targetPosition: true,
    sourcePartition: true,
    targetPartition: true,
    length: true,
    chunkSize: true,
    concurrency: true,
    verify: true,
    sparse: true,
    flush: true,
    onProgress: true,
    signal: true,
  },
  {
    position: "'sourcePosition' or 'targetPosition'",
    offset: "'sourcePosition' or 'targetPosition'",
    size: "'length'",
    partition: "'sourcePartition' or 'targetPartition'",
    highWaterMark: "'chunkSize'",
    progress: "'onProgress'",
  },
);

/** What callers of the package cannot choose. */
export interface CopyRules {
  /** Copies what fits before it says that the rest does not; else a length that is known is looked at first. */
  readonly fill: boolean;
  /** Makes each write to a device durable when it completes. */
  readonly fua: boolean;
  /** Locks what is named by a path. */
  readonly lock: boolean;
}

/** The same, checked. */
export interface CopySettings extends CopyRules {
  readonly sourcePosition: number | undefined;
  readonly targetPosition: number | undefined;
  readonly sourcePartition: PartitionChoice | undefined;
  readonly targetPartition: PartitionChoice | undefined;
  readonly length: number;
  readonly chunkSize: number;
  readonly concurrency: number;
  readonly verify: boolean;
  readonly sparse: boolean;
  readonly flush: boolean;
  readonly onProgress: ((progress: CopyProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Accepts the options of a copy. */
export function copySettings(options: CopyOptions = {}, { fill = false, fua = false, lock = true }: Partial<CopyRules> = {}): CopySettings {
  requireOptions(options, 'options', COPY_KEYS);
  const { sourcePosition, targetPosition, sourcePartition, targetPartition, length, onProgress, signal } = options;
  const { chunkSize, concurrency, verify, sparse, flush } = options;
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidArgType('options.onProgress', 'of type function', onProgress);
  }
  return {
    sourcePosition: sourcePosition === undefined ? undefined : bytes(sourcePosition, 'options.sourcePosition'),
    targetPosition: targetPosition === undefined ? undefined : bytes(targetPosition, 'options.targetPosition'),
    sourcePartition: partitionChoice(sourcePartition, 'options.sourcePartition'),
    targetPartition: partitionChoice(targetPartition, 'options.targetPartition'),
    length: length === undefined ? Infinity : bytes(length, 'options.length'),
    chunkSize: integer(chunkSize ?? DEFAULT_CHUNK, 'options.chunkSize', 1, LARGEST_CHUNK),
    concurrency: integer(concurrency ?? DEFAULT_LANES, 'options.concurrency', 1, MOST_LANES),
    verify: flag(verify, 'options.verify', false),
    sparse: flag(sparse, 'options.sparse', true),
    flush: flag(flush, 'options.flush', true),
    onProgress,
    signal: abortSignal(signal, 'options.signal'),
    fill,
    fua,
    lock,
  };
}

function partitionChoice(value: PartitionChoice | undefined, name: string): PartitionChoice | undefined {
  chosenPartition(value, name);
  return value;
}

/** Refuses a partition for an end that is no path: what is open already is the partition, or is not. */
export function refusePartition(settings: CopySettings, end: 'source' | 'target'): void {
  const choice = settings[`${end}Partition`];
  if (choice === undefined) return;
  const advice = `must be left out unless the ${end} is a path: give the device of open(path, { partition })`;
  throw invalidArgValue(`options.${end}Partition`, choice, advice);
}
