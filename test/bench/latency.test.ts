// rumpblk bench: the histogram against latencies that strace makes.
import { describe, expect } from '@jest/globals';
import { documentOf, start, TOOL } from '../support/cli';
import { testWith } from '../support/peers';
import { KiB, pattern, rig } from '../support/rig';
import { STRACE } from '../support/strace';

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
    'every tenth request delayed: the percentiles split between 90 and 95',
    async () => {
      const { clat_ns, latency_ms } = await measure(engine, ':when=10+10');
      const { percentile, max, mean } = clat_ns;
      expect(percentile['80.000000']).toBeLessThan(DELAY * 1e6);
      expect(percentile['95.000000']).toBeGreaterThanOrEqual(DELAY * 1e6);
      expect(max).toBeGreaterThanOrEqual(DELAY * 1e6);
      expect(mean).toBeGreaterThanOrEqual((DELAY * 1e6) / 10);
      const slow = ['50', '100', '250', '500', '750', '1000'].reduce((sum, step) => sum + Number(latency_ms[step]), 0);
      expect(slow).toBeGreaterThanOrEqual(10);
      expect(slow).toBeLessThan(20);
    },
    60_000,
  );

  testWith(...STRACE)(
    'every request delayed: none is shorter, and there are no more of them than the delay lets through',
    async () => {
      const { clat_ns, iops } = await measure(engine, '');
      expect(clat_ns.min).toBeGreaterThanOrEqual(DELAY * 1e6);
      expect(clat_ns.percentile['1.000000']).toBeGreaterThanOrEqual(DELAY * 1e6);
      expect(iops).toBeLessThanOrEqual(1000 / DELAY);
      expect(iops * (clat_ns.mean / 1e9)).toBeGreaterThan(0.9);
      expect(iops * (clat_ns.mean / 1e9)).toBeLessThanOrEqual(1);
    },
    60_000,
  );
});
