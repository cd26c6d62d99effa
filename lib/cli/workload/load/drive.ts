// Drives an engine through its work: one loop for each shape of calls. The clock is read right before and right after a request.
import type { Calls, Lane, OpenEngine } from './calls.js';
import { driveBatch } from './drive-batch.js';
import { driveCallback } from './drive-callback.js';
import { SyncDue, type Drive } from './drive-plan.js';

/** Does all of the work. A request that fails ends it, when those in flight have come back. */
export function drive({ calls, lanes }: OpenEngine, plan: Drive): Promise<void> {
  switch (calls.shape) {
    case 'sync':
      return driveSync(calls, lanes, plan);
    case 'promise':
      return drivePromise(calls, lanes, plan);
    case 'callback':
      return driveCallback(calls, lanes, plan);
    case 'batch':
      return driveBatch(calls.batch, lanes, plan);
  }
}

type Shape<S extends Calls['shape']> = Extract<Calls, { shape: S }>;

// Async for its type alone: a failure is a rejection, as in the other shapes.
// eslint-disable-next-line @typescript-eslint/require-await
async function driveSync(calls: Shape<'sync'>, [lane]: readonly Lane[], { work, tally, syncEvery }: Drive): Promise<void> {
  if (lane === undefined) return;
  const due = new SyncDue(syncEvery);
  const start = performance.now();
  let now = start;
  while (work.next(now - start)) {
    const { write, position, length } = work;
    const before = performance.now();
    const moved = write ? calls.write(lane.write, position) : calls.read(lane.read, position);
    now = performance.now();
    tally.done(write, length, moved, now - before);
    if (!due.after(write)) continue;
    const synced = performance.now();
    calls.sync();
    now = performance.now();
    tally.sync.record((now - synced) * 1e6);
  }
}

async function drivePromise(calls: Shape<'promise'>, lanes: readonly Lane[], { work, tally, syncEvery }: Drive): Promise<void> {
  const due = new SyncDue(syncEvery);
  const start = performance.now();
  let failed = false;
  const runLane = async (lane: Lane): Promise<void> => {
    while (!failed && work.next(performance.now() - start)) {
      const { write, position, length } = work;
      const before = performance.now();
      const moved = await (write ? calls.write(lane.write, position) : calls.read(lane.read, position));
      tally.done(write, length, moved, performance.now() - before);
      if (!due.after(write)) continue;
      const synced = performance.now();
      await calls.sync();
      tally.sync.record((performance.now() - synced) * 1e6);
    }
  };
  const results = await Promise.allSettled(
    lanes.map((lane) =>
      runLane(lane).catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
