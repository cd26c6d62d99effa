// What a device is, in the few words that a person reads first.
import type { BlockDevice, PartitionContent, PartitionTable } from '../../index.js';
import { SCHEME_NAMES } from './schemes.js';
import { formatNumber } from './units.js';

/** What an image is called that --format opens, by the name that its content has. */
const FORMATS: Readonly<Record<string, string>> = { qcow2: 'qcow2', vpc: 'vhd' };
/** Images that nothing here opens, by the name that their content has. */
const FOREIGN: Readonly<Record<string, string>> = {
  parallels: 'Parallels',
  qcow: 'qcow',
  qed: 'QED',
  vdi: 'VDI',
  vhdx: 'VHDX',
  vmdk: 'VMDK',
};
/** How files begin that hold an image and have to be unpacked, what they are called, and what unpacks them. */
const PACKED: readonly (readonly [magic: string, name: string, program: string])[] = [
  ['1f8b08', 'gzip', 'gunzip'],
  ['425a68', 'bzip2', 'bunzip2'],
  ['28b52ffd', 'zstd', 'unzstd'],
  ['fd377a585a00', 'xz', 'unxz'],
  ['504b0304', 'zip', 'unzip'],
  ['377abcaf271c', '7z', '7z x'],
];

/** What `describeNature` goes by. */
export interface Seen {
  readonly size: number;
  readonly sectorSize: number;
  /** How it is divided; null where it is not. */
  readonly table: PartitionTable | null;
  /** What lies on it as a whole; null where that is nothing known. */
  readonly content: PartitionContent | null;
  /** The first bytes of it. */
  readonly beginning: Buffer;
  /** Whether the host says that nothing was ever written to it. */
  readonly isBlank: boolean;
}

/** The format of the image whose bytes these are; undefined of anything else, and of images that nothing here opens. */
export function formatIn(content: PartitionContent | null | undefined): string | undefined {
  return content && Object.hasOwn(FORMATS, content.type) ? FORMATS[content.type] : undefined;
}

/** `the bytes of a qcow2 image: --format qcow2 shows the disk in it`; undefined of what is no image. */
export function imageAdvice(content: PartitionContent | null | undefined): string | undefined {
  const format = formatIn(content);
  if (format !== undefined) return `the bytes of a ${format} image: --format ${format} shows the disk in it`;
  if (!content || !Object.hasOwn(FOREIGN, content.type)) return undefined;
  return `the bytes of a ${FOREIGN[content.type]} image, which is not read here: qemu-nbd serves the disk in it, qemu-img converts it`;
}

/** `GPT with 2 partitions`, `ext4`, `blank: all of it reads as zeros`. */
export function describeNature(seen: Seen): string {
  const { size, sectorSize, table, content, isBlank } = seen;
  const image = imageAdvice(content);
  const known = [
    ...(table === null ? [] : [`${SCHEME_NAMES[table.scheme]} ${partitionsIn(countOf(table))}`]),
    ...(content === null || image !== undefined ? [] : [content.type]),
    ...(image === undefined ? [] : [image]),
  ];
  if (known.length > 0) return known.join(', ');
  if (size === 0) return 'empty';
  const packed = packedAs(seen);
  if (packed !== undefined) return packed;
  if (isBlank) return 'blank: all of it reads as zeros';
  return size < sectorSize ? `less than a sector of ${sectorSize} bytes` : 'no partition table and no file system that is known';
}

function packedAs({ beginning }: Seen): string | undefined {
  const [, name, program] = PACKED.find(([magic]) => beginning.toString('hex', 0, magic.length / 2) === magic) ?? [];
  return name === undefined ? undefined : `a ${name} file: ${program} gives what is packed in it`;
}

function partitionsIn(count: number): string {
  return count === 0 ? 'without partitions' : `with ${formatNumber(count, 'partition')}`;
}

/** Partitions of the tree that hold no others. */
function countOf(divided: PartitionTable): number {
  return divided.partitions.reduce((sum, { table: inside }) => sum + (inside === undefined ? 1 : countOf(inside)), 0);
}

/** Asks the host whether nothing was ever written to a device. Ends at the first extent that was. */
export async function isBlank(device: BlockDevice): Promise<boolean> {
  for await (const { type } of device.extents()) if (type === 'data') return false;
  return true;
}
