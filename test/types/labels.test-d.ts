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
  scheme: 'bsd' | 'mbr' | 'ebr' | 'gpt';
  position: Bytes;
  sectorSize?: Bytes;
  id?: string;
  problems: string[];
  partitions: PartitionEntry[];
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
  Expect<Extends<rumpblk.BlockDriver['registerPartition'], (minor: number, name: string) => Promise<number>>>,
  Expect<Extends<rumpblk.BlockDriver['registerPartitionSync'], (minor: number, name: string) => number>>,
  Expect<Extends<rumpblk.BlockDriver['registerPartitions'], (minor: number) => Promise<Registered[]>>>,
  Expect<Extends<rumpblk.BlockDriver['registerPartitionsSync'], (minor: number) => Registered[]>>,
];
