// A partition table as native takes it: checks the objects of the caller, and makes up the identifiers that are missing.
import { randomInt, randomUUID } from 'node:crypto';
import { type EntryRow, type TableRows } from '../native/binding.js';
import { invalidArgType, invalidArgValue } from '../errors.js';
import { keysOf } from '../arguments/known-keys.js';
import { bytes, flag, integer, listOf, oneOf, requireOptions, sectorSizeOf, text } from '../arguments/validate.js';
import { GUID, typeGuid, typeNumber } from './type-argument.js';

/** What a caller may have put where a table or an entry should be. */
type Given<K extends string> = Partial<Record<K, unknown>>;
type GivenTable = Given<'scheme' | 'position' | 'sectorSize' | 'id' | 'usable' | 'partitions' | 'problems' | 'hybrid'>;
type GivenEntry = Given<
  'name' | 'index' | 'start' | 'size' | 'type' | 'typeName' | 'bootable' | 'uuid' | 'label' | 'attributes' | 'link' | 'content' | 'table'
>;

/** Those that readPartitions() gives and that follow from others are known, too, and not looked at. */
const TABLE_KEYS = keysOf<GivenTable>({
  scheme: true,
  position: true,
  sectorSize: true,
  id: true,
  usable: true,
  problems: true,
  partitions: true,
  hybrid: true,
});
const ENTRY_KEYS = keysOf<GivenEntry>(
  {
    name: true,
    index: true,
    start: true,
    size: true,
    type: true,
    typeName: true,
    bootable: true,
    uuid: true,
    label: true,
    attributes: true,
    link: true,
    content: true,
    table: true,
  },
  { offset: "'start'", length: "'size'", fstype: "'type'", guid: "'uuid'", active: "'bootable'", boot: "'bootable'" },
);

/** All of an entry's row but its index. */
type RestOfRow = EntryRow extends readonly [number, ...infer Rest] ? Rest : never;

const SCHEME_NUMBERS = { bsd: 0, mbr: 1, ebr: 2, gpt: 3, apm: 4, sun: 5, unknown: 6 } as const;
type WrittenScheme = 'bsd' | 'mbr' | 'ebr' | 'gpt';
const LABEL_UNITS = 36;
const U32 = 2 ** 32 - 1;
const U64 = 2n ** 64n - 1n;
/** A position, or bytes of a sector, that native fills in: where such a table lies, and the sectors of the device. */
const FROM_DEVICE = 0;
/** An index that native fills in: the first where nothing lies. */
const ANY_INDEX = 2 ** 32 - 1;
const MAX_INDEX = ANY_INDEX - 1;
/** A table in a partition in a table: no scheme goes deeper. */
const MAX_DEPTH = 3;

/** Entries of a tree, all its tables together: more than any scheme has, few enough to be looked at. */
const MAX_ENTRIES = 2 ** 20;

/** What is left of the entries that a tree may have. */
interface Budget {
  entries: number;
}

/** Accepts the table that a device is to get. */
export function tableRows(table: unknown): TableRows {
  return rowsOf(table, 'table', 1, { entries: MAX_ENTRIES });
}

function rowsOf(table: unknown, name: string, depth: number, budget: Budget): TableRows {
  requireOptions(table, name, TABLE_KEYS);
  const { scheme, position, sectorSize, id, partitions, hybrid } = table as GivenTable;
  const kind = oneOf(scheme, `${name}.scheme`, SCHEME_NUMBERS);
  if (depth > MAX_DEPTH) throw invalidArgValue(name, table, 'is too deep in other tables');
  // Native refuses it, or leaves it where it lies in a slice: its entries are not looked at.
  if (kind === 'apm' || kind === 'sun' || kind === 'unknown') return [SCHEME_NUMBERS[kind], FROM_DEVICE, FROM_DEVICE, 0, '', [], undefined];
  const entries = listOf(partitions, `${name}.partitions`, budget.entries, (entry, place) => {
    budget.entries -= 1;
    return entryRow(entry, place, kind, depth, budget);
  });
  return [
    SCHEME_NUMBERS[kind],
    positionOf(position, `${name}.position`, kind === 'bsd' && depth === 1),
    sectorSize === undefined ? FROM_DEVICE : sectorSizeOf(sectorSize, `${name}.sectorSize`),
    kind === 'mbr' ? diskId(id, `${name}.id`) : 0,
    kind === 'gpt' ? guid(id, `${name}.id`) : '',
    kind === 'bsd' ? withIndices(entries) : entries.map(([index, ...rest]) => [index ?? ANY_INDEX, ...rest]),
    kind === 'gpt' && hybrid !== undefined ? hybridRows(hybrid, `${name}.hybrid`, budget) : undefined,
  ];
}

/** The entries of the MBR in front of a GPT, which hold no tables. */
function hybridRows(hybrid: unknown, name: string, budget: Budget): EntryRow[] {
  return withIndices(listOf(hybrid, name, budget.entries, (entry, place) => entryRow(entry, place, 'mbr', MAX_DEPTH, budget)));
}

/** An entry without an index gets the first one that no other has. */
function withIndices(entries: readonly (readonly [index: number | undefined, ...rest: RestOfRow])[]): EntryRow[] {
  const taken = new Set(entries.map(([index]) => index));
  let free = 0;
  const next = (): number => {
    while (taken.has(free)) free += 1;
    return free++;
  };
  return entries.map(([index, ...rest]) => [index ?? next(), ...rest]);
}

/** Reads each field once: a getter may answer otherwise the next time. */
function entryRow(
  entry: unknown,
  name: string,
  scheme: WrittenScheme,
  depth: number,
  budget: Budget,
): readonly [index: number | undefined, ...rest: RestOfRow] {
  requireOptions(entry, name, ENTRY_KEYS);
  const { index, start, size, type, bootable, uuid, label, attributes, table } = entry as GivenEntry;
  const isGpt = scheme === 'gpt';
  // What such a table has no place for would be lost without a word.
  if (!isGpt) for (const [key, value] of Object.entries({ uuid, label, attributes })) refuseUnlessEmpty(value, `${name}.${key}`);
  if (scheme !== 'mbr' && scheme !== 'ebr' && bootable === true) {
    throw invalidArgValue(`${name}.bootable`, bootable, 'is for partitions of an MBR');
  }
  return [
    index === undefined ? undefined : integer(index, `${name}.index`, 0, MAX_INDEX),
    bytes(start, `${name}.start`),
    bytes(size, `${name}.size`),
    isGpt ? 0 : typeNumber(type, `${name}.type`, scheme),
    flag(bootable, `${name}.bootable`, false),
    isGpt ? typeGuid(type, `${name}.type`) : '',
    isGpt ? guid(uuid, `${name}.uuid`) : '',
    isGpt ? labelText(label, `${name}.label`) : '',
    isGpt ? attributeBits(attributes, `${name}.attributes`) : 0n,
    table === undefined ? undefined : rowsOf(table, `${name}.table`, depth + 1, budget),
  ];
}

function refuseUnlessEmpty(value: unknown, name: string): void {
  if (value !== undefined && value !== '' && value !== 0n) throw invalidArgValue(name, value, 'is for partitions of a GPT');
}

function positionOf(value: unknown, name: string, isBareLabel: boolean): number {
  if (value === undefined) return FROM_DEVICE;
  const position = bytes(value, name);
  if (isBareLabel && position === FROM_DEVICE) throw invalidArgValue(name, value, 'must not be 0, where no label begins');
  return position;
}

function diskId(value: unknown, name: string): number {
  if (value === undefined) return randomInt(1, U32);
  const digits = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(text(value, name))?.[1];
  if (digits === undefined) throw invalidArgValue(name, value, "must be 32 bits in hexadecimal, as in '0x12345678'");
  return parseInt(digits, 16);
}

function guid(value: unknown, name: string): string {
  return value === undefined ? randomUUID() : guidText(value, name);
}

function guidText(value: unknown, name: string): string {
  if (!GUID.test(text(value, name))) throw invalidArgValue(name, value, 'must be a GUID');
  return value as string;
}

function labelText(value: unknown, name: string): string {
  if (value === undefined) return '';
  if (text(value, name).length > LABEL_UNITS || (value as string).includes('\0')) {
    throw invalidArgValue(name, value, `must have at most ${LABEL_UNITS} UTF-16 units, and no NUL`);
  }
  return value as string;
}

function attributeBits(value: unknown, name: string): bigint {
  if (value === undefined) return 0n;
  if (typeof value !== 'bigint') throw invalidArgType(name, 'of type bigint', value);
  if (value < 0n || value > U64) throw invalidArgValue(name, value, 'must have 64 bits');
  return value;
}
