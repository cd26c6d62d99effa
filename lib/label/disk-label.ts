// The BSD disklabel and its partitions as objects. Native makes the default label; it is in units of sectors.

/** Names of the partitions of a label, in order. */
export const PARTITION_LETTERS = 'a b c d e f g h i j k l m n o p q r s t u v'.split(' ');

/** One partition of a disklabel. */
export interface Partition {
  /** First sector of the partition; up to 2^48 - 1 in OpenBSD's labels. */
  offset: number;
  /** Sectors in the partition, likewise. */
  size: number;
  /** Number of the file system type; 0 unused, 7 4.2BSD. */
  fstype: number;
  /** Fragment size of the file system, in bytes. */
  fsize: number;
  /** Fragments in a block of the file system. */
  frag: number;
  /** Cylinders in a group of the file system. */
  cpg: number;
}

/** A BSD disklabel, its fields named as in `struct disklabel` without `d_`. */
export interface DiskLabel {
  /** Number of the drive type; 21 for rumpd. */
  type: number;
  /** Number that qualifies the type. */
  subtype: number;
  /** Name of the type, Latin-1, at most 16 bytes. */
  typename: string;
  /** Name of the pack, Latin-1, at most 16 bytes. */
  packname: string;
  /** Bytes in a sector. */
  secsize: number;
  /** Sectors in a track. */
  nsectors: number;
  /** Tracks in a cylinder. */
  ntracks: number;
  /** Cylinders in the unit. */
  ncylinders: number;
  /** Sectors in a cylinder. */
  secpercyl: number;
  /** Sectors in the unit; up to 2^48 - 1 in OpenBSD's labels. */
  secperunit: number;
  /** Spare sectors in a track. */
  sparespertrack: number;
  /** Spare sectors in a cylinder. */
  sparespercyl: number;
  /** Alternate cylinders in the unit. */
  acylinders: number;
  /** Turns a minute. */
  rpm: number;
  /** Sector interleave of the hardware. */
  interleave: number;
  /** Skew of sector 0 from one track to the next. */
  trackskew: number;
  /** Skew of sector 0 from one cylinder to the next. */
  cylskew: number;
  /** Time to switch heads, in microseconds. */
  headswitch: number;
  /** Time to step to the next track, in microseconds. */
  trkseek: number;
  /** Flags of the drive. */
  flags: number;
  /** Five numbers that depend on the drive type. */
  drivedata: number[];
  /** Five reserved numbers. */
  spare: number[];
  /** Bytes in the boot area. */
  bbsize: number;
  /** Bytes in the largest superblock. */
  sbsize: number;
  /** The partitions, from 'a' on. */
  partitions: Partition[];
  /** XOR of all other 16-bit words of the label. */
  checksum: number;
}
