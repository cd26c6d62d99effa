// How a device is divided: its disklabel, and the tree of its partition tables.
// Over 300 lines: most of it is what the types and the functions promise, with an example of each.
import {
  ANY_VERSION,
  SCHEMES,
  type BsdFlavor,
  type Failure,
  type NativeEntry,
  type NativeFoundLabel,
  type NativeTable,
} from './native/binding.js';
import { keysOf } from './arguments/known-keys.js';
import { flag, requireOptions } from './arguments/validate.js';
import { handleOf, type BlockDevice } from './device.js';
import { fromFailure, isFailure, type FailurePlace } from './errors.js';
import { toDecoded } from './label/codec.js';
import type { DiskLabel } from './label/disk-label.js';
import { typeNameOf } from './label/types.js';
import { tableRows } from './label/table-rows.js';
import type { Bytes } from './request/transfer.js';
import { describe } from './label/verdicts.js';
import { finish } from './label/written.js';

const READ_KEYS = keysOf<ReadPartitionsOptions>({ probe: true });

/** A valid disklabel and where it lies. */
export interface FoundLabel {
  /** The label. */
  label: DiskLabel;
  /** Byte order of the machine that wrote it. */
  byteOrder: 'little' | 'big';
  /** First byte of the label on the device. */
  position: Bytes;
}

/** One table: how a device, or a partition that holds others, is divided. */
export interface PartitionTable {
  /**
   * A disklabel, the MBR, the chain of an extended partition, or a GPT; read and not written: `'apm'`, an Apple Partition Map, `'sun'`,
   * the label of a SPARC disk, and `'unknown'`, a scheme that is only recognised, whose name is in `problems`. A protective MBR is not a table.
   */
  scheme: 'bsd' | 'mbr' | 'ebr' | 'gpt' | 'apm' | 'sun' | 'unknown';
  /** First byte of the table on the device. */
  position: Bytes;
  /** Bytes of the sectors that it counts in. */
  sectorSize?: Bytes;
  /** Identifier of the disk: `'0x12345678'` of an MBR, the GUID of a GPT, the DUID of an OpenBSD label (16 digits), which a write keeps. */
  id?: string;
  /** The bytes of the device that its partitions may lie in. */
  usable?: {
    /** First byte, from the start of the disk. */
    start: Bytes;
    /** Bytes in it. */
    size: Bytes;
  };
  /** Says what is wrong with it, a sentence each; empty when nothing is. */
  problems: string[];
  /** The partitions in use, in order of their index. */
  partitions: PartitionEntry[];
  /**
   * The entries of a hybrid MBR in front of a GPT, the protective ones (type 0xee) among them; left out where the MBR is only protective. When
   * writing: left out, the MBR stays as it is; `[]` makes it a protective one.
   */
  hybrid?: PartitionEntry[];
}

/** How {@link readPartitions} looks at a device. */
export interface ReadPartitionsOptions {
  /** Also tells what lies in each partition; default false. */
  probe?: boolean;
}

/** What lies in a partition, by the names that `blkid` has. */
export interface PartitionContent {
  /** `'ext4'`, `'vfat'`, `'exfat'`, `'ntfs'`, `'xfs'`, `'btrfs'`, `'ufs'`, `'iso9660'`, `'swap'`, `'crypto_LUKS'`, ... */
  type: string;
  /** UUID or serial number, as `blkid` prints it. */
  uuid?: string;
  /** Label of the file system. */
  label?: string;
}

/** One partition. */
export interface PartitionEntry {
  /** Names it in the whole device: `'a'` (bsd), `'s1'` (mbr), `'s5'` (ebr), `'p2'` (gpt), nested `'s1a'`; `'p1'` (apm), `'a'` (sun). */
  name: string;
  /** Place in its table, from 0. */
  index: number;
  /** First byte, from the start of the device. */
  start: Bytes;
  /** Bytes in it. */
  size: Bytes;
  /** fstype of a disklabel, type byte of an MBR, type GUID of a GPT, name in an Apple map, or tag of a Sun label. */
  type: number | string;
  /** Name of that type. */
  typeName: string;
  /** Label of a GPT partition, or its name in an Apple map. */
  label?: string;
  /** Unique GUID of a GPT partition. */
  uuid?: string;
  /** Attribute bits of a GPT partition. */
  attributes?: bigint;
  /** First byte of the sector that points to a logical partition. */
  link?: Bytes;
  /** Tells the active partition of an MBR. */
  bootable?: boolean;
  /** What lies in it, where that was asked for and is known. */
  content?: PartitionContent;
  /** The table that it holds. */
  table?: PartitionTable;
}

/**
 * A table to be written: a {@link PartitionTable}, of which what describes it (names, problems) may be missing, and what the device decides
 * has a default.
 */
export interface TableToWrite extends Partial<Omit<PartitionTable, 'scheme' | 'partitions' | 'hybrid'>> {
  /** A disklabel, an MBR, a GPT; within an MBR the chain of an extended partition. */
  scheme: PartitionTable['scheme'];
  /** The partitions, in any order. */
  partitions: EntryToWrite[];
  /** The MBR in front of a GPT: an entry of type 0xee, and others that show partitions to systems without GPT. Default what is there. */
  hybrid?: EntryToWrite[];
}

/** A partition to be written. */
export interface EntryToWrite extends Partial<Omit<PartitionEntry, 'start' | 'size' | 'type' | 'table'>> {
  /** First byte, from the start of the device. */
  start: Bytes;
  /** Bytes in it. */
  size: Bytes;
  /** fstype of a disklabel, type byte of an MBR, or type GUID of a GPT; or its name: `'Linux'`, `'EFI System'`, and the short ones `'linux'`, `'swap'`, `'esp'` (also `'uefi'`), `'home'`, `'raid'`, `'lvm'`, `'extended'`, `'linuxex'`. */
  type: number | string;
  /** The table that it holds. Without one, a label or a chain that lies there stays, and an extended partition that has none gets an empty one. */
  table?: TableToWrite;
}

/** How a table is written. */
export interface WriteTableOptions {
  /**
   * Whether it may take the place of a scheme that is not written here, of a file system, or of whatever else the device begins with;
   * default false.
   */
  overwrite?: boolean;
}

const WRITE_KEYS = keysOf<WriteTableOptions>({ overwrite: true });

/**
 * Finds the valid disklabel of a device: in a BSD slice of its MBR, in sector 1, or at byte 64 or 128 of sector 0.
 *
 * @param device device to look at
 * @returns the label, or undefined where there is none
 * @throws {BlockDeviceError} EIO host or injected; EBADF closed
 *
 * @example
 * const found = await findDiskLabel(device);
 * console.log(found?.label.typename);
 */
export async function findDiskLabel(device: BlockDevice): Promise<FoundLabel | undefined> {
  const handle = handleOf(device, 'read');
  return toFound(await handle.native.findLabel(), handle);
}

/**
 * Finds the valid disklabel of a device, on the calling thread.
 *
 * @param device device to look at
 * @returns the label, or undefined where there is none
 * @throws {BlockDeviceError} EIO host or injected; EBADF closed
 *
 * @example
 * console.log(findDiskLabelSync(device)?.label.partitions.length);
 */
export function findDiskLabelSync(device: BlockDevice): FoundLabel | undefined {
  const handle = handleOf(device, 'read');
  return toFound(handle.native.findLabelSync(), handle);
}

/**
 * Finds out how a device is divided. What a table says is never an error: see its `problems`.
 *
 * @param device device to look at
 * @param options `probe`: also tells what lies in each partition, default false
 * @returns the tree of tables, or undefined where the device is not divided
 * @throws {BlockDeviceError} EIO host or injected; EBADF closed
 *
 * @example
 * const table = await readPartitions(device);
 * for (const { name, start, size, typeName } of table?.partitions ?? []) console.log(name, start, size, typeName);
 */
export async function readPartitions(device: BlockDevice, options?: ReadPartitionsOptions): Promise<PartitionTable | undefined> {
  const handle = handleOf(device, 'read');
  return toTree(await handle.native.readTable(probeOf(options)), handle);
}

/**
 * Finds out how a device is divided, on the calling thread.
 *
 * @param device device to look at
 * @param options `probe`: also tells what lies in each partition, default false
 * @returns the tree of tables, or undefined where the device is not divided
 * @throws {BlockDeviceError} EIO host or injected; EBADF closed
 *
 * @example
 * const table = readPartitionsSync(device);
 * console.log(table?.scheme, table?.partitions.length);
 */
export function readPartitionsSync(device: BlockDevice, options?: ReadPartitionsOptions): PartitionTable | undefined {
  const handle = handleOf(device, 'read');
  return toTree(handle.native.readTableSync(probeOf(options)), handle);
}

/**
 * Makes a table how a device is divided: its partitions, and those of the tables in it. Boot code stays; identifiers,
 * labels and attributes are those given, and made up where they are missing. A GPT gets both its headers, so that to
 * write what was read repairs it.
 *
 * @param device device opened with mode 'r+'
 * @param table the tree, as {@link readPartitions} gives it or a new one; an entry is known by its `index`, default the first free one
 * @param options `overwrite`: whether the table may take the place of a scheme that is not written here, of a file system, or of whatever
 *   else the device begins with; default false
 * @throws {BlockDeviceError} EINVAL a table that cannot be, or something else lies there, as `cause` says; EACCES mode 'r'; EBUSY it moves, shrinks or drops an open partition; EROFS protected; EIO or ENOSPC host; EBADF closed
 *
 * @example
 * const table = await readPartitions(device);
 * if (table !== undefined && table.problems.length > 0) await writePartitions(device, table);
 *
 * @example
 * await writePartitions(device, { scheme: 'mbr', partitions: [{ start: 1048576, size: 8388608, type: 0x83, bootable: true }] });
 */
export async function writePartitions(device: BlockDevice, table: TableToWrite, options?: WriteTableOptions): Promise<void> {
  const overwrite = overwriteOf(options);
  const handle = handleOf(device, 'write');
  finish(await handle.native.writeTable(tableRows(table), overwrite, ANY_VERSION, false), handle);
}

/**
 * Makes a table how a device is divided, on the calling thread.
 *
 * @param device device opened with mode 'r+'
 * @param table the tree, as {@link readPartitionsSync} gives it or a new one; an entry is known by its `index`, default the first free one
 * @param options `overwrite`: whether the table may take the place of a scheme that is not written here, of a file system, or of whatever
 *   else the device begins with; default false
 * @throws {BlockDeviceError} EINVAL a table that cannot be, or something else lies there, as `cause` says; EACCES mode 'r'; EBUSY it moves, shrinks or drops an open partition; EROFS protected; EIO or ENOSPC host; EBADF closed
 *
 * @example
 * writePartitionsSync(device, { scheme: 'gpt', partitions: [{ start: 1048576, size: 8388608, type: 'linux', label: 'root' }] });
 */
export function writePartitionsSync(device: BlockDevice, table: TableToWrite, options?: WriteTableOptions): void {
  const overwrite = overwriteOf(options);
  const handle = handleOf(device, 'write');
  finish(handle.native.writeTableSync(tableRows(table), overwrite, ANY_VERSION, false), handle);
}

function overwriteOf(options: unknown): boolean {
  if (options !== undefined) requireOptions(options, 'options', WRITE_KEYS);
  return flag((options as WriteTableOptions | undefined)?.overwrite, 'options.overwrite', false);
}

function toFound(answer: NativeFoundLabel | null | Failure, place: FailurePlace): FoundLabel | undefined {
  if (isFailure(answer)) throw fromFailure(answer, place);
  if (answer === null) return undefined;
  const { label, byteOrder } = toDecoded(answer.label);
  return { label, byteOrder, position: answer.position };
}

function toTree(answer: NativeTable | null | Failure, place: FailurePlace): PartitionTable | undefined {
  if (isFailure(answer)) throw fromFailure(answer, place);
  return answer === null ? undefined : toTable(answer);
}

/** Turns what native read into what callers get. */
export function toTable(native: NativeTable): PartitionTable {
  const scheme = SCHEMES[native.scheme];
  const names = native.partitions.map(({ name }) => name);
  const table: PartitionTable = {
    scheme,
    position: native.position,
    sectorSize: native.sectorSize,
    usable: { start: native.usableBegin, size: native.usableEnd - native.usableBegin },
    problems: native.verdicts.map((verdict) => describe(verdict, names)),
    partitions: native.partitions.map((entry) => toEntry(entry, scheme, native.flavor)),
  };
  if (scheme === 'mbr') table.id = `0x${native.diskId.toString(16).padStart(8, '0')}`;
  else if (scheme === 'gpt' || native.duid !== undefined) table.id = native.duid ?? native.diskGuid;
  if (native.hybrid !== undefined) table.hybrid = native.hybrid.map((entry) => toEntry(entry, 'mbr'));
  return table;
}

function toEntry(native: NativeEntry, scheme: PartitionTable['scheme'], flavor?: BsdFlavor): PartitionEntry {
  const { name, index, start, size, bootable, link, typeGuid, typeText, uuid, label, attributes, content, table } = native;
  const type = typeGuid ?? typeText ?? native.type;
  const entry: PartitionEntry = { name, index, start, size, type, typeName: typeNameOf(scheme, type, flavor) };
  if (scheme === 'gpt') Object.assign(entry, { uuid, label, attributes });
  else if (scheme === 'apm') Object.assign(entry, { label });
  else if (scheme === 'mbr' || scheme === 'ebr') entry.bootable = bootable;
  if (link !== undefined) entry.link = link;
  if (content !== undefined) entry.content = toContent(content);
  if (table !== undefined) entry.table = toTable(table);
  return entry;
}

function toContent([type, uuid, label]: NonNullable<NativeEntry['content']>): PartitionContent {
  return { type, ...(uuid !== '' && { uuid }), ...(label !== '' && { label }) };
}

function probeOf(options: unknown): boolean {
  if (options === undefined) return false;
  requireOptions(options, 'options', READ_KEYS);
  return flag((options as ReadPartitionsOptions).probe, 'options.probe', false);
}
