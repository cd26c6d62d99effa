// A mixed load of four worker threads over four images: right bytes, and nothing that grows, memory, descriptors or the delay
// of the event loops. RUMPBLK_SOAK_SECONDS makes it longer: `npm run test:soak` is ten minutes.
import { expect, test } from '@jest/globals';
import { seedOf } from '../support/chance';
import { startChild } from '../support/child';
import { compiled } from '../support/compiled';
import { KiB, MiB, rig } from '../support/rig';
import type { SoakReport, Soaked } from '../support/soaker';

const bench = rig();
const THREADS = 4;
const PART = MiB;
const SECONDS = Number(process.env['RUMPBLK_SOAK_SECONDS'] ?? 12);
const SEED = seedOf('SOAK');
const EVERY = Math.max(0.5, Math.min(5, SECONDS / 24));

interface Sample {
  rss: number;
  anonymous: number;
  descriptors: number;
  /** Null for a thread that has not told anything yet. */
  reports: (SoakReport | null)[];
}

/**
 * Starts the threads, and reports what the process takes now and then. Young generations are small and stay so: what V8 lets its
 * heaps grow by in the first minutes would hide what leaks.
 */
const MAIN = `
  const { Worker } = require('node:worker_threads');
  const kib = (name) => Number(new RegExp('^' + name + ':\\\\s+(\\\\d+)', 'm').exec(fs.readFileSync('/proc/self/status', 'latin1'))[1]);
  const latest = args.threads.map(() => undefined);
  const sample = () => report({ rss: kib('VmRSS') / 1024, anonymous: kib('RssAnon') / 1024, descriptors: fs.readdirSync('/proc/self/fd').length, reports: latest });
  sample();
  const timer = setInterval(sample, args.every * 1000);
  await Promise.all(args.threads.map((workerData, i) => new Promise((resolve, reject) => {
    const worker = new Worker(args.code, { eval: true, workerData, resourceLimits: { maxYoungGenerationSizeMb: 4 } });
    worker.on('message', (given) => { latest[i] = given; });
    worker.on('error', reject);
    worker.on('exit', resolve);
  })));
  clearInterval(timer);
  sample();`;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** The median of the second quarter, when all is warm, and of the last one. */
function drift(samples: readonly Sample[], of: (sample: Sample) => number): [early: number, late: number] {
  const quarter = Math.floor(samples.length / 4);
  return [median(samples.slice(quarter, 2 * quarter).map(of)), median(samples.slice(-quarter).map(of))];
}

test(
  'hours of mixed load, in short: verified content, flat memory and descriptors, event loops that stay quick',
  async () => {
    process.stderr.write(`soak: RUMPBLK_SOAK_SEED=${SEED}\n`);
    const lock = false; // each thread has drivers of its own
    const images: Omit<Soaked['images'][number], 'offset'>[] = [
      { file: bench.sparse(THREADS * PART), size: PART, open: { mode: 'r+', access: 'auto', lock } },
      {
        file: bench.sparse(THREADS * PART),
        size: PART,
        open: { mode: 'r+', access: 'mmap', lock },
        driver: { windowSize: 64 * KiB, windowCount: 4 },
      },
      { file: bench.sparse(THREADS * PART), size: PART, open: { mode: 'r+', access: 'pio', lock } },
      {
        file: bench.sparse(THREADS * PART),
        size: PART,
        open: { mode: 'r+', access: 'auto', raw: true, cache: 'writeback', lock },
        driver: { windowSize: 64 * KiB, windowCount: 4 },
      },
    ];
    const threads = Array.from({ length: THREADS }, (_, i): Soaked => ({
      ...{ seed: SEED + i, seconds: SECONDS, every: EVERY },
      images: images.map((image) => ({ ...image, offset: i * PART })),
    }));
    const child = startChild(MAIN, {
      args: { code: compiled('soaker.ts'), threads, every: EVERY },
      nodeFlags: ['--expose-gc', '--max-semi-space-size=2'],
    });
    child.tell('');
    const { code, signal, stderr, reports } = await child.ended;
    const samples = reports as Sample[];
    const last = samples.at(-1)!;
    const why = last.reports.flatMap((report) => report?.why ?? []).join('\n');
    if (code !== 0 || why) throw new Error(`RUMPBLK_SOAK_SEED=${SEED}: ended with ${signal ?? code}: ${stderr}\n${why}`);
    expect(last.reports.map((report) => report?.done)).toEqual(Array(THREADS).fill(true));

    const busy = samples.slice(1, -1).filter((sample) => sample.reports.every(Boolean));
    const memory = drift(busy, ({ anonymous }) => anonymous);
    const resident = drift(busy, ({ rss }) => rss);
    const descriptors = drift(busy, (sample) => sample.descriptors);
    const delay = drift(busy, (sample) => Math.max(...sample.reports.map((report) => report?.delay ?? 0)));
    const total = (of: (report: SoakReport) => number): number =>
      last.reports.reduce((sum, report) => sum + (report === null ? 0 : of(report)), 0);
    const shown = ([early, late]: [number, number]): string => `${early.toFixed(1)} -> ${late.toFixed(1)}`;
    process.stderr.write(
      `soak: ${SECONDS} s, ${total(({ requests }) => requests)} requests, ${(total(({ bytes }) => bytes) / 1e9).toFixed(2)} GB; ` +
        `MiB resident ${shown(resident)}, anonymous ${shown(memory)}; descriptors ${shown(descriptors)}; delay p99 ms ${shown(delay)}\n`,
    );
    // A sanitizer keeps for a while what was freed, and books for every byte.
    const spare = process.env['RUMPBLK_SANITIZER'] === undefined ? 0 : 400;
    expect(memory[1]).toBeLessThan(memory[0] * 1.1 + 16 + spare);
    expect(resident[1]).toBeLessThan(resident[0] * 1.1 + 32 + spare);
    expect(descriptors[1]).toBeLessThanOrEqual(descriptors[0] + 2);
    // In a few seconds it says more about what else the machine does than about the package.
    if (process.env['RUMPBLK_SOAK_SECONDS'] !== undefined) expect(delay[1]).toBeLessThan(delay[0] * 2 + 20);
    expect(last.descriptors).toBeLessThanOrEqual(samples[0]!.descriptors + 2);
  },
  60_000 + 1500 * SECONDS,
);
