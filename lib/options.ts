// Options of drivers, registrations and opens: their types, their defaults, and the numbers that native takes for them.
// Every option is read once.
// Over 300 lines: what callers may ask for is declared and checked in one place.
import { ACCESS, binding, CACHE, FORMAT, LOCK, MODE, TO_THE_END, WINDOW_SIZE } from './native/binding.js';
import { BLKFAIL_MAX, faultOptions, type FaultOptions } from './faults.js';
import { checkedPlan } from './faults/plan.js';
import { planFromFile } from './faults/plan-file.js';
import type { FaultPlan } from './faults/types.js';
import type { Bytes, Position } from './request/transfer.js';
import { keysOf, NO_SIGNAL, type KnownKeys } from './arguments/known-keys.js';
import { abortSignal, bytes, flag, integer, listOf, oneOf, requireObject, requireOptions, sectorSizeOf } from './arguments/validate.js';
import { engineArgument, type Engine } from './engine.js';
import { invalidArgType, invalidArgValue } from './errors.js';

/** What a completed write promises. writethrough: it is durable. writeback: durable after flush(). unsafe: nothing, and flush() does nothing. */
export type CacheMode = 'writethrough' | 'writeback' | 'unsafe';

/** Options of a driver. */
export interface DriverOptions {
  /** Slots of the table, 1 to 65536; default 16 (RUMPBLK_SIZE). */
  minorCount?: number;
  /** Bytes of a window, a power of two from one page to 1 TiB; default `'auto'` for access 'auto', 1 MiB for 'mmap'. */
  windowSize?: Bytes | 'auto';
  /** Windows of each open device, 1 to 65536; default 16. */
  windowCount?: number;
  /** Requests of each device in the I/O queue, 1 to 65536; default 1024. More may be asked for: they wait behind it. */
  queueDepth?: number;
  /** Threads for I/O at most, 1 to 256; default 32. As many are started as requests wait for disks at once; beyond four they end again when fewer have done for some seconds. */
  workers?: number;
  /**
   * Bytes of memory that promise forms of all its devices hold at a time, from 1 MiB; default 64 MiB. More may be asked for: what finds
   * none waits, devices in turn, and a long request goes in parts.
   */
  requestMemory?: Bytes;
  /** What does reads of host files that wait for a disk, and direct writes; default `'auto'`: io_uring where the host allows it, else threads. */
  engine?: Engine | 'auto';
  /** Fault injection from the start, by the generator or by a plan; default: off. */
  faults?: FaultOptions | FaultPlan;
}

/** The range [offset, offset + size) of the host file, or of the medium, that becomes the device. */
export interface RegisterOptions {
  /** First byte of the range; default 0. */
  offset?: Position;
  /** Bytes in the range; default: to the end. */
  size?: Position;
  /**
   * Bytes of the sectors that partition tables on it count in, a power of two from 512 to 65536; default what a block node or a medium says, else 512. For an
   * image of a disk with other sectors: requests go on counting in 512 bytes.
   */
  sectorSize?: Bytes;
  /**
   * What the file or the medium holds: the bytes of the disk, an image in the format qcow2, a fixed VHD, or `'auto'`, what its content
   * says; default `'raw'`. A guest that writes into a raw disk decides what its content says, so `'auto'` is for images that no guest has had.
   */
  format?: ImageFormat;
}

/** Formats of images. */
export type ImageFormat = 'raw' | 'qcow2' | 'vhd' | 'auto';

/** Keeps a {@link PartitionEntry}, which has a `size` as well, from passing for the range of a file. */
export interface NotAnEntry {
  /** Is no option. */
  start?: never;
}

/** Options of one open of a device. */
export interface OpenOptions {
  /** 'r' reads, 'r+' reads and writes; default 'r'. */
  mode?: 'r' | 'r+';
  /** Opens the character device: positions are multiples of 512 bytes and requests go in chunks of at most 64 KiB; default false. */
  raw?: boolean;
  /** How requests reach the host file: mapped windows, pread and pwrite, or the fastest for each; default 'auto'. Media have no windows: theirs is 'pio'. */
  access?: 'auto' | 'mmap' | 'pio';
  /** What a completed write promises; default 'writethrough' when `raw`, else 'writeback'. */
  cache?: CacheMode;
  /** Uses O_DIRECT where the host allows it; not with access 'mmap'; default false. */
  direct?: boolean;
  /** Locks the range, shared for 'r' and exclusive for 'r+', on a host file also against QEMU's programs; default true. */
  lock?: boolean;
  /** Ranges that this open must not write, as `[offset, length]` in bytes of the device; writes into them are EROFS; default none. */
  protect?: readonly (readonly [offset: Position, length: Position])[];
  /** Ends the open early; a device that opened nevertheless is closed again. */
  signal?: AbortSignal;
}

/** Accepted options of an open; every default is filled in. */
export interface OpenSettings {
  readonly mode: 'r' | 'r+';
  readonly raw: boolean;
  readonly access: 'auto' | 'mmap' | 'pio';
  readonly cache: CacheMode;
  readonly direct: boolean;
  readonly lock: boolean;
  /** First byte and end of each protected range. */
  readonly protect: Float64Array;
  readonly signal: AbortSignal | undefined;
}

type OpenArguments = [mode: number, raw: boolean, access: number, cache: number, direct: boolean, lock: number, protect: Float64Array];
type RangeArguments = [offset: number, size: number, sectorSize: number, format: number];
type DriverArguments = [
  minorCount: number,
  windowSize: number,
  windowCount: number,
  queueDepth: number,
  workers: number,
  requestMemory: number,
  engine: number,
];

const DRIVER_KEYS = keysOf<DriverOptions>(
  {
    minorCount: true,
    windowSize: true,
    windowCount: true,
    queueDepth: true,
    workers: true,
    requestMemory: true,
    engine: true,
    faults: true,
  },
  {
    minors: "'minorCount'",
    size: "'minorCount'",
    windows: "'windowCount'",
    threads: "'workers'",
    concurrency: "'workers'",
    memory: "'requestMemory'",
    maxMemory: "'requestMemory'",
    ioengine: "'engine'",
  },
);

/** Keys that other packages have for a range. */
const RANGE_WORDS = { length: "'size'", start: "'offset'", position: "'offset'" } as const;
const RANGE_NAMES = { offset: true, size: true, sectorSize: true, format: true } as const;
const REGISTER_KEYS = keysOf<RegisterOptions>(RANGE_NAMES, { ...RANGE_WORDS, partition: 'registerPartition(minor, name)' });

const OPEN_NAMES = { mode: true, raw: true, access: true, cache: true, direct: true, lock: true, protect: true } as const;
/** Keys that other packages have for a mode. */
const OPEN_WORDS = {
  flags: "'mode'",
  flag: "'mode'",
  readOnly: "mode: 'r', which is the default",
  readonly: "mode: 'r', which is the default",
  writable: "mode: 'r+'",
  write: "mode: 'r+'",
} as const;
/** Keys that choose what is opened, where a minor has been chosen already. */
const MINOR_WORDS = {
  ...OPEN_WORDS,
  offset: 'that of register()',
  size: 'that of register()',
  partition: 'registerPartition(minor, name)',
  isolated: 'a driver of its own: each has its own workers',
} as const;

/** What `open` of a driver takes, and its Sync form. */
export const OPEN_KEYS = keysOf<OpenOptions>({ ...OPEN_NAMES, signal: true }, MINOR_WORDS);
export const OPEN_SYNC_KEYS = keysOf<Omit<OpenOptions, 'signal'>>(OPEN_NAMES, { ...MINOR_WORDS, ...NO_SIGNAL });

/** What `open` by path takes, and its Sync form; `partition`, `driver` and `isolated` are looked at by open.ts. */
type PathKeys = OpenOptions & RegisterOptions & { partition?: unknown; driver?: unknown; isolated?: unknown };
const PATH_NAMES = { ...OPEN_NAMES, ...RANGE_NAMES, partition: true, driver: true, isolated: true } as const;
const PATH_WORDS = { ...OPEN_WORDS, ...RANGE_WORDS } as const;
export const OPEN_PATH_KEYS = keysOf<PathKeys>({ ...PATH_NAMES, signal: true }, PATH_WORDS);
export const OPEN_PATH_SYNC_KEYS = keysOf<Omit<PathKeys, 'signal'>>(PATH_NAMES, { ...PATH_WORDS, ...NO_SIGNAL });

/** The least that can be mapped, and more than any host maps at once. */
const WINDOW_MIN = binding.pageSize;
const WINDOW_MAX = 2 ** 40;
const COUNT_MAX = 65536;
const WORKERS_MAX = 256;
const MEMORY_MIN = 2 ** 20;
const MEMORY_DEFAULT = 2 ** 26;
const SPANS_MAX = 2 ** 20;

/** Accepts options of an open, which may have the keys that `known` has. */
export function openSettings(options: unknown, known: KnownKeys): OpenSettings {
  if (options === undefined) options = {};
  requireOptions(options, 'options', known);
  const { mode = 'r', raw, access = 'auto', direct, lock, protect, signal } = options as OpenOptions;
  const isRaw = flag(raw, 'options.raw', false);
  const { cache = isRaw ? 'writethrough' : 'writeback' } = options as OpenOptions;
  const settings = {
    mode: oneOf(mode, 'options.mode', MODE),
    raw: isRaw,
    access: oneOf(access, 'options.access', ACCESS),
    cache: oneOf(cache, 'options.cache', CACHE),
    direct: flag(direct, 'options.direct', false),
    lock: flag(lock, 'options.lock', true),
    protect: spans(protect, 'options.protect'),
    signal: abortSignal(signal, 'options.signal'),
  };
  if (settings.direct && settings.access === 'mmap') throw invalidArgValue('options.direct', true, "cannot be used with access 'mmap'");
  return settings;
}

/** Orders the settings of an open as native takes them. */
export function openArguments(settings: OpenSettings, lock: number = settings.lock ? LOCK.range : LOCK.none): OpenArguments {
  const { mode, raw, access, cache, direct, protect } = settings;
  return [MODE[mode], raw, ACCESS[access], CACHE[cache], direct, lock, protect];
}

/** An open of a disk for its tables: it neither locks nor writes. */
export const LOOKING = openArguments(openSettings({ access: 'pio', cache: 'unsafe', lock: false }, OPEN_KEYS));

/** Accepts a list of `[offset, length]` and returns where each begins and ends. */
function spans(list: unknown, name: string): Float64Array {
  if (list === undefined) return new Float64Array(0);
  return Float64Array.from(listOf(list, name, SPANS_MAX, span).flat());
}

function span(value: unknown, name: string): readonly [begin: number, end: number] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an instance of Array', value);
  if (value.length !== 2) throw invalidArgValue(name, value, 'must be [offset, length]');
  const begin = bytes(value[0], `${name}[0]`);
  return [begin, Math.min(begin + bytes(value[1], `${name}[1]`), Number.MAX_SAFE_INTEGER)];
}

const NOT_NAMED = 0;

/** Accepts the range of a registration, which is part of options with the keys of `known`. */
export function rangeArguments(options: unknown, known: KnownKeys = REGISTER_KEYS): RangeArguments {
  if (options === undefined) return [0, TO_THE_END, NOT_NAMED, FORMAT.raw];
  requireOptions(options, 'options', known);
  const { offset = 0, size, sectorSize, format = 'raw' } = options as RegisterOptions;
  return [
    bytes(offset, 'options.offset'),
    size === undefined ? TO_THE_END : bytes(size, 'options.size'),
    sectorSize === undefined ? NOT_NAMED : sectorSizeOf(sectorSize, 'options.sectorSize'),
    FORMAT[oneOf(format, 'options.format', FORMAT)],
  ];
}

/** Accepts options of a driver. */
export function driverArguments(options: unknown): { native: DriverArguments; faults: Required<FaultOptions> | FaultPlan | undefined } {
  requireOptions(options, 'options', DRIVER_KEYS);
  const { minorCount = 16, windowSize, windowCount = 16, queueDepth = 1024, workers = 32, faults } = options as DriverOptions;
  const { requestMemory = MEMORY_DEFAULT, engine = 'auto' } = options as DriverOptions;
  return {
    native: [
      integer(minorCount, 'options.minorCount', 1, COUNT_MAX),
      windowSizeArgument(windowSize),
      integer(windowCount, 'options.windowCount', 1, COUNT_MAX),
      integer(queueDepth, 'options.queueDepth', 1, COUNT_MAX),
      integer(workers, 'options.workers', 1, WORKERS_MAX),
      integer(requestMemory, 'options.requestMemory', MEMORY_MIN, Number.MAX_SAFE_INTEGER),
      engineArgument(engine),
    ],
    faults: faults === undefined ? undefined : faultsFrom(faults),
  };
}

function faultsFrom(faults: FaultOptions | FaultPlan): Required<FaultOptions> | FaultPlan {
  const isPlan = typeof faults === 'object' && (faults as unknown) !== null && 'rules' in faults;
  if (!isPlan) return faultOptions(faults, 'options.faults');
  // Before the driver is made: a plan that is refused makes none.
  checkedPlan(faults, 'options.faults');
  return faults;
}

function windowSizeArgument(windowSize: unknown): number {
  const name = 'options.windowSize';
  if (windowSize === undefined) return WINDOW_SIZE.unset;
  if (windowSize === 'auto') return WINDOW_SIZE.auto;
  if (typeof windowSize === 'string') throw invalidArgValue(name, windowSize, "must be a number or 'auto'");
  if (typeof windowSize !== 'number') throw invalidArgType(name, "of type number or the string 'auto'", windowSize);
  const size = integer(windowSize, name, WINDOW_MIN, WINDOW_MAX);
  if (!isPowerOfTwo(size)) throw invalidArgValue(name, windowSize, 'must be a power of two');
  return size;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/** Reads the seed's environment variables; an empty value is a bad one. */
export function optionsFromEnv(env: unknown): DriverOptions {
  requireObject(env, 'env');
  const { RUMP_BLKFAIL, RUMP_BLKFAIL_SEED, RUMP_BLKWINSIZE, RUMP_BLKWINCOUNT, RUMPBLK_FAULTS } = env as NodeJS.ProcessEnv;
  const options: DriverOptions = {};
  // Looked at also without a rate, where it is of no use: a bad value throws.
  const seed = RUMP_BLKFAIL_SEED === undefined ? undefined : digits(RUMP_BLKFAIL_SEED, 'RUMP_BLKFAIL_SEED', 0, 2 ** 32 - 1);
  if (RUMP_BLKFAIL !== undefined) {
    const rate = Math.min(digits(RUMP_BLKFAIL, 'RUMP_BLKFAIL', 0, Infinity), BLKFAIL_MAX);
    options.faults = seed === undefined ? { rate } : { rate, seed };
  }
  if (RUMPBLK_FAULTS !== undefined) {
    if (options.faults !== undefined) throw invalidArgValue('env.RUMPBLK_FAULTS', RUMPBLK_FAULTS, 'excludes RUMP_BLKFAIL');
    options.faults = planFromFile(RUMPBLK_FAULTS, 'env.RUMPBLK_FAULTS');
  }
  if (RUMP_BLKWINSIZE !== undefined) {
    options.windowSize = digits(RUMP_BLKWINSIZE, 'RUMP_BLKWINSIZE', WINDOW_MIN, WINDOW_MAX);
    if (!isPowerOfTwo(options.windowSize)) throw invalidArgValue('env.RUMP_BLKWINSIZE', RUMP_BLKWINSIZE, 'must be a power of two');
  }
  if (RUMP_BLKWINCOUNT !== undefined) options.windowCount = digits(RUMP_BLKWINCOUNT, 'RUMP_BLKWINCOUNT', 1, COUNT_MAX);
  return options;
}

function digits(text: unknown, variable: string, min: number, max: number): number {
  const value = typeof text === 'string' && /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  const range = max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;
  throw invalidArgValue(`env.${variable}`, text, `must be a decimal number ${range}`);
}
