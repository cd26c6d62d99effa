// What a driver tells of its minors.
import { isFailure, type FailurePlace } from './errors.js';
import { MEDIUM_KINDS, type NativeDriver, type NativeMinorInfo, type NativeRegistered } from './native/binding.js';
import type { Bytes } from './request/transfer.js';

/** One slot of a driver's table. */
export interface MinorInfo {
  /** Index in the table. */
  minor: number;
  /** Path of the host file, or the name of the medium. */
  path: string;
  /** First byte of the range of it. */
  offset: Bytes;
  /** Bytes in the range: the size of the device. */
  size: Bytes;
  /** What it is made of: a host file of that type, or a medium of that kind. */
  source: 'file' | 'block' | 'character' | 'memory' | 'null' | 'overlay' | 'nbd';
  /** Type of the host file; `'block'` of a medium, which has none. */
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

/** Turns a row of native's into what callers get. */
export function toMinorInfo([minor, path, offset, size, kind, openCount, disk, partition]: NativeMinorInfo): MinorInfo {
  const source = MEDIUM_KINDS[kind];
  const type = source === 'file' || source === 'character' ? source : 'block';
  const info: MinorInfo = { minor, path: path.toString(), offset, size, source, type, openCount };
  return partition === '' ? info : { ...info, disk, partition };
}

/** The same for a partition that was registered. */
export function toRegistered([minor, name, start, size, uuid, label]: NativeRegistered): RegisteredPartition {
  const partition = { minor, name, start, size };
  return uuid === '' ? partition : { ...partition, uuid, label };
}

/** Tells whether an open of a minor waits for a server. */
export function isOfServer(native: NativeDriver, minor: number): boolean {
  const answer = native.minors();
  const row = isFailure(answer) ? undefined : answer.minors.find(([index]) => index === minor);
  return row !== undefined && MEDIUM_KINDS[row[4]] === 'nbd';
}

/** Names what a minor is of in an error. */
export function placeOf(native: NativeDriver, minor: number): FailurePlace {
  const answer = native.minors();
  const row = isFailure(answer) ? undefined : answer.minors.find(([index]) => index === minor);
  return { minor, path: row?.[1].toString() };
}
