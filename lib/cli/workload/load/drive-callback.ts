// The loop for callbacks: each lane issues its next request from the callback of the last one.
import type { Calls, Lane } from './calls.js';
import { SyncDue, type Drive } from './drive-plan.js';

type CallbackCalls = Extract<Calls, { shape: 'callback' }>;

export function driveCallback(calls: CallbackCalls, lanes: readonly Lane[], { work, tally, syncEvery }: Drive): Promise<void> {
  const due = new SyncDue(syncEvery);
  const start = performance.now();
  return new Promise((resolve, reject) => {
    let active = lanes.length;
    let failure: Error | undefined;
    const end = (error?: Error): void => {
      failure ??= error;
      active -= 1;
      if (active > 0) return;
      if (failure === undefined) resolve();
      else reject(failure);
    };
    const sync = (lane: Lane): void => {
      const before = performance.now();
      calls.sync((error) => {
        if (error !== null) return end(error);
        tally.sync.record((performance.now() - before) * 1e6);
        issue(lane);
      });
    };
    const issue = (lane: Lane): void => {
      if (failure !== undefined || !work.next(performance.now() - start)) return end();
      const { write, position, length } = work;
      const before = performance.now();
      const done = (error: Error | null, moved: number): void => {
        if (error !== null) return end(error);
        tally.done(write, length, moved, performance.now() - before);
        if (due.after(write)) sync(lane);
        else issue(lane);
      };
      if (write) calls.write(lane.write, position, done);
      else calls.read(lane.read, position, done);
    };
    for (const lane of lanes) issue(lane);
  });
}
