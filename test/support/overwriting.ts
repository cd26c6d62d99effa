// What lies on a medium and is no table of ours: whether it is written over unasked, and what is left of it when asked.
import { closeSync as closeFile, openSync as openFile, readSync as readFile, statSync } from 'node:fs';
import { expect } from '@jest/globals';
import { openSync, readPartitionsSync, writePartitions, writePartitionsSync, type PartitionTable, type TableToWrite } from 'rumpblk';
import { LINUX, table } from './disks';
import { failure } from './failure';
import { peer, run } from './peers';
import { MiB } from './rig';

export const BLKID = peer('blkid', 'util-linux');

/** How a file is divided. */
export function divisionOf(file: string): PartitionTable | undefined {
  const device = openSync(file);
  const found = readPartitionsSync(device);
  device.closeSync();
  return found;
}

/** What libblkid takes the whole medium for. */
export function blkid(file: string, tag: 'PTTYPE' | 'TYPE'): string {
  try {
    return run('blkid', '-p', '-o', 'value', '-s', tag, file).trim();
  } catch (error) {
    // 2: nothing, 8: more than one thing
    return `status ${(error as { status: number }).status}`;
  }
}

const NEW: [string, TableToWrite][] = [
  ['mbr', table('mbr', [0, 2048, 2048, 0x83])],
  ['gpt', table('gpt', [0, 2048, 2048, LINUX])],
  ['bsd', table('bsd', [0, 2048, 2048, 7])],
];

/** The first and the last MiB, where all that is written here lies. */
function endsOf(file: string): Buffer {
  const device = openFile(file, 'r');
  const bytes = Buffer.alloc(2 * MiB);
  readFile(device, bytes, 0, MiB, 0);
  readFile(device, bytes, MiB, MiB, Math.max(0, statSync(file).size - MiB));
  closeFile(device);
  return bytes;
}

/** Nobody writes a table over it unasked; asked, the new table is all that is there. */
export async function isKept(make: () => string, cause: RegExp): Promise<void> {
  for (const [scheme, fresh] of NEW) {
    const file = make();
    const before = endsOf(file);
    const device = openSync(file, { mode: 'r+' });
    const error = await failure(() => writePartitions(device, fresh), 'EINVAL');
    expect((error.cause as Error).message).toMatch(cause);
    await failure(() => writePartitions(device, fresh, { overwrite: false }), 'EINVAL');
    expect(endsOf(file).equals(before)).toBe(true);

    await writePartitions(device, fresh, { overwrite: true });
    expect(readPartitionsSync(device)).toMatchObject({ scheme, problems: [], partitions: [{ start: 2048 * 512, size: 2048 * 512 }] });
    // Nothing is left that would have to be asked for again.
    writePartitionsSync(device, fresh);
    await device.close();
    // For a whole device it has no name of a bare label, and so finds nothing at all.
    const nothing = 'status 2';
    expect(blkid(file, 'PTTYPE')).toBe({ mbr: 'dos', gpt: 'gpt' }[scheme] ?? nothing);
    expect(blkid(file, 'TYPE')).toBe(scheme === 'bsd' ? nothing : '');
  }
}
