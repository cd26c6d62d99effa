// Names of partition types, as tables are shown: type numbers of disklabels and MBRs, type GUIDs of GPTs; and the names that wedges have for them.

/** p_fstype of a disklabel; names as disklabel(8) prints them. */
const BSD: readonly string[] = [
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

const MBR: ReadonlyMap<number, string> = new Map([
  [0x01, 'FAT12'],
  [0x04, 'FAT16 <32M'],
  [0x05, 'Extended'],
  [0x06, 'FAT16'],
  [0x07, 'HPFS/NTFS/exFAT'],
  [0x0b, 'W95 FAT32'],
  [0x0c, 'W95 FAT32 (LBA)'],
  [0x0e, 'W95 FAT16 (LBA)'],
  [0x0f, 'W95 Extended (LBA)'],
  [0x11, 'Hidden FAT12'],
  [0x14, 'Hidden FAT16 <32M'],
  [0x16, 'Hidden FAT16'],
  [0x17, 'Hidden HPFS/NTFS'],
  [0x1b, 'Hidden W95 FAT32'],
  [0x1c, 'Hidden W95 FAT32 (LBA)'],
  [0x1e, 'Hidden W95 FAT16 (LBA)'],
  [0x27, 'Hidden NTFS WinRE'],
  [0x39, 'Plan 9'],
  [0x41, 'PPC PReP Boot'],
  [0x42, 'SFS'],
  [0x63, 'GNU HURD or SysV'],
  [0x80, 'Old Minix'],
  [0x81, 'Minix'],
  [0x82, 'Linux swap'],
  [0x83, 'Linux'],
  [0x85, 'Linux extended'],
  [0x8e, 'Linux LVM'],
  [0x9f, 'BSD/OS'],
  [0xa5, 'FreeBSD'],
  [0xa6, 'OpenBSD'],
  [0xa8, 'Darwin UFS'],
  [0xa9, 'NetBSD'],
  [0xab, 'Darwin boot'],
  [0xaf, 'HFS / HFS+'],
  [0xbe, 'Solaris boot'],
  [0xbf, 'Solaris'],
  [0xda, 'Non-FS data'],
  [0xea, 'Linux extended boot'],
  [0xeb, 'BeOS fs'],
  [0xee, 'GPT'],
  [0xef, 'EFI (FAT-12/16/32)'],
  [0xfb, 'VMware VMFS'],
  [0xfd, 'Linux raid autodetect'],
]);

const GPT: ReadonlyMap<string, string> = new Map([
  ['C12A7328-F81F-11D2-BA4B-00A0C93EC93B', 'EFI System'],
  ['024DEE41-33E7-11D3-9D69-0008C781F39F', 'MBR partition scheme'],
  ['21686148-6449-6E6F-744E-656564454649', 'BIOS boot'],
  ['E3C9E316-0B5C-4DB8-817D-F92DF00215AE', 'Microsoft reserved'],
  ['EBD0A0A2-B9E5-4433-87C0-68B6B72699C7', 'Microsoft basic data'],
  ['DE94BBA4-06D1-4D40-A16A-BFD50179D6AC', 'Windows recovery environment'],
  ['0FC63DAF-8483-4772-8E79-3D69D8477DE4', 'Linux filesystem'],
  ['0657FD6D-A4AB-43C4-84E5-0933C84B4F4F', 'Linux swap'],
  ['44479540-F297-41B2-9AF7-D131D5F0458A', 'Linux root (x86)'],
  ['4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709', 'Linux root (x86-64)'],
  ['B921B045-1DF0-41C3-AF44-4C6F280D3FAE', 'Linux root (ARM-64)'],
  ['933AC7E1-2EB4-4F13-B844-0E14E2AEF915', 'Linux home'],
  ['3B8F8425-20E0-4F3B-907F-1A25A76F98E8', 'Linux server data'],
  ['BC13C2FF-59E6-4262-A352-B275FD6F7172', 'Linux extended boot'],
  ['A19D880F-05FC-4D3B-A006-743F0F84911E', 'Linux RAID'],
  ['E6D6D379-F507-44C2-A23C-238F2A3DF928', 'Linux LVM'],
  ['CA7D7CCB-63ED-4C53-861C-1742536059CC', 'Linux LUKS'],
  ['83BD6B9D-7F41-11DC-BE0B-001560B84F0F', 'FreeBSD boot'],
  ['516E7CB4-6ECF-11D6-8FF8-00022D09712B', 'FreeBSD data'],
  ['516E7CB5-6ECF-11D6-8FF8-00022D09712B', 'FreeBSD swap'],
  ['516E7CB6-6ECF-11D6-8FF8-00022D09712B', 'FreeBSD UFS'],
  ['516E7CBA-6ECF-11D6-8FF8-00022D09712B', 'FreeBSD ZFS'],
  ['49F48D32-B10E-11DC-B99B-0019D1879648', 'NetBSD swap'],
  ['49F48D5A-B10E-11DC-B99B-0019D1879648', 'NetBSD FFS'],
  ['49F48D82-B10E-11DC-B99B-0019D1879648', 'NetBSD LFS'],
  ['49F48DAA-B10E-11DC-B99B-0019D1879648', 'NetBSD RAID'],
  ['2DB519C4-B10F-11DC-B99B-0019D1879648', 'NetBSD concatenated'],
  ['2DB519EC-B10F-11DC-B99B-0019D1879648', 'NetBSD encrypted'],
  ['824CC7A0-36A8-11E3-890A-952519AD3F61', 'OpenBSD data'],
  ['48465300-0000-11AA-AA11-00306543ECAC', 'Apple HFS/HFS+'],
  ['7C3457EF-0000-11AA-AA11-00306543ECAC', 'Apple APFS'],
  ['55465300-0000-11AA-AA11-00306543ECAC', 'Apple UFS'],
  ['6A898CC3-1DD2-11B2-99A6-080020736631', 'Apple ZFS'],
]);

/** Names an fstype of a disklabel. */
function bsdTypeName(type: number): string {
  return BSD[type] ?? 'unknown';
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

/** Names a type as any scheme has it. */
export function typeNameOf(scheme: 'bsd' | 'mbr' | 'ebr' | 'gpt', type: number | string): string {
  if (typeof type === 'string') return gptTypeName(type);
  return scheme === 'bsd' ? bsdTypeName(type) : mbrTypeName(type);
}

/** Names what a wedge of that type holds; empty where NetBSD has no name for it. */
export function wedgeTypeName(scheme: 'bsd' | 'mbr' | 'ebr' | 'gpt', type: number | string): string {
  return WEDGE.get(typeNameOf(scheme, type)) ?? '';
}
