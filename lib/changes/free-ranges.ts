// freeRanges: where a table has room for more partitions.
import { invalidArgValue } from '../errors.js';
import { keysOf } from '../arguments/known-keys.js';
import { bytes, integer, listOf, oneOf, requireObject, requireOptions } from '../arguments/validate.js';
import type { PartitionTable } from '../partitions.js';
import type { Bytes, Position } from '../request/transfer.js';

/** A stretch of a device that no partition has. */
export interface FreeRange {
  /** First byte, from the start of the device. */
  start: Bytes;
  /** Bytes in it. */
  size: Bytes;
}

/** How ranges are laid out. */
export interface AlignmentOptions {
  /** Bytes, whole sectors, that starts are multiples of, and the ends of what takes all there is; default 1 MiB. */
  alignment?: Position;
}

type Scheme = PartitionTable['scheme'];

const SCHEME_NAMES: Record<Scheme, number> = { bsd: 0, mbr: 0, ebr: 0, gpt: 0, apm: 0, sun: 0, unknown: 0 };
/** Those that are not written. */
export const READ_ONLY: readonly Scheme[] = ['apm', 'sun', 'unknown'];
/** As many as a table to be written may have. */
const MAX_ENTRIES = 2 ** 20;
const MiB = 1024 * 1024;
const SECTOR = 512;
/** What an MBR and a chain count up to. */
const MAX_SECTORS = 2 ** 32;
/** In front of the partitions of a disklabel: boot code, and the label in it (BBSIZE). */
const BOOT_AREA = 8192;
const ALIGNMENT_KEYS = keysOf<AlignmentOptions>({ alignment: true });

/**
 * Finds where a table has room: the ranges that no partition has, in which a new one may lie. Those of an extended partition, or of a
 * slice, are asked of the table in it.
 *
 * @param table a table as {@link readPartitions} gives it
 * @param options `alignment` of both ends, in bytes, default 1 MiB
 * @returns the ranges, lowest first; what is smaller than the alignment is left out
 * @throws {TypeError} ERR_INVALID_ARG_VALUE a table that was not read, or an alignment that is no multiple of its sectors
 *
 * @example
 * const table = await readPartitions(device);
 * if (table !== undefined) console.log(freeRanges(table));
 */
export function freeRanges(table: PartitionTable, options?: AlignmentOptions): FreeRange[] {
  if (options !== undefined) requireOptions(options, 'options', ALIGNMENT_KEYS);
  const layout = layoutOf(table, 'table');
  const alignment = alignmentOf(layout, options?.alignment);
  return gapsIn(layout)
    .map(({ start, size }) => aligned(start, start + size, alignment))
    .filter(({ size }) => size > 0);
}

/** Where the partitions of a table lie, and where they may lie, in bytes. */
export interface Layout {
  readonly scheme: Scheme;
  readonly sectorSize: number;
  readonly begin: number;
  readonly end: number;
  /** What partitions and links have, as first byte and end, in order. */
  readonly taken: readonly (readonly [from: number, to: number])[];
}

type Given<K extends string> = Partial<Record<K, unknown>>;

/** Accepts what readPartitions() gave. */
export function layoutOf(table: unknown, name: string): Layout {
  requireObject(table, name);
  const given = table as Given<'scheme' | 'sectorSize' | 'position' | 'usable' | 'partitions'>;
  const scheme = oneOf(given.scheme, `${name}.scheme`, SCHEME_NAMES);
  const sectorSize = given.sectorSize === undefined ? SECTOR : integer(given.sectorSize, `${name}.sectorSize`, SECTOR, 65536);
  if (given.usable === undefined) throw invalidArgValue(name, table, 'must be one that readPartitions gave');
  requireObject(given.usable, `${name}.usable`);
  const usable = given.usable as Given<'start' | 'size'>;
  const start = bytes(usable.start, `${name}.usable.start`);
  const end = start + bytes(usable.size, `${name}.usable.size`);
  const position = given.position === undefined ? 0 : bytes(given.position, `${name}.position`);
  const taken = listOf(given.partitions, `${name}.partitions`, MAX_ENTRIES, (entry, place) => takenBy(entry, place, scheme, sectorSize));
  return {
    scheme,
    sectorSize,
    begin: firstOf(scheme, position, start, sectorSize),
    // What is only read has no room for more.
    end: READ_ONLY.includes(scheme) ? 0 : scheme === 'mbr' ? Math.min(end, MAX_SECTORS * sectorSize) : end,
    taken: taken.flat().sort(([a], [b]) => a - b),
  };
}

function firstOf(scheme: Scheme, position: number, start: number, sectorSize: number): number {
  if (scheme === 'mbr' || scheme === 'ebr') return start + sectorSize;
  return scheme === 'bsd' && position >= start && position < start + BOOT_AREA ? start + BOOT_AREA : start;
}

function takenBy(entry: unknown, name: string, scheme: Scheme, sectorSize: number): [from: number, to: number][] {
  requireObject(entry, name);
  const { start, size, type, link } = entry as Given<'start' | 'size' | 'type' | 'link'>;
  // An entry of a disklabel without a type covers the disk or the slice, and claims nothing.
  if (scheme === 'bsd' && (type === 0 || type === 'unused')) return [];
  const from = bytes(start, `${name}.start`);
  const own: [number, number] = [from, from + bytes(size, `${name}.size`)];
  if (link === undefined) return [own];
  const at = bytes(link, `${name}.link`);
  return [own, [at, at + sectorSize]];
}

/** Accepts the alignment of a table's partitions. */
export function alignmentOf({ sectorSize }: Layout, value: unknown): number {
  const alignment = value === undefined ? MiB : bytes(value, 'options.alignment');
  if (alignment === 0 || alignment % sectorSize !== 0) {
    throw invalidArgValue('options.alignment', value, `must be a multiple of the sectors of ${sectorSize} bytes`);
  }
  return alignment;
}

/** From the first aligned byte to the last one; a size of 0 or less is none. */
export function aligned(start: number, end: number, alignment: number): FreeRange {
  const first = Math.ceil(start / alignment) * alignment;
  return { start: first, size: Math.floor(end / alignment) * alignment - first };
}

/** The free ranges of a table to the sector. */
export function gapsIn({ scheme, sectorSize, begin, end, taken }: Layout): FreeRange[] {
  // A logical partition needs a sector of the chain in front of it.
  const lead = scheme === 'ebr' ? sectorSize : 0;
  const gaps: FreeRange[] = [];
  let at = begin;
  for (const [from, to] of [...taken, [end, end] as const]) {
    const start = at + lead;
    gaps.push({ start, size: Math.min(from, end) - start });
    at = Math.max(at, to);
  }
  return gaps.filter(({ size }) => size > 0);
}
