// Runs a group of jobs on an engine of ours or of node:fs.
import { setTimeout } from 'node:timers/promises';
import type { OpenOptions } from '../../../index.js';
import { Latency } from '../result/latency.js';
import type { JobResult, Outcome, Side, Usage } from '../result/outcome.js';
import type { Job } from '../job/job.js';
import type { OwnEngine } from '../engine.js';
import { Sampler, type Snapshot, type ThreadSamples } from './sampler.js';
import type { SideData } from './tally.js';
import type { Target } from './targets.js';
import { startThreads, type ThreadDone } from './threads.js';

const LOOK_MS = 100;

/** A job with the file of each of its threads. */
export interface PlannedJob {
  job: Job;
  targets: Target[];
  group: number;
}

/** `look` is called about ten times a second with what all threads have done. */
export async function runOwn(
  jobs: readonly PlannedJob[],
  engine: OwnEngine,
  access: NonNullable<OpenOptions['access']>,
  look: (snapshot: Snapshot) => void,
): Promise<JobResult[]> {
  const orders = jobs.flatMap(({ job, targets }) =>
    targets.map(({ path, region }, thread) => ({ job, engine, access, path, region, seed: (job.randseed + thread) >>> 0 })),
  );
  const running = await startThreads(orders);
  const before = process.resourceUsage();
  const sampler = new Sampler(running.live);
  const done = await watch(running.done, () => look(sampler.look()));
  const usage = shareOf(before, process.resourceUsage(), orders.length);
  const outcomes = done.map((thread, index) => outcomeOf(thread, sampler.samples[index] ?? { read: [], write: [] }, usage));
  let next = 0;
  return jobs.map(({ job, targets, group }) => {
    const from = next;
    next += targets.length;
    const failures = done.slice(from, next).flatMap(({ failure }) => (failure === undefined ? [] : [failure.message]));
    return { job, engine, group, threads: outcomes.slice(from, next), failures: [...new Set(failures)] };
  });
}

/** Waits for `work` and calls `look` meanwhile. */
async function watch<T>(work: Promise<T>, look: () => void): Promise<T> {
  const ended = new AbortController();
  const finish = work.finally(() => ended.abort());
  const looking = (async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await setTimeout(LOOK_MS, undefined, { signal: ended.signal }).catch(() => undefined); // aborted when the work has ended
      look();
    }
  })();
  const [result] = await Promise.all([finish, looking]);
  return result;
}

function outcomeOf(done: ThreadDone, samples: ThreadSamples, usage: Usage): Outcome {
  const side = ({ bytes, short, latency }: SideData): Side => ({ bytes, short, latency: Latency.from(latency) });
  return {
    milliseconds: done.milliseconds,
    read: side(done.tally.read),
    write: side(done.tally.write),
    sync: Latency.from(done.tally.sync),
    samples,
    usage,
    error: done.failure?.errno ?? 0,
  };
}

function shareOf(before: NodeJS.ResourceUsage, after: NodeJS.ResourceUsage, threads: number): Usage {
  const share = (pick: (usage: NodeJS.ResourceUsage) => number): number => (pick(after) - pick(before)) / threads;
  return {
    userSeconds: share(({ userCPUTime }) => userCPUTime) / 1e6,
    systemSeconds: share(({ systemCPUTime }) => systemCPUTime) / 1e6,
    contextSwitches: share(
      ({ voluntaryContextSwitches, involuntaryContextSwitches }) => voluntaryContextSwitches + involuntaryContextSwitches,
    ),
    majorFaults: share(({ majorPageFault }) => majorPageFault),
    minorFaults: share(({ minorPageFault }) => minorPageFault),
  };
}
