// The table "Seen with real tools" of docs/labels.md, made again: who reads what whom wrote where.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from '@jest/globals';
import {
  type DiskLabel,
  encodeDiskLabel,
  openSync,
  readPartitionsSync,
  writePartitionsSync,
  type PartitionTable,
  type TableToWrite,
} from 'rumpblk';
import { SECTORS, label } from '../support/disklabel';
import {
  DISKTYPE,
  FDISK,
  GENIMAGE,
  GRUB_FSTEST,
  LINUX,
  MMLS,
  PARTED,
  PARTX,
  SFDISK,
  SGDISK,
  genimage,
  mmlsRows,
  nestedLabel,
  parted,
  partxRows,
  sfdisk,
  sfdiskRows,
} from '../support/disks';
import { peer, run, runWith, testWith } from '../support/peers';
import { rig } from '../support/rig';

const bench = rig();
const DOCS = path.join(__dirname, '..', '..', 'docs', 'labels.md');

/** One row: who writes it, and where the partitions that count begin, in sectors. */
interface Placement {
  row: string;
  make: (file: string) => void;
  starts: number[];
  /** The slice that holds the label, for readers that want to be told. */
  slice?: number;
  bsd?: boolean;
}

const partition = (start: number, size: number, type: number | string): TableToWrite['partitions'][number] => ({
  start: start * 512,
  size: size * 512,
  type,
});
const bsd = (start: number): TableToWrite => ({ scheme: 'bsd', partitions: [partition(start, 4096, 7)] });
const mbrWithChain: TableToWrite = {
  scheme: 'mbr',
  partitions: [
    partition(4096, 4096, 0x83),
    { ...partition(10240, 40960, 5), table: { scheme: 'ebr', partitions: [partition(12288, 4096, 0x83)] } },
  ],
};
const gpt: TableToWrite = { scheme: 'gpt', partitions: [partition(4096, 4096, LINUX)] };

function write(table: TableToWrite): (file: string) => void {
  return (file) => {
    const device = openSync(file, { mode: 'r+' });
    writePartitionsSync(device, table);
    device.closeSync();
  };
}
function writeBytes(position: number, given: DiskLabel, byteOrder: 'little' | 'big'): (file: string) => void {
  return (file) => {
    const device = openSync(file, { mode: 'r+' });
    device.writeSync(encodeDiskLabel(given, { byteOrder }).subarray(0, 148 + 16 * given.partitions.length), position);
    device.closeSync();
  };
}
const ours = label({ offset: 4096, size: 4096, fstype: 7 });
/** sfdisk asks before it makes a label, and only a terminal. */
function bareLabelOfSfdisk(file: string): void {
  runWith('4096,4096,7\ny\nwrite\ny\n', 'script', '-qec', `sfdisk -X bsd --no-reread ${file}`, '/dev/null');
}

function hybridOfGenimage(file: string): void {
  const partition = 'partition one { offset = 2M size = 2M image = data partition-type = 0x83 partition-type-uuid = L }';
  genimage(file, `size = ${SECTORS / 2}K hdimage { partition-table-type = hybrid } ${partition}`);
}

const PLACEMENTS: Placement[] = [
  { row: '`sfdisk -X bsd`: sector 1', make: bareLabelOfSfdisk, starts: [4096], bsd: true },
  {
    row: 'parted: byte 64',
    make: (file) => parted(file, 'mklabel bsd mkpart 4096s 8191s'),
    starts: [4096],
    bsd: true,
  },
  { row: 'fdisk: 0xa9 slice', make: nestedLabel, starts: [4096], slice: 2048 },
  {
    row: 'fdisk: 0xa5 slice',
    make: (file) => {
      nestedLabel(file, 'a5');
    },
    starts: [4096],
    slice: 2048,
  },
  {
    row: 'mkimg-like: FreeBSD label, sector 1',
    // As mkimg(1) lays it out: eight partitions, c the whole disk, and boot code behind the label.
    make: (file) => {
      const unused = { offset: 0, size: 0, fstype: 0 };
      const given = label({ offset: 4096, size: 4096, fstype: 7 }, unused, { size: SECTORS }, ...Array.from({ length: 5 }, () => unused));
      writeBytes(512, given, 'little')(file);
      const device = openSync(file, { mode: 'r+' });
      device.writeSync(Buffer.alloc(512 - 276, 0xeb), 512 + 276);
      device.closeSync();
    },
    starts: [4096],
    bsd: true,
  },
  { row: 'parted: Apple map', make: (file) => parted(file, 'mklabel mac mkpart x hfs 4096s 8191s'), starts: [4096] },
  {
    row: 'sfdisk: Sun label',
    make: (file) => {
      sfdisk(file, 'label: sun', 'start=16065,size=16065,type=83');
    },
    starts: [16065],
  },
  { row: 'parted: Sun label', make: (file) => parted(file, 'mklabel sun mkpart 16128s 32127s'), starts: [16128] },
  { row: 'rumpblk: sector 1', make: write(bsd(4096)), starts: [4096], bsd: true },
  { row: 'rumpblk: byte 64', make: write({ ...bsd(4096), position: 64 }), starts: [4096], bsd: true },
  { row: 'rumpblk: byte 128', make: write({ ...bsd(4096), position: 128 }), starts: [4096], bsd: true },
  { row: 'rumpblk: sector 1, big endian', make: writeBytes(512, ours, 'big'), starts: [4096], bsd: true },
  {
    row: 'rumpblk: 0xa9 slice',
    make: write({ scheme: 'mbr', partitions: [{ ...partition(2048, 65536, 0xa9), table: bsd(4096) }] }),
    starts: [4096],
    slice: 2048,
  },
  {
    row: 'rumpblk: 0xa9 logical partition',
    make: write({
      scheme: 'mbr',
      partitions: [
        { ...partition(8192, 65536, 5), table: { scheme: 'ebr', partitions: [{ ...partition(10240, 32768, 0xa9), table: bsd(12288) }] } },
      ],
    }),
    starts: [12288],
    slice: 10240,
  },
  {
    row: 'sfdisk: MBR and EBR',
    make: (file) => {
      sfdisk(file, 'label: dos', 'start=4096,size=4096', 'start=10240,size=40960,type=5', 'start=12288,size=4096');
    },
    starts: [4096, 12288],
  },
  {
    row: 'parted: MBR and EBR',
    make: (file) => parted(file, 'mklabel msdos mkpart primary 4096s 8191s mkpart extended 10240s 51199s mkpart logical 12288s 16383s'),
    starts: [4096, 12288],
  },
  { row: 'rumpblk: MBR and EBR', make: write(mbrWithChain), starts: [4096, 12288] },
  {
    row: 'sfdisk: GPT',
    make: (file) => {
      sfdisk(file, 'label: gpt', 'start=4096,size=4096');
    },
    starts: [4096],
  },
  { row: 'sgdisk: GPT', make: (file) => run('sgdisk', '-n', '1:4096:8191', file), starts: [4096] },
  { row: 'parted: GPT', make: (file) => parted(file, 'mklabel gpt mkpart x 4096s 8191s'), starts: [4096] },
  { row: 'rumpblk: GPT', make: write(gpt), starts: [4096] },
  { row: 'sgdisk: GPT with a hybrid MBR', make: (file) => run('sgdisk', '-n', '1:4096:8191', '-h', '1', file), starts: [4096] },
  { row: 'sgdisk: GPT, the array at sector 2048', make: (file) => run('sgdisk', '-n', '1:4096:8191', '-j', '2048', file), starts: [4096] },
  {
    row: 'sfdisk: GPT with 4 entries',
    make: (file) => {
      sfdisk(file, 'label: gpt', 'table-length: 4', 'first-lba: 3', 'start=3,size=122', 'start=4096,size=4096');
    },
    starts: [3, 4096],
  },
  { row: 'genimage: GPT with a hybrid MBR', make: hybridOfGenimage, starts: [4096] },
];

/** What a program says, whether it fails or not. */
function said(program: string, ...args: string[]): string {
  try {
    return run(program, ...args);
  } catch (error) {
    const { stdout } = error as { stdout?: Buffer };
    return stdout?.toString() ?? '';
  }
}
function startsOf(read: () => { start: number }[]): number[] {
  try {
    return read().map(({ start }) => start / 512);
  } catch {
    return [];
  }
}
const numbersIn = (text: string, what: RegExp): number[] => [...text.matchAll(what)].map(([, number]) => Number(number));
const flat = ({ partitions }: PartitionTable): { start: number }[] =>
  partitions.flatMap((entry) => [entry, ...(entry.table ? flat(entry.table) : [])]);

function rumpblk(file: string, { starts }: Placement): string {
  const device = openSync(file);
  const table = readPartitionsSync(device);
  device.closeSync();
  const found = table === undefined ? [] : startsOf(() => flat(table));
  const words = starts.every((start) => found.includes(start)) ? 'yes' : 'no';
  const problem = table?.problems[0]?.replace(/,.*/, '');
  return problem === undefined ? words : `${words}, "${problem}"`;
}

/** The columns behind rumpblk's: the starts that each reader finds. */
const READERS: ((file: string, place: Placement) => number[])[] = [
  (file, { slice }) => startsOf(() => sfdiskRows(file, ...(slice === undefined ? [] : ['-Y', 'bsd']))),
  (file) => numbersIn(said('parted', '-s', file, 'unit', 's', 'print'), /^\s*\d+\s+(\d+)s\s/gm),
  (file) => numbersIn(said('sgdisk', '-p', file), /^\s*\d+\s+(\d+)\s+\d+\s/gm),
  (file) => startsOf(() => partxRows(file)),
  (file, { slice, bsd: bare }) =>
    startsOf(() => mmlsRows(file, ...(slice === undefined ? (bare ? ['-t', 'bsd'] : []) : ['-t', 'bsd', '-o', String(slice)]))),
  (file) =>
    [...said('disktype', file).matchAll(/sectors from (\d+)(?:\+(\d+))?/g)].map(([, base, rest = '0']) => Number(base) + Number(rest)),
];

function grub(file: string): string {
  const names = [...said('grub-fstest', file, 'ls').matchAll(/\(loop0,([\w,]+)\)/g)].map(([, name]) => `\`${name}\``);
  // It numbers what it lists from the back.
  return names.length === 0 ? 'nothing' : names.reverse().join(', ');
}

testWith(
  SFDISK,
  FDISK,
  PARTED,
  SGDISK,
  PARTX,
  MMLS,
  DISKTYPE,
  GRUB_FSTEST,
  GENIMAGE,
  peer('script', 'bsdutils'),
)('every cell is what is seen today', () => {
  const made = PLACEMENTS.map((place) => {
    const file = bench.sparse(SECTORS * 512);
    place.make(file);
    const cells = READERS.map((read) => {
      const found = read(file, place);
      return place.starts.every((start) => found.includes(start)) ? 'yes' : 'no';
    });
    return `| ${[place.row, rumpblk(file, place), ...cells, grub(file)].join(' | ')} |`;
  });
  const documented = readFileSync(DOCS, 'utf8')
    .split('\n')
    .filter((line) => /^\| (`?sfdisk|parted|fdisk|sgdisk|genimage|mkimg-like|rumpblk)[^|]*:/.test(line));
  expect(made).toEqual(documented);
});
