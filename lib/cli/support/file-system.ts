// The file system that a file lies on, by name.
import { statfsSync } from 'node:fs';
import { mediumKind } from './source.js';

/** Magic numbers of statfs(2) for the file systems that people keep images on. */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x0102_1994, 'tmpfs'],
  [0x5846_5342, 'xfs'],
  [0x9123_683e, 'btrfs'],
  [0x794c_7630, 'overlayfs'],
  [0x6969, 'nfs'],
  [0x2fc1_2fc1, 'zfs'],
  [0xf2f5_2010, 'f2fs'],
]);

const MEDIUM_NAMES = { memory: 'memory', null: 'a null medium', nbd: 'an NBD server' } as const;

/** Of a medium: what it is. */
export function fileSystemOf(file: string): string {
  const kind = mediumKind(file);
  if (kind !== undefined) return MEDIUM_NAMES[kind];
  return FILE_SYSTEMS.get(Number(statfsSync(file, { bigint: true }).type)) ?? 'an unknown file system';
}
