// The addon's exact shape, and the only place that loads a .node file.
// Over 300 lines: what crosses is declared in one place, a line or two each.
// Positional and numeric on purpose: reading the fields of an options object costs C++ 490 ns and JavaScript 15.
// Nothing here validates: callers in lib hand over what lib/arguments/validate.ts has accepted.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import nodeGypBuild from 'node-gyp-build';

/** The code of Node's own error when an addon cannot be loaded. */
const LOAD_FAILED = 'ERR_DLOPEN_FAILED';

/**
 * A failed call. errno is positive, op indexes `NativeBinding.ops`, blkno is -1 where none applies; holder is the process
 * that has a lock in the way, or 0; bytes [lostFrom, lostTo) of the device are lost; why indexes `NativeBinding.whys`.
 */
export type Failure = readonly [
  errno: number,
  op: number,
  moved: number,
  injected: 0 | 1,
  blkno: number,
  holder: number,
  lostFrom: number,
  lostTo: number,
  why: number,
];
/** How many numbers a failure has: no other array that native answers has as many. */
export const FAILURE_NUMBERS = 9;
/** Bytes moved (or 0 for calls that move none), or a failure. */
export type Outcome = number | Failure;
/** A promise form answers at once when it could finish without blocking, else by a promise. It never rejects. */
export type Eventual<T> = T | Promise<T>;

/** Locks nothing, the range, or all that the host file may grow to. */
export const LOCK = { none: 0, range: 1, growth: 2 } as const;
/** `size` that means "to the end of the host file". */
export const TO_THE_END = -1;
/** `windowSize` that was not given (1 MiB under mmap, auto otherwise), and the one given as 'auto'. */
export const WINDOW_SIZE = { unset: 0, auto: -1 } as const;
/** `version` of a table that is written whatever lies there. */
export const ANY_VERSION = -1;
/** What a server tells of, by `serve::ServerEvent::Kind`. */
export const SERVE_EVENTS = ['connect', 'disconnect', 'error', 'closed'] as const;
/** Token of a request that cannot be aborted. */
export const NO_TOKEN = 0;

/** What the numbers that cross mean: enums of core by name, and the name of each number where native answers with numbers. */
export interface Layout {
  readonly mode: Readonly<Record<'r' | 'r+', number>>;
  readonly access: Readonly<Record<'auto' | 'mmap' | 'pio', number>>;
  readonly engine: Readonly<Record<'auto' | 'threads' | 'io_uring', number>>;
  readonly cache: Readonly<Record<'writethrough' | 'writeback' | 'unsafe', number>>;
  /** Of a write: by the cache mode's rule, or against it. */
  readonly fua: Readonly<Record<'byCacheMode' | 'off' | 'on', number>>;
  readonly order: Readonly<Record<'little' | 'big', number>>;
  readonly op: Readonly<Record<'read' | 'write' | 'discard' | 'zero', number>>;
  readonly extentLayer: Readonly<Record<'all' | 'top', number>>;
  readonly extentTypes: readonly ['data', 'zero', 'hole', 'unallocated'];
  readonly format: Readonly<Record<'raw' | 'qcow2' | 'vhd' | 'auto', number>>;
  readonly mediumKinds: readonly ['file', 'block', 'character', 'memory', 'null', 'overlay', 'nbd'];
  /** Whys that lib looks for, by which a failure says more than its errno. */
  readonly why: Readonly<Record<'otherBase' | 'uncertain' | 'injected', number>>;
  readonly nbdStates: readonly ['connected', 'lost', 'reconnecting', 'closed'];
  readonly schemes: readonly ['bsd', 'mbr', 'ebr', 'gpt', 'apm', 'sun', 'unknown'];
  /** In the order of `NativeDriver.counters()`; the names are those of the public `Counters`. */
  readonly counters: readonly string[];
}

/** `[minor, path, offset, size, kind, openCount, disk, partition]`; kind: an index of MEDIUM_KINDS; path in the host's bytes, or the name of a medium; disk -1 and partition '' for what is no partition. */
export type NativeMinorInfo = readonly [number, Buffer, number, number, 0 | 1 | 2 | 3 | 4 | 5 | 6, number, number, string];

/** A partition with its minor; start and size in bytes, uuid '' where the scheme has none. */
export type NativeRegistered = readonly [minor: number, name: string, start: number, size: number, uuid: string, label: string];

/** `blk::Verdict`: kind, an index of VERDICTS in lib/label/verdicts.ts; entry of the table's partitions, -1 where none; a number that belongs to it. */
export type NativeVerdict = readonly [kind: number, entry: number, value: number, text: string];
/** `blk::DecodedLabel`: fields and units of `DiskLabel` in api; order: 0 little, 1 big endian. */
export type NativeLabel = readonly [label: object, order: 0 | 1, verdicts: NativeVerdict[]];
/** `blk::PlacedLabel`: position of its first byte. */
export interface NativeFoundLabel {
  readonly label: NativeLabel;
  readonly position: number;
}
/** `blk::ContentIdentity`; '' where it has none. */
export type NativeContent = readonly [type: string, uuid: string, label: string];
/** `blk::PartitionEntry`; the last four are those of a GPT, typeText and label those of an Apple map. */
export interface NativeEntry {
  readonly name: string;
  readonly index: number;
  readonly start: number;
  readonly size: number;
  readonly type: number;
  readonly bootable: boolean;
  readonly link?: number;
  /** `blk::ContentIdentity`, '' for what it has not. */
  readonly content?: NativeContent;
  readonly table?: NativeTable;
  readonly typeText?: string;
  readonly typeGuid?: string;
  readonly uuid?: string;
  readonly label?: string;
  readonly attributes?: bigint;
}
/** A table for native; an index of 2^32 - 1 is any that is free; the label is UTF-16, a GUID that the scheme has not is ''. */
export type TableRows = readonly [
  scheme: number,
  position: number,
  sectorSize: number,
  diskId: number,
  diskGuid: string,
  entries: readonly EntryRow[],
  hybrid: readonly EntryRow[] | undefined,
];
export type EntryRow = readonly [
  index: number,
  start: number,
  size: number,
  type: number,
  bootable: boolean,
  typeGuid: string,
  uuid: string,
  label: string,
  attributes: bigint,
  table: TableRows | undefined,
];
/** What is wrong with a table: a kind as in NativeVerdict, its number, the name of the entry it is about, and that of the entry that the number stands for or of what the kind speaks of, '' for none. */
export type NativeFault = readonly [kind: number, value: number, entry: string, other: string];
/** Of a tree of tables: the first few faults, and how many there are. */
export interface NativeFaults {
  readonly first: readonly NativeFault[];
  readonly count: number;
}
export interface NativeWritten {
  readonly outcome: Outcome;
  readonly faults: NativeFaults;
  /** Of a dry run that would succeed. */
  readonly table?: NativeTable;
}
/** `blk::Wedge`: start and size in bytes; minor -1 where it is not registered. */
export interface NativeWedge {
  readonly name: string;
  readonly scheme: 0 | 1 | 2 | 3 | 4 | 5;
  readonly start: number;
  readonly size: number;
  readonly type: number;
  readonly flavor: BsdFlavor;
  readonly typeGuid: string;
  readonly uuid: string;
  readonly label: string;
  readonly minor: number;
}
/** `blk::BsdFlavor`: NetBSD, FreeBSD, OpenBSD. */
export type BsdFlavor = 0 | 1 | 2;

/** `blk::PartitionTable`; scheme: an index of SCHEMES. */
export interface NativeTable {
  readonly scheme: 0 | 1 | 2 | 3 | 4 | 5 | 6;
  readonly position: number;
  readonly sectorSize: number;
  readonly diskId: number;
  /** Of a disklabel: whose numbers its types are, and OpenBSD's name of the disk. */
  readonly flavor?: BsdFlavor;
  readonly duid?: string;
  readonly diskGuid: string;
  readonly usableBegin: number;
  readonly usableEnd: number;
  /** `LabelState::version`, of the table on top that was read. */
  readonly version?: number;
  readonly verdicts: readonly NativeVerdict[];
  readonly partitions: readonly NativeEntry[];
  readonly hybrid?: readonly NativeEntry[];
}

/** Fields and units of `DiskLabel` and `Partition` in api, built by the addon. */
export type NativeIoctlResult = object | number;

/** By which connections tell of themselves. */
export type NativeEvents = object;

/** An external, which native code looks into 25 times faster than into an object: requests are functions of it, not methods. */
export interface NativeRequests {
  readonly [opaque]: never;
}
/** An external that makes the media of one identity, and keeps what they share. */
export interface NativeMedium {
  readonly [opaque]: never;
}
/** An external that keeps what an overlay was. */
export interface NativeSnapshot {
  readonly [opaque]: never;
}
declare const opaque: unique symbol;

/** `blk::Overlay` as a medium, and its bytes. */
export interface NativeOverlay {
  readonly medium: NativeMedium;
  readonly size: number;
}
/** What an overlay in an image is made with: clusterBits 0 of an image that is there, else the file is there and empty; backing: what it calls its base. */
export type OverInImage = readonly [
  name: Uint8Array,
  size: number,
  file: Uint8Array,
  clusterBits: number,
  extendedL2: boolean,
  backing: Uint8Array,
];
/** `blk::Qcow2Overlay::Open`: the overlay, or a failure, which in an object is that of the base. */
export type MadeInImage = NativeOverlay | { readonly base: Failure } | Failure;
/** What a qcow2 image says of the disk; backing: as it names its base, base: the path that this is, both empty without one. */
export interface NativeImageInfo {
  readonly size: number;
  readonly clusterSize: number;
  readonly blockSize: number;
  readonly backing: Buffer;
  readonly base: Buffer;
  readonly format: string;
}
/** `Overlay::Diff`: position, length and type (an index of EXTENT_TYPES) of each extent; `next`: where to go on. */
export interface NativeDiff {
  readonly next: number;
  readonly extents: Float64Array;
}

/** What became of `copyRange`: bytes from its start on; of them what was holes, and data that both ends share. EOPNOTSUPP: what is left has to be read and written. */
export interface NativeCopied {
  readonly bytes: number;
  readonly holes: number;
  readonly cloned: number;
  readonly outcome: Outcome;
}

/** `MediumIdentity` — kind as in NativeMinorInfo; st_dev and st_ino of a host file, of a node st_rdev and 0, of another medium what nothing else has. */
export type NativeIdentity = readonly [kind: number, device: bigint, inode: bigint];
/** An external that keeps what a server is. */
export interface NativeServer {
  readonly [opaque]: never;
}
/** A device to be served, under a name, and bitmaps of it, under theirs. */
export type ExportRow = readonly [
  device: NativeRequests,
  name: string,
  description: string,
  writable: boolean,
  bitmaps: readonly (readonly [name: string, changes: NativeChanges])[],
];
/** Hears of a server: kind is an index of SERVE_EVENTS; id, peer and export of the client; a failure of an error. 'closed' is the last one. Throws nothing. */
export type ServeListener = (kind: number, id: number, peer: string, exported: string, failure: Failure | undefined) => void;

/** Core `blk::Device`: one open of one minor. */
export interface NativeDevice {
  /** `Device::minor()` and `access()` — `[minor (-1: private), size, access, path]`; access is what is in force, an index of ACCESS. */
  info(): readonly [number, number, 0 | 1 | 2, Buffer];
  /**
   * Where its first byte lies — which medium, and bytes in it; `Medium::AddBelow()`: which media its reads may come from as well; and
   * `Medium::Scattered()`: any byte of which its writes may change, of an image.
   */
  place(): readonly [medium: NativeIdentity, begin: number, below: readonly NativeIdentity[], scattered?: NativeIdentity];
  /** `Device::features` — sizes in bytes. */
  features(): readonly [discard: boolean, fastZero: boolean, extents: boolean, fua: boolean, preferred: number, minimum: number];
  /** What the request functions of the binding know the device by. */
  requests(): NativeRequests;
  /** A batch of `depth` entries, which lie in `control` as lib/request/batch.ts lays them out. */
  createBatch(depth: number, control: Uint8Array, arena: Uint8Array): NativeBatch;
  /** `Device::Map` — (position, length), both in bytes. */
  map(position: number, length: number): NativeLease | Failure;
  /** `DeviceGroup::Track` — granularity in bytes, a power of two from 512 to 2^30. ENOMEM alone. */
  track(granularity: number): NativeChanges | Failure;
  /** `DeviceGroup::Keep` — name as UTF-8; granularity as of `track`. Waits for the disk. */
  keep(name: string, granularity: number | undefined): NativeChanges | Failure;
  /** `DeviceGroup::ListKept`. Waits for the disk. */
  bitmaps(): { readonly bitmaps: readonly NativeBitmap[] } | Failure;
  /** `TraceFilter` — fills in, of read, write, flush, discard and zeroes each, errors, bytes, sum, least, most in ns and the buckets of `blk::Histogram`; measures from the first call on. -> whether it did before. */
  latencies(into: Float64Array, reset: boolean): boolean | Failure;
  /** `DeviceGroup::RemoveKept`: false when there is none of that name. Waits for the disk. */
  removeBitmap(name: string): boolean | Failure;
  /** `Device::Flush`. */
  flushSync(): Outcome;
  flush(token: number): Eventual<Outcome>;
  /** Ends a request early: at once while it is queued, after the current segment when it runs. Unknown tokens are ignored. Also while the device is closing. */
  cancel(token: number): void;
  /** `blk::Ioctl` — name of the request, its number argument or undefined. ENOTTY for a name it does not know. */
  ioctl(name: string, arg: number | undefined): NativeIoctlResult | Failure;
  /** `blk::FindLabel` through the device; null without a valid label. */
  findLabelSync(): NativeFoundLabel | null | Failure;
  findLabel(): Promise<NativeFoundLabel | null | Failure>;
  /** `blk::ReadPartitionTable` through the device, with a probe `blk::IdentifyContents` as well; null where the device is not divided. */
  readTableSync(probe?: boolean): NativeTable | null | Failure;
  readTable(probe?: boolean): Promise<NativeTable | null | Failure>;
  /** `blk::IdentifyDevice`; null where nothing is known there. */
  identifyContent(): Promise<{ readonly content: NativeContent } | null | Failure>;
  /** `blk::WriteTable`; version as NativeTable has it, or ANY_VERSION; EAGAIN when it is another one by now; EINVAL at once for rows that are no table. */
  writeTableSync(table: TableRows, overwrite: boolean, version: number, dryRun: boolean): NativeWritten | Failure;
  writeTable(table: TableRows, overwrite: boolean, version: number, dryRun: boolean): Eventual<NativeWritten | Failure>;
  /** `blk::SetLabel` of a label as lib/label/codec.ts lays it out, in memory or to the medium as well. */
  setLabel(numbers: Float64Array, names: Uint8Array, toMedium: boolean): NativeWritten;
  /** `blk::ListWedges`, or `blk::GetWedge` alone. */
  wedges(all: boolean): { readonly wedges: readonly NativeWedge[] } | Failure;
  /** `Device::Windows` — offset in the host file, length and references, three numbers a window, most recently used first. */
  windows(): Float64Array | Failure;
  /** `OverlayStore::Create` over this device, which may be closed afterwards; size -1 is the base's, an empty folder is memory. */
  overlay(name: Uint8Array, size: number, blockSize: number, folder: Uint8Array): Promise<NativeOverlay | Failure>;
  /** An overlay in an image over this device, which may be closed afterwards. */
  imageOverlay(...image: OverInImage): Promise<MadeInImage>;
  /** Freeze points of an overlay, of a device that was opened from `medium`. */
  overlayReset(medium: NativeMedium): Promise<Outcome>;
  overlaySnapshot(medium: NativeMedium): Promise<{ readonly snapshot: NativeSnapshot } | Failure>;
  overlayRevert(medium: NativeMedium, snapshot: NativeSnapshot): Promise<Outcome>;
  overlayCommit(medium: NativeMedium, token: number): Eventual<Outcome>;
  overlayRebase(medium: NativeMedium, base: Uint8Array | NativeMedium, safe: boolean, format: number, name: Uint8Array): Promise<Outcome>;
  overlayDiff(medium: NativeMedium, position: number, exact: boolean): Promise<NativeDiff | Failure>;
  /** `Device::Close` — drains, flushes, frees; the failure is the flush's. closeSync: EBUSY while a request is in flight. Both idempotent. */
  close(): Promise<Outcome>;
  closeSync(): Outcome;
}

/** Core `blk::BatchRun` over memory that JavaScript owns. The outcome is the number of entries that succeeded. */
export interface NativeBatch {
  /** `BatchRun::Run` inline. */
  runSync(count: number): Outcome;
  /** The same without waiting for a disk, else through the I/O queue. */
  run(count: number, token: number): Eventual<Outcome>;
}

/** Core `blk::Lease`. */
export interface NativeLease {
  /** The lent memory; called once, before release(). */
  buffer(): ArrayBuffer;
  /** `Lease::Release` — detaches the buffer. Idempotent. */
  release(): Outcome;
}

/** Core `blk::Driver`: a table of minors. The open arguments stand for `OpenOptions`, one for one. */
/** What an image is made with. */
export type NativeCreation = readonly [
  path: Uint8Array,
  size: number,
  clusterBits: number,
  extendedL2: boolean,
  backing: Uint8Array,
  backingFormat: string,
];

/** An external: a virtual clock. */
export interface NativeClock {
  readonly clock: never;
}

export interface NativeDriver {
  /** 0, or what the constructor could not say: ENOMEM, which other methods answer then as well; ENOTSUP no such engine. */
  ready(): Outcome;
  /** `Driver::has_ring()` — 1: the host does what waits for a disk; 0: workers do. */
  hasRing(): Outcome;
  /** `Driver::Register` of a path in the host's bytes or a medium -> minor; a sectorSize of 0 is not named. */
  registerSync(source: Uint8Array | NativeMedium, offset: number, size: number, sectorSize: number, format: number): Outcome;
  register(source: Uint8Array | NativeMedium, offset: number, size: number, sectorSize: number, format: number): Promise<Outcome>;
  /** `Driver::RegisterPartition` -> minor. */
  registerPartitionSync(minor: number, name: string): Outcome;
  registerPartition(minor: number, name: string): Promise<Outcome>;
  /** `Driver::RegisterPartitions`. */
  registerPartitionsSync(minor: number): { readonly partitions: readonly NativeRegistered[] } | Failure;
  registerPartitions(minor: number): Promise<{ readonly partitions: readonly NativeRegistered[] } | Failure>;
  /** `blk::CreateQcow2` of the file at a path in the host's bytes, which is there and empty; '' for no backing file. */
  createQcow2Sync(...image: NativeCreation): Outcome;
  createQcow2(...image: NativeCreation): Promise<Outcome>;
  deregister(minor: number): Outcome;
  /** `Driver::Open`. */
  openSync(
    minor: number,
    mode: number,
    raw: boolean,
    access: number,
    cache: number,
    direct: boolean,
    lock: number,
    protect: Float64Array,
  ): NativeDevice | Failure;
  open(
    minor: number,
    mode: number,
    raw: boolean,
    access: number,
    cache: number,
    direct: boolean,
    lock: number,
    protect: Float64Array,
  ): Promise<NativeDevice | Failure>;
  /** `Driver::OpenPrivate`: registers outside the table and opens, in one step; partition '' for none. */
  openPathSync(
    source: Uint8Array | NativeMedium,
    offset: number,
    size: number,
    sectorSize: number,
    format: number,
    partition: string,
    mode: number,
    raw: boolean,
    access: number,
    cache: number,
    direct: boolean,
    lock: number,
    protect: Float64Array,
  ): NativeDevice | Failure;
  openPath(
    source: Uint8Array | NativeMedium,
    offset: number,
    size: number,
    sectorSize: number,
    format: number,
    partition: string,
    mode: number,
    raw: boolean,
    access: number,
    cache: number,
    direct: boolean,
    lock: number,
    protect: Float64Array,
  ): Promise<NativeDevice | Failure>;
  /** `OverlayStore::Create` over a path in the host's bytes or a medium, as `NativeDevice.overlay` has it. */
  overlay(
    name: Uint8Array,
    size: number,
    blockSize: number,
    folder: Uint8Array,
    base: Uint8Array | NativeMedium,
    format: number,
  ): Promise<NativeOverlay | Failure>;
  /** An overlay in an image over a path in the host's bytes or a medium. */
  imageOverlay(...image: readonly [...image: OverInImage, source: Uint8Array | NativeMedium, format: number]): Promise<MadeInImage>;
  /** `blk::ReadQcow2Header` of the file at a path. */
  overlayImageInfo(file: Uint8Array): Promise<NativeImageInfo | Failure>;
  minors(): { readonly minors: readonly NativeMinorInfo[] } | Failure;
  /** `Counters::Snapshot` in the order of `Counters` in api: ioTotal, ioAsync, bytesRead, bytesWritten, bytesWrittenAsync, windowHits, windowBusy, windowMisses, faultsInjected, flushes. */
  counters(): Float64Array;
  resetCounters(): void;
  /** `Driver::SetFaults`, with rate 0 to clear. */
  /** 0, or ENOMEM. */
  setFaults(rate: number, seed: number): Outcome;
  clearFaults(): Outcome;
  /** A plan in the numbers of lib/faults/plan.ts, on a virtual clock or the real one: 0, or ENOMEM. */
  setPlan(numbers: Float64Array, clock: NativeClock | undefined): Outcome;
  /** Rows of lib/faults/log.ts, from the one of that index on, of the plan that is or was last in force. */
  faultLog(from: number): Float64Array;
  /** Lets go what hangs at the tag of that number: how many. */
  releaseFaults(tag: number): number;
  /** Resolves when something is logged from here on; it keeps no process alive. One at a time. */
  awaitFault(): Promise<void>;
  /** -> `[rate, seed, injected]`; rate 0 when off; seed is the one the stream began with. */
  faults(): readonly [number, number, number];
  /** `Driver::Close`. EBUSY while a device is open; idempotent. */
  close(): Outcome;
}

/** `blk::KeptBitmap`; the name in bytes. */
export type NativeBitmap = readonly [name: Buffer, granularity: number, isConsistent: boolean, isOn: boolean];

/** `blk::TrackedChanges`; ends when it is collected and not served. */
export interface NativeChanges {
  readonly [opaque]: never;
}

// The laboratory (native/lab). Event numbers count from 1 over all devices of a recording; a cut `c` has the events below `c`
// before it. Positions and lengths are in bytes of the device, atoms are `atomicUnit` bytes of its medium.

/** An external of `lab::Recording`: what was asked of some devices, and their content before. Live, loaded, or one of those with a flush left out. */
export interface NativeRecording {
  readonly [opaque]: never;
}
/** An external of `lab::Explorer`. */
export interface NativeExplorer {
  readonly [opaque]: never;
}
/** An external of `lab::Choice`: a cut, and of each unit there whether it is kept. Immutable, and keeps its recording. */
export interface NativeChoice {
  readonly [opaque]: never;
}
/** An external of `lab::State`: the devices of a choice, with what is written to them. */
export interface NativeState {
  readonly [opaque]: never;
}
/** An external of `lab::Memo`: verdicts by what was read. */
export interface NativeMemo {
  readonly [opaque]: never;
}
/** Of `leases` of a recording. */
export const LEASES = { refuse: 0, diff: 1 } as const;
/** Of `tear` of an exploration. */
export const TEAR = { none: 0, atom: 1, shorn: 2, garbage: 3 } as const;
/** What an event is, by its number in `recordedEvents`. */
export const EVENT_KINDS = ['write', 'flush', 'discard', 'zeroes', 'mark'] as const;
/** Numbers of an event in `recordedEvents`; see there. */
export const EVENT_NUMBERS = 13;
/** How a unit is not as it was written, by its number. */
export const LOSSES = ['lost', 'shorn', 'garbage'] as const;
/** How an atom is torn, by its number in `tears`: the seed is the length of a prefix or suffix of the new version in bytes, or what random bytes come from. */
export const TEARS = ['prefix', 'suffix', 'garbage', 'EIO', 'collateral', 'words'] as const;
/** What a model is like, as the sum of what it is: a process ended and not the power; discards leave anything; neighbours of what is written in part may be destroyed. */
export const MODEL = { process: 1, discardsAny: 2, collateral: 4 } as const;

/** What `lab::Explorer` is asked for. Cuts from `from` to `to`, both included; exact: `from` itself, whatever is there. */
export type Exploration = readonly [
  from: number,
  to: number,
  exact: boolean,
  tear: number,
  /** As of MODEL. */
  model: number,
  seed: number,
  samples: number,
  /** Most legal states of a cut that is enumerated; -1: every cut is. */
  exhaustive: number,
  strength: number,
  /** Bytes that some random choices keep or lose as one; 0: none do. */
  run: number,
  /** Of a recording with an event left out: states alone that it would not have with the event. */
  beyond: boolean,
];

/** Functions of the laboratory. Those that build what an analysis needs take long after a long recording the first time. */
export interface NativeLab {
  /**
   * Flushes the devices and records from here on — directory: of the unnamed file for what is more than `memory` bytes.
   * EBADF closed; EACCES 'r'; EBUSY already recorded, or twice the same disk; ENOTSUP a lease is held, or the medium cannot be had twice.
   */
  recordWrites(
    devices: readonly NativeRequests[],
    atomicUnit: number,
    leases: number,
    memory: number,
    directory: Uint8Array,
  ): NativeRecording | Failure;
  /**
   * The same, and nothing is recorded: of a recording that is loaded. parts: of each device the index of its disk, its first byte there and its bytes;
   * disks share no flush. The disks may be closed afterwards, but their media must not change. EINVAL devices that overlap.
   */
  recordingOver(
    disks: readonly NativeRequests[],
    parts: Float64Array,
    atomicUnit: number,
    memory: number,
    directory: Uint8Array,
  ): NativeRecording | Failure;
  /** Of each device: number of its disk, its first byte there, its bytes. */
  recordingParts(recording: NativeRecording): Float64Array;
  /** Adds an event to such a one, in the order of `begin` — the numbers of `recordedEvents` without the last; data: of a write, `length` bytes. EINVAL it does not fit. */
  recordingAdd(recording: NativeRecording, event: Float64Array, data: Uint8Array | undefined): Outcome;
  /** A mark -> its event number. What it says is lib's, by the order of marks. */
  recordMark(recording: NativeRecording): number;
  /** The stack id of requests that this thread makes from here on; -1: none. Strings are lib's. */
  recordStack(recording: NativeRecording, stack: number): void;
  /** Idempotent. What was there stays readable: later writes of these opens still keep what they overwrite. The failure is that of recording: ENOMEM, ENOSPC, EIO. */
  recordStop(recording: NativeRecording): Outcome;
  /** `lowest event number not used yet` is where a cut at the end is. A failure as of recordStop. */
  recordingInfo(
    recording: NativeRecording,
  ):
    | readonly [
        requests: number,
        marks: number,
        end: number,
        bytes: number,
        spilled: number,
        devices: number,
        atomicUnit: number,
        underApproximated: boolean,
      ]
    | Failure;
  /**
   * Fills in events from index `from` on, marks among them, in the order in which they began, EVENT_NUMBERS each -> how many.
   * [kind, device, position, length, durable (0 no, 1 FUA, 2 covered by nothing: unsafe), begin, end (0: never answered), moved, errno, begun ns, answered ns, 1 of stores through a lease, stack].
   */
  recordedEvents(recording: NativeRecording, from: number, into: Float64Array): number | Failure;
  /** The bytes of event `index`, a write. */
  recordedData(recording: NativeRecording, index: number): Buffer | Failure;
  /** Fills `into` with what a device held before the recording. */
  recordingBase(recording: NativeRecording, device: number, position: number, into: Uint8Array): Outcome;
  /** The same recording, but event `index`, a flush or a durable write, covers nothing. Shares the data. */
  recordingWithout(recording: NativeRecording, index: number): NativeRecording;
  /** Index of the first request before `cut` that differs in device, op, place, length or FUA, by which they are one `digest`; -1: none. */
  recordingDiffers(recording: NativeRecording, other: NativeRecording, cut: number): number | Failure;

  /** Cuts that count (the maximal ones), ascending: [cut, marks before it, units there] each. */
  cuts(recording: NativeRecording, from: number, to: number, exact: boolean, model?: number): Float64Array | Failure;
  /** Per cut: [cut, units, n, and n times (versions of an atom, atoms that have so many)]; the states are the product of versions ** atoms. */
  countStates(recording: NativeRecording, tear: number, from: number, to: number, exact: boolean, model?: number): Float64Array | Failure;
  /** EINVAL images of another number or size. */
  isLegal(recording: NativeRecording, images: readonly Uint8Array[], cut: number): boolean | Failure;

  /** EOVERFLOW exhaustive -1 and more than 2^24 states. Limit and budget are lib's. */
  explore(recording: NativeRecording, ...what: Exploration): NativeExplorer | Failure;
  /** The next choice, distinct from all before; undefined at the end. Fills in [cut, marks, generated so far, distinct so far, cuts, complete: 1 when every legal state of every cut was generated]. */
  exploreNext(explorer: NativeExplorer, into: Float64Array): NativeChoice | undefined | Failure;

  /**
   * Units of a cut, in order: every legal version of an atom that is not its oldest legal one, by request, then place.
   * An atom holds its newest kept version, or the oldest legal one. [index of the event, device, position, length, stack, 1 of what a discard may leave beside zeros] each.
   */
  cutUnits(recording: NativeRecording, cut: number, model?: number): Float64Array | Failure;
  /** A choice from one byte a unit, 1 kept; tears: [unit, index of TEARS, seed] each, of kept units. For ddmin, which is lib's. EINVAL another number of units. */
  choiceOf(recording: NativeRecording, cut: number, kept: Uint8Array, tears: Float64Array, model?: number): NativeChoice | Failure;
  choiceKept(choice: NativeChoice): Buffer;
  choiceTears(choice: NativeChoice): Float64Array;
  /** [cut, marks before it]. */
  choiceCut(choice: NativeChoice): Float64Array;
  /** Neighbouring units of a request as one: [index of the event, device, position, length, index of LOSSES, stack]; with `kept` those that are there whole. */
  choiceUnits(choice: NativeChoice, kept: boolean): Float64Array;
  /** `rbl1.<digest>.<cut>.<runs>`. */
  choiceToken(choice: NativeChoice): string;
  /** EINVAL no token, or of a newer version; ESTALE of a recording of other requests. lib finds the one it was made of by `digest`, and asks recordingDiffers. */
  choiceFromToken(recording: NativeRecording, token: string): NativeChoice | Failure;
  /** Eight hexadecimal digits, of the requests before `cut`. */
  digest(recording: NativeRecording, cut: number): string | Failure;

  /** A state, with nothing written to it. */
  stateOf(choice: NativeChoice): NativeState;
  /** Its device `k` as a medium, which is opened as any other, any number of times; the same bytes each time. */
  stateMedium(state: NativeState, device: number, name: Uint8Array): NativeMedium | Failure;
  /** Gives its memory back as soon as no device is open on it. Idempotent. */
  stateRelease(state: NativeState): void;
  /** Whether anything was written to it. */
  stateWritten(state: NativeState): boolean;
  /** Of atoms that differ between states those that were read before they were written, in order: [device, atom, content id] each. */
  stateReads(state: NativeState): Float64Array;

  memo(recording: NativeRecording): NativeMemo;
  /** The verdict of an earlier check that would have read the same of this choice, at as many marks; -1: none. */
  memoFind(memo: NativeMemo, choice: NativeChoice): number;
  /** Notes what came of a check of `state`, a number from 0 up. False: checks that read the same went on differently, so that they are not deterministic. */
  memoAdd(memo: NativeMemo, state: NativeState, verdict: number): boolean;
}

/** `blk::RequestTrace` and the devices that it is of; ends when it is collected. */
export interface NativeTrace {
  readonly [opaque]: never;
}

export interface NativeBinding extends NativeLab {
  /** Keeps requests of these devices from here on, `limit` at most. EBUSY one of them is traced, EBADF closed, ENOMEM. */
  startTrace(devices: readonly NativeRequests[], limit: number): NativeTrace | Failure;
  /** Fills in rows of 12 numbers, from the `from`-th record on, in the order of completion: n, done, time, latency, operation (`blk::Operation`), device, position, length, moved, errno, durable, fault (1 + `FAULT_KINDS`; 0: none). -> how many. */
  readTrace(trace: NativeTrace, from: number, into: Float64Array): number;
  /** Records before the `upto`-th are not read any more. */
  freeTrace(trace: NativeTrace, upto: number): void;
  traceState(trace: NativeTrace): [records: number, dropped: number];
  /** The place of what happens now in the order of all events, and ns since the start. */
  traceNow(trace: NativeTrace): [number: number, time: number];
  /** Resolves when a record is added from here on, by whatever thread; it keeps no process alive. One at a time. */
  awaitTrace(trace: NativeTrace): Promise<void>;
  endTrace(trace: NativeTrace): void;
  /** Names of `blk::Op`, by value: the `syscall` of an error. */
  readonly ops: readonly string[];
  /** Texts of `blk::Why`, by value: what an errno cannot say; empty for none. */
  readonly whys: readonly string[];
  readonly layout: Layout;
  /** A virtual clock that stands at `start`, in ns. */
  makeClock(start: number): NativeClock;
  /** `next`: when the next one is due, -1 for none; `quiet`: whether all that is under way on it is held. */
  clockInfo(clock: NativeClock): readonly [now: number, next: number, waiting: number, quiet: boolean];
  /** Lets go the next one if it is due by `until`, whether it was, and else moves on to that. */
  advanceClock(clock: NativeClock, until: number): boolean;
  /** Bytes of a memory page: the smallest window. */
  readonly pageSize: number;
  /** Bytes from the start of an ArrayBuffer to the first page in it. */
  pageSkip(buffer: ArrayBuffer): number;
  /** `Device::BytesRequest`, run inline, of all of the view; a write by the cache mode. Position in bytes. Undefined: all of it was moved. */
  readSync(device: NativeRequests, view: NodeJS.ArrayBufferView, position: number): Outcome | undefined;
  writeSync(device: NativeRequests, view: NodeJS.ArrayBufferView, position: number): Outcome | undefined;
  /** The same of a part of the view: offset and length in bytes, cut to what the view holds. */
  readSync(device: NativeRequests, view: NodeJS.ArrayBufferView, position: number, offset: number, length: number): Outcome;
  writeSync(device: NativeRequests, view: NodeJS.ArrayBufferView, position: number, fua: number, offset: number, length: number): Outcome;
  /** `Device::BufRequest`, run inline — one buf; blkno may be negative or beyond the end, the bounds check answers. Undefined: all of it was moved. */
  strategySync(device: NativeRequests, op: number, blkno: number, view: NodeJS.ArrayBufferView, deferred: boolean): Outcome | undefined;
  /** The same through the I/O queue. `token`: a positive integer for `cancel`, or NO_TOKEN. A cancelled one ends with ECANCELED. */
  read(
    device: NativeRequests,
    view: NodeJS.ArrayBufferView,
    position: number,
    token: number,
    offset?: number,
    length?: number,
  ): Eventual<Outcome>;
  write(
    device: NativeRequests,
    view: NodeJS.ArrayBufferView,
    position: number,
    fua: number,
    token: number,
    offset?: number,
    length?: number,
  ): Eventual<Outcome>;
  strategy(
    device: NativeRequests,
    op: number,
    blkno: number,
    view: NodeJS.ArrayBufferView,
    deferred: boolean,
    token: number,
  ): Eventual<Outcome>;
  /** `blk::DecodeLabel` of the bytes from `offset` on. */
  decodeLabel(view: NodeJS.ArrayBufferView, offset: number): NativeLabel;
  /** `blk::EncodeLabel` with its checksum, of numbers and names as lib/label/codec.ts lays them out, into as many bytes as there are. */
  encodeLabel(numbers: Float64Array, names: Uint8Array, order: number, into: Uint8Array): void;
  /** `MemoryMedium::CreateStore`; sizes in bytes. */
  memoryMedium(size: number, sectorSize: number, name: Uint8Array): NativeMedium | Failure;
  nullMedium(size: number, name: Uint8Array): NativeMedium | Failure;
  /** What connections call with the number of their medium and an index of NBD_STATES, for `nbdMedium`. */
  nbdEvents(told: (id: number, state: number, failure: Failure | undefined) => void): NativeEvents;
  /** `NbdStore` and what makes media of it; times in milliseconds. */
  nbdMedium(
    id: number,
    name: Uint8Array,
    path: Uint8Array,
    host: Uint8Array,
    port: number,
    exportName: Uint8Array,
    connections: number,
    reconnect: number,
    requestTimeout: number,
    connectTimeout: number,
    extentsCache: boolean,
    events: NativeEvents,
  ): NativeMedium | Failure;
  /** `NbdStore::Statistics`: state an index of NBD_STATES, size -1 until it was connected once. */
  nbdState(
    medium: NativeMedium,
  ): [
    state: number,
    size: number,
    connections: number,
    losses: number,
    reconnects: number,
    flags: number,
    minimum: number,
    preferred: number,
    maximum: number,
  ];
  /** A device is open on the medium: the last one to close lets go of what the overlay has. */
  overlayOpened(medium: NativeMedium): void;
  /** The medium is not handed over any more. */
  overlayRelease(medium: NativeMedium): void;
  /** `Device::Discard` and its like: bytes of the device, 0 to 2^53 - 1; fua is one of FUA. */
  discardSync(target: NativeRequests, position: number, length: number): Outcome;
  discard(target: NativeRequests, position: number, length: number, token: number): Eventual<Outcome>;
  writeZeroesSync(target: NativeRequests, position: number, length: number, mayUnmap: boolean, fast: boolean, fua: number): Outcome;
  writeZeroes(
    target: NativeRequests,
    position: number,
    length: number,
    mayUnmap: boolean,
    fast: boolean,
    fua: number,
    token: number,
  ): Eventual<Outcome>;
  /** `Device::BufRequest` of a discard or of zeros: op is one of OP. */
  strategyRangeSync(target: NativeRequests, op: number, blkno: number, bcount: number, deferred: boolean): Outcome;
  strategyRange(target: NativeRequests, op: number, blkno: number, bcount: number, deferred: boolean, token: number): Eventual<Outcome>;
  prefetch(target: NativeRequests, position: number, length: number): void;
  /** `Device::Extents` — five numbers an extent: position, bytes, an index of EXTENT_TYPES, depth, offset in the host file or -1. */
  extentsSync(target: NativeRequests, position: number, length: number, layer: number): Float64Array | Failure;
  extents(target: NativeRequests, position: number, length: number, layer: number, token: number): Eventual<Float64Array | Failure>;
  /** `Device::CopyRequest` out of `source`, which is open; all in bytes, each in its device. cloneOnly: by shared blocks or not at all. */
  copyRange(
    target: NativeRequests,
    source: NativeRequests,
    from: number,
    at: number,
    length: number,
    cloneOnly: boolean,
    targetIsZero: boolean,
    token: number,
  ): Eventual<NativeCopied | Failure>;
  /** `LateMedium` over another one, for tests: answers up to `most` microseconds late and out of order, not at all while it is `held`. */
  lateMedium(under: NativeMedium, most: number, seed: number, held: boolean): NativeMedium;
  /** Of a late medium: requests under way, and the most that ever were. `held` holds its answers back, or lets them go. */
  lateState(late: NativeMedium, held?: boolean): [now: number, peak: number];
  /** Bytes of the blocks that are marked. */
  changeBytes(changes: NativeChanges): number;
  /** Fills in runs of changed bytes from `from` on, of each its first byte and its length. -> how many. */
  changeRuns(changes: NativeChanges, from: number, runs: Float64Array): number;
  /** The marks so far, which `changes` has no more. ENOMEM; of these three EBADF: nothing keeps them any more. */
  takeChanges(changes: NativeChanges): NativeChanges | Failure;
  /** False: marks were lost, and all is marked. */
  changesConsistent(changes: NativeChanges): boolean;
  clearChanges(changes: NativeChanges): Outcome;
  /** False, and nothing is merged: they are not of the same bytes. */
  mergeChanges(changes: NativeChanges, from: NativeChanges): boolean | Failure;
  /** Whether they are of the bytes of this device. EBADF: they are over. */
  changesOf(changes: NativeChanges, device: NativeRequests): boolean | Failure;
  endChanges(changes: NativeChanges): void;
  /** `serve::Server` — nameless: index of the export for the empty name, or -1; path: of a Unix socket, or empty; host: an address, or ''; fd: or -1. It keeps the event loop alive. */
  serve(
    exports: readonly ExportRow[],
    nameless: number,
    maxConnections: number,
    path: Uint8Array,
    host: string,
    port: number,
    fd: number,
    listener: ServeListener,
  ): NativeServer | Failure;
  /** Where it listens ('' and 0 where that is nowhere, and once it has closed), clients, and what it has done. */
  serverInfo(
    server: NativeServer,
  ): readonly [
    path: Buffer,
    host: string,
    port: number,
    connections: number,
    requests: number,
    bytesRead: number,
    bytesWritten: number,
    errors: number,
  ];
  /** `Server::Close` — drain in ms. The listener hears of the end. */
  serverClose(server: NativeServer, drain: number): void;
  readonly Driver: new (
    minorCount: number,
    windowSize: number,
    windowCount: number,
    queueDepth: number,
    workers: number,
    requestMemory: number,
    engine: number,
  ) => NativeDriver;
}

/** Where node-gyp-build looks for build/ and prebuilds/: the package, or in a bundle the folder `rumpblk` beside the bundle. */
function addonFolder(): string {
  const root = path.join(__dirname, '..', '..');
  try {
    const { name } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { name?: string };
    if (name === 'rumpblk') return root;
  } catch {
    // No package.json, or none that can be read: not the package.
  }
  return path.join(__dirname, 'rumpblk');
}

function adviceFor(folder: string, cause: unknown): string {
  if (process.platform !== 'linux') return 'It needs Linux.';
  // Node's permission model: whoever asks for it has to allow addons, and to allow the addon to be read.
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ERR_DLOPEN_DISABLED' || code === 'ERR_ACCESS_DENIED' || (process as { permission?: unknown }).permission !== undefined)
    return `Node runs with --permission: add --allow-addons, and --allow-fs-read for ${folder}.`;
  if (folder.startsWith(__dirname))
    return 'In a bundle: keep rumpblk external, or copy its folder prebuilds to the folder rumpblk beside the bundle.';
  return 'To build it: `npm explore rumpblk -- npm run install`, in a checkout `npm run build`; that needs a C++20 compiler, make and Python.';
}

/**
 * The binary for musl, where node-gyp-build has taken that for glibc: it knows Alpine alone, by a file of that system.
 * Throws `cause` where this is no musl, or none is there.
 */
function loadForMusl(folder: string, cause: unknown): NativeBinding {
  const file = path.join(folder, 'prebuilds', `${process.platform}-${process.arch}`, 'rumpblk.musl.node');
  if (process.platform !== 'linux' || !existsSync(file)) throw cause;
  const report = (process.report as NodeJS.ProcessReport | undefined)?.getReport() as
    { header: { glibcVersionRuntime?: string } } | undefined;
  if (report === undefined || report.header.glibcVersionRuntime !== undefined) throw cause;
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- an addon
  return require(file) as NativeBinding;
}

function loadFrom(folder: string): NativeBinding {
  try {
    return nodeGypBuild(folder) as NativeBinding;
  } catch (cause) {
    return loadForMusl(folder, cause);
  }
}

function load(): NativeBinding {
  const folder = addonFolder();
  try {
    return loadFrom(folder);
  } catch (cause) {
    const [reason] = String(cause).split('\n');
    const message = `rumpblk: the addon for ${process.platform}-${process.arch} cannot be loaded (${reason}). ${adviceFor(folder, cause)}`;
    throw Object.assign(new Error(message, { cause }), { code: LOAD_FAILED });
  }
}

// A copy: what Node-API has filled in is an object of V8's slow kind, in which each call looks its function up by name.
export const binding: NativeBinding = { ...load() };

export const {
  mode: MODE,
  access: ACCESS,
  engine: ENGINE,
  cache: CACHE,
  fua: FUA,
  order: ORDER,
  op: OP,
  format: FORMAT,
  mediumKinds: MEDIUM_KINDS,
  extentLayer: EXTENT_LAYER,
  extentTypes: EXTENT_TYPES,
  why: WHY,
  nbdStates: NBD_STATES,
  schemes: SCHEMES,
} = binding.layout;
