// A worker thread of a job: opens the file, waits until all threads of the group are ready, does its work, sends what it counted.
import { parentPort, workerData } from 'node:worker_threads';
import { failureLines } from '../../support/failure.js';
import { useAndClose } from '../../support/scope.js';
import { drive } from './drive.js';
import { openEngine } from './engines.js';
import { GATE, type ThreadFailure, type ThreadMessage, type ThreadPlan } from './protocol.js';
import { Tally } from './tally.js';
import { Work } from './work.js';

function failureOf(error: unknown): ThreadFailure {
  const { errno } = error as { errno?: unknown };
  return { errno: typeof errno === 'number' ? Math.abs(errno) : 5, message: failureLines(error).join('; ') };
}

/** Opens and works. A failure ends the work, not the report of it. */
async function work({ job, engine, access, path, region, seed, gate, live }: ThreadPlan): Promise<ThreadMessage> {
  const tally = new Tally(live);
  let milliseconds = 0;
  const done = (failure?: ThreadFailure): ThreadMessage => ({
    kind: 'done',
    milliseconds,
    tally: tally.toData(),
    ...(failure === undefined ? {} : { failure }),
  });
  try {
    const opened = await openEngine(engine, path, job, access, seed);
    await useAndClose(opened, async () => {
      const plan = { work: new Work(job, region, seed), tally, syncEvery: job.fsync === 0 ? job.fdatasync : job.fsync };
      parentPort?.postMessage({ kind: 'ready' } satisfies ThreadMessage);
      Atomics.wait(gate, 0, GATE.closed);
      if (Atomics.load(gate, 0) !== GATE.open) return;
      const start = performance.now();
      try {
        await drive(opened, plan);
      } finally {
        milliseconds = performance.now() - start;
      }
    });
    return done();
  } catch (error) {
    return done(failureOf(error));
  }
}

if (parentPort !== null) void work(workerData as ThreadPlan).then((message) => parentPort?.postMessage(message));
