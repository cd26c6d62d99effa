// What is wrong with a label or a table, in words. The kinds are those of native/core/label/verdict.h, in its order.
import { PARTITION_LETTERS } from './disk-label.js';
import type { NativeFaults, NativeVerdict } from '../native/binding.js';

type Words = (value: number, text: string) => string;

const hex = (value: number): string => `0x${value.toString(16)}`;

const letterOf = (index: number): string => PARTITION_LETTERS[index] ?? String(index);

const VERDICTS: readonly Words[] = [
  () => 'bad magic number',
  () => 'cut short: it claims more partitions than there are bytes for',
  (residue) => `bad checksum, off by ${hex(residue)}`,
  (count) => `bad count of partitions: ${count}`,
  (bytes) => `bad sector size: ${bytes}`,
  () => 'the primary header is damaged, the backup is used',
  () => 'the backup header is damaged',
  (sector) => `the backup header is in sector ${sector}, not in the last one`,
  () => 'the primary and the backup header say different things',
  (sector) => `the device has been cut: the header counts on sector ${sector}`,
  () => 'both headers are damaged',
  () => 'there is no protective MBR',
  (sector) => `the chain loops: sector ${sector} comes again`,
  (sector) => `the chain leaves the extended partition for sector ${sector}`,
  (sector) => `the chain breaks off: sector ${sector} has no signature`,
  (count) => `the chain is cut after ${count} sectors`,
  (_, name) => `it is divided by another scheme, which is not read: ${name}`,
  () => 'ends beyond the end of the device',
  () => 'is not inside the slice, the extended partition or the usable sectors that have to contain it',
  () => 'overlaps',
  (index) => `entry ${index} ends before it begins`,
  (sector) => `sector ${sector} of the chain has more than one partition and one link`,
  (index) => `entry ${index} ends beyond 2^53 bytes`,
  (index) => `entry ${letterOf(index)} lies in front of the device, counted from partition c, or ends beyond 2^53 bytes`,
  () => 'the table cannot lie there: a label begins at byte 512, 64, 128 or 4096 of the device, or in its slice',
  () => 'the device has no room for the table',
  () => 'tables of this scheme are only read',
  (_, name) => `the device is divided by another scheme (${name}), and is written over only with overwrite: true`,
  (_, type) => `the device holds something (${type}), and is written over only with overwrite: true`,
  () => 'something else lies behind the last partition of the label, boot code perhaps: it cannot list more of them',
  () => 'partition c has to begin where the slice does, and to stay: FreeBSD counts from it',
  () => 'has an index that another one has, or more than the table has entries for',
  () => 'does not begin and end with a sector',
  () => 'is empty',
  () => 'is too far out for the 32 bits of the scheme',
  () => 'has no free sector in front of it for its link in the chain',
  () => 'cannot hold such a table',
  () => 'has a type that stands for no partition',
  (bytes) => `counts in sectors of ${bytes} bytes, with which nobody would read it on this device`,
  (index) => `entry ${index} has a type or a size, and not both`,
  (number) => `entry ${number} of the hybrid MBR is not one of the partitions`,
  (bytes) => `the entries take ${bytes} bytes, more than are read`,
  () => 'lies over a link of the chain',
  () => 'bad sectors per cylinder: 0',
  (_, name) => `a label has no place there: it belongs to something else (${name})`,
];
const OVERLAPS = 19;
const OUTSIDE: readonly number[] = [17, 18];
/** Of a GPT whose partitions are not known: both headers are damaged, or there are too many entries. */
const NOT_KNOWN: readonly number[] = [10, 41];

/** Why the partitions of a table are not known, or cannot be changed, in words; undefined where they can. */
export function whyUnchangeable(verdicts: readonly NativeVerdict[], isReadOnly: boolean): string | undefined {
  if (isReadOnly) return 'tables of this scheme are only read';
  const found = verdicts.find(([kind]) => NOT_KNOWN.includes(kind));
  return found === undefined ? undefined : describe(found, []);
}

/** Says one verdict; `names` are those of the entries it may be about. */
export function describe([kind, entry, value, text]: NativeVerdict, names: readonly string[]): string {
  return words(kind, value, names[entry] ?? '', text || (names[value] ?? ''));
}

/** What verdicts say of an entry that does not lie inside the device, or inside what has to contain it; `place` in the list of its table. */
export function outsideWords(verdicts: readonly NativeVerdict[], place: number): string | undefined {
  const found = verdicts.find(([kind, entry]) => entry === place && OUTSIDE.includes(kind));
  return found === undefined ? undefined : words(found[0], found[2], '', '');
}

/** Says what is wrong with a table that was refused: the first few things, and how many more there are. */
export function describeFaults({ first, count }: NativeFaults): string {
  const said = first.map(([kind, value, entry, other]) => words(kind, value, entry, other));
  const more = count - said.length;
  return [...said, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

/** `entry` is the name of what it is about, or ''; `other` that of the entry it overlaps, or of what it speaks of. */
function words(kind: number, value: number, entry: string, other: string): string {
  const text = VERDICTS[kind]?.(value, other) ?? `unknown verdict ${kind}`;
  if (entry === '') return text;
  return kind === OVERLAPS ? `${entry} overlaps ${other || '?'}` : `${entry} ${text}`;
}
