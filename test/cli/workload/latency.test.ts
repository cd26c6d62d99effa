// rumpblk bench: the histogram against latencies that strace makes.
import { describe, expect } from '@jest/globals';
import { documentOf, start, TOOL } from '../../support/cli';
import { testWith } from '../../support/peers';
import { KiB, pattern, rig } from '../../support/rig';
import { STRACE } from '../../support/strace';

const bench = rig();
const REQUESTS = 200;
const DELAY = 20; // milliseconds

/** Reads `REQUESTS` blocks with these preads of the file delayed, as strace counts them for each thread. */
async function measure(engine: string, when: string): Promise<any> {
  const file = bench.image(pattern(REQUESTS * 4 * KiB));
  const inject = ['-P', file, '-e', 'trace=pread64', '-e', `inject=pread64:delay_enter=${DELAY * 1000}${when}`];
  const tool = [process.execPath, TOOL, 'bench', file, '--rw', 'randread', '--loops', '1', '--engine', engine, '--access', 'pio', '--json'];
  const finished = await start('strace', ['-f', '-qq', '-o', '/dev/null', ...inject, ...tool]);
  expect(finished).toMatchObject({ status: 0, stderr: '' });
  const [{ read, latency_ms }] = documentOf(finished).jobs;
  expect(read.total_ios).toBe(REQUESTS);
  return { ...read, latency_ms };
}

describe.each(['sync', 'fs-sync'])('the engine %s', (engine) => {
  testWith(...STRACE)(
    'every tenth request delayed: a tenth of the histogram is that slow, and the percentiles say so',
    async () => {
      const { clat_ns, latency_ms } = await measure(engine, ':when=10+10');
      const { percentile, max, mean, min } = clat_ns;
      // A loaded machine delays more of them, and never all.
      expect(min).toBeLessThan(DELAY * 1e6);
      expect(percentile['95.000000']).toBeGreaterThanOrEqual(DELAY * 1e6);
      expect(max).toBeGreaterThanOrEqual(DELAY * 1e6);
      expect(mean).toBeGreaterThanOrEqual((DELAY * 1e6) / 10);
      const slow = ['50', '100', '250', '500', '750', '1000', '2000', '>=2000'].reduce(
        (sum, step) => sum + Number(latency_ms[step] ?? 0),
        0,
      );
      expect(slow).toBeGreaterThanOrEqual(10);
      // The histogram and the percentiles are of the same requests.
      for (const step of ['1', '10', '50', '80'])
        expect([step, percentile[`${step}.000000`] < DELAY * 1e6]).toEqual([step, Number(step) <= 100 - slow]);
    },
    60_000,
  );

  testWith(...STRACE)(
    'every request delayed: none is shorter, and there are no more of them than the delay lets through',
    async () => {
      const { clat_ns, iops, runtime } = await measure(engine, '');
      expect(clat_ns.min).toBeGreaterThanOrEqual(DELAY * 1e6);
      expect(clat_ns.percentile['1.000000']).toBeGreaterThanOrEqual(DELAY * 1e6);
      expect(iops).toBeLessThanOrEqual(1000 / DELAY);
      expect(iops / (REQUESTS / (runtime / 1000))).toBeCloseTo(1, 2);
      expect(iops * (clat_ns.mean / 1e9)).toBeLessThanOrEqual(1);
    },
    60_000,
  );
});
