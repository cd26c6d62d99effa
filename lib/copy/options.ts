// Options of copy(), checked, and what it tells meanwhile and in the end.
import { invalidArgType, invalidArgValue } from '../errors.js';
import type { PartitionChoice } from '../index.js';
import { chosenPartition } from '../label/choice.js';
import type { Bytes, Position } from '../request/transfer.js';
import { keysOf } from '../arguments/known-keys.js';
import { abortSignal, bytes, flag, integer, oneOf, requireOptions } from '../arguments/validate.js';

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
  /** Of them, bytes of the source that were not read, since they were holes or known to be zeros. */
  bytesHoles: Bytes;
  /** Of them, bytes of data that source and target share on their file system since, until one of the two writes them. */
  bytesCloned: Bytes;
}

/**
 * What becomes of zeros. `'extents'`: what the source knows to be holes or zeros is not read, and is zeros on the target, holes where it can
 * have some. `'detect'`: zeros in data that is read, 64 KiB and more, become holes as well. `'off'`: every byte is read and written.
 */
export type CopySparse = 'extents' | 'detect' | 'off';
/**
 * Whether two files share blocks instead of having a copy each. `'auto'`: where the file system can, else the host copies, else bytes
 * are read and written. `'always'`: ENOTSUP where they cannot be shared. `'never'`: bytes are read and written.
 */
export type CopyReflink = 'auto' | 'always' | 'never';

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
  /** What becomes of holes and zeros, default `'extents'`; true is `'detect'`, false `'off'`. */
  sparse?: CopySparse | boolean;
  /** Whether files share blocks, default `'auto'`. Not with `verify`, unless `'always'`, while faults are on, or when `sparse` reads everything. */
  reflink?: CopyReflink;
  /** Says that the target reads as zeros where the copy is to go, which is believed: nothing is done there for holes; default false. */
  targetIsZero?: boolean;
  /** Makes the copy durable before the promise is fulfilled; default true. */
  flush?: boolean;
  /** Is called after each chunk, of what the host copies after 64 MiB of data; what it throws ends the copy. Default none. */
  onProgress?: (progress: CopyProgress) => void;
  /** Ends the copy early: it rejects with the reason when nothing is under way any more. */
  signal?: AbortSignal;
}

const SPARSE = { extents: 0, detect: 1, off: 2 } as const;
const REFLINK = { auto: 0, always: 1, never: 2 } as const;
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
    reflink: true,
    targetIsZero: true,
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
    holes: "'sparse'",
    clone: "'reflink'",
    target_is_zero: "'targetIsZero'",
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
  readonly sparse: CopySparse;
  readonly reflink: CopyReflink;
  readonly targetIsZero: boolean;
  readonly flush: boolean;
  readonly onProgress: ((progress: CopyProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Accepts the options of a copy. */
export function copySettings(options: CopyOptions = {}, { fill = false, fua = false, lock = true }: Partial<CopyRules> = {}): CopySettings {
  requireOptions(options, 'options', COPY_KEYS);
  const { sourcePosition, targetPosition, sourcePartition, targetPartition, length, onProgress, signal } = options;
  const { chunkSize, concurrency, verify, targetIsZero, flush } = options;
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidArgType('options.onProgress', 'of type function', onProgress);
  }
  const sparse = sparseOf(options.sparse);
  const reflink = oneOf(options.reflink ?? 'auto', 'options.reflink', REFLINK);
  if (reflink === 'always' && sparse !== 'extents')
    throw invalidArgValue('options.reflink', reflink, "must not be 'always' unless 'sparse' is 'extents': what is shared is not read");
  return {
    sourcePosition: sourcePosition === undefined ? undefined : bytes(sourcePosition, 'options.sourcePosition'),
    targetPosition: targetPosition === undefined ? undefined : bytes(targetPosition, 'options.targetPosition'),
    sourcePartition: partitionChoice(sourcePartition, 'options.sourcePartition'),
    targetPartition: partitionChoice(targetPartition, 'options.targetPartition'),
    length: length === undefined ? Infinity : bytes(length, 'options.length'),
    chunkSize: integer(chunkSize ?? DEFAULT_CHUNK, 'options.chunkSize', 1, LARGEST_CHUNK),
    concurrency: integer(concurrency ?? DEFAULT_LANES, 'options.concurrency', 1, MOST_LANES),
    verify: flag(verify, 'options.verify', false),
    sparse,
    reflink,
    targetIsZero: flag(targetIsZero, 'options.targetIsZero', false),
    flush: flag(flush, 'options.flush', true),
    onProgress,
    signal: abortSignal(signal, 'options.signal'),
    fill,
    fua,
    lock,
  };
}

function sparseOf(sparse: unknown): CopySparse {
  if (sparse === undefined) return 'extents';
  if (typeof sparse === 'boolean') return sparse ? 'detect' : 'off';
  if (typeof sparse !== 'string') throw invalidArgType('options.sparse', 'of type string or boolean', sparse);
  return oneOf(sparse, 'options.sparse', SPARSE);
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
