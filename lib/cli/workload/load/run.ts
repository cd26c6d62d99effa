// Runs jobs: group after group, and each group on one engine after the other, every time from the same state of the page cache.
import type { ChildProcess } from 'node:child_process';
import { setImmediate } from 'node:timers/promises';
import type { OpenOptions } from '../../../index.js';
import { note } from '../../support/report.js';
import { mediumKind } from '../../support/source.js';
import { formatBytes, formatCount } from '../../support/units.js';
import { groupsOf, type Job } from '../job/job.js';
import type { LiveProgress } from '../live.js';
import type { JobResult } from '../result/outcome.js';
import { formatRate } from '../result/table.js';
import { dropCache } from './cache.js';
import type { EngineName } from '../engine.js';
import { runFio } from './fio.js';
import { runOwn, type PlannedJob } from './run-own.js';
import type { Snapshot } from './sampler.js';
import type { Targets } from './targets.js';
import { bytesOf } from './work.js';

export interface RunOptions {
  engines: readonly EngineName[];
  access: NonNullable<OpenOptions['access']>;
  /** Where fio is, for the engine fio. */
  fio: string | undefined;
  progress: LiveProgress;
  /** Gets the process of fio, so that a signal can end it. */
  started: (child: ChildProcess) => void;
}

/** Runs everything. Results come in the order of the jobs, and for each job in that of the engines. */
export async function runJobs(jobs: readonly Job[], targets: Targets, options: RunOptions): Promise<JobResult[]> {
  const groups = groupsOf(jobs).map((group, index) => group.map((job): PlannedJob => ({ job, targets: targets.plan(job), group: index })));
  await prepare(targets, options.progress);
  const results: JobResult[] = [];
  const remarks = new Set<string>();
  for (const group of groups) {
    const byEngine: JobResult[][] = [];
    for (const engine of options.engines) {
      for (const remark of settle(group)) remarks.add(remark);
      byEngine.push(await runGroup(group, engine, options));
    }
    for (const index of group.keys()) results.push(...byEngine.flatMap((own) => own[index] ?? []));
  }
  for (const remark of remarks) note(remark);
  return results;
}

async function prepare(targets: Targets, progress: LiveProgress): Promise<void> {
  const bytes = targets.bytesToMake;
  if (bytes > 0) progress.start(`making ${formatBytes(bytes)} of files`);
  let pieces = 0;
  await targets.prepare(async () => {
    pieces += 1;
    progress.update((pieces * 2 ** 20) / bytes, '');
    await setImmediate(); // signals are seen
  });
  progress.stop();
}

function settle(group: readonly PlannedJob[]): string[] {
  const dropped = group
    .filter(({ job }) => job.invalidate)
    .flatMap(({ targets }) => targets.map(({ path }) => path))
    .filter((path) => mediumKind(path) === undefined);
  return [...new Set(dropped)].flatMap((path) => dropCache(path) ?? []);
}

async function runGroup(group: readonly PlannedJob[], engine: EngineName, options: RunOptions): Promise<JobResult[]> {
  const { progress, access, fio, started } = options;
  progress.start(`${group.map(({ job }) => job.name).join(' + ')}  ${engine}`);
  const bytes = totalBytes(group);
  const seconds = Math.max(...group.map(({ job }) => job.runtime ?? Infinity));
  const start = performance.now();
  const fraction = (done: number): number => Math.max(done / bytes, (performance.now() - start) / 1000 / seconds);
  let last: Snapshot = { ios: 0, bytes: 0 };
  let lastTime = start;
  const look = (now: Snapshot): void => {
    const elapsed = performance.now() - lastTime;
    const each = ((now.ios - last.ios) / elapsed) * 1000;
    const rate = ((now.bytes - last.bytes) / elapsed) * 1000;
    progress.update(fraction(now.bytes), `${formatCount(Math.round(each))} IOPS  ${formatRate(rate)} MiB/s`);
    [last, lastTime] = [now, performance.now()];
  };
  const ticking = engine === 'fio' ? setInterval(() => progress.update(fraction(0), ''), 200) : undefined;
  try {
    if (engine !== 'fio') return await runOwn(group, engine, access, look);
    if (fio === undefined) throw new Error('fio is not installed');
    return await runFio(fio, group, started);
  } finally {
    clearInterval(ticking);
    progress.stop();
  }
}

/** What a group moves in all; infinite where only time ends it. */
function totalBytes(group: readonly PlannedJob[]): number {
  return group.reduce((sum, { job, targets }) => sum + targets.reduce((part, { region }) => part + bytesOf(job, region), 0), 0);
}
