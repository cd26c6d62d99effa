// What came out of a job on an engine: for each of its threads, and merged.
import type { EngineName } from '../engine.js';
import type { Job } from '../job/job.js';
import { Latency } from './latency.js';

export interface Side {
  bytes: number;
  short: number;
  latency: Latency;
}

/** Bandwidth and requests of half a second, of one direction. */
export interface Sample {
  bytes: number;
  ios: number;
  seconds: number;
}

/** What the process spent while the job ran: its I/O threads included, shared among the threads of the group. */
export interface Usage {
  userSeconds: number;
  systemSeconds: number;
  contextSwitches: number;
  majorFaults: number;
  minorFaults: number;
}

export interface Outcome {
  milliseconds: number;
  read: Side;
  write: Side;
  sync: Latency;
  samples: { read: Sample[]; write: Sample[] };
  usage: Usage;
  /** A positive errno; 0 for none. */
  error: number;
}

export interface JobResult {
  job: Job;
  engine: EngineName;
  /** Number of its group. */
  group: number;
  threads: Outcome[];
  /** What failed, in words. */
  failures: string[];
  /** For the engine fio: what fio said of each thread. */
  fio?: Record<string, unknown>[];
}

export const DIRECTIONS = ['read', 'write'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** All threads as one: what they did in all, in the time of the longest. */
export function merge(outcomes: readonly Outcome[]): Outcome {
  const side = (direction: Direction): Side => {
    const latency = new Latency();
    for (const outcome of outcomes) latency.merge(outcome[direction].latency);
    return {
      bytes: sum(outcomes, (outcome) => outcome[direction].bytes),
      short: sum(outcomes, (outcome) => outcome[direction].short),
      latency,
    };
  };
  const sync = new Latency();
  for (const outcome of outcomes) sync.merge(outcome.sync);
  const usage = (pick: (usage: Usage) => number): number => sum(outcomes, (outcome) => pick(outcome.usage));
  return {
    milliseconds: Math.max(0, ...outcomes.map(({ milliseconds }) => milliseconds)),
    read: side('read'),
    write: side('write'),
    sync,
    samples: { read: outcomes.flatMap(({ samples }) => samples.read), write: outcomes.flatMap(({ samples }) => samples.write) },
    usage: {
      userSeconds: usage(({ userSeconds }) => userSeconds),
      systemSeconds: usage(({ systemSeconds }) => systemSeconds),
      contextSwitches: usage(({ contextSwitches }) => contextSwitches),
      majorFaults: usage(({ majorFaults }) => majorFaults),
      minorFaults: usage(({ minorFaults }) => minorFaults),
    },
    error: outcomes.find(({ error }) => error !== 0)?.error ?? 0,
  };
}

function sum(outcomes: readonly Outcome[], pick: (outcome: Outcome) => number): number {
  return outcomes.reduce((total, outcome) => total + pick(outcome), 0);
}

/** Requests a second. */
export function iops(outcome: Outcome, direction: Direction): number {
  return outcome.milliseconds === 0 ? 0 : (outcome[direction].latency.count / outcome.milliseconds) * 1000;
}

/** Bytes a second. */
export function bandwidth(outcome: Outcome, direction: Direction): number {
  return outcome.milliseconds === 0 ? 0 : (outcome[direction].bytes / outcome.milliseconds) * 1000;
}
