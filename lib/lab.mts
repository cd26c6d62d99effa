// The ESM face of rumpblk/lab: the same objects as the CommonJS build. fast-check has types of its own for each module system.
import './loads.mjs';
import type * as FastCheck from 'fast-check';
import { crashStates as states, type CrashState, type Recorder, type StateOptions } from './lab.js';

export { CrashError, crashCheck, crashTest, flushMutations, loadRecording, recordWrites, virtualClock } from './lab.js';
export type * from './lab.js';

/** Makes an arbitrary of fast-check of the crash states of a recording: see the one of the CommonJS build, which it is. */
export const crashStates = states as unknown as (
  fc: Pick<typeof FastCheck, 'nat' | 'subarray' | 'toStringMethod'>,
  recorder: Recorder,
  options?: StateOptions,
) => FastCheck.Arbitrary<CrashState>;
