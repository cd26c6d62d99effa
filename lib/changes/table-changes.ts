// Changes of a table as pure functions of the tree that was read: what is to be written for a partition that is added, resized or removed.
import { constants } from 'node:os';
import { BlockDeviceError, type FailurePlace } from '../errors.js';
import { aligned, alignmentOf, gapsIn, layoutOf, type FreeRange } from './free-ranges.js';
import type { EntryToWrite, PartitionEntry, PartitionTable, TableToWrite } from '../partitions.js';
import type { PartitionChoice } from '../label/choice.js';
import type { Bytes } from '../request/transfer.js';

/** A partition to be added. */
export interface PartitionToAdd extends Omit<EntryToWrite, 'name' | 'typeName' | 'start' | 'size' | 'table' | 'link' | 'content'> {
  /** First byte, from the start of the device; default: where there is room, aligned. */
  start?: Bytes;
  /** Bytes in it; default `'rest'`: all of the largest free range, or all that is free from `start` on. */
  size?: Bytes | 'rest';
  /** The extended partition or the slice whose table gets it; default: the table of the device. */
  inside?: PartitionChoice;
}

/** One change of a table. Partitions are chosen as they are before all of the changes. */
export type PartitionChange =
  | {
      /** Adds this partition, as `addPartition` does. */
      add: PartitionToAdd;
    }
  | {
      /** Gives this partition another size, as `resizePartition` does; it begins where it did. */
      resize: PartitionChoice;
      /** Bytes that it gets; `'rest'`: all up to the next partition. */
      size: Bytes | 'rest';
    }
  | {
      /** Removes this partition from the table, as `removePartition` does; its content stays where it is. */
      remove: PartitionChoice;
    };

/** The same with the names of the partitions. */
export type NamedChange =
  { add: Omit<PartitionToAdd, 'inside'> & { inside?: string } } | { resize: string; size: number | 'rest' } | { remove: string };

type Draft = Omit<PartitionTable, 'partitions'> & { partitions: DraftEntry[] };
type DraftEntry = EntryToWrite & { table?: Draft };
interface Found {
  readonly table: Draft;
  readonly entry: DraftEntry;
}

/** What a change left: where the partition lies now, to find it in what is read afterwards. */
export interface Placed {
  readonly scheme: PartitionTable['scheme'];
  readonly start: number;
  readonly size: number;
}

const RAW_PARTITION = 2;

/** The tree that the changes make of `table`, and what became of each; `place` is for errors. */
export function changed(
  table: PartitionTable,
  changes: readonly NamedChange[],
  alignment: unknown,
  place: FailurePlace,
): { table: TableToWrite; placed: readonly (Placed | undefined)[] } {
  const draft = draftOf(table);
  const placed = changes.map((change) => {
    if ('add' in change) return add(draft, change.add, alignment, place);
    if ('resize' in change) return resize(find(draft, change.resize, place), change.size, alignment, place);
    return remove(find(draft, change.remove, place));
  });
  return { table: draft, placed };
}

function draftOf(table: PartitionTable): Draft {
  return {
    ...table,
    partitions: table.partitions.map(({ table: inside, ...entry }) => ({
      ...entry,
      ...(inside === undefined ? {} : { table: draftOf(inside) }),
    })),
  };
}

function add(
  draft: Draft,
  { inside, start, size = 'rest', ...rest }: Extract<NamedChange, { add: unknown }>['add'],
  alignment: unknown,
  place: FailurePlace,
): Placed {
  const table = inside === undefined ? draft : find(draft, inside, place).entry.table;
  if (table === undefined) throw refusal('EINVAL', `${inside} holds no table`, place);
  const range = rangeFor(table, start, size, alignment, place);
  const entry: DraftEntry = { ...rest, ...range };
  if (table.scheme === 'bsd') entry.index ??= freeLetter(table);
  table.partitions.push(entry);
  return { scheme: table.scheme, ...range };
}

/** The first index that no partition has, and not that of `c`, which covers all of it. */
function freeLetter({ partitions }: Draft): number {
  const taken = new Set([RAW_PARTITION, ...partitions.map(({ index }) => index)]);
  let free = 0;
  while (taken.has(free)) free += 1;
  return free;
}

function rangeFor(table: Draft, start: number | undefined, size: number | 'rest', alignment: unknown, place: FailurePlace): FreeRange {
  const layout = layoutOf(table, 'table');
  const unit = alignmentOf(layout, alignment);
  const gaps = gapsIn(layout);
  if (start !== undefined) return { start, size: size === 'rest' ? restFrom(gaps, start, unit, place) : size };
  const ranges = gaps.map((gap) => aligned(gap.start, gap.start + gap.size, unit));
  const most = Math.max(0, ...ranges.map((range) => range.size));
  const found =
    size === 'rest'
      ? ranges.find((range) => range.size === most && most > 0)
      : ranges.find((range, i) => range.start + size <= (gaps[i]?.start ?? 0) + (gaps[i]?.size ?? 0));
  if (found !== undefined) return { start: found.start, size: size === 'rest' ? found.size : size };
  const wanted = size === 'rest' ? 'a partition' : `${size} bytes`;
  throw refusal('ENOSPC', `no free range has room for ${wanted}: the largest has ${most} bytes`, place);
}

/** All that is free from `start` on, to an aligned end where there is one. */
function restFrom(gaps: readonly FreeRange[], start: number, unit: number, place: FailurePlace): number {
  const gap = gaps.find((range) => range.start <= start && start < range.start + range.size);
  if (gap === undefined) throw refusal('ENOSPC', `byte ${start} is not free`, place);
  const end = gap.start + gap.size;
  const last = Math.floor(end / unit) * unit;
  return (last > start ? last : end) - start;
}

function resize({ table, entry }: Found, size: number | 'rest', alignment: unknown, place: FailurePlace): Placed {
  if (size !== 'rest') entry.size = size;
  else {
    const others = layoutOf({ ...table, partitions: table.partitions.filter((each) => each !== entry) }, 'table');
    const rest = restFrom(gapsIn(others), entry.start, alignmentOf(others, alignment), place);
    // What it has beyond the last aligned byte it keeps.
    entry.size = Math.max(entry.size, rest);
  }
  return { scheme: table.scheme, start: entry.start, size: entry.size };
}

function remove({ table, entry }: Found): undefined {
  table.partitions.splice(table.partitions.indexOf(entry), 1);
  // Logical partitions are counted.
  if (table.scheme === 'ebr') table.partitions.forEach((each, i) => (each.index = i));
}

function find(draft: Draft, name: string, place: FailurePlace): Found {
  const found = search(draft, name);
  if (found === undefined) throw refusal('ENXIO', `there is no partition '${name}'`, place);
  return found;
}

function search(table: Draft, name: string): Found | undefined {
  for (const entry of table.partitions) {
    if (entry.name === name) return { table, entry };
    const inside = entry.table === undefined ? undefined : search(entry.table, name);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** The partition of a table that was read afterwards. */
export function placedIn(table: PartitionTable, placed: Placed): PartitionEntry | undefined {
  for (const entry of table.partitions) {
    if (table.scheme === placed.scheme && entry.start === placed.start && entry.size === placed.size) return entry;
    const inside = entry.table === undefined ? undefined : placedIn(entry.table, placed);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** Makes the error for a change that cannot be. */
export function refusal(code: 'EINVAL' | 'ENOSPC' | 'ENXIO', reason: string, { path, minor }: FailurePlace): BlockDeviceError {
  const info = { errno: -constants.errno[code], syscall: 'ioctl', ...(path !== undefined && { path }) };
  return new BlockDeviceError(minor !== undefined && minor >= 0 ? { ...info, minor } : info, { cause: new Error(reason) });
}
