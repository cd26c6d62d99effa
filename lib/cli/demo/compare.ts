// Phase 3: 4 KiB at random positions, against node:fs on the same file in the same run; of a medium without that.
// Rounds are interleaved: each one times every contestant once on the same positions, in an order that moves on. What is shown is the
// median over the rounds of the ratio within a round, so that a slow spell of the machine falls on both sides.
import type { BlockDevice, BlockDriver } from '../../index.js';
import { table } from '../support/report.js';
import { together, useAndClose } from '../support/scope.js';
import { formatNumber, formatRatio, formatTime } from '../support/units.js';
import { createContestants, IO_SIZE, type Contestant, type Job } from './contestants.js';
import type { BenchImage } from './image.js';
import type { Progress } from '../support/progress.js';
import { Random } from '../support/random.js';
import { accessesTo } from './verify.js';

const MMAP_REACH = 16 << 20; // what the windows of access 'mmap' cover by default
const CALIBRATION = 256; // operations before the first round: warm-up, and how long one takes

const READS: readonly Job[] = [
  { op: 'read', form: 'sync', depth: 1 },
  { op: 'read', form: 'promise', depth: 1 },
  { op: 'read', form: 'promise', depth: 32 },
];
const WRITES: readonly Job[] = READS.map((job) => ({ ...job, op: 'write' }));

export interface Effort {
  rounds: number;
  /** How long one contestant runs in one round. */
  milliseconds: number;
}

export interface Score {
  nanoseconds: number;
  /** How many times faster than node:fs: median, least and most over the rounds. Not there without it. */
  ratio?: number;
  least?: number;
  most?: number;
}

export interface Comparison extends Job {
  ioSize: number;
  rounds: number;
  operations: number;
  mismatches: number;
  scores: Record<string, Score>;
}

export async function compareWithFs(
  driver: BlockDriver,
  image: BenchImage,
  minor: number,
  effort: Effort & { seed: number },
  progress: Progress,
): Promise<Comparison[]> {
  const jobs = image.writable ? [...READS, ...WRITES] : READS;
  const random = new Random(effort.seed ^ 0x636f_6d70);
  const devices: BlockDevice[] = [];
  progress.start(`4 KiB at random${image.fd === undefined ? '' : ', against node:fs'}`, jobs.length * (effort.rounds + 1), 'steps');
  return useAndClose(together(devices), async () => {
    for (const access of accessesTo(image)) devices.push(await driver.open(minor, { mode: image.writable ? 'r+' : 'r', access }));
    const comparisons: Comparison[] = [];
    for (const job of jobs) comparisons.push(await playJob(job, image, devices, random, effort, progress));
    progress.stop();
    return comparisons;
  });
}

async function playJob(
  job: Job,
  image: BenchImage,
  devices: readonly BlockDevice[],
  random: Random,
  effort: Effort,
  progress: Progress,
): Promise<Comparison> {
  const contestants = await createContestants(job, image, devices);
  return useAndClose(together(contestants), async () => {
    const size = devices[0]?.size ?? 0;
    const slowest = await calibrate(contestants, randomPositions(random, size, CALIBRATION));
    await progress.step();
    const operations = Math.max(job.depth * 4, Math.round((effort.milliseconds * 1e6) / slowest));
    const rounds: number[][] = [];
    for (let round = 0; round < effort.rounds; round += 1) {
      rounds.push(await playRound(contestants, randomPositions(random, size, operations), round));
      await progress.step();
    }
    const mismatches = contestants.reduce((total, contestant) => total + contestant.mismatches, 0);
    return { ...job, ioSize: IO_SIZE, rounds: effort.rounds, operations, mismatches, scores: score(contestants, rounds) };
  });
}

async function calibrate(contestants: readonly Contestant[], positions: readonly number[]): Promise<number> {
  let slowest = 0;
  for (const contestant of contestants) {
    await contestant.run(positions);
    slowest = Math.max(slowest, (await contestant.run(positions)) / positions.length);
  }
  return slowest;
}

/** Nanoseconds per operation of each contestant; the one that begins is another in each round. */
async function playRound(contestants: readonly Contestant[], positions: readonly number[], round: number): Promise<number[]> {
  const times = new Array<number>(contestants.length).fill(0);
  for (let turn = 0; turn < contestants.length; turn += 1) {
    const index = (turn + round) % contestants.length;
    const contestant = contestants[index];
    if (contestant !== undefined) times[index] = (await contestant.run(positions)) / positions.length;
  }
  return times;
}

function randomPositions(random: Random, size: number, count: number): number[] {
  const blocks = Math.floor(size / IO_SIZE);
  return Array.from({ length: count }, () => random.below(blocks) * IO_SIZE);
}

/** node:fs, where it takes part, is the first contestant and the measure of the others. */
function score(contestants: readonly Contestant[], rounds: readonly (readonly number[])[]): Record<string, Score> {
  return Object.fromEntries(
    contestants.map((contestant, index): [string, Score] => {
      const times = rounds.map((round) => round[index] ?? Number.NaN);
      if (contestants[0]?.name !== 'node:fs') return [contestant.name, { nanoseconds: median(times) }];
      const ratios = rounds.map((round, at) => (round[0] ?? Number.NaN) / (times[at] ?? Number.NaN));
      return [
        contestant.name,
        { nanoseconds: median(times), ratio: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
      ];
    }),
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

export function renderComparisons(comparisons: readonly Comparison[], imageSize: number): string {
  const names = Object.keys(comparisons[0]?.scores ?? {});
  const isAgainstFs = names.includes('node:fs');
  // Each beside its ratio, but for the measure of them all.
  const columnsOf = (name: string): string[] => (name === 'node:fs' || !isAgainstFs ? [`>${name}`] : [`>${name}`, '>']);
  const rows = comparisons.map((row) => [
    row.op,
    row.form === 'sync' ? 'sync' : formatNumber(row.depth, 'promise'),
    ...names.flatMap((name) => {
      const { nanoseconds = Number.NaN, ratio = Number.NaN } = row.scores[name] ?? {};
      return [formatTime(nanoseconds), formatRatio(ratio)].slice(0, columnsOf(name).length);
    }),
  ]);
  const scores = table(['', '', ...names.flatMap(columnsOf)], rows);
  if (imageSize <= MMAP_REACH || !names.includes('mmap')) return scores;
  return `${scores}\n  mmap keeps to 16 windows of 1 MiB, as NetBSD's rumpblk does:\n  most positions here cost it a new mapping`;
}
