// Names of partition types, as tables are shown: type numbers of disklabels and MBRs, type GUIDs of GPTs; and the names that wedges have for them.

import type { BsdFlavor, SCHEMES } from '../native/binding.js';
import { GPT } from './gpt-types.js';
import { MBR } from './mbr-types.js';

type Scheme = (typeof SCHEMES)[number];

/** p_fstype of a disklabel; names as disklabel(8) prints them. */
export const BSD: readonly string[] = [
  'unused',
  'swap',
  'Version 6',
  'Version 7',
  'System V',
  '4.1BSD',
  'Eighth Edition',
  '4.2BSD',
  'MSDOS',
  '4.4LFS',
  'unknown',
  'HPFS',
  'ISO9660',
  'boot',
  'ADOS',
  'HFS',
  'FILECORE',
  'Linux Ext2',
  'NTFS',
  'RAID',
  'ccd',
  'jfs',
  'Apple UFS',
  'vinum',
  'UDF',
  'SysVBFS',
  'EFS',
  'NiLFS',
  'cgd',
  'MINIX FSv3',
];

/** Where FreeBSD and OpenBSD mean something else by a number: their sys/disklabel.h. */
const FREEBSD: ReadonlyMap<number, string> = new Map([
  [14, 'vinum'],
  [15, 'RAID'],
  [19, 'unknown'],
  [22, 'HAMMER'],
  [23, 'HAMMER2'],
  [25, 'unknown'],
  [27, 'ZFS'],
  [28, 'unknown'],
  [29, 'unknown'],
  [30, 'nandfs'],
]);
const OPENBSD: ReadonlyMap<number, string> = new Map([
  [18, 'ccd'],
  [19, 'RAID'],
  [20, 'NTFS'],
  [21, 'UDF'],
  ...Array.from({ length: 8 }, (_, i) => [22 + i, 'unknown'] as const),
]);
const FLAVORS: readonly ReadonlyMap<number, string>[] = [new Map(), FREEBSD, OPENBSD];

/** Names an fstype of a disklabel. */
function bsdTypeName(type: number, flavor: BsdFlavor): string {
  return FLAVORS[flavor]?.get(type) ?? BSD[type] ?? 'unknown';
}

/** Names a type byte of an MBR. */
function mbrTypeName(type: number): string {
  return MBR.get(type) ?? 'unknown';
}

/** Names a type GUID of a GPT. */
function gptTypeName(guid: string): string {
  return GPT.get(guid) ?? 'unknown';
}

/** NetBSD's names of what a wedge holds (DKW_PTYPE_*), by the names above. */
const WEDGE: ReadonlyMap<string, string> = new Map([
  ['swap', 'swap'],
  ['4.2BSD', 'ffs'],
  ['4.4LFS', 'lfs'],
  ['MSDOS', 'msdos'],
  ['ISO9660', 'cd9660'],
  ['ADOS', 'ados'],
  ['HFS', 'hfs'],
  ['FILECORE', 'filecore'],
  ['Linux Ext2', 'ext2fs'],
  ['NTFS', 'ntfs'],
  ['RAID', 'raidframe'],
  ['ccd', 'ccd'],
  ['Apple UFS', 'appleufs'],
  ['SysVBFS', 'sysvbfs'],
  ['NiLFS', 'nilfs'],
  ['cgd', 'cgd'],
  ['FAT12', 'msdos'],
  ['FAT16 <32M', 'msdos'],
  ['FAT16', 'msdos'],
  ['W95 FAT32', 'msdos'],
  ['W95 FAT32 (LBA)', 'msdos'],
  ['W95 FAT16 (LBA)', 'msdos'],
  ['HPFS/NTFS/exFAT', 'ntfs'],
  ['Linux', 'ext2fs'],
  ['Linux swap', 'swap'],
  ['EFI (FAT-12/16/32)', 'msdos'],
  ['HFS / HFS+', 'hfs'],
  ['EFI System', 'msdos'],
  ['Microsoft basic data', 'msdos'],
  ['Linux filesystem', 'ext2fs'],
  ['FreeBSD swap', 'swap'],
  ['FreeBSD UFS', 'ffs'],
  ['NetBSD swap', 'swap'],
  ['NetBSD FFS', 'ffs'],
  ['NetBSD LFS', 'lfs'],
  ['NetBSD RAID', 'raidframe'],
  ['NetBSD concatenated', 'ccd'],
  ['NetBSD encrypted', 'cgd'],
  ['Apple HFS/HFS+', 'hfs'],
]);

/** Tags of a Sun label; names as sfdisk(8) prints them. */
const SUN: ReadonlyMap<number, string> = new Map([
  [0x00, 'unassigned'],
  [0x01, 'boot'],
  [0x02, 'root'],
  [0x03, 'swap'],
  [0x04, 'usr'],
  [0x05, 'whole disk'],
  [0x06, 'stand'],
  [0x07, 'var'],
  [0x08, 'home'],
  [0x09, 'alternate sectors'],
  [0x0a, 'cachefs'],
  [0x0b, 'reserved'],
  [0x82, 'Linux swap'],
  [0x83, 'Linux'],
  [0x8e, 'Linux LVM'],
  [0xfd, 'Linux raid autodetect'],
]);

/** Names a type as any scheme has it, a disklabel's by whose it is. The types of Apple's map are names. */
export function typeNameOf(scheme: Scheme, type: number | string, flavor: BsdFlavor = 0): string {
  if (typeof type === 'string') return scheme === 'gpt' ? gptTypeName(type) : type;
  if (scheme === 'sun') return SUN.get(type) ?? 'unknown';
  return scheme === 'bsd' ? bsdTypeName(type, flavor) : mbrTypeName(type);
}

/** Names what a wedge of that type holds; empty where NetBSD has no name for it. */
export function wedgeTypeName(scheme: Scheme, type: number | string, flavor: BsdFlavor = 0): string {
  return WEDGE.get(typeNameOf(scheme, type, flavor)) ?? '';
}
