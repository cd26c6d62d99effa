// A journal on a device: commits of 7 to 11 records, each record a sector, and a sector that says that they are all there.
// What is acknowledged is marked. Ways to get it wrong are options.
import type { BlockDevice } from 'rumpblk';
import type { CrashState, Recorder } from 'rumpblk/lab';

const SECTOR = 512;
const MOST = 11;
const SLOT = (MOST + 1) * SECTOR;
const [RECORD, COMMIT] = [0x5245434f, 0x434f4d4d];

export interface Wrong {
  /** The records are not made durable before the commit is written. */
  noFlush?: boolean;
  /** The commit is acknowledged without being durable. */
  noFua?: boolean;
}

export const COMMITS = 40;
export const SIZE = COMMITS * SLOT;

const countOf = (commit: number): number => 7 + ((commit * 3) % 5);

function sector(kind: number, commit: number, index: number): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes.writeUInt32LE(kind, 0);
  bytes.writeUInt32LE(commit + 1, 4);
  bytes.writeUInt32LE(index, 8);
  for (let at = 12; at < SECTOR; at += 4) bytes.writeUInt32LE((commit * 1_000_003 + index * 7919 + at) >>> 0, at);
  return bytes;
}

/** Writes the journal. */
export async function write(device: BlockDevice, mark: Recorder['mark'], wrong: Wrong = {}, commits = COMMITS): Promise<void> {
  for (let commit = 0; commit < commits; commit += 1) {
    const count = countOf(commit);
    for (let i = 0; i < count; i += 1) await device.write(sector(RECORD, commit, i), commit * SLOT + (i + 1) * SECTOR);
    if (wrong.noFlush !== true) await device.flush();
    await device.write(sector(COMMIT, commit, count), commit * SLOT, { fua: wrong.noFua !== true });
    mark('acknowledged', commit + 1);
  }
}

/** Reads it back: what is committed has to be whole, and all that was acknowledged has to be there. */
export function check({ device, marks }: CrashState): string | undefined {
  const buffer = Buffer.alloc(SECTOR);
  const holds = (position: number, wanted: Buffer): boolean => {
    device.readSync(buffer, position);
    return buffer.equals(wanted);
  };
  let commits = 0;
  while (commits < COMMITS && holds(commits * SLOT, sector(COMMIT, commits, countOf(commits)))) {
    for (let i = 0; i < countOf(commits); i += 1) {
      if (!holds(commits * SLOT + (i + 1) * SECTOR, sector(RECORD, commits, i))) return `commit ${commits} lacks record ${i}`;
    }
    commits += 1;
  }
  const acknowledged = marks.length;
  return commits < acknowledged ? `lost acknowledged: ${commits} of ${acknowledged}` : undefined;
}
