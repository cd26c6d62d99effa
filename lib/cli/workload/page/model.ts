// What the page shows: for each job its reads, its writes and its syncs, and in each of them the engines.
import type { EngineName } from '../engine.js';
import type { Latency } from '../result/latency.js';
import { bandwidth, DIRECTIONS, iops, merge, type JobResult, type Outcome } from '../result/outcome.js';
import type { Job } from '../job/job.js';

export interface Series {
  engine: EngineName;
  perSecond: number;
  /** Not of syncs. */
  bytesPerSecond?: number;
  latency: Latency;
}

export interface Panel {
  title: 'Reads' | 'Writes' | 'Syncs';
  unit: 'IOPS' | 'syncs/s';
  series: Series[];
}

export interface JobView {
  job: Job;
  panels: Panel[];
  failures: string[];
}

/** Results of one job on several engines stand together. */
export function viewsOf(results: readonly JobResult[]): JobView[] {
  const jobs = [...new Set(results.map(({ job }) => job))];
  return jobs.map((job) =>
    viewOf(
      job,
      results.filter((result) => result.job === job),
    ),
  );
}

function viewOf(job: Job, results: readonly JobResult[]): JobView {
  const merged = results.map(({ engine, threads }) => ({ engine, all: merge(threads) }));
  const panels: Panel[] = DIRECTIONS.map((direction) => ({
    title: direction === 'read' ? 'Reads' : 'Writes',
    unit: 'IOPS',
    series: merged.map(({ engine, all }) => ({
      engine,
      perSecond: iops(all, direction),
      bytesPerSecond: bandwidth(all, direction),
      latency: all[direction].latency,
    })),
  }));
  panels.push({
    title: 'Syncs',
    unit: 'syncs/s',
    series: merged.map(({ engine, all }) => ({ engine, perSecond: syncs(all), latency: all.sync })),
  });
  const used = panels.map((panel) => ({ ...panel, series: panel.series.filter(({ latency }) => latency.count > 0) }));
  const failures = results.flatMap(({ engine, failures }) => failures.map((why) => `${engine}: ${why}`));
  return { job, panels: used.filter(({ series }) => series.length > 0), failures };
}

function syncs(all: Outcome): number {
  return all.milliseconds === 0 ? 0 : (all.sync.count / all.milliseconds) * 1000;
}
