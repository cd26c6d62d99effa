// What the main thread and a worker thread of a job tell each other.
import type { OpenOptions } from '../../../index.js';
import type { Job } from '../job/job.js';
import type { OwnEngine } from '../engine.js';
import type { TallyData } from './tally.js';
import type { Region } from './work.js';

/** States of the shared word that starts a group. */
export const GATE = { closed: 0, open: 1, cancelled: 2 } as const;

export interface ThreadPlan {
  job: Job;
  engine: OwnEngine;
  access: NonNullable<OpenOptions['access']>;
  path: string;
  region: Region;
  seed: number;
  gate: Int32Array;
  live: Float64Array;
}

export interface ThreadFailure {
  errno: number;
  message: string;
}

export type ThreadMessage = { kind: 'ready' } | { kind: 'done'; milliseconds: number; tally: TallyData; failure?: ThreadFailure };
