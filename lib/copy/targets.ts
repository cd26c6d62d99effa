// Targets of a copy: each is checked when copy() is called, and opened afterwards, when it is known not to be the source.
import { hostPath } from '../arguments/validate.js';
import { handleOf } from '../device.js';
import { invalidArgType, invalidArgValue } from '../errors.js';
import { BlockDevice, open } from '../index.js';
import { DeviceTarget } from './device-ends.js';
import type { Source, Target } from './ends.js';
import { failureOn } from './extent.js';
import { FileTarget } from './file-target.js';
import { isMedium, isNodeTarget, isPath, isWebTarget } from './kinds.js';
import type { Source as DiskSource } from '../media/source.js';
import { refusePartition, type CopySettings } from './options.js';
import { placeOfDevice, placeOfFile, placeOfStream, requireApart, statsOf } from './place.js';
import { NodeStreamTarget, WebStreamTarget } from './stream-ends.js';

/** Checks a target, and gives what opens it. */
export function targetOf(target: unknown, settings: CopySettings): (from: Source) => Promise<Target> {
  const { targetPosition } = settings;
  if (target instanceof BlockDevice) {
    refusePartition(settings, 'target');
    handleOf(target, 'write');
    return (from) => deviceTarget(target, false, from, settings);
  }
  if (isNodeTarget(target) || isWebTarget(target)) {
    refusePartition(settings, 'target');
    if ((targetPosition ?? 0) !== 0) throw invalidArgValue('options.targetPosition', targetPosition, 'must be 0 for a stream');
    if (settings.verify) throw invalidArgValue('options.verify', true, 'must be false for a stream, which cannot be read again');
    return async (from) => {
      await requireApart(await from.place(settings.length), await placeOfStream(target), target);
      return isNodeTarget(target) ? new NodeStreamTarget(target) : new WebStreamTarget(target);
    };
  }
  if (isMedium(target)) return (from) => openDisk(target, from, settings);
  if (!isPath(target)) throw invalidArgType('target', 'a BlockDevice, a path, a Medium, or a stream that is written', target);
  hostPath(target, 'target');
  return (from) => openTarget(target, from, settings);
}

async function openTarget(path: string | Buffer | URL, from: Source, settings: CopySettings): Promise<Target> {
  const stats = await statsOf(path);
  if (stats?.isFIFO() === true || stats?.isSocket() === true) throw invalidArgValue('target', path, 'must be a file or a disk');
  const { targetPosition: start, targetPartition, length, lock, targetIsZero } = settings;
  if (targetPartition !== undefined) return openDisk(path, from, settings);
  const source = await from.place(length);
  // A file that is replaced loses all that it has.
  const end = start === undefined ? Infinity : start + Math.min(from.size, length);
  if (stats?.isBlockDevice() === true || stats?.isCharacterDevice() === true) {
    await requireApart(source, placeOfFile(stats, start ?? 0, (start ?? 0) + Math.min(from.size, length)), path);
    const device = await open(path, { mode: 'r+', lock });
    return deviceTarget(device, true, from, settings);
  }
  return FileTarget.open(path, {
    start,
    lock,
    isZero: targetIsZero,
    check: (opened) => requireApart(source, placeOfFile(opened, start ?? 0, end), path),
  });
}

/** A medium, or the partition of a disk that was asked for. */
async function openDisk(disk: DiskSource, from: Source, settings: CopySettings): Promise<Target> {
  const { targetPosition: start = 0, targetPartition: partition, length, lock } = settings;
  const part = partition === undefined ? {} : { partition };
  // Looked at without a lock: that of the source would hide that the two are the same.
  const looked = await open(disk, { ...part, lock: false });
  try {
    const end = Math.min(start + Math.min(from.size, length), looked.size);
    await requireApart(await from.place(length), placeOfDevice(looked, start, end), disk);
    // While the other is open: a server may end when its last client goes.
    const device = await open(disk, { ...part, mode: 'r+', lock });
    return await deviceTarget(device, true, from, settings);
  } finally {
    await looked.close();
  }
}

/** A device that is given, or was opened for the copy, which closes it then. ENOSPC when it is known already that the copy does not fit. */
async function deviceTarget(device: BlockDevice, isOurs: boolean, from: Source, settings: CopySettings): Promise<Target> {
  const { targetPosition: start = 0, length, fill, fua, targetIsZero: isZero } = settings;
  try {
    const total = Math.min(from.size, length);
    if (start <= device.size) {
      await requireApart(await from.place(length), placeOfDevice(device, start, Math.min(start + total, device.size)), device.path);
    }
    const to = new DeviceTarget(device, { start, isOurs, fua, isZero });
    if (!fill && total !== Infinity && total > to.size) throw failureOn(device, 'ENOSPC', 'write', 0);
    return to;
  } catch (error) {
    if (isOurs) await device.close();
    throw error;
  }
}
