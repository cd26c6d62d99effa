// The table of results on the terminal: a row for each job, engine and direction.
import { table } from '../../support/report.js';
import { formatCount, formatTime } from '../../support/units.js';
import type { Latency } from './latency.js';
import { bandwidth, DIRECTIONS, iops, merge, type JobResult } from './outcome.js';

/** Percentiles that are shown. */
export const SHOWN = [50, 95, 99, 99.9, 99.99];

const COLUMNS = ['job', 'engine', '', '>IOPS', '>MiB/s', '>mean', ...SHOWN.map((percent) => `>p${percent}`), '>max'];

export function renderResults(results: readonly JobResult[]): string {
  const rows = results.flatMap((result) => {
    const all = merge(result.threads);
    const used = DIRECTIONS.filter((direction) => all[direction].latency.count > 0);
    const name = [result.job.name, result.engine];
    const sides = used.map((direction) => [
      ...name,
      direction,
      formatCount(Math.round(iops(all, direction))),
      formatRate(bandwidth(all, direction)),
      ...times(all[direction].latency),
    ]);
    const syncs =
      all.sync.count === 0
        ? []
        : [[...name, 'sync', formatCount(Math.round(perSecond(all.sync.count, all.milliseconds))), '', ...times(all.sync)]];
    return sides.length + syncs.length > 0 ? [...sides, ...syncs] : [[...name, 'nothing done']];
  });
  return table(COLUMNS, rows);
}

function times(latency: Latency): string[] {
  return [latency.mean, ...SHOWN.map((percent) => latency.percentile(percent)), latency.max].map((value) => formatTime(value));
}

function perSecond(count: number, milliseconds: number): number {
  return milliseconds === 0 ? 0 : (count / milliseconds) * 1000;
}

/** MiB a second: whole from 100 on, else with a decimal. */
export function formatRate(bytesPerSecond: number): string {
  const rate = bytesPerSecond / 1024 ** 2;
  return rate >= 100 ? formatCount(Math.round(rate)) : rate.toFixed(1);
}
