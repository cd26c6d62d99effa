// Disk images that real tools divided, and what those tools say of an image.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import type { PartitionTable } from 'rumpblk';
import { peer, run, runWith } from './peers';
import { pattern } from './rig';

export const SFDISK = peer('sfdisk', 'fdisk');
export const FDISK = peer('fdisk', 'fdisk');
export const PARTED = peer('parted', 'parted');
export const SGDISK = peer('sgdisk', 'gdisk');
export const PARTX = peer('partx', 'util-linux');
export const MMLS = peer('mmls', 'sleuthkit');
export const ICAT = peer('icat', 'sleuthkit');
export const DISKTYPE = peer('disktype', 'disktype');
export const GRUB_FSTEST = peer('grub-fstest', 'grub-common');
export const MAKEFS = peer('makefs', 'makefs');
export const GENIMAGE = peer('genimage', 'genimage');

/** Type of a Linux file system in a GPT. */
export const LINUX = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';

/** Divides `file` as a script of sfdisk(8) says. */
export function sfdisk(file: string, ...lines: string[]): void {
  runWith(`${lines.join('\n')}\n`, 'sfdisk', '--quiet', '--no-reread', file);
}

/** Gives commands to parted(8), with words that have no space in them. */
export function parted(file: string, commands: string): void {
  run('parted', '-s', file, ...commands.split(' '));
}

/** Types lines to fdisk(8). */
export function fdisk(file: string, ...lines: string[]): void {
  runWith(`${lines.join('\n')}\n`, 'fdisk', file);
}

/** Makes `file` an image as a description of genimage(1) says; `data` is an image of 64 KiB for its partitions. */
export function genimage(file: string, description: string): void {
  const folder = `${file}.genimage`;
  for (const part of ['in', 'root', 'out']) mkdirSync(`${folder}/${part}`, { recursive: true });
  writeFileSync(`${folder}/in/data`, pattern(65536));
  writeFileSync(`${folder}/config`, `image made { ${description} }`);
  const folders = [`--inputpath=${folder}/in`, `--outputpath=${folder}/out`, `--rootpath=${folder}/root`, `--tmppath=${folder}/tmp`];
  run('genimage', `--config=${folder}/config`, ...folders);
  copyFileSync(`${folder}/out/made`, file);
}

/** An MBR with a NetBSD slice at sector 2048, and in it the label of fdisk(8) with partition a, 4.2BSD, sectors 4096 to 20479. */
export function nestedLabel(file: string, type = 'a9'): void {
  sfdisk(file, 'label: dos', `start=2048,size=65536,type=${type}`);
  fdisk(file, 'b', 'y', 'd', 'd', 'n', 'a', '4096', '+16383', 't', 'a', '7', 'w', 'q');
}

/** One row of a tool's list, in bytes. */
export interface Row {
  start: number;
  size: number;
}

/** What sfdisk(8) reads, by number of the partition. */
export function sfdiskRows(file: string, ...options: string[]): (Row & { type: string; uuid?: string; name?: string })[] {
  const { partitiontable } = JSON.parse(run('sfdisk', '--json', ...options, file));
  const unit: number = partitiontable.sectorsize ?? 512;
  return (partitiontable.partitions ?? []).map((row: { start: number; size: number; type: string; uuid?: string; name?: string }) => ({
    ...row,
    start: row.start * unit,
    size: row.size * unit,
  }));
}

/** What partx(8), and so libblkid, reads. */
export function partxRows(file: string): Row[] {
  const lines = run('partx', '--raw', '--noheadings', '--output', 'START,SECTORS', file).trim().split('\n');
  return lines.filter((line) => line !== '').map((line) => toRow(...(line.trim().split(/\s+/).map(Number) as [number, number])));
}

/** What mmls(1) of the Sleuth Kit reads: the slots it says are partitions. */
export function mmlsRows(file: string, ...options: string[]): Row[] {
  const lines = run('mmls', ...options, file).split('\n');
  const rows = lines.map((line) => /^\d+:\s+(?:\d\d:)?\d\d\d?(?::\d\d\d?)?\s+(\d+)\s+\d+\s+(\d+)/.exec(line));
  return rows.filter((match) => match !== null).map((match) => toRow(Number(match[1]), Number(match[2])));
}

function toRow(start: number, sectors: number): Row {
  return { start: start * 512, size: sectors * 512 };
}

/** A table to write; its partitions in sectors: index, first, count, type. */
export function table(scheme: PartitionTable['scheme'], ...rows: [number, number, number, number | string][]): PartitionTable {
  const partitions = rows.map(([index, start, size, type]) => ({
    name: '',
    index,
    start: start * 512,
    size: size * 512,
    type,
    typeName: '',
  }));
  return { scheme, position: scheme === 'bsd' ? 512 : 0, problems: [], partitions };
}
