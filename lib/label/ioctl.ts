// The ioctls of a device: which exist, what they take and what they answer. DIOCCACHESYNC is flush() and stays in device.ts.
import { SCHEMES, type Failure, type NativeWedge } from '../native/binding.js';
import { fromFailure, invalidArgType, isFailure } from '../errors.js';
import type { DeviceHandle } from '../request/handle.js';
import { labelArguments } from './codec.js';
import type { DiskLabel, Partition } from './disk-label.js';
import { wedgeTypeName } from './types.js';
import { finish } from './written.js';
import { integer } from '../arguments/validate.js';

/** The requests that `BlockDevice.ioctl` takes, with the argument and the result of each. */
export interface IoctlMap {
  /** Gets the disklabel: the medium's if it has a valid one, else the default one. */
  DIOCGDINFO: { arg: []; result: DiskLabel };
  /** Gets the default disklabel, whatever the medium says. */
  DIOCGDEFLABEL: { arg: []; result: DiskLabel };
  /** Makes a label the disk's, in memory; its checksum is ignored and computed. */
  DIOCSDINFO: { arg: [label: DiskLabel]; result: undefined };
  /** Makes a label the disk's, in memory and durably on the medium, for which it waits on the calling thread. */
  DIOCWDINFO: { arg: [label: DiskLabel]; result: undefined };
  /** Lets partitions of the disk write over its label, until the last close. */
  DIOCWLABEL: { arg: [allow: boolean | number]; result: undefined };
  /** Keeps a label in memory over the last close. */
  DIOCKLABEL: { arg: [keep: boolean | number]; result: undefined };
  /** Lists the partitions of the disk, whatever the scheme. */
  DIOCLWEDGES: { arg: []; result: WedgeInfo[] };
  /** Describes the partition that the device is; ENOTTY on a device that is none. */
  DIOCGWEDGEINFO: { arg: []; result: WedgeInfo };
  /** Gets one partition of the label; default: the partition of this minor. */
  DIOCGPART: { arg: [partition?: number]; result: Partition };
  /** Makes everything completed so far durable. */
  DIOCCACHESYNC: { arg: []; result: Promise<void> };
  /** Gets the size of the device, in bytes. */
  DIOCGMEDIASIZE: { arg: []; result: number };
  /** Gets the size of a sector, in bytes. */
  DIOCGSECTORSIZE: { arg: []; result: number };
}

/** One wedge: a partition as NetBSD's dk(4) sees it. */
export interface WedgeInfo {
  /** Name of the partition, which `registerPartition` takes. */
  devname: string;
  /** Label or GUID of a GPT partition, else its name. */
  wname: string;
  /** Path of the disk's host file. */
  parent: string;
  /** First sector of 512 bytes on the disk. */
  offset: number;
  /** Sectors of 512 bytes. */
  size: number;
  /** NetBSD's name for the type: `'ffs'`, `'msdos'`, ...; empty where it has none. */
  ptype: string;
  /** Where the partition is registered. */
  minor?: number;
}

/** The largest index that crosses into native unchanged; what a label has not is for native to refuse. */
const INT32_MAX = 2 ** 31 - 1;
const DEV_BSIZE = 512;

/** Accepts a request with its argument, and answers it; native gives ENOTTY for a name that it does not know. */
export function runIoctl(handle: DeviceHandle, request: unknown, argument: unknown): unknown {
  if (typeof request !== 'string') throw invalidArgType('request', 'of type string', request);
  const { native } = handle;
  const answered = <T>(answer: T | Failure): T => {
    if (isFailure(answer)) throw fromFailure(answer, handle);
    return answer;
  };
  switch (request) {
    case 'DIOCSDINFO':
    case 'DIOCWDINFO': {
      const { numbers, names } = labelArguments(argument, 'label');
      return finish(native.setLabel(numbers, names, request === 'DIOCWDINFO'), handle);
    }
    case 'DIOCWLABEL':
    case 'DIOCKLABEL':
      return void answered(native.ioctl(request, toggle(argument, request === 'DIOCWLABEL' ? 'allow' : 'keep')));
    case 'DIOCLWEDGES':
      return answered(native.wedges(true)).wedges.map((wedge) => toWedge(wedge, handle.path));
    case 'DIOCGWEDGEINFO':
      return answered(native.wedges(false)).wedges.map((wedge) => toWedge(wedge, handle.path))[0];
    case 'DIOCGPART':
      return answered(native.ioctl(request, argument === undefined ? undefined : integer(argument, 'partition', 0, INT32_MAX)));
    default:
      return answered(native.ioctl(request, undefined));
  }
}

/** Accepts a boolean, or a number as the kernel has it. */
function toggle(value: unknown, name: string): number {
  if (typeof value === 'boolean' || typeof value === 'number') return value ? 1 : 0;
  throw invalidArgType(name, 'of type boolean', value);
}

function toWedge(native: NativeWedge, parent: string): WedgeInfo {
  const { name, scheme, start, size, type, flavor, typeGuid, uuid, label, minor } = native;
  const isGpt = SCHEMES[scheme] === 'gpt';
  const wedge: WedgeInfo = {
    devname: name,
    wname: isGpt ? label || uuid : name,
    parent,
    offset: start / DEV_BSIZE,
    size: size / DEV_BSIZE,
    ptype: wedgeTypeName(SCHEMES[scheme], isGpt ? typeGuid : type, flavor),
  };
  return minor < 0 ? wedge : { ...wedge, minor };
}
