// File systems that are mounted for a test: over loop devices, or tmpfs. Unmounted after each test.
import { mkdirSync } from 'node:fs';
import { afterEach } from '@jest/globals';
import { ability, type Need, peer, run } from './peers';
import { MiB, type Rig } from './rig';

export const MOUNTED = ['ext4', 'xfs', 'btrfs', 'tmpfs'] as const;
export type Mounted = (typeof MOUNTED)[number];

const MAKERS: Record<Exclude<Mounted, 'tmpfs'>, [program: string, debianPackage: string, ...options: string[]]> = {
  ext4: ['mkfs.ext4', 'e2fsprogs', '-q', '-F'],
  xfs: ['mkfs.xfs', 'xfsprogs', '-q', '-f'],
  btrfs: ['mkfs.btrfs', 'btrfs-progs', '-q', '-f'],
};

export interface Mount {
  readonly folder: string;
  /** What is only in memory is lost, as by a power cut. Then `release` closes what is open, and it is mounted again on the same folder. */
  cutPower(release: () => void): void;
}

/** Gives `mount`, and what it needs. Called after `rig()`, whose devices are closed before their folder goes. */
export function mounts(bench: Rig): { mount(kind: Mounted): Mount; needs(kind: Mounted): Need[] } {
  const mounted: string[] = [];
  let count = 0;
  afterEach(() => {
    for (const folder of mounted.splice(0)) run('umount', folder);
  });
  const fresh = (): string => {
    const folder = bench.path(`mount-${(count += 1)}`);
    mkdirSync(folder);
    return folder;
  };
  const mount = (kind: Mounted): Mount => {
    const folder = fresh();
    const image = kind === 'tmpfs' ? kind : bench.sparse(512 * MiB);
    const attach = (): void => {
      if (kind === 'tmpfs') run('mount', '-t', 'tmpfs', '-o', 'size=1g', kind, folder);
      else run('mount', '-o', 'loop', image, folder);
    };
    if (kind !== 'tmpfs') {
      const [program, , ...options] = MAKERS[kind];
      run(program, ...options, image);
    }
    attach();
    mounted.push(folder);
    return {
      folder,
      cutPower(release) {
        run('xfs_io', '-x', '-c', 'shutdown', folder);
        release();
        run('umount', folder);
        attach();
      },
    };
  };
  const needs = (kind: Mounted): Need[] => [
    ...(kind === 'tmpfs' ? [] : [peer(MAKERS[kind][0], MAKERS[kind][1])]),
    ability(`right to mount ${kind}`, () => {
      const { folder } = mount(kind);
      mounted.pop();
      run('umount', folder);
      return true;
    }),
  ];
  return { mount, needs };
}
