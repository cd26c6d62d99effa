// The loop for batches: as many requests as there are lanes in each, and a flush where one is due. All requests of a batch are
// done when it is, so they have its latency.
import { BATCH_FLUSH, BATCH_READ, BATCH_WRITE, BlockDeviceError, type Batch } from '../../../index.js';
import type { Lane } from './calls.js';
import { SyncDue, type Drive } from './drive-plan.js';

const SECTOR = 512;

// Async for its type alone: a failure is a rejection, as in the other shapes.
// eslint-disable-next-line @typescript-eslint/require-await
export async function driveBatch(batch: Batch, lanes: readonly Lane[], { work, tally, syncEvery }: Drive): Promise<void> {
  const due = new SyncDue(syncEvery);
  const start = performance.now();
  let now = start;
  for (;;) {
    const count = fill(batch, lanes, due, () => work.next(now - start) && work);
    if (count === 0) return;
    const before = performance.now();
    batch.runSync(count);
    now = performance.now();
    for (let entry = 0; entry < count; entry += 1) {
      refuse(batch, entry);
      const asked = batch.bcount[entry] ?? 0;
      if (batch.op[entry] === BATCH_FLUSH) tally.sync.record((now - before) * 1e6);
      else tally.done(batch.op[entry] === BATCH_WRITE, asked, asked - (batch.resid[entry] ?? 0), now - before);
    }
  }
}

interface Request {
  write: boolean;
  position: number;
  length: number;
}

/** Fills in a request for each lane and the flushes between them; gives the number of entries. */
function fill(batch: Batch, lanes: readonly Lane[], due: SyncDue, next: () => Request | false): number {
  let count = 0;
  for (const lane of lanes) {
    const request = next();
    if (request === false) break;
    batch.op[count] = request.write ? BATCH_WRITE : BATCH_READ;
    batch.blkno[count] = request.position / SECTOR;
    batch.bcount[count] = request.length;
    batch.offset[count] = lane.read.byteOffset - batch.arena.byteOffset;
    count += 1;
    if (!due.after(request.write)) continue;
    batch.op[count] = BATCH_FLUSH;
    batch.bcount[count] = 0;
    count += 1;
  }
  return count;
}

function refuse(batch: Batch, entry: number): void {
  const errno = batch.error[entry] ?? 0;
  if (errno !== 0) throw new BlockDeviceError({ errno, syscall: 'strategy', blkno: batch.blkno[entry] ?? 0 });
}
