// What a driver tells of its minors.
import type { NativeMinorInfo, NativeRegistered } from './native/binding.js';
import type { Bytes } from './request/transfer.js';

/** One slot of a driver's table. */
export interface MinorInfo {
  /** Index in the table. */
  minor: number;
  /** Path of the host file. */
  path: string;
  /** First byte of the range of the host file. */
  offset: Bytes;
  /** Bytes in the range: the size of the device. */
  size: Bytes;
  /** Type of the host file. */
  type: 'file' | 'block' | 'character';
  /** Devices that are open on it. */
  openCount: number;
  /** Of a partition: the minor of its disk. */
  disk?: number;
  /** Of a partition: its name. */
  partition?: string;
}

/** A partition that has a minor. */
export interface RegisteredPartition {
  /** Index in the table of the driver. */
  minor: number;
  /** Names it in the whole disk: `'a'`, `'s1'`, `'s1a'`, `'p2'`. */
  name: string;
  /** First byte, from the start of the disk. */
  start: Bytes;
  /** Bytes in it. */
  size: Bytes;
  /** Unique GUID of a GPT partition. */
  uuid?: string;
  /** Label of a GPT partition. */
  label?: string;
}

const TYPE_NAMES = ['file', 'block', 'character'] as const;
/** Turns a row of native's into what callers get. */
export function toMinorInfo([minor, path, offset, size, type, openCount, disk, partition]: NativeMinorInfo): MinorInfo {
  const info: MinorInfo = { minor, path: path.toString(), offset, size, type: TYPE_NAMES[type], openCount };
  return partition === '' ? info : { ...info, disk, partition };
}

/** The same for a partition that was registered. */
export function toRegistered([minor, name, start, size, uuid, label]: NativeRegistered): RegisteredPartition {
  const partition = { minor, name, start, size };
  return uuid === '' ? partition : { ...partition, uuid, label };
}
