// qcow2 images as QEMU's programs see them.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { peer } from './peers';
import type { Rig } from './rig';

export const QEMU = [peer('qemu-img', 'qemu-utils'), peer('qemu-io', 'qemu-utils')];

/** What `qemu-img` says; throws where it fails. */
export function img(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('qemu-img', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`qemu-img ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** 0: sound, 3: leaks. */
export const checkImage = (file: string): number => spawnSync('qemu-img', ['check', '-f', 'qcow2', file]).status ?? -1;

/** What QEMU reads of an image. */
export function readByQemu(bench: Rig, file: string): Buffer {
  const raw = bench.path('read-by-qemu.raw');
  img('convert', '-f', 'qcow2', '-O', 'raw', file, raw);
  return readFileSync(raw);
}
