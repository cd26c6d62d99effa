// The columns of a batch as rows: filled in from a list of entries, read back as a list of outcomes.
import { type Batch, BATCH_READ, type BlockDevice } from 'rumpblk';

export interface Entry {
  op?: number;
  blkno?: number;
  bcount?: number;
  offset?: number;
  fua?: 0 | 1;
}
export type Outcome = [error: number, resid: number];

/** Puts the entries into the first rows, each on 512 bytes of its own where it does not say otherwise. -> their number. */
export function fill(batch: Batch, entries: readonly Entry[]): number {
  for (const [i, entry] of entries.entries()) {
    batch.op[i] = entry.op ?? BATCH_READ;
    batch.blkno[i] = entry.blkno ?? i;
    batch.bcount[i] = entry.bcount ?? 512;
    batch.offset[i] = entry.offset ?? i * 512;
    batch.fua[i] = entry.fua ?? 0;
    batch.resid[i] = 77;
    batch.error[i] = 77;
  }
  return entries.length;
}

/** What became of the first `count` entries. */
export function outcomesOf(batch: Batch, count: number): Outcome[] {
  return Array.from({ length: count }, (_, i) => [batch.error[i]!, batch.resid[i]!]);
}

/** Both ways to run a batch, as one. */
export const FORMS = [
  ['runSync', (batch: Batch, count: number) => Promise.resolve(batch.runSync(count))],
  ['run', (batch: Batch, count: number) => batch.run(count)],
] as const;

/** What single calls of strategySync answer to the same entries, on `device`, with `arena` as their memory. */
export function oneByOne(device: BlockDevice, arena: Uint8Array, entries: readonly Entry[]): Outcome[] {
  return entries.map(({ op = BATCH_READ, blkno = 0, bcount = 512, offset = 0, fua = 0 }) => {
    const data = arena.subarray(offset, offset + bcount);
    try {
      const { resid } = device.strategySync({ op: op === BATCH_READ ? 'read' : 'write', blkno, data, deferred: fua === 0 });
      return [0, resid];
    } catch (error) {
      const { errno, bytesTransferred } = error as { errno: number; bytesTransferred: number };
      return [errno, bcount - bytesTransferred];
    }
  });
}

/** Numbers below `limit` that look random and are the same in every run. */
export function numbers(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * limit);
  };
}
