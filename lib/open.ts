// open(): a block device on a private minor, outside every table. This is all that most callers need.
import type { PathLike } from 'node:fs';
import { unlessAborted } from './request/abort.js';
import { chosenPartition, lookAt, lookAtSync, nameIn, requireSame, unusable } from './label/choice.js';
import type { ChosenPartition, Looked, PartitionChoice } from './label/choice.js';
import { LOCK, type Failure, type NativeDevice, type NativeDriver } from './native/binding.js';
import { createDevice, handleOf, type BlockDevice } from './device.js';
import { BlockDriver, isClosed, isDriver, nativeOf } from './driver.js';
import { EINVAL, ENXIO, fromFailure, invalidArgType, invalidArgValue, isFailure } from './errors.js';
import type { KnownKeys } from './arguments/known-keys.js';
import { LOOKING, OPEN_PATH_KEYS, OPEN_PATH_SYNC_KEYS, openArguments, openSettings, rangeArguments } from './options.js';
import type { NotAnEntry, OpenOptions, OpenSettings, RegisterOptions } from './options.js';
import { flag } from './arguments/validate.js';
import { sourceOf, type GivenSource, type Source } from './media/source.js';

/** Options of `open()` of a source: how to open, which range or partition of it, and the driver that the device belongs to. */
export interface OpenPathOptions extends OpenOptions, RegisterOptions, NotAnEntry {
  /** Opens this partition of the disk, and nothing outside it; default: the whole disk. */
  partition?: PartitionChoice;
  /** The driver that the device belongs to; default one that all such devices share, and with it their workers: a medium that does not answer keeps them all. */
  driver?: BlockDriver;
  /** Gives the device a driver, and so workers, of its own, which end with it: others go on when its medium does not answer. Not with `driver`; default false. */
  isolated?: boolean;
}

/**
 * Opens a host file or a medium, a range of it, or a partition, as a block device on a private minor, which is freed again on close.
 *
 * @param source path of a regular file, a block node or a character node; or a medium of `rumpblk/media`
 * @param options mode, access, cache mode, range in bytes; `partition`, default the whole disk; `driver`, default one that all such devices share
 * @returns the device; its `minor` is -1
 * @throws {BlockDeviceError} EINVAL type or range, or a partition that reaches out of the disk; ENXIO no such partition; EACCES, EROFS mode; EBUSY locked; errors of the host
 *
 * @example
 * await using device = await open('disk.img');
 * const { bytesRead } = await device.read(Buffer.alloc(4096), 0);
 *
 * @example
 * await using root = await open('disk.img', { partition: 'p2', mode: 'r+' });
 */
export async function open(source: Source, options?: OpenPathOptions): Promise<BlockDevice> {
  const request = openPathRequest(source, options, OPEN_PATH_KEYS);
  const { native, settings, partition } = request;
  return unlessAborted(
    async () => {
      const name = partition?.number === undefined ? partition?.name : nameFor(request, await tableOf(request));
      const opened = await native.openPath(...argumentsFor(request, name));
      if (isUnusable(opened, partition)) throw failureFor(request, opened, await tableOf(request));
      return openedDevice(request, opened);
    },
    settings.signal,
    request.source.kind === 'nbd',
  );
}

/**
 * Opens a host file or a medium, a range of it, or a partition, as a block device on a private minor, on the calling thread.
 *
 * @param source path of a regular file, a block node or a character node; or a medium of `rumpblk/media`
 * @param options mode, access, cache mode, range in bytes; `partition`, default the whole disk; `driver`, default one that all such devices share
 * @returns the device; its `minor` is -1
 * @throws {BlockDeviceError} EINVAL type or range, or a partition that reaches out of the disk; ENXIO no such partition; EACCES, EROFS mode; EBUSY locked; errors of the host
 *
 * @example
 * using device = openSync('disk.img', { mode: 'r+' });
 * device.writeSync(Buffer.from('hello'), 0, { fua: true });
 */
export function openSync(source: Source, options?: Omit<OpenPathOptions, 'signal'>): BlockDevice {
  const request = openPathRequest(source, options, OPEN_PATH_SYNC_KEYS);
  const { native, partition } = request;
  const name = partition?.number === undefined ? partition?.name : nameFor(request, tableOfSync(request));
  const opened = native.openPathSync(...argumentsFor(request, name));
  if (isUnusable(opened, partition)) throw failureFor(request, opened, tableOfSync(request));
  return openedDevice(request, opened);
}

/**
 * Locks a file for a writer that makes it longer or shorter: all of it, and all that it may grow to.
 *
 * @internal
 * @returns a device of no bytes, which has the lock until it is closed
 * @throws {BlockDeviceError} EINVAL neither a file nor a disk; EBUSY locked; errors of the host
 */
export async function lockToGrow(path: PathLike): Promise<BlockDevice> {
  const request = openPathRequest(path, { mode: 'r+', cache: 'unsafe', size: 0 }, OPEN_PATH_KEYS);
  const { native, settings, source, range } = request;
  return openedDevice(request, await native.openPath(source.native, ...range, '', ...openArguments(settings, LOCK.growth)));
}

/**
 * Opens a medium as a device that `create` makes.
 *
 * @internal
 */
export async function openWith<T extends BlockDevice>(source: Source, options: OpenPathOptions, create: CreateDevice<T>): Promise<T> {
  const request = openPathRequest(source, options, OPEN_PATH_KEYS);
  return openedDevice(request, await request.native.openPath(...argumentsFor(request)), create);
}

/** Wraps a native device that was just opened. */
export type CreateDevice<T extends BlockDevice> = (driver: BlockDriver, native: NativeDevice, settings: OpenSettings) => T;

interface OpenPathRequest {
  readonly driver: BlockDriver;
  readonly native: NativeDriver;
  readonly settings: OpenSettings;
  readonly source: GivenSource;
  readonly range: readonly [offset: number, size: number, sectorSize: number, format: number];
  readonly partition: ChosenPartition | undefined;
  /** The driver is the device's alone, and is closed with it. */
  readonly isIsolated: boolean;
}

type OpenPathArguments = Parameters<NativeDriver['openPathSync']>;

const WHOLE: ChosenPartition = { name: undefined, number: undefined, place: undefined };
const NOWHERE = { start: -1, size: -1 } as const;

let commonDriver: BlockDriver | undefined;

/** Gives the driver of devices that name none; a caller can reach it through `device.driver` and close it. */
export function driverOf({ driver: given, isolated }: Pick<OpenPathOptions, 'driver' | 'isolated'>): BlockDriver {
  if (flag(isolated, 'options.isolated', false)) {
    if (given !== undefined)
      throw invalidArgValue('options.isolated', true, "cannot be used with 'driver', whose devices share its workers");
    return new BlockDriver();
  }
  if (given === undefined) {
    if (commonDriver === undefined || isClosed(commonDriver)) commonDriver = new BlockDriver();
    return commonDriver;
  }
  if (!isDriver(given)) throw invalidArgType('options.driver', 'an instance of BlockDriver', given);
  return given;
}

function openPathRequest(given: unknown, options: OpenPathOptions | undefined, known: KnownKeys): OpenPathRequest {
  const source = sourceOf(given, 'source');
  const settings = openSettings(options, known);
  const range = rangeArguments(options, known);
  const partition = chosenPartition(options?.partition, 'options.partition');
  const isIsolated = options?.isolated === true;
  const driver = driverOf(options ?? {});
  return { driver, native: nativeOf(driver, 'open'), settings, source, range, partition, isIsolated };
}

function argumentsFor({ source, range, settings }: OpenPathRequest, partition = ''): OpenPathArguments {
  return [source.native, ...range, partition, ...openArguments(settings)];
}

function tableOf({ native, source, range }: OpenPathRequest): Promise<Looked> {
  return lookAt(native.openPath(source.native, ...range, '', ...LOOKING));
}

function tableOfSync({ native, source, range }: OpenPathRequest): Looked {
  return lookAtSync(native.openPathSync(source.native, ...range, '', ...LOOKING));
}

/** The name of a partition whose number was asked for. */
function nameFor({ source, partition = WHOLE }: OpenPathRequest, table: Looked): string {
  const path = source.name;
  if (isFailure(table)) throw fromFailure(table, { path });
  return nameIn(table, partition, { path }, 'open');
}

function isUnusable(opened: NativeDevice | Failure, partition: ChosenPartition | undefined): opened is Failure {
  return partition !== undefined && isFailure(opened) && (opened[0] === ENXIO || opened[0] === EINVAL);
}

function failureFor({ source, partition = WHOLE }: OpenPathRequest, failure: Failure, table: Looked): Error {
  const path = source.name;
  // Where not even the tables can be read, it is the disk that is not there.
  if (isFailure(table)) return fromFailure(failure, { path });
  return unusable(failure[0], partition.name ?? partition.number ?? '', table, { path }, 'open') ?? fromFailure(failure, { path });
}

function openedDevice<T extends BlockDevice = BlockDevice>(
  request: OpenPathRequest,
  opened: NativeDevice | Failure,
  create = createDevice as CreateDevice<T>,
): T {
  const { driver, settings, source, partition, isIsolated } = request;
  const path = source.name;
  try {
    if (isFailure(opened)) throw fromFailure(opened, { path });
    if (partition?.place !== undefined) requirePlace(opened, partition, path);
  } catch (error) {
    if (isIsolated) driver.close();
    throw error;
  }
  const device = create(driver, opened, settings);
  if (isIsolated) handleOf(device, 'open').afterClose = () => closeUnused(driver);
  return device;
}

/** Stops the workers of an isolated device, unless its owner has opened others on them. */
function closeUnused(driver: BlockDriver): void {
  try {
    driver.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
  }
}

/** The device of an entry has to be what the entry says, now that it is open. */
function requirePlace(opened: NativeDevice, { name = '', place = NOWHERE }: ChosenPartition, path: string): void {
  const answer = opened.wedges(false);
  try {
    if (isFailure(answer)) throw fromFailure(answer, { path });
    requireSame(answer.wedges[0] ?? NOWHERE, place, name, { path }, 'open');
  } catch (error) {
    opened.closeSync();
    throw error;
  }
}
