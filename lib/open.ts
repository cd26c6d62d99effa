// open(): a block device on a private minor, outside every table. This is all that most callers need.
import type { PathLike } from 'node:fs';
import { throwIfAborted, unlessAborted } from './request/abort.js';
import type { Failure, NativeDevice, NativeDriver } from './native/binding.js';
import { createDevice, type BlockDevice } from './device.js';
import { BlockDriver, isClosed, isDriver, nativeOf } from './driver.js';
import { fromFailure, invalidArgType, isFailure } from './errors.js';
import type { KnownKeys } from './arguments/known-keys.js';
import { OPEN_PATH_KEYS, OPEN_PATH_SYNC_KEYS, openArguments, openSettings, rangeArguments } from './options.js';
import type { NotAnEntry, OpenOptions, OpenSettings, RegisterOptions } from './options.js';
import { hostPath } from './arguments/validate.js';

/** Options of `open()` by path: how to open, which range of the file, and the driver that the device belongs to. */
export type OpenPathOptions = OpenOptions & RegisterOptions & NotAnEntry & { driver?: BlockDriver };

/**
 * Opens a host file, or a range of it, as a block device on a private minor, which is freed again on close.
 *
 * @param path regular file, block node or character node
 * @param options mode, access, cache mode, range in bytes; `driver`, default one that all such devices share
 * @returns the device; its `minor` is -1
 * @throws {BlockDeviceError} EINVAL type or range; EACCES, EROFS mode; EBUSY locked; errors of the host
 *
 * @example
 * await using device = await open('disk.img');
 * const { bytesRead } = await device.read(Buffer.alloc(4096), 0);
 */
export async function open(path: PathLike, options?: OpenPathOptions): Promise<BlockDevice> {
  const request = openPathRequest(path, options, OPEN_PATH_KEYS);
  throwIfAborted(request.settings.signal);
  const opened = await request.native.openPath(...request.arguments);
  return unlessAborted(openedDevice(request, opened), request.settings.signal);
}

/**
 * Opens a host file, or a range of it, as a block device on a private minor, on the calling thread.
 *
 * @param path regular file, block node or character node
 * @param options mode, access, cache mode, range in bytes; `driver`, default one that all such devices share
 * @returns the device; its `minor` is -1
 * @throws {BlockDeviceError} EINVAL type or range; EACCES, EROFS mode; EBUSY locked; errors of the host
 *
 * @example
 * using device = openSync('disk.img', { mode: 'r+' });
 * device.writeSync(Buffer.from('hello'), 0, { fua: true });
 */
export function openSync(path: PathLike, options?: Omit<OpenPathOptions, 'signal'>): BlockDevice {
  const request = openPathRequest(path, options, OPEN_PATH_SYNC_KEYS);
  return openedDevice(request, request.native.openPathSync(...request.arguments));
}

interface OpenPathRequest {
  readonly driver: BlockDriver;
  readonly native: NativeDriver;
  readonly settings: OpenSettings;
  readonly arguments: Parameters<NativeDriver['openPathSync']>;
}

let commonDriver: BlockDriver | undefined;

/** Gives the driver of devices that name none; a caller can reach it through `device.driver` and close it. */
function driverOf(given: unknown): BlockDriver {
  if (given === undefined) {
    if (commonDriver === undefined || isClosed(commonDriver)) commonDriver = new BlockDriver();
    return commonDriver;
  }
  if (!isDriver(given)) throw invalidArgType('options.driver', 'an instance of BlockDriver', given);
  return given;
}

function openPathRequest(path: unknown, options: OpenPathOptions | undefined, known: KnownKeys): OpenPathRequest {
  const hostFile = hostPath(path, 'path');
  const settings = openSettings(options, known);
  const range = rangeArguments(options, known);
  const driver = driverOf(options?.driver);
  return { driver, native: nativeOf(driver, 'open'), settings, arguments: [hostFile, ...range, ...openArguments(settings)] };
}

function openedDevice(request: OpenPathRequest, opened: NativeDevice | Failure): BlockDevice {
  if (isFailure(opened)) throw fromFailure(opened, { path: request.arguments[0].toString() });
  return createDevice(request.driver, opened, request.settings);
}
