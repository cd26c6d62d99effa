// The surface that callers rely on: names, parameters, results and optionality of everything the package exports.
// It may grow; what is written here stays. Members of the classes are compared as function properties, since methods
// would be compared too kindly.
// Over 300 lines: all that is exported, once.
import type { PathLike } from 'node:fs';
import * as rumpblk from 'rumpblk';
import type { Equal, Expect, Extends, SameShape } from './expect.js';

type Bytes = number;
type Position = number | bigint;
type View = NodeJS.ArrayBufferView;
type Engine = 'threads' | 'io_uring';
type CacheMode = 'writethrough' | 'writeback' | 'unsafe';
type ImageFormat = 'raw' | 'qcow2' | 'vhd' | 'auto';
type Access = 'auto' | 'mmap' | 'pio';
type Mode = 'r' | 'r+';

// ---- options and results -----------------------------------------------------------------------------------------

interface DriverOptions {
  minorCount?: number;
  windowSize?: Bytes | 'auto';
  windowCount?: number;
  queueDepth?: number;
  workers?: number;
  requestMemory?: Bytes;
  engine?: Engine | 'auto';
  faults?: FaultOptions | FaultPlan;
}
interface RegisterOptions {
  sectorSize?: Bytes;
  format?: ImageFormat;
  offset?: Position;
  size?: Position;
}
interface MinorInfo {
  minor: number;
  path: string;
  offset: Bytes;
  size: Bytes;
  source: 'file' | 'block' | 'character' | 'memory' | 'null' | 'overlay' | 'nbd';
  type: 'file' | 'block' | 'character';
  openCount: number;
}
interface OpenOptions {
  mode?: Mode;
  raw?: boolean;
  access?: Access;
  cache?: CacheMode;
  direct?: boolean;
  lock?: boolean;
  protect?: readonly (readonly [offset: Position, length: Position])[];
  signal?: AbortSignal;
}
interface TransferOptions {
  offset?: number;
  length?: number;
  signal?: AbortSignal;
}
interface WriteOptions extends TransferOptions {
  fua?: boolean;
}
interface BufRequest {
  op: 'read' | 'write';
  blkno: Position;
  data: View;
  deferred?: boolean;
  signal?: AbortSignal;
}
interface BufResult {
  bcount: Bytes;
  resid: Bytes;
}
interface WindowInfo {
  offset: Bytes;
  length: Bytes;
  refs: number;
}
interface BatchOptions {
  depth?: number;
  arena?: Bytes | Uint8Array;
}
interface Partition {
  offset: number;
  size: number;
  fstype: number;
  fsize: Bytes;
  frag: number;
  cpg: number;
}
interface DiskLabel {
  type: number;
  subtype: number;
  typename: string;
  packname: string;
  secsize: Bytes;
  nsectors: number;
  ntracks: number;
  ncylinders: number;
  secpercyl: number;
  secperunit: number;
  sparespertrack: number;
  sparespercyl: number;
  acylinders: number;
  rpm: number;
  interleave: number;
  trackskew: number;
  cylskew: number;
  headswitch: number;
  trkseek: number;
  flags: number;
  drivedata: number[];
  spare: number[];
  bbsize: Bytes;
  sbsize: Bytes;
  partitions: Partition[];
  checksum: number;
}
interface IoctlMap {
  DIOCGDINFO: { arg: []; result: DiskLabel };
  DIOCGPART: { arg: [partition?: number]; result: Partition };
  DIOCCACHESYNC: { arg: []; result: Promise<void> };
  DIOCGMEDIASIZE: { arg: []; result: Bytes };
  DIOCGSECTORSIZE: { arg: []; result: Bytes };
}
interface FaultOptions {
  rate: number;
  seed?: number;
}
type FaultOp = 'read' | 'write' | 'flush' | 'discard' | 'zeroes' | 'open' | 'map';
interface FaultMatch {
  op?: FaultOp | FaultOp[];
  sectors?: [first: number, last: number][] | [first: number, last: number];
  minor?: number;
  probability?: number;
  every?: number;
  after?: number;
  times?: number;
  n?: number;
  state?: string;
}
interface FaultPlan {
  seed?: number;
  rules: { match?: FaultMatch; action: rumpblk.FaultAction }[];
  allow?: [first: number, last: number][];
  clock?: 'real' | rumpblk.VirtualClock;
}
interface FaultEvent {
  n: number;
  rule: number;
  op: FaultOp;
  minor: number;
  blkno: number;
  bcount: Bytes;
  action: string;
}
interface FaultInjector {
  plan: (plan: FaultPlan) => void;
  log: () => FaultEvent[];
  release: (tag: string) => number;
  readonly rate: number;
  readonly seed: number;
  readonly injected: number;
  set: (options: FaultOptions) => void;
  clear: () => void;
}
interface Counters {
  ioTotal: number;
  ioAsync: number;
  bytesRead: Bytes;
  bytesWritten: Bytes;
  bytesWrittenAsync: Bytes;
  windowHits: number;
  windowBusy: number;
  windowMisses: number;
  faultsInjected: number;
  flushes: number;
  discards: number;
  bytesDiscarded: Bytes;
  discardsIgnored: number;
  zeroes: number;
  bytesZeroed: Bytes;
  extentsListed: number;
}
interface ExtentsOptions {
  position?: Position;
  length?: Position;
  layer?: 'all' | 'top';
  detectZeroes?: Bytes;
  signal?: AbortSignal;
}
interface Features {
  readonly discard: boolean;
  readonly fastZero: boolean;
  readonly extents: boolean;
  readonly fua: boolean;
  readonly preferredSize: Bytes;
  readonly minimumSize: Bytes;
}
interface Extent {
  readonly position: Bytes;
  readonly length: Bytes;
  readonly type: 'data' | 'zero' | 'hole' | 'unallocated';
  readonly depth: number;
  readonly offset: Bytes | undefined;
  readonly present?: false;
}
interface WriteZeroesOptions {
  mayUnmap?: boolean;
  fast?: boolean;
  fua?: boolean;
  signal?: AbortSignal;
}
interface RangeBufRequest {
  op: 'discard' | 'zero';
  blkno: Position;
  bcount: Bytes;
  deferred?: boolean;
  signal?: AbortSignal;
}
interface BlockErrorInfo {
  errno: number;
  syscall: string;
  path?: string;
  minor?: number;
  blkno?: number;
  bytesTransferred?: Bytes;
  injected?: boolean;
  uncertain?: boolean;
  holder?: { pid: number; command?: string };
  lost?: { position: Bytes; length: Bytes };
}

export type Options = [
  Expect<SameShape<rumpblk.DriverOptions, DriverOptions>>,
  Expect<SameShape<rumpblk.RegisterOptions, RegisterOptions>>,
  Expect<SameShape<rumpblk.OpenOptions, OpenOptions>>,
  Expect<SameShape<rumpblk.TransferOptions, TransferOptions>>,
  Expect<SameShape<rumpblk.WriteOptions, WriteOptions>>,
  Expect<SameShape<rumpblk.BufRequest, BufRequest>>,
  Expect<SameShape<rumpblk.WriteZeroesOptions, WriteZeroesOptions>>,
  Expect<SameShape<rumpblk.RangeBufRequest, RangeBufRequest>>,
  Expect<SameShape<rumpblk.ExtentsOptions, ExtentsOptions>>,
  Expect<SameShape<rumpblk.BatchOptions, BatchOptions>>,
  Expect<SameShape<rumpblk.FaultOptions, FaultOptions>>,
  Expect<SameShape<rumpblk.FaultMatch, FaultMatch>>,
  Expect<SameShape<rumpblk.FaultPlan, FaultPlan>>,
  Expect<SameShape<rumpblk.FaultEvent, FaultEvent>>,
  Expect<SameShape<rumpblk.BlockErrorInfo, BlockErrorInfo>>,
  Expect<Equal<rumpblk.CacheMode, CacheMode>>,
  Expect<Equal<rumpblk.Engine, Engine>>,
  Expect<Equal<rumpblk.ImageFormat, ImageFormat>>,
];
/** Results may say more than this. */
export type Results = [
  Expect<Extends<rumpblk.MinorInfo, MinorInfo>>,
  Expect<Extends<rumpblk.BufResult, BufResult>>,
  Expect<SameShape<rumpblk.Extent, Extent>>,
  Expect<SameShape<rumpblk.DeviceFeatures, Features>>,
  Expect<Extends<rumpblk.WindowInfo, WindowInfo>>,
  Expect<Extends<rumpblk.Counters, Counters>>,
  Expect<Extends<rumpblk.FaultInjector, FaultInjector>>,
  Expect<SameShape<rumpblk.Partition, Partition>>,
  Expect<SameShape<rumpblk.DiskLabel, DiskLabel>>,
  Expect<Extends<rumpblk.IoctlMap, IoctlMap>>,
];

export type Images = [
  Expect<Equal<ReturnType<typeof rumpblk.createQcow2>, Promise<void>>>,
  Expect<Equal<ReturnType<typeof rumpblk.createQcow2Sync>, void>>,
  Expect<
    SameShape<
      rumpblk.CreateQcow2Options,
      { size: number | bigint; backing?: PathLike; backingFormat?: 'raw' | 'qcow2' | 'vhd'; clusterSize?: Bytes; extendedL2?: boolean }
    >
  >,
];

// ---- classes and functions ---------------------------------------------------------------------------------------

interface Device {
  readonly driver: rumpblk.BlockDriver;
  readonly minor: number;
  readonly path: string;
  readonly size: Bytes;
  readonly sectorSize: Bytes;
  readonly mode: Mode;
  readonly access: Access;
  readonly cache: CacheMode;
  readonly features: rumpblk.DeviceFeatures;
  readonly closed: boolean;
  read: <T extends View>(buffer: T, position: Position, options?: TransferOptions) => Promise<{ bytesRead: Bytes; buffer: T }>;
  readSync: (buffer: View, position: Position, options?: Omit<TransferOptions, 'signal'>) => Bytes;
  write: <T extends View>(buffer: T, position: Position, options?: WriteOptions) => Promise<{ bytesWritten: Bytes; buffer: T }>;
  writeSync: (buffer: View, position: Position, options?: Omit<WriteOptions, 'signal'>) => Bytes;
  discard: (position: Position, length: Position, options?: { signal?: AbortSignal }) => Promise<{ bytesDiscarded: Bytes }>;
  discardSync: (position: Position, length: Position) => Bytes;
  writeZeroes: (position: Position, length: Position, options?: WriteZeroesOptions) => Promise<{ bytesWritten: Bytes }>;
  writeZeroesSync: (position: Position, length: Position, options?: Omit<WriteZeroesOptions, 'signal'>) => Bytes;
  prefetch: (position: Position, length: Position) => void;
  extents: (options?: ExtentsOptions) => AsyncIterableIterator<rumpblk.Extent>;
  extentsSync: (options?: Omit<ExtentsOptions, 'signal'>) => Generator<rumpblk.Extent, void, undefined>;
  strategy: (request: BufRequest | RangeBufRequest) => Promise<BufResult>;
  strategySync: (request: Omit<BufRequest, 'signal'> | Omit<RangeBufRequest, 'signal'>) => BufResult;
  createBatch: (options?: BatchOptions) => rumpblk.Batch;
  track: (options?: TrackOptions) => rumpblk.DirtyBitmap;
  bitmaps: () => rumpblk.BitmapInfo[];
  removeBitmap: (name: string) => boolean;
  mapSync: (position: Position, length: Bytes) => rumpblk.WindowView;
  windows: () => WindowInfo[];
  flush: (options?: { signal?: AbortSignal }) => Promise<void>;
  flushSync: () => void;
  ioctl: <K extends keyof IoctlMap>(request: K, ...arg: IoctlMap[K]['arg']) => rumpblk.IoctlMap[K]['result'];
  close: () => Promise<void>;
  closeSync: () => void;
}
interface Driver {
  readonly faults: rumpblk.FaultInjector;
  register: (path: string | Buffer | URL, options?: RegisterOptions) => Promise<number>;
  registerSync: (path: string | Buffer | URL, options?: RegisterOptions) => number;
  deregister: (minor: number) => void;
  open: (minor: number, options?: OpenOptions) => Promise<rumpblk.BlockDevice>;
  openSync: (minor: number, options?: Omit<OpenOptions, 'signal'>) => rumpblk.BlockDevice;
  minors: () => MinorInfo[];
  counters: () => Counters;
  resetCounters: () => void;
  readonly engine: Engine;
  close: () => void;
}
interface Batch {
  readonly depth: number;
  readonly arena: Uint8Array;
  readonly op: Uint8Array;
  readonly fua: Uint8Array;
  readonly blkno: Float64Array;
  readonly bcount: Uint32Array;
  readonly offset: Uint32Array;
  readonly resid: Uint32Array;
  readonly error: Int32Array;
  runSync: (count: number) => number;
  run: (count: number, options?: { signal?: AbortSignal }) => Promise<number>;
}
interface TrackOptions {
  granularity?: Bytes;
  name?: string;
}
interface BitmapInfo {
  readonly name: string;
  readonly granularity: Bytes;
  readonly isConsistent: boolean;
  readonly isEnabled: boolean;
}
interface DirtyBitmap {
  readonly count: Bytes;
  readonly isConsistent: boolean;
  extents: () => AsyncIterableIterator<rumpblk.Extent>;
  take: () => rumpblk.DirtyBitmap;
  clear: () => void;
  merge: (from: rumpblk.DirtyBitmap) => void;
}
interface WindowView {
  readonly bytes: Uint8Array;
  release: () => void;
}
interface BlockError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly minor?: number;
  readonly blkno?: number;
  readonly bytesTransferred?: Bytes;
  readonly injected?: boolean;
}
type Open<O, R> = (path: string | Buffer | URL, options?: O & RegisterOptions & { driver?: rumpblk.BlockDriver }) => R;

export type Classes = [
  Expect<Extends<rumpblk.BlockDevice, Device & AsyncDisposable & Disposable>>,
  Expect<Extends<rumpblk.BlockDriver, Driver & Disposable>>,
  Expect<Extends<rumpblk.Batch, Batch & Disposable>>,
  Expect<Extends<rumpblk.DirtyBitmap, DirtyBitmap & Disposable>>,
  Expect<Equal<rumpblk.TrackOptions, TrackOptions>>,
  Expect<Equal<rumpblk.BitmapInfo, BitmapInfo>>,
  Expect<Extends<rumpblk.WindowView, WindowView & Disposable>>,
  Expect<Equal<[typeof rumpblk.BATCH_READ, typeof rumpblk.BATCH_WRITE, typeof rumpblk.BATCH_FLUSH], [0, 1, 2]>>,
  Expect<Equal<[typeof rumpblk.BATCH_DISCARD, typeof rumpblk.BATCH_ZEROES], [3, 4]>>,
  Expect<Extends<rumpblk.BlockDeviceError, BlockError & NodeJS.ErrnoException>>,
  Expect<Extends<typeof rumpblk.BlockDriver, new (options?: DriverOptions) => rumpblk.BlockDriver>>,
  Expect<Extends<typeof rumpblk.BlockDriver.fromEnv, (env?: NodeJS.ProcessEnv) => rumpblk.BlockDriver>>,
  Expect<Extends<typeof rumpblk.BlockDeviceError, new (info: BlockErrorInfo, options?: ErrorOptions) => rumpblk.BlockDeviceError>>,
  Expect<Extends<typeof rumpblk.open, Open<OpenOptions, Promise<rumpblk.BlockDevice>>>>,
  Expect<Extends<typeof rumpblk.openSync, Open<Omit<OpenOptions, 'signal'>, rumpblk.BlockDevice>>>,
];
