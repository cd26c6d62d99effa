// Job: one workload, in fio's words. Plain data: it goes to worker threads as it is.
import type { Amount } from './units.js';

export const PATTERNS = ['read', 'write', 'randread', 'randwrite', 'rw', 'randrw'] as const;
export type Pattern = (typeof PATTERNS)[number];

/** What the keys of a job say; each has its default. */
export interface JobWords {
  rw: Pattern;
  bs: { read: number; write: number };
  iodepth: number;
  numjobs: number;
  /** The part of the file that is used, from `offset` on: all of a file that exists, 64 MiB of one that is made. */
  size?: Amount;
  /** How much is moved in all, where that is not `size` times `loops`. */
  ioSize?: Amount;
  offset: Amount;
  /** Seconds after which it ends. */
  runtime?: number;
  timeBased: boolean;
  rwmixread: number;
  filename?: string;
  directory?: string;
  loops: number;
  randseed: number;
  norandommap: boolean;
  /** A sync after this many writes; 0 for none. */
  fsync: number;
  fdatasync: number;
  direct: boolean;
  /** Drop the page cache of the file first. */
  invalidate: boolean;
  /** Wait for the jobs above. */
  stonewall: boolean;
  groupReporting: boolean;
  /** fio's own engine, for the engine `fio` alone. */
  ioengine?: string;
}

export interface Job extends JobWords {
  name: string;
  /** The keys as given, for the report. */
  given: Readonly<Record<string, string>>;
}

export const DEFAULTS: JobWords = {
  rw: 'read',
  bs: { read: 4096, write: 4096 },
  iodepth: 1,
  numjobs: 1,
  offset: { bytes: 0 },
  timeBased: false,
  rwmixread: 50,
  loops: 1,
  randseed: 1,
  norandommap: false,
  fsync: 0,
  fdatasync: 0,
  direct: false,
  invalidate: true,
  stonewall: false,
  groupReporting: false,
};

export function reads(job: Pick<Job, 'rw'>): boolean {
  return job.rw !== 'write' && job.rw !== 'randwrite';
}

export function writes(job: Pick<Job, 'rw'>): boolean {
  return job.rw !== 'read' && job.rw !== 'randread';
}

export function isRandom(job: Pick<Job, 'rw'>): boolean {
  return job.rw.startsWith('rand');
}

/** Jobs that run at once: a new group begins at each stonewall. */
export function groupsOf(jobs: readonly Job[]): Job[][] {
  const groups: Job[][] = [];
  for (const job of jobs) {
    const last = groups.at(-1);
    if (last === undefined || job.stonewall) groups.push([job]);
    else last.push(job);
  }
  return groups;
}
