// The ioctls of a device: which exist, what they take and what they answer. DIOCCACHESYNC is flush() and stays in device.ts.
import type { DiskLabel, Partition } from './label.js';
import { integer } from './validate.js';
import { invalidArgType } from './errors.js';

/** The requests that `BlockDevice.ioctl` takes, with the argument and the result of each. */
export interface IoctlMap {
  /** Gets the disklabel: the medium's if it has a valid one, else the default one. */
  DIOCGDINFO: { arg: []; result: DiskLabel };
  /** Gets the default disklabel, whatever the medium says. */
  DIOCGDEFLABEL: { arg: []; result: DiskLabel };
  /** Gets one partition of the label; default: the partition of this minor. */
  DIOCGPART: { arg: [partition?: number]; result: Partition };
  /** Makes everything completed so far durable. */
  DIOCCACHESYNC: { arg: []; result: Promise<void> };
  /** Gets the size of the device, in bytes. */
  DIOCGMEDIASIZE: { arg: []; result: number };
  /** Gets the size of a sector, in bytes. */
  DIOCGSECTORSIZE: { arg: []; result: number };
}

/** The largest index that crosses into native unchanged; what a label has not is for native to refuse. */
const INT32_MAX = 2 ** 31 - 1;

/** Accepts the name of a request; native answers ENOTTY for a name it does not know. */
export function ioctlName(request: unknown): string {
  if (typeof request !== 'string') throw invalidArgType('request', 'of type string', request);
  return request;
}

/** Accepts the argument of a request; only DIOCGPART has one. */
export function ioctlArgument(request: string, argument: unknown): number | undefined {
  if (request !== 'DIOCGPART' || argument === undefined) return undefined;
  return integer(argument, 'partition', 0, INT32_MAX);
}
