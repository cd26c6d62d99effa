// struct disklabel as NetBSD lays it out in memory, to check what the label says against the sum over its bytes.
import type { DiskLabel } from 'rumpblk';

const DISKMAGIC = 0x82564557;
const PARTITIONS_AT = 148;
/** Sectors of the disk that `label()` describes. */
export const SECTORS = 131072;

/** The label as the bytes that NetBSD writes to a little-endian disk, up to the last partition. */
export function layOut(label: DiskLabel): Buffer {
  const bytes = Buffer.alloc(PARTITIONS_AT + 16 * label.partitions.length);
  bytes.writeUInt32LE(DISKMAGIC, 0);
  bytes.writeUInt16LE(label.type, 4);
  bytes.writeUInt16LE(label.subtype, 6);
  bytes.write(label.typename, 8, 16, 'latin1');
  bytes.write(label.packname, 24, 16, 'latin1');
  const { secsize, nsectors, ntracks, ncylinders, secpercyl, secperunit } = label;
  for (const [i, value] of [secsize, nsectors, ntracks, ncylinders, secpercyl, secperunit].entries())
    bytes.writeUInt32LE(value, 40 + 4 * i);
  bytes.writeUInt16LE(label.sparespertrack, 64);
  bytes.writeUInt16LE(label.sparespercyl, 66);
  bytes.writeUInt32LE(label.acylinders, 68);
  for (const [i, value] of [label.rpm, label.interleave, label.trackskew, label.cylskew].entries()) bytes.writeUInt16LE(value, 72 + 2 * i);
  for (const [i, value] of [label.headswitch, label.trkseek, label.flags].entries()) bytes.writeUInt32LE(value, 80 + 4 * i);
  for (const [i, value] of [...label.drivedata, ...label.spare].entries()) bytes.writeUInt32LE(value, 92 + 4 * i);
  bytes.writeUInt32LE(DISKMAGIC, 132);
  bytes.writeUInt16LE(label.checksum, 136);
  bytes.writeUInt16LE(label.partitions.length, 138);
  bytes.writeUInt32LE(label.bbsize, 140);
  bytes.writeUInt32LE(label.sbsize, 144);
  for (const [i, partition] of label.partitions.entries()) {
    const at = PARTITIONS_AT + 16 * i;
    bytes.writeUInt32LE(partition.size, at);
    bytes.writeUInt32LE(partition.offset, at + 4);
    bytes.writeUInt32LE(partition.fsize, at + 8);
    bytes.writeUInt8(partition.fstype, at + 12);
    bytes.writeUInt8(partition.frag, at + 13);
    bytes.writeUInt16LE(partition.cpg, at + 14);
  }
  return bytes;
}

/** XOR of all 16-bit words: 0 for a valid label. */
export function sumOf(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum ^= bytes.readUInt16LE(at);
  return sum;
}

/** A label for SECTORS sectors with these partitions; by default a of 4.2BSD, and d as the whole disk. */
export function label(...partitions: Partial<DiskLabel['partitions'][number]>[]): DiskLabel {
  const part = { offset: 0, size: 0, fstype: 0, fsize: 0, frag: 0, cpg: 0 };
  const given = partitions.length > 0 ? partitions : [{ offset: 2048, size: 4096, fstype: 7 }, {}, {}, { size: SECTORS }];
  return {
    type: 4,
    subtype: 0,
    typename: 'SCSI',
    packname: 'mine',
    secsize: 512,
    nsectors: 32,
    ntracks: 64,
    ncylinders: 64,
    secpercyl: 2048,
    secperunit: SECTORS,
    sparespertrack: 0,
    sparespercyl: 0,
    acylinders: 0,
    rpm: 3600,
    interleave: 1,
    trackskew: 0,
    cylskew: 0,
    headswitch: 0,
    trkseek: 0,
    flags: 0,
    drivedata: [0, 0, 0, 0, 0],
    spare: [0, 0, 0, 0, 0],
    bbsize: 8192,
    sbsize: 8192,
    partitions: given.map((entry) => ({ ...part, ...entry })),
    checksum: 0,
  };
}
