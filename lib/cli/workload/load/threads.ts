// Runs the threads of a group: all open their files, then all begin at once.
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { GATE, type ThreadMessage, type ThreadPlan } from './protocol.js';
import { LIVE } from './tally.js';

export type ThreadDone = Extract<ThreadMessage, { kind: 'done' }>;

/** A thread to run: its plan without what all share. */
export type ThreadOrder = Omit<ThreadPlan, 'gate' | 'live'>;

export interface RunningThreads {
  /** Counts of each thread, as they grow. */
  live: Float64Array[];
  /** Settles when all threads have ended. */
  done: Promise<ThreadDone[]>;
}

/** Settles when all threads have begun. Threads that could not open their file end at once, and then none of the others works. */
export async function startThreads(orders: readonly ThreadOrder[]): Promise<RunningThreads> {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const live = orders.map(() => new Float64Array(new SharedArrayBuffer(8 * LIVE.length)));
  const threads = orders.map((order, index) => startThread({ ...order, gate, live: live[index] ?? new Float64Array(LIVE.length) }));
  const ready = await Promise.all(threads.map((thread) => thread.ready));
  Atomics.store(gate, 0, ready.every(Boolean) ? GATE.open : GATE.cancelled);
  Atomics.notify(gate, 0);
  return { live, done: Promise.all(threads.map((thread) => thread.done)) };
}

interface Thread {
  /** False when it has failed before it was ready. */
  ready: Promise<boolean>;
  done: Promise<ThreadDone>;
}

function startThread(plan: ThreadPlan): Thread {
  const worker = new Worker(path.join(__dirname, 'worker.js'), { workerData: plan });
  let setReady: (ready: boolean) => void = () => undefined;
  const ready = new Promise<boolean>((resolve) => (setReady = resolve));
  const done = new Promise<ThreadDone>((resolve, reject) => {
    worker.on('message', (message: ThreadMessage) => {
      setReady(message.kind === 'ready');
      if (message.kind === 'done') resolve(message);
    });
    worker.on('error', reject);
    worker.on('exit', (status) => reject(new Error(`a worker thread ended with status ${status} before its work`)));
  });
  done.catch(() => setReady(false)); // whoever waits for `done` hears of it
  return { ready, done };
}
