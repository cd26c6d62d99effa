// decodeDiskLabel and encodeDiskLabel: a disklabel between an object and its bytes. Checks the object; native does the bytes.
import { ORDER, binding, type NativeLabel } from '../native/binding.js';
import { invalidArgType, invalidArgValue } from '../errors.js';
import { PARTITION_LETTERS, type DiskLabel, type Partition } from './disk-label.js';
import { viewLength, type View } from '../request/transfer.js';
import { keysOf } from '../arguments/known-keys.js';
import { integer, listOf, oneOf, requireObject, requireOptions } from '../arguments/validate.js';
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
const LABEL_BYTES = 404;
const NAME_BYTES = 16;
const MAX_PARTITIONS = 16;
const U8 = 2 ** 8 - 1;
const U16 = 2 ** 16 - 1;
const U32 = 2 ** 32 - 1;

/** The numbers of a label in the order that native takes, each with the most that its field holds. */
const FIELDS: readonly (readonly [name: Exclude<keyof DiskLabel, 'checksum'>, most: number, count?: number])[] = [
  ['type', U16],
  ['subtype', U16],
  ['secsize', U32],
  ['nsectors', U32],
  ['ntracks', U32],
  ['ncylinders', U32],
  ['secpercyl', U32],
  ['secperunit', U32],
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
const PARTITION_FIELDS: readonly (readonly [name: keyof Partition, most: number])[] = [
  ['offset', U32],
  ['size', U32],
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
 * @returns 404 bytes: the label with room for 16 partitions
 *
 * @example
 * await device.write(encodeDiskLabel(label), 512);
 */
export function encodeDiskLabel(label: DiskLabel, options?: { byteOrder?: 'little' | 'big' }): Buffer {
  if (options !== undefined) requireOptions(options, 'options', ENCODE_KEYS);
  const order = options?.byteOrder === undefined ? 'little' : oneOf(options.byteOrder, 'options.byteOrder', ORDER);
  const { numbers, names } = labelArguments(label, 'label');
  const bytes = Buffer.alloc(LABEL_BYTES);
  binding.encodeLabel(numbers, names, ORDER[order], bytes);
  return bytes;
}

/** Accepts a label and lays it out as native takes it. */
export function labelArguments(label: unknown, name: string): { numbers: Uint32Array; names: Uint8Array } {
  requireObject(label, name);
  const given = label as DiskLabel;
  const partitions: unknown = given.partitions;
  const rows = listOf(partitions, `${name}.partitions`, MAX_PARTITIONS, partitionNumbers);
  const numbers = FIELDS.flatMap(([field, most, count]) => {
    const value: unknown = given[field];
    return count === undefined ? integer(value, `${name}.${field}`, 0, most) : fixedList(value, `${name}.${field}`, count, most);
  });
  numbers.push(rows.length, ...rows.flat());
  const names = Buffer.alloc(2 * NAME_BYTES);
  names.set(nameBytes(given.typename, `${name}.typename`), 0);
  names.set(nameBytes(given.packname, `${name}.packname`), NAME_BYTES);
  return { numbers: Uint32Array.from(numbers), names };
}

function partitionNumbers(partition: unknown, name: string): number[] {
  requireObject(partition, name);
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
