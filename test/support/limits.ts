// Limits that a process of the tests runs under: rlimits by prlimit(1), and a memory cgroup.
import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ability, peer, type Need } from './peers';

export const PRLIMIT: Need = peer('prlimit', 'util-linux');

const CGROUPS = '/sys/fs/cgroup/memory';

export interface Group {
  /** A program that starts another one in the group, with its arguments. */
  readonly enter: string[];
  remove(): void;
}

/** A new memory cgroup whose processes have so many bytes together, page cache and all. */
export function memoryGroup(bytes: number): Group {
  const folder = mkdtempSync(path.join(CGROUPS, 'rumpblk-test-'));
  writeFileSync(path.join(folder, 'memory.limit_in_bytes'), String(bytes));
  const join = `echo $$ > ${path.join(folder, 'cgroup.procs')} && exec "$@"`;
  return { enter: ['sh', '-c', join, 'sh'], remove: () => rmdirSync(folder) };
}

export const MEMORY_GROUPS: Need = ability('memory cgroup (v1) that may be written', () => {
  const folder = path.join(CGROUPS, `rumpblk-probe-${process.pid}`);
  mkdirSync(folder);
  rmdirSync(folder);
  return true;
});

/** Where the addon is not built with a sanitizer. */
export const UNSANITIZED: Need = ability('address space to limit under a sanitizer', () => process.env['RUMPBLK_SANITIZER'] === undefined);
