// BlockDevice: one open of one minor. Arguments are decided here and in transfer.ts; native only moves bytes and counts.
// Over 300 lines: one class, whose members are short and documented one by one.
import { inspect, type InspectOptions } from 'node:util';
import { createBatch, type Batch, type BatchOptions } from './request/batch.js';
import { NO_TOKEN, binding, type Eventual, type NativeDevice, type Outcome } from './native/binding.js';
import type { BlockDriver } from './driver.js';
import type { CacheMode, OpenSettings } from './options.js';
import { fromFailure, illegalConstructor, invalidArgType, invalidThis, isFailure, markCopy } from './errors.js';
import { seedOf } from './faults.js';
import { DeviceHandle } from './request/handle.js';
import { runIoctl, type IoctlMap } from './label/ioctl.js';
import { BUF_KEYS, BUF_SYNC_KEYS, READ_KEYS, READ_SYNC_KEYS, WRITE_KEYS, WRITE_SYNC_KEYS } from './request/transfer.js';
import { EXTENTS_KEYS, EXTENTS_SYNC_KEYS, list, listingOf, listSync, type Extent, type ExtentsOptions } from './request/extents.js';
import { featuresOf, type DeviceFeatures } from './request/features.js';
import { isRangeBuf, RANGE_BUF_KEYS, RANGE_BUF_SYNC_KEYS, rangeBufOf, type RangeBufRequest } from './request/range.js';
import { rangeOf, ZEROES_KEYS, ZEROES_SYNC_KEYS, zeroesRule, type WriteZeroesOptions } from './request/range.js';
import { blockNumber, direction, fuaRule, partOf, startOf, viewLength } from './request/transfer.js';
import type { BufRequest, BufResult, Bytes, Position, TransferOptions, View, WriteOptions } from './request/transfer.js';
import { abortSignal, flag, requireOptions, SIGNAL_KEYS } from './arguments/validate.js';
import { bitmaps, removeBitmap, track, type BitmapInfo, type DirtyBitmap, type TrackOptions } from './request/dirty-bitmap.js';
import { statsOf, type DeviceStats, type StatsOptions } from './trace/stats.js';
import { traceOf, type Trace, type TraceOptions } from './trace/trace.js';
import { lend, type WindowView } from './request/window-view.js';
import { toWindows, type WindowInfo } from './request/windows.js';

const DEV_BSIZE = 512;
/** No caller can name it, so that only createDevice(), and that of a class over this one, can construct. */
export const DEVICE_KEY = Symbol('createDevice');

/** Wraps a native device that was just opened. */
export let createDevice: (driver: BlockDriver, native: NativeDevice, settings: OpenSettings) => BlockDevice;
/** Gives the handle of a device that is open; `device` may be a foreign object. */
export let handleOf: (device: unknown, method: string) => DeviceHandle;
/** Reads as `read()` does, for callers that have checked the part, and without a promise where the answer is there at once. */
export let readPart: (device: BlockDevice, buffer: View, offset: number, length: number, start: number) => Bytes | Promise<Bytes>;

/**
 * Reads and writes one open of a block device; `open()` and `BlockDriver.open()` make it.
 *
 * @example
 * await using device = await open('disk.img', { mode: 'r+' });
 * await device.write(Buffer.from('hello'), 4096);
 * await device.flush();
 */
export class BlockDevice implements AsyncDisposable, Disposable {
  /** Names the driver that the device belongs to. */
  readonly driver: BlockDriver;
  /** Gives the index in the driver's table; -1 for a private minor. */
  readonly minor: number;
  /** Gives the path of the host file, or the name of the medium. */
  readonly path: string;
  /** Gives the size of the device, in bytes. */
  readonly size: Bytes;
  /** Gives the size of a sector: 512 bytes, DEV_BSIZE. */
  readonly sectorSize: Bytes = DEV_BSIZE;
  /** Tells whether the device takes writes. */
  readonly mode: 'r' | 'r+';
  /** Names the access in force, which may differ from the one asked for. */
  readonly access: 'auto' | 'mmap' | 'pio';
  /** Names the cache mode. */
  readonly cache: CacheMode;
  /** Tells what the medium can do, as it was asked at open. */
  readonly features: DeviceFeatures;

  readonly #handle: DeviceHandle;

  static {
    markCopy(BlockDevice);
    createDevice = (...given) => new BlockDevice(DEVICE_KEY, ...given);
    handleOf = (device, method) => {
      if (!BlockDevice.#is(device)) throw invalidArgType('device', 'an instance of BlockDevice', device);
      return BlockDevice.#open(device, method);
    };
    readPart = (device, buffer, offset, length, start) => {
      const handle = BlockDevice.#open(device, 'read');
      const begun = binding.read(handle.requests, buffer, start, NO_TOKEN, offset, length);
      return typeof begun === 'number' ? begun : BlockDevice.#bytesOf(begun, handle, start);
    };
  }

  protected constructor(key: symbol, driver: BlockDriver, native: NativeDevice, settings: OpenSettings) {
    if (key !== DEVICE_KEY) throw illegalConstructor();
    const handle = new DeviceHandle(native, settings.mode, (byPlan) => seedOf(driver.faults, byPlan));
    this.driver = driver;
    this.minor = handle.minor;
    this.path = handle.path;
    this.size = handle.size;
    this.mode = settings.mode;
    this.access = handle.access;
    this.cache = settings.cache;
    this.features = featuresOf(native);
    this.#handle = handle;
    handle.closeWith(this);
  }

  /** Tells whether the device is closed, or about to be. */
  get closed(): boolean {
    if (!BlockDevice.#is(this)) throw invalidThis('BlockDevice');
    return this.#handle.closed;
  }

  /**
   * Reads at a position of the device; short only at its end, 0 bytes exactly there.
   *
   * @param buffer memory to fill
   * @param position bytes from the start of the device
   * @param options part of the buffer in bytes, default all of it; `signal`, default none
   * @returns the bytes read, and the caller's own view
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; EIO host or injected; EBADF closed
   *
   * @example
   * const { bytesRead } = await device.read(Buffer.alloc(512), 4096);
   */
  async read<T extends View>(buffer: T, position: Position, options?: TransferOptions): Promise<{ bytesRead: Bytes; buffer: T }> {
    const handle = BlockDevice.#open(this, 'read');
    const { offset, length, signal, aborted } = partOf(buffer, options, READ_KEYS);
    const start = startOf(position);
    const token = handle.token(signal, aborted);
    const begun =
      options === undefined
        ? binding.read(handle.requests, buffer, start, token)
        : binding.read(handle.requests, buffer, start, token, offset, length);
    const outcome = typeof begun === 'number' ? begun : await handle.settle(begun, signal, token);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: 'read', position: start });
    return { bytesRead: outcome, buffer };
  }

  /**
   * Reads at a position of the device on the calling thread.
   *
   * @param buffer memory to fill
   * @param position bytes from the start of the device
   * @param options part of the buffer in bytes, default all of it
   * @returns the bytes read; short only at the end of the device
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; EIO host or injected; EBADF closed
   *
   * @example
   * const buffer = Buffer.alloc(4096);
   * device.readSync(buffer, 0, { offset: 512, length: 1024 }); // bytes 0 to 1023, behind the first 512 of the buffer
   */
  readSync(buffer: View, position: Position, options?: Omit<TransferOptions, 'signal'>): Bytes {
    const handle = BlockDevice.#open(this, 'read');
    const outcome = options === undefined ? readWholeSync(handle, buffer, position) : readPartSync(handle, buffer, position, options);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: 'read', position: Number(position) });
    return outcome;
  }

  /**
   * Writes at a position of the device; short only at its end, 0 bytes exactly there.
   *
   * @param buffer memory to write; the caller may change it once the promise is settled
   * @param position bytes from the start of the device
   * @param options part of the buffer in bytes, default all of it; `fua`, default by cache mode; `signal`, default none
   * @returns the bytes written, and the caller's own view
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; EACCES mode 'r'; EIO host or injected; ENOSPC host full; EBADF closed
   *
   * @example
   * await device.write(Buffer.from('commit'), 0, { fua: true }); // durable when the promise is fulfilled
   */
  async write<T extends View>(buffer: T, position: Position, options?: WriteOptions): Promise<{ bytesWritten: Bytes; buffer: T }> {
    const handle = BlockDevice.#open(this, 'write');
    const fua = fuaRule(options);
    const { offset, length, signal, aborted } = partOf(buffer, options, WRITE_KEYS);
    const start = startOf(position);
    const token = handle.token(signal, aborted);
    const begun = binding.write(handle.requests, buffer, start, fua, token, offset, length);
    const outcome = typeof begun === 'number' ? begun : await handle.settle(begun, signal, token);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: 'write', position: start });
    return { bytesWritten: outcome, buffer };
  }

  /**
   * Writes at a position of the device on the calling thread.
   *
   * @param buffer memory to write
   * @param position bytes from the start of the device
   * @param options part of the buffer in bytes, default all of it; `fua`, default by cache mode
   * @returns the bytes written; short only at the end of the device
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; EACCES mode 'r'; EIO host or injected; ENOSPC host full; EBADF closed
   *
   * @example
   * device.writeSync(Buffer.from('hello'), 4096);
   * device.flushSync();
   */
  writeSync(buffer: View, position: Position, options?: Omit<WriteOptions, 'signal'>): Bytes {
    const handle = BlockDevice.#open(this, 'write');
    const outcome = options === undefined ? writeWholeSync(handle, buffer, position) : writePartSync(handle, buffer, position, options);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: 'write', position: Number(position) });
    return outcome;
  }

  /**
   * Says that the bytes of a range are not needed any more. Whole granules of the medium read afterwards as before or as zeros;
   * parts of granules at the ends of the range, and what lies outside, are untouched. A medium that cannot does nothing.
   *
   * @param position bytes from the start of the device
   * @param length bytes; what lies behind the end of the device is left out
   * @param options `signal`, default none
   * @returns the bytes that the medium has seen to, also those of parts of granules, which stay as they are; 0 where it cannot discard
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; EACCES mode 'r'; EROFS a protected range; EIO host; EBADF closed
   *
   * @example
   * const { bytesDiscarded } = await device.discard(1048576, 65536);
   */
  async discard(position: Position, length: Position, options?: { signal?: AbortSignal }): Promise<{ bytesDiscarded: Bytes }> {
    const handle = BlockDevice.#open(this, 'discard');
    if (options !== undefined) requireOptions(options, 'options', SIGNAL_KEYS);
    const signal = abortSignal(options?.signal, 'options.signal');
    const range = rangeOf(position, length);
    const token = handle.token(signal);
    const begun = binding.discard(handle.requests, range.start, range.length, token);
    const outcome = typeof begun === 'number' ? begun : await handle.settle(begun, signal, token);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: 'discard', position: range.start });
    return { bytesDiscarded: outcome };
  }

  /**
   * Says that the bytes of a range are not needed any more, on the calling thread.
   *
   * @param position bytes from the start of the device
   * @param length bytes; what lies behind the end of the device is left out
   * @returns the bytes that the medium has seen to, also those of parts of granules, which stay as they are; 0 where it cannot discard
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; EACCES mode 'r'; EROFS a protected range; EIO host; EBADF closed
   *
   * @example
   * if (device.discardSync(0, device.size) === 0) console.log('the medium cannot discard');
   */
  discardSync(position: Position, length: Position): Bytes {
    const handle = BlockDevice.#open(this, 'discard');
    const range = rangeOf(position, length);
    const outcome = binding.discardSync(handle.requests, range.start, range.length);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: 'discard', position: range.start });
    return outcome;
  }

  /**
   * Makes a range read as zeros, to the byte; as durable as a write of zeros would be, and without memory for them.
   *
   * @param position bytes from the start of the device
   * @param length bytes; short only at the end of the device
   * @param options `mayUnmap`, default true; `fast`, default false; `fua`, default by cache mode; `signal`, default none
   * @returns the bytes that are zeros now
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; EACCES mode 'r'; EROFS a protected range; ENOTSUP `fast` where it is not; EIO host or injected; ENOSPC host full; EBADF closed
   *
   * @example
   * await device.writeZeroes(1048576, 65536, { fast: true }).catch((error) => {
   *   if (error.code !== 'ENOTSUP') throw error; // ENOTSUP: zeros would have to be written, and nothing was
   * });
   */
  async writeZeroes(position: Position, length: Position, options?: WriteZeroesOptions): Promise<{ bytesWritten: Bytes }> {
    const handle = BlockDevice.#open(this, 'writeZeroes');
    const { mayUnmap, fast, fua, signal } = zeroesRule(options, ZEROES_KEYS);
    const range = rangeOf(position, length);
    const token = handle.token(signal);
    const begun = binding.writeZeroes(handle.requests, range.start, range.length, mayUnmap, fast, fua, token);
    const outcome = typeof begun === 'number' ? begun : await handle.settle(begun, signal, token);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: 'zero', position: range.start });
    return { bytesWritten: outcome };
  }

  /**
   * Makes a range read as zeros, to the byte, on the calling thread.
   *
   * @param position bytes from the start of the device
   * @param length bytes; short only at the end of the device
   * @param options `mayUnmap`, default true; `fast`, default false; `fua`, default by cache mode
   * @returns the bytes that are zeros now
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; EACCES mode 'r'; EROFS a protected range; ENOTSUP `fast` where it is not; EIO host or injected; ENOSPC host full; EBADF closed
   *
   * @example
   * device.writeZeroesSync(0, 512);
   */
  writeZeroesSync(position: Position, length: Position, options?: Omit<WriteZeroesOptions, 'signal'>): Bytes {
    const handle = BlockDevice.#open(this, 'writeZeroes');
    const { mayUnmap, fast, fua } = zeroesRule(options, ZEROES_SYNC_KEYS);
    const range = rangeOf(position, length);
    const outcome = binding.writeZeroesSync(handle.requests, range.start, range.length, mayUnmap, fast, fua);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: 'zero', position: range.start });
    return outcome;
  }

  /**
   * Lists what a range is made of: in order, without gaps, neighbours of one kind as one, cut to the range. A byte that was written
   * before the call is never in a hole; what cannot be known is data. Reads nothing unless `detectZeroes` is given, syncs nothing.
   *
   * @param options `position`, default 0; `length`, default to the end of the device; `layer`, default `'all'`; `detectZeroes`, default none; `signal`, default none
   * @returns the extents, one at a time
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; with `detectZeroes` EIO host or injected; EBADF closed
   *
   * @example
   * for await (const { position, length, type } of device.extents()) console.log(position, length, type);
   */
  extents(options?: ExtentsOptions): AsyncIterableIterator<Extent> {
    const handle = BlockDevice.#open(this, 'extents');
    const listing = listingOf(options, EXTENTS_KEYS, this.size);
    const abort = listing.signal === undefined ? {} : { signal: listing.signal };
    return list(handle, listing, {
      read: (buffer, position) => this.read(buffer, position, abort),
      readSync: (buffer, position) => this.readSync(buffer, position),
    });
  }

  /**
   * Lists what a range is made of, on the calling thread.
   *
   * @param options `position`, default 0; `length`, default to the end of the device; `layer`, default `'all'`; `detectZeroes`, default none
   * @returns the extents, one at a time
   * @throws {BlockDeviceError} EINVAL beyond the end, or unaligned when raw; with `detectZeroes` EIO host or injected; EBADF closed
   *
   * @example
   * for (const { type, length } of device.extentsSync()) if (type === 'hole') console.log(length);
   */
  extentsSync(options?: Omit<ExtentsOptions, 'signal'>): Generator<Extent, void, undefined> {
    const handle = BlockDevice.#open(this, 'extents');
    return listSync(handle, listingOf(options, EXTENTS_SYNC_KEYS, this.size), this);
  }

  /**
   * Hints that a range is read soon, so that its bytes can be on their way into memory. Never fails, and waits for nothing; what
   * lies outside of the device is left out.
   *
   * @param position bytes from the start of the device
   * @param length bytes
   *
   * @example
   * device.prefetch(0, 1048576);
   * await device.read(buffer, 0);
   */
  prefetch(position: Position, length: Position): void {
    const handle = BlockDevice.#open(this, 'prefetch');
    const range = rangeOf(position, length);
    binding.prefetch(handle.requests, range.start, range.length);
  }

  /**
   * Takes one buf as the kernel hands it to d_strategy, and settles at biodone.
   *
   * @param request direction, first sector, memory; of `'discard'` and `'zero'` bytes instead of memory; `deferred`, default false; `signal`, default none
   * @returns the bytes asked for and those not moved
   * @throws {BlockDeviceError} EINVAL outside the device; EACCES mode 'r'; EIO host or injected; ENOSPC host full; EBADF closed
   *
   * @example
   * const { resid } = await device.strategy({ op: 'read', blkno: 16, data: Buffer.alloc(4096) });
   * if (resid > 0) console.log('the device ends within this request');
   */
  async strategy(request: BufRequest | RangeBufRequest): Promise<BufResult> {
    const handle = BlockDevice.#open(this, 'strategy');
    if (isRangeBuf(request)) return runRangeBuf(handle, request);
    requireOptions(request, 'request', BUF_KEYS);
    const { op, blkno, data, deferred, signal } = request;
    const way = direction(op);
    const first = blockNumber(blkno, 'request.blkno');
    const isDeferred = flag(deferred, 'request.deferred', false);
    const abort = abortSignal(signal, 'request.signal');
    const aborted = abort?.aborted === true; // before the memory is looked at, as in partOf()
    const bcount = viewLength(data, 'request.data');
    const token = handle.token(abort, aborted);
    const begun = binding.strategy(handle.requests, way, first, data, isDeferred, token);
    const outcome = typeof begun === 'number' ? begun : await handle.settle(begun, abort, token);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op, blkno: Number(blkno) });
    return { bcount, resid: bcount - outcome };
  }

  /**
   * Takes one buf on the calling thread.
   *
   * @param request direction, first sector, memory; of `'discard'` and `'zero'` bytes instead of memory; `deferred`, default false
   * @returns the bytes asked for and those not moved
   * @throws {BlockDeviceError} EINVAL outside the device; EACCES mode 'r'; EIO host or injected; ENOSPC host full; EBADF closed
   *
   * @example
   * device.strategySync({ op: 'write', blkno: 0, data: Buffer.alloc(512), deferred: true });
   */
  strategySync(request: Omit<BufRequest, 'signal'> | Omit<RangeBufRequest, 'signal'>): BufResult {
    const handle = BlockDevice.#open(this, 'strategy');
    if (isRangeBuf(request)) return runRangeBufSync(handle, request);
    requireOptions(request, 'request', BUF_SYNC_KEYS);
    const { op, blkno, data, deferred } = request;
    const way = direction(op);
    const first = blockNumber(blkno, 'request.blkno');
    const isDeferred = flag(deferred, 'request.deferred', false);
    const bcount = viewLength(data, 'request.data');
    const outcome = binding.strategySync(handle.requests, way, first, data, isDeferred) ?? bcount;
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op, blkno: Number(blkno) });
    return { bcount, resid: bcount - outcome };
  }

  /**
   * Makes a batch: many requests in one crossing, without an allocation per request.
   *
   * @param options `depth` in entries, default 128; `arena` in bytes or as memory, default depth × 4096 bytes
   * @throws {BlockDeviceError} EBADF closed
   * @throws {RangeError} no memory for the arena, as JavaScript says it of an ArrayBuffer
   *
   * @example
   * const batch = device.createBatch({ depth: 2, arena: 8192 });
   */
  createBatch(options?: BatchOptions): Batch {
    return createBatch(BlockDevice.#open(this, 'createBatch'), this, options);
  }

  /**
   * Tracks what is changed on the device from now on, for backups that copy no more than that: by every open of its minor in this
   * driver, those of its partitions and of the disk that it is a partition of too. What is under way on an open when it begins
   * counts as a change of all that the open has; a view of `mapSync` on an 'r+' device as long as it is lent. Opens of the same
   * file that are not of the same minor, and other processes, are not seen.
   *
   * With a `name` the bitmap is kept in the qcow2 image that is open here for writing: under a name that the image has it goes on, else
   * it is new, and empty. Whoever writes to the image marks it, this package or QEMU, whether this is called again or not. In the image it
   * is marked as in use, durably, before a write reaches it, and saved when the last open that writes is closed: after a crash, or a
   * process that did not close, `isConsistent` is false. That form waits for the disk, as a `Sync` form does.
   *
   * @param options `granularity` in bytes of a block, default 65536; `name`, default none: in memory
   * @throws {BlockDeviceError} ENOMEM; EBADF closed; with a name: ENOTSUP no qcow2 image, a part of one, or a bitmap with unknown features;
   *   EACCES mode 'r'; EINVAL another granularity than the bitmap has, or one that is switched off; EFBIG too fine; ENOSPC; those of the host
   *
   * @example
   * const changes = device.track();
   * await copy(device, 'backup.img');
   * // Later, as often as it is wanted:
   * for await (const { position, length } of changes.take().extents()) console.log(`changed: ${length} bytes at ${position}`);
   */
  track(options?: TrackOptions): DirtyBitmap {
    return track(BlockDevice.#open(this, 'track'), options);
  }

  /**
   * Traces the requests of this open from now on: when each was made, where, how long it took as the caller saw it, and what became of
   * it. While nobody traces, it costs nothing.
   *
   * @param options `limit`, default 2^20 requests; `keep`, default true
   * @returns the trace; iterate it, or save it
   * @throws {BlockDeviceError} EBUSY it is traced already; EBADF closed
   *
   * @example
   * const trace = device.trace();
   * await save(device);
   * trace.stop();
   * await trace.save('work.jsonl');
   */
  trace(options?: TraceOptions): Trace {
    return traceOf([BlockDevice.#open(this, 'trace')], [this], options);
  }

  /**
   * Tells how long the requests of this open took, by operation, in nanoseconds from the call to its completion. The first call begins to
   * measure, and so finds nothing; until then it costs nothing.
   *
   * @param options `reset`, default false: begins anew behind this answer
   * @returns count, errors, bytes, min, max, mean and percentiles of each operation
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * device.stats();
   * await save(device);
   * console.log(device.stats().write.p99);
   */
  stats(options?: StatsOptions): DeviceStats {
    return statsOf(BlockDevice.#open(this, 'stats'), options);
  }

  /**
   * Lists the bitmaps that the image keeps which the device lies in, its own and those of other programs; none where it is no qcow2
   * image. Waits for the disk, as a `Sync` form does.
   *
   * @throws {BlockDeviceError} EBADF closed; those of the host
   *
   * @example
   * for (const { name, isConsistent } of device.bitmaps()) console.log(name, isConsistent);
   */
  bitmaps(): BitmapInfo[] {
    return bitmaps(BlockDevice.#open(this, 'track'));
  }

  /**
   * Removes a bitmap from the image, whoever made it; objects of it are of no use afterwards. Waits for the disk, as a `Sync` form
   * does.
   *
   * @param name as `bitmaps()` gives it
   * @returns false when there is none of that name
   * @throws {BlockDeviceError} EACCES mode 'r'; ENOTSUP a part of an image; EBADF closed; those of the host
   *
   * @example
   * device.removeBitmap('backup');
   */
  removeBitmap(name: string): boolean {
    return removeBitmap(BlockDevice.#open(this, 'track'), name);
  }

  /**
   * Lends bytes of the device as memory, without a copy. On an 'r+' device stores reach the file; on an 'r' device they
   * stay in the view.
   *
   * @param position bytes from the start of the device
   * @param length bytes, which must lie in one window
   * @throws {BlockDeviceError} ENOTSUP access 'pio', or a runtime that refuses memory of others (Electron); EINVAL
   *   0 bytes, outside the device or across windows; ENODEV a file system without maps, as FUSE can be; EBUSY it would pin the last free window; EBADF closed
   *
   * @example
   * using view = device.mapSync(0, 4096);
   * console.log(view.bytes[0]);
   */
  mapSync(position: Position, length: Position): WindowView {
    return lend(BlockDevice.#open(this, 'map'), this, position, length);
  }

  /**
   * Lists the mapped windows: under access 'mmap' most recently used first, under 'auto', which keeps no order, by slot.
   *
   * @returns offset and length in bytes of the host file, and the references
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * console.table(device.windows());
   */
  windows(): WindowInfo[] {
    const handle = BlockDevice.#open(this, 'windows');
    const answer = handle.native.windows();
    if (isFailure(answer)) throw fromFailure(answer, handle);
    return toWindows(answer);
  }

  /**
   * Makes everything completed so far durable; does nothing under cache 'unsafe'.
   *
   * @param options `signal`, default none
   * @throws {BlockDeviceError} EIO or ENOSPC host; EBADF closed
   *
   * @example
   * await device.write(buffer, 0);
   * await device.flush(); // the write would survive a power cut now
   */
  async flush(options?: { signal?: AbortSignal }): Promise<void> {
    const handle = BlockDevice.#open(this, 'flush');
    if (options !== undefined) requireOptions(options, 'options', SIGNAL_KEYS);
    const signal = abortSignal(options?.signal, 'options.signal');
    const token = handle.token(signal);
    const begun = handle.native.flush(token);
    const outcome = typeof begun === 'number' ? begun : await handle.settle(begun, signal, token);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle);
  }

  /**
   * Makes everything completed so far durable, on the calling thread.
   *
   * @throws {BlockDeviceError} EIO or ENOSPC host; EBADF closed
   *
   * @example
   * device.writeSync(buffer, 0);
   * device.flushSync();
   */
  flushSync(): void {
    const handle = BlockDevice.#open(this, 'flush');
    const outcome = handle.native.flushSync();
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle);
  }

  /**
   * Asks the device a question of its kernel interface.
   *
   * @param request name of the request
   * @param arg DIOCGPART: index of the partition, default that of this minor; DIOCSDINFO, DIOCWDINFO: the label
   * @returns what {@link IoctlMap} says; a promise for DIOCCACHESYNC
   * @throws {BlockDeviceError} ENOTTY unknown request; EINVAL no such partition, a label that cannot be; EBADF opened for reading, or closed; EBUSY a label that moves, shrinks or drops an open partition; EROFS label protected by this open; errors of the host
   *
   * @example
   * const { size } = device.ioctl('DIOCGPART'); // sectors
   */
  ioctl<K extends keyof IoctlMap>(request: K, ...arg: IoctlMap[K]['arg']): IoctlMap[K]['result'];
  ioctl(request: string, argument?: unknown): unknown {
    if (request === 'DIOCCACHESYNC') return BlockDevice.prototype.flush.call(this);
    return runIoctl(BlockDevice.#open(this, 'ioctl'), request, argument);
  }

  /**
   * Closes the device: waits for what is in flight, flushes, frees. Calls that come meanwhile return the same promise; on
   * a device that is closed there is nothing to do, so that a failed flush is reported once.
   *
   * @throws {BlockDeviceError} EIO or ENOSPC when the last flush failed; the device is closed nevertheless
   *
   * @example
   * const device = await open('disk.img');
   * try {
   *   await device.read(buffer, 0);
   * } finally {
   *   await device.close();
   * }
   */
  close(): Promise<void> {
    if (!BlockDevice.#is(this)) return Promise.reject(invalidThis('BlockDevice'));
    return this.#handle.close();
  }

  /**
   * Closes the device on the calling thread; does nothing when it is closed.
   *
   * @throws {BlockDeviceError} EBUSY with requests in flight, the device stays open; EIO or ENOSPC when the last flush failed
   *
   * @example
   * const device = openSync('disk.img');
   * try {
   *   device.readSync(buffer, 0);
   * } finally {
   *   device.closeSync();
   * }
   */
  closeSync(): void {
    if (!BlockDevice.#is(this)) throw invalidThis('BlockDevice');
    this.#handle.closeSync();
  }

  /** Closes the device as `close()` does, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return BlockDevice.prototype.close.call(this);
  }

  /** Closes the device as `closeSync()` does, at the end of a `using` block. */
  [Symbol.dispose](): void {
    BlockDevice.prototype.closeSync.call(this);
  }

  /** @internal What `console.log` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    if (!BlockDevice.#is(this)) return 'BlockDevice {}';
    const { path, minor, size, mode, access, cache, closed } = this;
    return `BlockDevice ${inspect({ path, minor, size, mode, access, cache, closed }, options)}`;
  }

  /** Waits for a transfer that did not finish at once. */
  static async #bytesOf(begun: Eventual<Outcome>, handle: DeviceHandle, start: number): Promise<Bytes> {
    const outcome = await begun;
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: 'read', position: start });
    return outcome;
  }

  /** Tells a device from a foreign object. */
  static #is(value: unknown): value is BlockDevice {
    return typeof value === 'object' && value !== null && #handle in value;
  }

  /** Gives the handle of a device that is open; `self` may be a foreign object. */
  static #open(self: unknown, method: string): DeviceHandle {
    if (!BlockDevice.#is(self)) throw invalidThis('BlockDevice');
    const handle = self.#handle;
    handle.requireOpen(method);
    return handle;
  }
}

// The Sync forms without options and with them: apart, so that V8 inlines all of the short one into its caller.

function readWholeSync(handle: DeviceHandle, buffer: View, position: Position): Outcome {
  const length = viewLength(buffer, 'buffer');
  return binding.readSync(handle.requests, buffer, startOf(position)) ?? length;
}

function readPartSync(handle: DeviceHandle, buffer: View, position: Position, options: TransferOptions): Outcome {
  const { offset, length } = partOf(buffer, options, READ_SYNC_KEYS);
  return binding.readSync(handle.requests, buffer, startOf(position), offset, length);
}

function writeWholeSync(handle: DeviceHandle, buffer: View, position: Position): Outcome {
  const length = viewLength(buffer, 'buffer');
  return binding.writeSync(handle.requests, buffer, startOf(position)) ?? length;
}

function writePartSync(handle: DeviceHandle, buffer: View, position: Position, options: WriteOptions): Outcome {
  const fua = fuaRule(options);
  const { offset, length } = partOf(buffer, options, WRITE_SYNC_KEYS);
  return binding.writeSync(handle.requests, buffer, startOf(position), fua, offset, length);
}

// The forms of strategy for a buf without memory.

async function runRangeBuf(handle: DeviceHandle, request: RangeBufRequest): Promise<BufResult> {
  const { way, first, bcount, isDeferred, signal } = rangeBufOf(request, RANGE_BUF_KEYS);
  const token = handle.token(signal);
  const begun = binding.strategyRange(handle.requests, way, first, bcount, isDeferred, token);
  const outcome = typeof begun === 'number' ? begun : await handle.settle(begun, signal, token);
  if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: request.op, blkno: first });
  return { bcount, resid: bcount - outcome };
}

function runRangeBufSync(handle: DeviceHandle, request: RangeBufRequest): BufResult {
  const { way, first, bcount, isDeferred } = rangeBufOf(request, RANGE_BUF_SYNC_KEYS);
  const outcome = binding.strategyRangeSync(handle.requests, way, first, bcount, isDeferred);
  if (typeof outcome !== 'number') throw fromFailure(outcome, handle, { op: request.op, blkno: first });
  return { bcount, resid: bcount - outcome };
}
