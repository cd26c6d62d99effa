// Which partition of a disk a caller means, and what is said when it is not there.
import { BlockDeviceError, EINVAL, ENXIO, invalidArgType, invalidArgValue, isFailure, reword } from '../errors.js';
import { bytes, integer, requireObject, text } from '../arguments/validate.js';
import { SCHEMES, type Failure, type NativeDevice, type NativeEntry, type NativeTable } from '../native/binding.js';
import type { Bytes } from '../request/transfer.js';
import { printable } from '../arguments/printable.js';
import { outsideWords } from './verdicts.js';

/**
 * Chooses a partition: by its name (`'a'`, `'s1'`, `'s1a'`, `'p2'`), or the unique GUID or label of a GPT partition; by its number, as
 * Linux counts (2 is `'p2'` or `'s2'`, 5 is `'s5'`; a disklabel has letters and no numbers); or by an entry of `readPartitions()`,
 * which has to be where it was.
 */
export type PartitionChoice =
  | string
  | number
  | {
      /** Names it in the whole disk: `'a'`, `'s1'`, `'s1a'`, `'p2'`. */
      readonly name: string;
      /** First byte, from the start of the disk. */
      readonly start: Bytes;
      /** Bytes in it. */
      readonly size: Bytes;
    };

/** The same, checked. */
export interface ChosenPartition {
  /** What native looks for; undefined where a number has to be looked up first. */
  readonly name: string | undefined;
  readonly number: number | undefined;
  /** Where it was when the caller's entry was read. */
  readonly place: Place | undefined;
}

/** Where a partition is, in bytes from the start of the disk. */
interface Place {
  readonly start: number;
  readonly size: number;
}

/** The largest number that a partition of an MBR or a GPT may have. */
const MOST_PARTITIONS = 2 ** 32 - 1;
/** Names in a message; a GPT may have many more. */
const MOST_NAMED = 16;
const SCHEME_NAMES: Readonly<Record<(typeof SCHEMES)[number], string>> = {
  bsd: 'disklabel',
  mbr: 'MBR',
  ebr: 'EBR',
  gpt: 'GPT',
  apm: 'Apple Partition Map',
  sun: 'Sun label',
  unknown: 'scheme that is not read',
};

/** A table as it was read, null where the disk is not divided, or why it could not be. */
export type Looked = NativeTable | null | Failure;

/** Reads the table of a disk that was opened for nothing else, and closes it. */
export async function lookAt(opened: Promise<NativeDevice | Failure>): Promise<Looked> {
  const disk = await opened;
  if (isFailure(disk)) return disk;
  const table = await disk.readTable();
  await disk.close(); // nothing was written that could be lost
  return table;
}

/** The same on the calling thread. */
export function lookAtSync(disk: NativeDevice | Failure): Looked {
  if (isFailure(disk)) return disk;
  const table = disk.readTableSync();
  disk.closeSync();
  return table;
}

/** Accepts the choice of a partition, or undefined for the whole disk. */
export function chosenPartition(value: unknown, name: string): ChosenPartition | undefined {
  if (value === undefined) return undefined;
  if (value === '') throw invalidArgValue(name, value, 'must not be empty');
  if (typeof value === 'string') return { name: value, number: undefined, place: undefined };
  if (typeof value === 'number') return { name: undefined, number: integer(value, name, 1, MOST_PARTITIONS), place: undefined };
  if (typeof value !== 'object') throw invalidArgType(name, 'of type string or number or a PartitionEntry', value);
  requireObject(value, name);
  const entry = value as Partial<Record<'name' | 'start' | 'size', unknown>>;
  const place = { start: bytes(entry.start, `${name}.start`), size: bytes(entry.size, `${name}.size`) };
  return { name: text(entry.name, `${name}.name`), number: undefined, place };
}

/** The disk of an error: what it is called, and where it is registered. */
export interface DiskPlace {
  readonly path: string;
  readonly minor?: number;
}

/**
 * Finds the name of a partition that was chosen otherwise. A number counts as Linux does: 2 is `p2` of a GPT and `s2` of an MBR; a
 * disklabel has letters, and no numbers. An entry has to be where it was.
 */
export function nameIn(table: NativeTable | null, { name, number, place }: ChosenPartition, disk: DiskPlace, syscall: string): string {
  const asked = number ?? name ?? '';
  const found =
    table === null ? undefined : typeof asked === 'number' ? entryOf(table, asked) : entriesOf(table).find((entry) => entry.name === asked);
  if (found === undefined) throw noPartition(name ?? number ?? '', table, disk, syscall);
  if (place !== undefined) requireSame(found, place, found.name, disk, syscall);
  return found.name;
}

/**
 * The same for a table that is there to be looked through: also by unique GUID, and by a label that one partition alone has, as native
 * looks for a partition to open.
 */
export function chosenName(table: NativeTable, choice: PartitionChoice, disk: DiskPlace): string {
  const chosen = chosenPartition(choice, 'partition');
  if (chosen?.name === undefined || chosen.place !== undefined) return nameIn(table, chosen ?? WHOLE, disk, 'ioctl');
  const found = entryOf(table, chosen.name);
  if (found === undefined) throw noPartition(chosen.name, table, disk, 'ioctl');
  return found.name;
}

/** The entry of that number, or of that name, GUID or label, the first of these by which one alone is called so. */
function entryOf(table: NativeTable, asked: string | number): NativeEntry | undefined {
  const entries = entriesOf(table);
  if (typeof asked === 'number') {
    return entries.find(({ name }) => /^[ps][0-9]+$/.test(name) && Number(name.slice(1)) === asked);
  }
  const wanted = asked.toUpperCase();
  const ways = [
    ({ name }: NativeEntry) => name === asked,
    ({ uuid }: NativeEntry) => uuid !== undefined && uuid.toUpperCase() === wanted,
    ({ label }: NativeEntry) => label !== undefined && label === asked,
  ];
  for (const way of ways) {
    const [found, twin] = entries.filter(way);
    if (found !== undefined && twin === undefined) return found;
  }
  return undefined;
}

const WHOLE: ChosenPartition = { name: '', number: undefined, place: undefined };

/** Throws unless the partition is where the caller's entry has it: another one that has its name now is not the one that was meant. */
export function requireSame(found: Place, given: Place, name: string, disk: DiskPlace, syscall: string): void {
  if (found.start === given.start && found.size === given.size) return;
  const is = `it has ${found.size} bytes from ${found.start} on`;
  throw missing(`partition '${printable(name)}' of '${disk.path}' is not the one given: ${is}`, disk, syscall);
}

/** Makes the ENXIO of a partition that is not there: it names what was asked for, and what there is. */
export function noPartition(asked: string | number, table: NativeTable | null, disk: DiskPlace, syscall: string): BlockDeviceError {
  const what = typeof asked === 'number' ? String(asked) : `'${printable(asked)}'`;
  return missing(`no partition ${what} in '${disk.path}' ${inventory(table, asked)}`, disk, syscall);
}

/**
 * Makes the error of a partition that could not be opened or registered: ENXIO as above, and EINVAL for one that reaches out of the disk
 * or of what contains it. Undefined where neither is what happened.
 */
export function unusable(
  errno: number,
  asked: string | number,
  table: NativeTable | null,
  disk: DiskPlace,
  syscall: string,
): BlockDeviceError | undefined {
  if (errno === ENXIO) return noPartition(asked, table, disk, syscall);
  const found = errno === EINVAL && table !== null ? entryOf(table, asked) : undefined;
  const why = found === undefined || table === null ? undefined : whyOutside(table, found);
  if (found === undefined || why === undefined) return undefined;
  const message = `partition '${printable(found.name)}' of '${disk.path}' ${why}: it has ${found.size} bytes from ${found.start} on`;
  return reword(new BlockDeviceError({ errno: -EINVAL, syscall, ...disk }), `EINVAL: ${message}`, unusable);
}

/** What the tables say of an entry that does not lie where it has to. */
function whyOutside(table: NativeTable, entry: NativeEntry): string | undefined {
  const place = table.partitions.indexOf(entry);
  if (place < 0) {
    const inside = table.partitions.map((each) => each.table && whyOutside(each.table, entry));
    return inside.find((why) => why !== undefined);
  }
  return outsideWords(table.verdicts, place);
}

function missing(message: string, disk: DiskPlace, syscall: string): BlockDeviceError {
  const error = new BlockDeviceError({ errno: -ENXIO, syscall, ...disk });
  return reword(error, `ENXIO: ${message}`, missing);
}

function inventory(table: NativeTable | null, asked: string | number): string {
  if (table === null) return '(not divided)';
  const entries = entriesOf(table);
  const scheme = `(${SCHEME_NAMES[SCHEMES[table.scheme]]})`;
  const twins = entries.filter(({ label }) => label === asked).map(({ name }) => name);
  if (twins.length > 1) return `${scheme}: ${twins.join(', ')} are all called so`;
  const named = entries.slice(0, MOST_NAMED).map(({ name, label }) => (label ? `${name} ${printable(label)}` : name));
  if (entries.length > named.length) named.push(`and ${entries.length - named.length} more`);
  return `${scheme}: ${named.length === 0 ? 'none' : named.join(', ')}`;
}

/** Every entry of a tree, each before those in it. */
function entriesOf(table: NativeTable): NativeEntry[] {
  return table.partitions.flatMap((entry) => [entry, ...(entry.table === undefined ? [] : entriesOf(entry.table))]);
}
