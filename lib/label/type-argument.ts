// The type of a partition to be written, as callers give it: a number or a GUID, the name that tables are shown with, or one of the
// short names of sfdisk(8).
import { invalidArgType, invalidArgValue } from '../errors.js';
import { integer } from '../arguments/validate.js';
import { GPT } from './gpt-types.js';
import { MBR } from './mbr-types.js';
import { BSD } from './types.js';

type NumberScheme = 'bsd' | 'mbr' | 'ebr';

const U8 = 2 ** 8 - 1;
export const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const BYTE = /^0x[0-9a-f]{1,2}$/i;

const ESP = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
/** Short names that mean one type in each scheme that has it. */
const SHORT_NAMES: Readonly<Record<string, { bsd?: number; mbr?: number; gpt?: string }>> = {
  linux: { bsd: 17, mbr: 0x83, gpt: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' },
  swap: { bsd: 1, mbr: 0x82, gpt: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F' },
  esp: { mbr: 0xef, gpt: ESP },
  uefi: { mbr: 0xef, gpt: ESP },
  home: { gpt: '933AC7E1-2EB4-4F13-B844-0E14E2AEF915' },
  raid: { bsd: 19, mbr: 0xfd, gpt: 'A19D880F-05FC-4D3B-A006-743F0F84911E' },
  lvm: { mbr: 0x8e, gpt: 'E6D6D379-F507-44C2-A23C-238F2A3DF928' },
  extended: { mbr: 0x05 },
  linuxex: { mbr: 0x85 },
};

/** Accepts a type of a disklabel, an MBR or a chain: its number, `'0x83'`, or its name. */
export function typeNumber(value: unknown, name: string, scheme: NumberScheme): number {
  if (typeof value === 'number') return integer(value, name, 0, U8);
  if (typeof value !== 'string') throw invalidArgType(name, 'of type number or string', value);
  if (BYTE.test(value)) return Number(value);
  const kind = scheme === 'bsd' ? 'bsd' : 'mbr';
  const short = shortName(value)?.[kind];
  return short ?? onlyType(kind === 'bsd' ? BSD.entries() : MBR, value, name);
}

/** Accepts a type of a GPT: its GUID, or its name. */
export function typeGuid(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
  if (GUID.test(value)) return value;
  return shortName(value)?.gpt ?? onlyType(GPT, value, name);
}

function shortName(value: string): (typeof SHORT_NAMES)[string] | undefined {
  const key = value.toLowerCase();
  return Object.hasOwn(SHORT_NAMES, key) ? SHORT_NAMES[key] : undefined;
}

/** The one type with this name; case, spaces and punctuation do not count, as in sfdisk. */
function onlyType<T>(types: Iterable<[T, string]>, value: string, name: string): T {
  const wanted = plain(value);
  const found = wanted === '' ? [] : [...types].filter(([, known]) => plain(known) === wanted);
  const [only] = found;
  if (found.length > 1) throw invalidArgValue(name, value, `is the name of ${found.length} types`);
  if (only === undefined) {
    const known = Object.keys(SHORT_NAMES).map((key) => `'${key}'`);
    throw invalidArgValue(name, value, `must be a type of the scheme: its number or GUID, its name, or one of ${known.join(', ')}`);
  }
  return only[0];
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '');
}
