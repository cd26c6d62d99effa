// How other tools divide an image at random, and the changes that they can make to it.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { FDISK, GENIMAGE, LINUX, PARTED, SFDISK, SGDISK, fdisk, genimage, parted, sfdisk, sfdiskRows } from './disks';
import { run, runWith, type Need } from './peers';

/** Sectors of an image. */
export const SECTORS = 24576;

/** Numbers that follow from a seed: mulberry32. */
export class Draw {
  constructor(private state: number) {}
  /** A whole number of [from, to]. */
  whole(from: number, to: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return from + (((t ^ (t >>> 14)) >>> 0) % (to - from + 1));
  }
  of<T>(list: readonly T[]): T {
    return list[this.whole(0, list.length - 1)] as T;
  }
}

/** A stretch of sectors. */
export interface Span {
  start: number;
  size: number;
}
/** Spans one behind the other with gaps of at least 64 sectors in [begin, end). */
function spans(draw: Draw, count: number, begin: number, end: number): Span[] {
  const room = Math.floor((end - begin) / count / 64);
  return Array.from({ length: count }, (_, i) => {
    const start = draw.whole(1, Math.floor(room / 3));
    const size = draw.whole(2, Math.floor(room / 2));
    return { start: begin + (i * room + start) * 64, size: size * 64 };
  });
}

export type Change =
  | { kind: 'type'; number: number; type: number | string }
  | { kind: 'flag' | 'remove'; number: number }
  | { kind: 'name'; number: number; name: string }
  | { kind: 'shrink'; number: number; size: number }
  | { kind: 'add'; number: number; span: Span; inside: boolean };

/** A tool: how it divides an image, the changes that it can make, and how it makes one. */
export interface Tool {
  name: string;
  needs: Need[];
  make: (file: string, draw: Draw) => void | Promise<void>;
  kinds: (scheme: string) => Change['kind'][];
  change: (file: string, scheme: string, change: Change) => void | Promise<void>;
}

const hex = (type: number | string): string => (typeof type === 'number' ? type.toString(16) : type);

const changeBySfdisk = (file: string, scheme: string, change: Change): void => {
  const number = String(change.number);
  const quiet = ['--quiet', '--no-reread', '--no-tell-kernel'];
  if (change.kind === 'type') run('sfdisk', ...quiet, '--part-type', file, number, hex(change.type));
  if (change.kind === 'name') run('sfdisk', ...quiet, '--part-label', file, number, change.name);
  if (change.kind === 'flag' && scheme === 'gpt') run('sfdisk', ...quiet, '--part-attrs', file, number, 'LegacyBIOSBootable');
  if (change.kind === 'flag' && scheme === 'mbr') run('sfdisk', ...quiet, '--activate', file, number);
  if (change.kind === 'remove') run('sfdisk', ...quiet, '--delete', file, number);
  if (change.kind === 'shrink') runWith(`,${change.size}\n`, 'sfdisk', ...quiet, '-N', number, file);
  if (change.kind === 'add') runWith(`start=${change.span.start},size=${change.span.size}\n`, 'sfdisk', ...quiet, '--append', file);
};

function divideByFdisk(file: string, draw: Draw): void {
  const ends = ({ start, size }: Span): string[] => [String(start), String(start + size - 1)];
  if (draw.whole(0, 1) === 0) {
    const rows = spans(draw, draw.whole(1, 5), 2048, SECTORS - 64);
    return fdisk(file, 'g', ...rows.flatMap((span) => ['n', '', ...ends(span)]), 'w');
  }
  const primaries = spans(draw, draw.whole(1, 2), 2048, 8192);
  const logical = spans(draw, draw.whole(1, 3), 10240, SECTORS);
  fdisk(
    file,
    'o',
    ...primaries.flatMap((span) => ['n', 'p', '', ...ends(span)]),
    ...['n', 'e', '3', '8192', String(SECTORS - 1)],
    ...logical.flatMap((span) => ['n', 'l', ...ends(span)]),
    'w',
  );
}

/** Of all layouts at once: it sleeps for a second behind each write. */
async function sgdisk(...args: string[]): Promise<void> {
  await promisify(execFile)('sgdisk', args);
}

export const TOOLS: Tool[] = [
  {
    name: 'sfdisk',
    needs: [SFDISK],
    make: (file, draw) => {
      if (draw.whole(0, 1) === 0) {
        const length = draw.of([4, 8, 128, 256]);
        const rows = spans(draw, draw.whole(1, 4), 2048, SECTORS - 128).map(
          ({ start, size }) => `start=${start},size=${size},name=n${start}`,
        );
        return sfdisk(file, 'label: gpt', `table-length: ${length}`, `first-lba: ${draw.of([66, 128, 2048])}`, ...rows);
      }
      const primaries = spans(draw, draw.whole(1, 3), 64, 8192).map(({ start, size }) => `start=${start},size=${size},type=83`);
      const logical = spans(draw, draw.whole(1, 5), 8192, SECTORS).map(({ start, size }) => `start=${start},size=${size}`);
      sfdisk(file, 'label: dos', ...primaries, `start=8192,size=${SECTORS - 8192},type=${draw.of(['5', 'f'])}`, ...logical);
    },
    kinds: (scheme) => ['type', 'flag', 'remove', 'add', 'shrink', ...(scheme === 'gpt' ? (['name'] as const) : [])],
    change: changeBySfdisk,
  },
  {
    name: 'sgdisk',
    needs: [SGDISK],
    make: async (file, draw) => {
      const rows = spans(draw, draw.whole(1, 6), 4096, SECTORS - 64);
      const commands = rows.flatMap(({ start, size }, i) => ['-n', `${i + 1}:${start}:${start + size - 1}`, '-c', `${i + 1}:n${start}`]);
      await sgdisk('-a', '1', ...commands, file);
      if (draw.whole(0, 1) === 1) await sgdisk('-j', String(draw.whole(40, 2000)), file);
      if (draw.whole(0, 2) === 0) await sgdisk('-h', draw.of(['1', '1:EE']), file);
    },
    kinds: () => ['type', 'flag', 'name', 'remove', 'add'],
    change: async (file, _, change) => {
      const number = String(change.number);
      if (change.kind === 'type') await sgdisk('-t', `${number}:${change.type}`, file);
      if (change.kind === 'name') await sgdisk('-c', `${number}:${change.name}`, file);
      if (change.kind === 'flag') await sgdisk('-A', `${number}:set:2`, file);
      if (change.kind === 'remove') await sgdisk('-d', number, file);
      if (change.kind === 'add') {
        const { start, size } = change.span;
        await sgdisk('-a', '1', '-n', `${number}:${start}:${start + size - 1}`, '-t', `${number}:${LINUX}`, file);
      }
    },
  },
  {
    name: 'parted',
    needs: [PARTED],
    make: (file, draw) => {
      if (draw.whole(0, 1) === 0) {
        const rows = spans(draw, draw.whole(1, 5), 64, SECTORS - 64);
        return parted(file, `mklabel gpt ${rows.map(({ start, size }) => `mkpart n${start} ${start}s ${start + size - 1}s`).join(' ')}`);
      }
      const make = (kind: string, rows: Span[]): string =>
        rows.map(({ start, size }) => `mkpart ${kind} ${start}s ${start + size - 1}s`).join(' ');
      const primaries = make('primary', spans(draw, draw.whole(1, 3), 64, 8192));
      const logical = make('logical', spans(draw, draw.whole(1, 4), 8192, SECTORS));
      parted(file, `mklabel msdos ${primaries} mkpart extended 8192s ${SECTORS - 1}s ${logical}`);
    },
    kinds: (scheme) => ['flag', 'remove', 'add', ...(scheme === 'gpt' ? (['name'] as const) : [])],
    change: (file, scheme, change) => {
      const { number } = change;
      if (change.kind === 'name') parted(file, `name ${number} ${change.name}`);
      if (change.kind === 'flag') parted(file, `set ${number} ${scheme === 'gpt' ? 'legacy_boot' : 'boot'} on`);
      if (change.kind === 'remove') parted(file, `rm ${number}`);
      if (change.kind === 'add') {
        const kind = scheme === 'gpt' ? 'x' : change.inside ? 'logical' : 'primary';
        parted(file, `mkpart ${kind} ${change.span.start}s ${change.span.start + change.span.size - 1}s`);
      }
    },
  },
  {
    name: 'fdisk',
    needs: [FDISK],
    // The dialogue of fdisk ends without a table where it does not offer a sector that was drawn: then another is drawn.
    make: (file, draw) => {
      do divideByFdisk(file, draw);
      while (readFileSync(file).readUInt16BE(510) !== 0x55aa);
    },
    kinds: (scheme) => (scheme === 'gpt' ? ['type', 'remove', 'add'] : ['type', 'flag', 'remove']),
    change: (file, _, change) => {
      const { number } = change;
      // With one partition alone it does not ask which.
      const which = sfdiskRows(file).length === 1 ? [] : [String(number)];
      if (change.kind === 'type') fdisk(file, 't', ...which, hex(change.type), 'w');
      if (change.kind === 'flag') fdisk(file, 'a', ...which, 'w');
      if (change.kind === 'remove') fdisk(file, 'd', ...which, 'w');
      if (change.kind === 'add')
        fdisk(file, 'n', String(number), String(change.span.start), String(change.span.start + change.span.size - 1), 'w');
    },
  },
  {
    name: 'genimage',
    needs: [GENIMAGE, SFDISK],
    make: (file, draw) => {
      const kind = draw.of(['mbr', 'gpt', 'hybrid']);
      const count = kind === 'mbr' ? draw.whole(2, 7) : draw.whole(2, 4);
      const rows = Array.from({ length: count }, (_, i) => {
        const type = kind === 'mbr' || (kind === 'hybrid' && i === 0) ? 'partition-type = 0x83' : '';
        return `partition p${i} { size = ${draw.whole(1, 6) * 128}K image = "data" ${type} ${kind === 'mbr' ? '' : 'partition-type-uuid = L'} }`;
      });
      const location = kind === 'gpt' ? 'gpt-location = 64K' : '';
      genimage(file, `size = ${SECTORS / 2}K hdimage { align = 128K partition-table-type = ${kind} ${location} } ${rows.join(' ')}`);
    },
    // It only makes images: sfdisk says what a change of one needs.
    kinds: (scheme) => (scheme === 'gpt' ? ['type', 'flag', 'name', 'remove', 'shrink'] : ['type', 'flag', 'shrink']),
    change: changeBySfdisk,
  },
];
