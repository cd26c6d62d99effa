// The surface of labels and partitions, as surface.test-d.ts has the rest of it.
import type * as rumpblk from 'rumpblk';
import type { Expect, Extends, SameShape } from './expect.js';

type Bytes = number;
type Device = rumpblk.BlockDevice;

interface FoundLabel {
  label: rumpblk.DiskLabel;
  byteOrder: 'little' | 'big';
  position: Bytes;
}
interface PartitionTable {
  scheme: 'bsd' | 'mbr' | 'ebr' | 'gpt' | 'apm' | 'sun' | 'unknown';
  position: Bytes;
  sectorSize?: Bytes;
  id?: string;
  usable?: { start: Bytes; size: Bytes };
  problems: string[];
  partitions: PartitionEntry[];
  hybrid?: PartitionEntry[];
}
interface PartitionEntry {
  name: string;
  index: number;
  start: Bytes;
  size: Bytes;
  type: number | string;
  typeName: string;
  label?: string;
  uuid?: string;
  attributes?: bigint;
  link?: Bytes;
  content?: { type: string; uuid?: string; label?: string };
  bootable?: boolean;
  table?: PartitionTable;
}
interface Registered {
  minor: number;
  name: string;
  start: Bytes;
  size: Bytes;
  uuid?: string;
  label?: string;
}
type Add = { type: number | string; start?: Bytes; size?: Bytes | 'rest'; label?: string; inside?: string };
type Change = { add: Add } | { resize: string; size: Bytes | 'rest' } | { remove: string };
type ChangeOptions = { alignment?: Bytes; dryRun?: boolean };
type Decoded = { label: rumpblk.DiskLabel; byteOrder: 'little' | 'big'; problem?: string };

/** Given and taken back: what a caller has made by this shape keeps compiling. */
export type Shapes = [Expect<SameShape<rumpblk.PartitionTable, PartitionTable>>, Expect<SameShape<rumpblk.PartitionEntry, PartitionEntry>>];
export type Functions = [
  Expect<Extends<typeof rumpblk.findDiskLabel, (device: Device) => Promise<FoundLabel | undefined>>>,
  Expect<Extends<typeof rumpblk.findDiskLabelSync, (device: Device) => FoundLabel | undefined>>,
  Expect<Extends<typeof rumpblk.decodeDiskLabel, (view: NodeJS.ArrayBufferView, options?: { offset?: number }) => Decoded>>,
  Expect<Extends<typeof rumpblk.encodeDiskLabel, (label: rumpblk.DiskLabel, options?: { byteOrder?: 'little' | 'big' }) => Buffer>>,
  Expect<Extends<typeof rumpblk.readPartitions, (device: Device) => Promise<PartitionTable | undefined>>>,
  Expect<Extends<typeof rumpblk.readPartitionsSync, (device: Device) => PartitionTable | undefined>>,
  Expect<Extends<typeof rumpblk.writePartitions, (device: Device, table: PartitionTable) => Promise<void>>>,
  Expect<Extends<typeof rumpblk.writePartitionsSync, (device: Device, table: PartitionTable) => void>>,
  Expect<Extends<typeof rumpblk.freeRanges, (table: PartitionTable, options?: { alignment?: Bytes }) => { start: Bytes; size: Bytes }[]>>,
  Expect<Extends<typeof rumpblk.changePartitions, (device: Device, changes: Change[], options?: ChangeOptions) => Promise<PartitionTable>>>,
  Expect<Extends<typeof rumpblk.changePartitionsSync, (device: Device, changes: Change[], options?: ChangeOptions) => PartitionTable>>,
  Expect<Extends<typeof rumpblk.addPartition, (device: Device, partition: Add, options?: ChangeOptions) => Promise<PartitionEntry>>>,
  Expect<Extends<typeof rumpblk.addPartitionSync, (device: Device, partition: Add, options?: ChangeOptions) => PartitionEntry>>,
  Expect<Extends<typeof rumpblk.resizePartition, (device: Device, name: string, size: Bytes | 'rest') => Promise<PartitionEntry>>>,
  Expect<Extends<typeof rumpblk.resizePartitionSync, (device: Device, name: string, size: Bytes | 'rest') => PartitionEntry>>,
  Expect<Extends<typeof rumpblk.removePartition, (device: Device, name: string, options?: ChangeOptions) => Promise<PartitionTable>>>,
  Expect<Extends<typeof rumpblk.removePartitionSync, (device: Device, name: string, options?: ChangeOptions) => PartitionTable>>,
  Expect<Extends<rumpblk.BlockDriver['registerPartition'], (minor: number, name: string) => Promise<number>>>,
  Expect<Extends<rumpblk.BlockDriver['registerPartitionSync'], (minor: number, name: string) => number>>,
  Expect<Extends<rumpblk.BlockDriver['registerPartitions'], (minor: number) => Promise<Registered[]>>>,
  Expect<Extends<rumpblk.BlockDriver['registerPartitionsSync'], (minor: number) => Registered[]>>,
];
