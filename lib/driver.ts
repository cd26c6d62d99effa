// BlockDriver: a table of minors with its tunables, faults and counters.
// Over 300 lines: one class, whose members are short and documented one by one.
import { binding, type NativeDriver } from './native/binding.js';
import { unlessAborted } from './request/abort.js';
import { toCounters, type Counters } from './counters.js';
import { createDevice, type BlockDevice } from './device.js';
import { closedError, fromFailure, invalidThis, isFailure, markCopy, type FailurePlace } from './errors.js';
import type { PartitionChoice } from './label/choice.js';
import { partitionMinor, partitionMinorSync } from './label/partition-minor.js';
import { createFaultInjector, type FaultInjector } from './faults.js';
import { isOfServer, placeOf, toMinorInfo, toRegistered, type MinorInfo, type RegisteredPartition } from './minors.js';
import { driverArguments, OPEN_KEYS, OPEN_SYNC_KEYS, openArguments, openSettings, optionsFromEnv, rangeArguments } from './options.js';
import type { Engine } from './engine.js';
import type { DriverOptions, NotAnEntry, OpenOptions, RegisterOptions } from './options.js';
import { integer } from './arguments/validate.js';
import { sourceOf, type Source } from './media/source.js';
import { inspect, type InspectOptions } from 'node:util';

/** The largest minor that crosses into native unchanged; what the table has not is for native to refuse. */
const INT32_MAX = 2 ** 31 - 1;

/** Tells a driver from a foreign object. */
export let isDriver: (value: unknown) => value is BlockDriver;
/** Tells whether a driver is closed. */
export let isClosed: (driver: BlockDriver) => boolean;
/** Gives the native driver of a driver that is open; `driver` may be a foreign object. */
export let nativeOf: (driver: BlockDriver, method: string) => NativeDriver;

/**
 * Keeps a table of minors: host files and media, or ranges of them, that can be opened as block devices.
 *
 * @example
 * using driver = new BlockDriver({ minorCount: 4 });
 * const minor = driver.registerSync('disk.img', { offset: 1024 * 1024 });
 * using device = driver.openSync(minor, { mode: 'r+', raw: true });
 */
export class BlockDriver implements Disposable {
  /** Fails requests of this driver at random. */
  readonly faults: FaultInjector;

  readonly #native: NativeDriver;
  readonly #minorCount: number;
  #closed = false;

  static {
    markCopy(BlockDriver);
    isDriver = (value): value is BlockDriver => typeof value === 'object' && value !== null && #native in value;
    isClosed = (driver) => driver.#closed;
    nativeOf = (driver, method) => {
      if (!isDriver(driver)) throw invalidThis('BlockDriver');
      if (driver.#closed) throw closedError('driver', method);
      return driver.#native;
    };
  }

  /**
   * Makes a driver with an empty table.
   *
   * @param options tunables; each has a default
   * @throws {BlockDeviceError} ENOMEM no memory for a table of that size; ENOTSUP `engine: 'io_uring'` where it cannot be had
   *
   * @example
   * using driver = new BlockDriver({ workers: 2, faults: { rate: 100, seed: 1 } });
   */
  constructor(options: DriverOptions = {}) {
    const { native, faults } = driverArguments(options);
    this.#native = new binding.Driver(...native);
    this.#minorCount = native[0];
    const ready = this.#native.ready();
    if (typeof ready !== 'number') throw fromFailure(ready, {});
    this.faults = createFaultInjector(this.#native, (method) => void nativeOf(this, method));
    if (faults !== undefined && 'rules' in faults) this.faults.plan(faults);
    else if (faults !== undefined) this.faults.set(faults);
  }

  /**
   * Makes a driver with the tunables of RUMP_BLKFAIL, RUMP_BLKFAIL_SEED, RUMP_BLKWINSIZE and RUMP_BLKWINCOUNT, and the fault plan in the
   * JSON file that RUMPBLK_FAULTS names.
   *
   * @param env variables; default `process.env`
   * @returns the driver; a variable that is not set leaves the default
   * @throws {TypeError} ERR_INVALID_ARG_VALUE for a value that is not acceptable
   *
   * @example
   * const driver = BlockDriver.fromEnv({ RUMP_BLKFAIL: '100', RUMP_BLKFAIL_SEED: '1' }); // usually process.env
   */
  static fromEnv(env: NodeJS.ProcessEnv = process.env): BlockDriver {
    return new BlockDriver(optionsFromEnv(env));
  }

  /**
   * Binds a host file or a medium, or a range of it, to the lowest free minor; the same one and range again give the same minor.
   * Calls that are under way together get their minors in the order in which the host answers, so that a slow host file
   * holds up no other: await one before the next where the number matters.
   *
   * @param source path of a regular file, a block node or a character node; or a medium of `rumpblk/media`
   * @param options range in bytes; default all of it
   * @returns the minor
   * @throws {BlockDeviceError} EBUSY table full; EINVAL type or range; errors of the host; EBADF closed
   *
   * @example
   * const minor = await driver.register('disk.img', { offset: 1048576, size: 8388608 });
   * await using device = await driver.open(minor);
   */
  async register(source: Source, options?: RegisterOptions & NotAnEntry): Promise<number> {
    const native = nativeOf(this, 'register');
    const { native: from, name } = sourceOf(source, 'source');
    const range = rangeArguments(options);
    const outcome = await native.register(from, ...range);
    if (typeof outcome !== 'number') throw fromFailure(outcome, { path: name, minorCount: this.#minorCount });
    return outcome;
  }

  /**
   * Binds a host file or a medium, or a range of it, to the lowest free minor, on the calling thread.
   *
   * @param source path of a regular file, a block node or a character node; or a medium of `rumpblk/media`
   * @param options range in bytes; default all of it
   * @returns the minor
   * @throws {BlockDeviceError} EBUSY table full; EINVAL type or range; errors of the host; EBADF closed
   *
   * @example
   * const minor = driver.registerSync('disk.img');
   */
  registerSync(source: Source, options?: RegisterOptions & NotAnEntry): number {
    const native = nativeOf(this, 'register');
    const { native: from, name } = sourceOf(source, 'source');
    const range = rangeArguments(options);
    const outcome = native.registerSync(from, ...range);
    if (typeof outcome !== 'number') throw fromFailure(outcome, { path: name, minorCount: this.#minorCount });
    return outcome;
  }

  /**
   * Binds a partition of a registered disk to the lowest free minor; the same one again gives the same minor. Its
   * devices reach nothing outside the partition, and share the lock of the disk.
   *
   * @param minor the disk, or a partition that holds others
   * @param partition its name as {@link readPartitions} gives it, or whatever else chooses it: see {@link PartitionChoice}
   * @returns the minor of the partition
   * @throws {BlockDeviceError} ENXIO no such minor or partition; EINVAL it does not lie inside the disk; EBUSY table full; errors of the host; EBADF closed
   *
   * @example
   * const root = await driver.registerPartition(await driver.register('disk.img'), 'root');
   */
  async registerPartition(minor: number, partition: PartitionChoice): Promise<number> {
    const native = nativeOf(this, 'register');
    const disk = integer(minor, 'minor', 0, INT32_MAX);
    return partitionMinor(native, disk, partition, () => this.#placeIn(native, disk));
  }

  /**
   * Binds a partition of a registered disk to the lowest free minor, on the calling thread.
   *
   * @param minor the disk, or a partition that holds others
   * @param partition its name as {@link readPartitionsSync} gives it, or whatever else chooses it
   * @returns the minor of the partition
   * @throws {BlockDeviceError} ENXIO no such minor or partition; EINVAL it does not lie inside the disk; EBUSY table full; errors of the host; EBADF closed
   *
   * @example
   * const root = driver.registerPartitionSync(driver.registerSync('disk.img'), 'root');
   */
  registerPartitionSync(minor: number, partition: PartitionChoice): number {
    const native = nativeOf(this, 'register');
    const disk = integer(minor, 'minor', 0, INT32_MAX);
    return partitionMinorSync(native, disk, partition, () => this.#placeIn(native, disk));
  }

  /**
   * Binds every partition of a registered disk that can be a device, from one read of its tables: all of them, or none.
   * One that has a minor keeps it. Extended partitions, and entries of a disklabel without a type, hold no data of their
   * own and are left out, and so is what does not lie inside the disk.
   *
   * @param minor the disk, or a partition that holds others
   * @returns the partitions with their minors, in order of the tables; none where the disk is not divided
   * @throws {BlockDeviceError} ENXIO no such minor; EBUSY the table has not so many free slots; errors of the host; EBADF closed
   *
   * @example
   * const driver = new BlockDriver();
   * const disk = await driver.register('disk.img');
   * for (const { name, minor } of await driver.registerPartitions(disk)) console.log(name, (await driver.open(minor)).size);
   */
  async registerPartitions(minor: number): Promise<RegisteredPartition[]> {
    const native = nativeOf(this, 'register');
    const answer = await native.registerPartitions(integer(minor, 'minor', 0, INT32_MAX));
    if (isFailure(answer)) throw fromFailure(answer, this.#placeIn(native, minor));
    return answer.partitions.map(toRegistered);
  }

  /**
   * Binds every partition of a registered disk that can be a device, on the calling thread.
   *
   * @param minor the disk, or a partition that holds others
   * @returns the partitions with their minors, in order of the tables; none where the disk is not divided
   * @throws {BlockDeviceError} ENXIO no such minor; EBUSY the table has not so many free slots; errors of the host; EBADF closed
   *
   * @example
   * for (const { minor, name } of driver.registerPartitionsSync(driver.registerSync('disk.img'))) console.log(minor, name);
   */
  registerPartitionsSync(minor: number): RegisteredPartition[] {
    const native = nativeOf(this, 'register');
    const answer = native.registerPartitionsSync(integer(minor, 'minor', 0, INT32_MAX));
    if (isFailure(answer)) throw fromFailure(answer, this.#placeIn(native, minor));
    return answer.partitions.map(toRegistered);
  }

  /**
   * Frees a minor.
   *
   * @param minor index in the table
   * @throws {BlockDeviceError} EBUSY while open, or while a partition of it is registered; ENXIO unused; EBADF closed
   *
   * @example
   * const minor = driver.registerSync('disk.img');
   * driver.deregister(minor); // its index is free again
   */
  deregister(minor: number): void {
    const native = nativeOf(this, 'deregister');
    const outcome = native.deregister(integer(minor, 'minor', 0, INT32_MAX));
    if (typeof outcome !== 'number') throw fromFailure(outcome, placeOf(native, minor));
  }

  /**
   * Opens a minor.
   *
   * @param minor index in the table
   * @param options mode, access, cache mode; default read-only
   * @returns the device
   * @throws {BlockDeviceError} ENXIO unused; EACCES, EROFS mode; EBUSY locked by another minor or process; EBADF closed
   *
   * @example
   * await using device = await driver.open(await driver.register('disk.img'), { mode: 'r+' });
   */
  async open(minor: number, options?: OpenOptions): Promise<BlockDevice> {
    const native = nativeOf(this, 'open');
    const slot = integer(minor, 'minor', 0, INT32_MAX);
    const settings = openSettings(options, OPEN_KEYS);
    return unlessAborted(
      async () => {
        const opened = await native.open(slot, ...openArguments(settings));
        if (isFailure(opened)) throw fromFailure(opened, placeOf(native, minor));
        return createDevice(this, opened, settings);
      },
      settings.signal,
      settings.signal !== undefined && isOfServer(native, slot),
    );
  }

  /**
   * Opens a minor on the calling thread.
   *
   * @param minor index in the table
   * @param options mode, access, cache mode; default read-only
   * @returns the device
   * @throws {BlockDeviceError} ENXIO unused; EACCES, EROFS mode; EBUSY locked by another minor or process; EBADF closed
   *
   * @example
   * using device = driver.openSync(driver.registerSync('disk.img'), { access: 'pio' });
   */
  openSync(minor: number, options?: Omit<OpenOptions, 'signal'>): BlockDevice {
    const native = nativeOf(this, 'open');
    const slot = integer(minor, 'minor', 0, INT32_MAX);
    const settings = openSettings(options, OPEN_SYNC_KEYS);
    const opened = native.openSync(slot, ...openArguments(settings));
    if (isFailure(opened)) throw fromFailure(opened, placeOf(native, minor));
    return createDevice(this, opened, settings);
  }

  /**
   * Lists the minors in use, lowest first.
   *
   * @returns path, range in bytes, type and open count of each
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * console.table(driver.minors());
   */
  minors(): MinorInfo[] {
    const answer = nativeOf(this, 'minors').minors();
    if (isFailure(answer)) throw fromFailure(answer, {});
    return answer.minors.map(toMinorInfo);
  }

  /**
   * What does reads that wait for a disk, and direct writes. Of `engine: 'auto'` it is found out when it is first needed or asked for, and
   * becomes `'threads'` when the host takes its engine away.
   *
   * @throws {BlockDeviceError} EBADF closed
   * @example console.log(new BlockDriver().engine); // 'io_uring', or 'threads' in a container that forbids it
   */
  get engine(): Engine {
    return nativeOf(this, 'engine').hasRing() === 1 ? 'io_uring' : 'threads';
  }

  /**
   * Takes one consistent snapshot of the counters.
   *
   * @returns counts since the driver was made or reset
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * const before = driver.counters().bytesRead;
   * await device.read(buffer, 0);
   * console.log(driver.counters().bytesRead - before);
   */
  counters(): Counters {
    return toCounters(nativeOf(this, 'counters').counters());
  }

  /**
   * Sets every counter to 0.
   *
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * driver.resetCounters();
   * console.log(driver.counters().ioTotal); // 0
   */
  resetCounters(): void {
    nativeOf(this, 'resetCounters').resetCounters();
  }

  /**
   * Frees every minor and ends the threads; does nothing when the driver is closed.
   *
   * @throws {BlockDeviceError} EBUSY while a device is open
   *
   * @example
   * const driver = new BlockDriver();
   * try {
   *   await using device = await driver.open(await driver.register('disk.img'));
   * } finally {
   *   driver.close();
   * }
   */
  close(): void {
    if (!isDriver(this)) throw invalidThis('BlockDriver');
    if (this.#closed) return;
    const outcome = this.#native.close();
    if (typeof outcome !== 'number') throw fromFailure(outcome, {});
    this.#closed = true;
  }

  /** Names the disk of a registration in an error. */
  #placeIn(native: NativeDriver, minor: number): FailurePlace {
    return { ...placeOf(native, minor), minorCount: this.#minorCount };
  }

  /** @internal What `console.log` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    if (!isDriver(this)) return 'BlockDriver {}';
    const answer = this.#native.minors();
    const minors = isFailure(answer) ? [] : answer.minors.map((row) => `${row[0]}: ${row[1].toString()}`);
    return `BlockDriver ${inspect({ minors, faults: this.faults, closed: this.#closed }, options)}`;
  }

  /** Closes the driver as `close()` does, at the end of a `using` block. */
  [Symbol.dispose](): void {
    BlockDriver.prototype.close.call(this);
  }
}
