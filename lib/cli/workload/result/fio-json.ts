// The report of `--json`: the document that fio 3.33 prints for `--output-format=json`, key by key. Two keys are ours: `rumpblk`
// beside the version, and `engine` in each job. `disk_util` is left out, and `slat_ns` is all zeros: submission is not timed apart.
import { isSerial } from '../engine.js';
import type { Given } from '../job/file.js';
import type { Latency } from './latency.js';
import { bandwidth, DIRECTIONS, iops, merge, type Direction, type JobResult, type Outcome, type Sample } from './outcome.js';

/** fio's list. */
const PERCENTILES = [1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99];

const LATENCY_STEPS = [2, 4, 10, 20, 50, 100, 250, 500, 750, 1000];
const DEPTHS = [1, 2, 4, 8, 16, 32];
const SUBMITS = [0, 4, 8, 16, 32, 64];

export function fioReport(results: readonly JobResult[], global: Given, version: string, started: Date): object {
  return {
    'fio version': `rumpblk-${version}`,
    timestamp: Math.floor(started.getTime() / 1000),
    timestamp_ms: started.getTime(),
    time: started
      .toString()
      .replace(/ GMT.*$/, '')
      .replace(/^(\w+ \w+ \d+) (\d+) (.*)$/, '$1 $3 $2'),
    'global options': global,
    rumpblk: version,
    jobs: results.flatMap((result) => entriesOf(result)),
  };
}

function entriesOf(result: JobResult): object[] {
  if (result.fio !== undefined) return result.fio.map((entry) => ({ engine: 'fio', ...withoutBins(entry) }));
  const outcomes = result.job.groupReporting ? [merge(result.threads)] : result.threads;
  return outcomes.map((outcome) => ({ engine: result.engine, ...entry(result, outcome) }));
}

/** What `json` leaves out of `json+`. */
function withoutBins(entry: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(entry, (key, value: unknown) => (key === 'bins' ? undefined : value))) as Record<string, unknown>;
}

function entry({ job, engine, group }: JobResult, outcome: Outcome): object {
  const seconds = outcome.milliseconds / 1000;
  const share = (spent: number): number => (seconds === 0 ? 0 : (spent / seconds) * 100);
  const depth = isSerial(engine) ? 1 : job.iodepth;
  const submitted = engine === 'batch' ? depth : 1;
  return {
    jobname: job.name,
    groupid: group,
    error: outcome.error,
    eta: 0,
    elapsed: Math.ceil(seconds),
    'job options': job.given,
    read: direction(outcome, 'read'),
    write: direction(outcome, 'write'),
    trim: NO_TRIM,
    sync: { total_ios: outcome.sync.count, lat_ns: { ...spread(outcome.sync), ...percentiles(outcome.sync) } },
    job_runtime: Math.round(outcome.milliseconds),
    usr_cpu: share(outcome.usage.userSeconds),
    sys_cpu: share(outcome.usage.systemSeconds),
    ctx: Math.round(outcome.usage.contextSwitches),
    majf: Math.round(outcome.usage.majorFaults),
    minf: Math.round(outcome.usage.minorFaults),
    iodepth_level: oneOf(DEPTHS, '>=64', depth < 64 ? Math.max(...DEPTHS.filter((level) => level <= depth)) : undefined),
    iodepth_submit: oneOf(
      SUBMITS,
      '>=64',
      SUBMITS.slice(1).find((level) => submitted <= level && submitted < 64),
    ),
    iodepth_complete: oneOf(
      SUBMITS,
      '>=64',
      SUBMITS.slice(1).find((level) => submitted <= level && submitted < 64),
    ),
    ...latencyShares(outcome),
    latency_depth: depth,
    latency_target: 0,
    latency_percentile: 100,
    latency_window: 0,
  };
}

/** 100 % at one level, the last one when it is none of the others. */
function oneOf(levels: readonly number[], last: string, level: number | undefined): object {
  return Object.fromEntries([
    ...levels.map((each): [string, number] => [String(each), each === level ? 100 : 0]),
    [last, level === undefined ? 100 : 0],
  ]);
}

function direction(outcome: Outcome, name: Direction): object {
  const { bytes, short, latency } = outcome[name];
  const perSecond = bandwidth(outcome, name);
  return {
    io_bytes: bytes,
    io_kbytes: Math.floor(bytes / 1024),
    bw_bytes: Math.round(perSecond),
    bw: Math.round(perSecond / 1024),
    iops: iops(outcome, name),
    runtime: latency.count === 0 ? 0 : Math.round(outcome.milliseconds),
    total_ios: latency.count,
    short_ios: short,
    drop_ios: 0,
    slat_ns: NO_LATENCY,
    clat_ns: { ...spread(latency), ...percentiles(latency) },
    lat_ns: spread(latency),
    ...sampled(outcome.samples[name], perSecond),
  };
}

function spread(latency: Latency): object {
  return { min: latency.min, max: latency.max, mean: latency.mean, stddev: latency.deviation, N: latency.count };
}

/** Only of what happened at all, as in fio. */
function percentiles(latency: Latency): object {
  if (latency.count === 0) return {};
  return { percentile: Object.fromEntries(PERCENTILES.map((percent) => [percent.toFixed(6), latency.percentile(percent)])) };
}

interface Figures {
  min: number;
  max: number;
  mean: number;
  deviation: number;
}

function figures(values: readonly number[]): Figures {
  if (values.length === 0) return { min: 0, max: 0, mean: 0, deviation: 0 };
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return { min: Math.min(...values), max: Math.max(...values), mean, deviation };
}

/** Bandwidth in KiB and requests a second, over the samples of half a second. */
function sampled(samples: readonly Sample[], perSecond: number): object {
  const used = samples.some(({ ios }) => ios > 0) ? samples : [];
  const bw = figures(used.map(({ bytes, seconds }) => bytes / 1024 / seconds));
  const rate = figures(used.map(({ ios, seconds }) => ios / seconds));
  return {
    bw_min: Math.round(bw.min),
    bw_max: Math.round(bw.max),
    bw_agg: perSecond === 0 ? 0 : Math.min(100, (bw.mean / (perSecond / 1024)) * 100),
    bw_mean: bw.mean,
    bw_dev: bw.deviation,
    bw_samples: used.length,
    iops_min: Math.round(rate.min),
    iops_max: Math.round(rate.max),
    iops_mean: rate.mean,
    iops_stddev: rate.deviation,
    iops_samples: used.length,
  };
}

const NO_LATENCY = { min: 0, max: 0, mean: 0, stddev: 0, N: 0 };
const NO_TRIM = {
  io_bytes: 0,
  io_kbytes: 0,
  bw_bytes: 0,
  bw: 0,
  iops: 0,
  runtime: 0,
  total_ios: 0,
  short_ios: 0,
  drop_ios: 0,
  slat_ns: NO_LATENCY,
  clat_ns: NO_LATENCY,
  lat_ns: NO_LATENCY,
  ...sampled([], 0),
};

/** Shares of all requests by latency: up to 1 µs in `latency_ns`, up to 1 ms in `latency_us`, the rest in `latency_ms`. */
function latencyShares(outcome: Outcome): object {
  const units = [1, 1e3, 1e6].map((unit) => LATENCY_STEPS.map((step) => step * unit));
  const limits = [...units.flat(), 2e9];
  const total = DIRECTIONS.reduce((sum, name) => sum + outcome[name].latency.count, 0);
  const counts = limits.map(() => 0);
  let slow = 0;
  for (const name of DIRECTIONS) {
    const parts = outcome[name].latency.distribution(limits);
    slow += parts.pop() ?? 0;
    for (const [index, part] of parts.entries()) counts[index] = (counts[index] ?? 0) + part;
  }
  const share = (count: number): number => (total === 0 ? 0 : (count / total) * 100);
  const steps = (from: number): [string, number][] => LATENCY_STEPS.map((step, index) => [String(step), share(counts[from + index] ?? 0)]);
  const size = LATENCY_STEPS.length;
  return {
    latency_ns: Object.fromEntries(steps(0)),
    latency_us: Object.fromEntries(steps(size)),
    latency_ms: Object.fromEntries([...steps(2 * size), ['2000', share(counts[3 * size] ?? 0)], ['>=2000', share(slow)]]),
  };
}
