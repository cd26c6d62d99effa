// decodeDiskLabel and encodeDiskLabel: a disklabel between an object and its bytes. Checks the object; native does the bytes.
import { ORDER, binding, type NativeLabel } from '../native/binding.js';
import { invalidArgType, invalidArgValue } from '../errors.js';
import { PARTITION_LETTERS, type DiskLabel, type Partition } from './disk-label.js';
import { viewLength, type View } from '../request/transfer.js';
import { keysOf } from '../arguments/known-keys.js';
import { integer, listOf, oneOf, requireOptions } from '../arguments/validate.js';
import { describe } from './verdicts.js';

/** What bytes say when they are taken for a disklabel. */
export interface DecodedLabel {
  /** The fields, whatever they are worth. */
  label: DiskLabel;
  /** Byte order of the machine that wrote it. */
  byteOrder: 'little' | 'big';
  /** Says what is wrong first; absent when nothing is. */
  problem?: string;
}

const DECODE_KEYS = keysOf<{ offset?: number }>({ offset: true }, { position: "'offset'" });
const ENCODE_KEYS = keysOf<{ byteOrder?: string }>({ byteOrder: true }, { endian: "'byteOrder'" });
const LABEL_KEYS = keysOf<DiskLabel>({
  type: true,
  subtype: true,
  typename: true,
  packname: true,
  secsize: true,
  nsectors: true,
  ntracks: true,
  ncylinders: true,
  secpercyl: true,
  secperunit: true,
  sparespertrack: true,
  sparespercyl: true,
  acylinders: true,
  rpm: true,
  interleave: true,
  trackskew: true,
  cylskew: true,
  headswitch: true,
  trkseek: true,
  flags: true,
  drivedata: true,
  spare: true,
  bbsize: true,
  sbsize: true,
  partitions: true,
  checksum: true,
});
const PARTITION_KEYS = keysOf<Partition>(
  { offset: true, size: true, fstype: true, fsize: true, frag: true, cpg: true },
  { start: "'offset', in sectors", length: "'size', in sectors", type: "'fstype'" },
);
const HEADER_BYTES = 148;
const PARTITION_BYTES = 16;
/** A label is made with room for so many partitions at least. */
const USUAL_PARTITIONS = 16;
const NAME_BYTES = 16;
const MAX_PARTITIONS = 22;
const U8 = 2 ** 8 - 1;
const U16 = 2 ** 16 - 1;
const U32 = 2 ** 32 - 1;
const U48 = 2 ** 48 - 1;

type ByteOrder = keyof typeof ORDER;

/** The numbers of a label in the order that native takes, each with the most that its field holds. */
const FIELDS: readonly (readonly [name: Exclude<keyof DiskLabel, 'checksum'>, most: number, count?: number])[] = [
  ['type', U16],
  ['subtype', U16],
  ['secsize', U32],
  ['nsectors', U32],
  ['ntracks', U32],
  ['ncylinders', U32],
  ['secpercyl', U32],
  ['secperunit', U48],
  ['sparespertrack', U16],
  ['sparespercyl', U16],
  ['acylinders', U32],
  ['rpm', U16],
  ['interleave', U16],
  ['trackskew', U16],
  ['cylskew', U16],
  ['headswitch', U32],
  ['trkseek', U32],
  ['flags', U32],
  ['drivedata', U32, 5],
  ['spare', U32, 5],
  ['bbsize', U32],
  ['sbsize', U32],
];
const placeOf = (field: string): number =>
  FIELDS.slice(
    0,
    FIELDS.findIndex(([name]) => name === field),
  ).reduce((sum, [, , count]) => sum + (count ?? 1), 0);
const SECPERUNIT_AT = placeOf('secperunit');
const SPARE_AT = placeOf('spare');
const PARTITION_FIELDS: readonly (readonly [name: keyof Partition, most: number])[] = [
  ['offset', U48],
  ['size', U48],
  ['fstype', U8],
  ['fsize', U32],
  ['frag', U8],
  ['cpg', U16],
];

/**
 * Reads a disklabel out of bytes; what they say is never an error.
 *
 * @param view bytes that begin with the label
 * @param options `offset` of the label in the view, in bytes, default 0
 * @returns the fields, the byte order, and what is wrong with it
 *
 * @example
 * const { label, problem } = decodeDiskLabel(sector);
 * if (problem === undefined) console.log(label.partitions);
 */
export function decodeDiskLabel(view: View, options?: { offset?: number }): DecodedLabel {
  const length = viewLength(view, 'view');
  if (options !== undefined) requireOptions(options, 'options', DECODE_KEYS);
  const offset = options?.offset === undefined ? 0 : integer(options.offset, 'options.offset', 0, length);
  return toDecoded(binding.decodeLabel(view, offset));
}

/** Turns what native decoded into what callers get. */
export function toDecoded([label, order, verdicts]: NativeLabel): DecodedLabel {
  const first = verdicts[0];
  const decoded: DecodedLabel = { label: label as DiskLabel, byteOrder: order === ORDER.big ? 'big' : 'little' };
  if (first !== undefined) decoded.problem = describe(first, PARTITION_LETTERS);
  return decoded;
}

/**
 * Makes the bytes of a disklabel as they lie on a medium.
 *
 * @param label the fields; its checksum is ignored and computed
 * @param options `byteOrder`, default 'little'
 * @returns 404 bytes: the label with room for 16 partitions; 16 more for each beyond. On a medium boot code may begin behind the last
 *   partition: DIOCWDINFO keeps it
 *
 * @example
 * const bytes = encodeDiskLabel(label, { byteOrder: 'big' });
 * console.log(decodeDiskLabel(bytes).byteOrder);
 */
export function encodeDiskLabel(label: DiskLabel, options?: { byteOrder?: 'little' | 'big' }): Buffer {
  if (options !== undefined) requireOptions(options, 'options', ENCODE_KEYS);
  const order = options?.byteOrder === undefined ? 'little' : oneOf(options.byteOrder, 'options.byteOrder', ORDER);
  const { numbers, names, count } = labelArguments(label, 'label', order);
  const bytes = Buffer.alloc(HEADER_BYTES + Math.max(count, USUAL_PARTITIONS) * PARTITION_BYTES);
  binding.encodeLabel(numbers, names, ORDER[order], bytes);
  return bytes;
}

/**
 * Accepts a label and lays it out as native takes it.
 *
 * @param order byte order that it will be written in; where that is not known yet, each counts in which OpenBSD's version makes sense
 */
export function labelArguments(
  label: unknown,
  name: string,
  order?: ByteOrder,
): { numbers: Float64Array; names: Uint8Array; count: number } {
  requireOptions(label, name, LABEL_KEYS);
  const given = label as DiskLabel;
  const partitions: unknown = given.partitions;
  const rows = listOf(partitions, `${name}.partitions`, MAX_PARTITIONS, partitionNumbers);
  const numbers = FIELDS.flatMap(([field, most, count]) => {
    const value: unknown = given[field];
    return count === undefined ? integer(value, `${name}.${field}`, 0, most) : fixedList(value, `${name}.${field}`, count, most);
  });
  const isWide = countsIn48Bits(numbers[SPARE_AT] ?? 0, order);
  if (isWide && order !== undefined) for (const [i, row] of rows.entries()) requireFragments(row, `${name}.partitions[${i}].fsize`);
  if (!isWide) {
    integer(numbers[SECPERUNIT_AT], `${name}.secperunit`, 0, U32);
    for (const [i, [offset, size]] of rows.entries()) {
      integer(offset, `${name}.partitions[${i}].offset`, 0, U32);
      integer(size, `${name}.partitions[${i}].size`, 0, U32);
    }
  }
  numbers.push(rows.length, ...rows.flat());
  const names = Buffer.alloc(2 * NAME_BYTES);
  names.set(nameBytes(given.typename, `${name}.typename`), 0);
  names.set(nameBytes(given.packname, `${name}.packname`), NAME_BYTES);
  return { numbers: Float64Array.from(numbers), names, count: rows.length };
}

/** Whether a label is OpenBSD's version 1: two bytes of what others have spare say so. */
function countsIn48Bits(spare: number, order?: ByteOrder): boolean {
  const version = { little: spare >>> 16, big: spare & U16 };
  return (order !== 'big' && version.little === 1) || (order !== 'little' && version.big === 1);
}

/** Refuses what OpenBSD has no byte for: blocks are of 4 KiB times a power of two, in up to 64 fragments. */
function requireFragments([, , , fsize = 0, frag = 0]: readonly number[], name: string): void {
  const block = fsize * frag;
  const isPower = (value: number): boolean => Number.isInteger(Math.log2(value));
  const fits = fsize === 0 || (isPower(frag) && frag <= 64 && isPower(block) && block >= 4096 && block <= U32);
  if (!fits) throw invalidArgValue(name, fsize, 'must be, times frag, a block of 4 KiB times a power of two, as OpenBSD has them');
}

function partitionNumbers(partition: unknown, name: string): number[] {
  requireOptions(partition, name, PARTITION_KEYS);
  return PARTITION_FIELDS.map(([field, most]) => integer((partition as Partition)[field], `${name}.${field}`, 0, most));
}

function fixedList(value: unknown, name: string, count: number, most: number): number[] {
  const has = Array.isArray(value) ? (value.length as unknown) : count; // what is no array is for listOf() to refuse
  if (has !== count) throw invalidArgValue(name, value, `must have ${count} numbers`);
  return listOf(value, name, count, (number, place) => integer(number, place, 0, most));
}

function nameBytes(value: unknown, name: string): Buffer {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
  const bytes = Buffer.from(value, 'latin1');
  const fits = bytes.toString('latin1') === value && bytes.byteLength <= NAME_BYTES && !bytes.includes(0);
  if (!fits) throw invalidArgValue(name, value, 'must be at most 16 characters of Latin-1');
  return bytes;
}
