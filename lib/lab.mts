// The ESM face of rumpblk/lab: the same objects as the CommonJS build.
import './loads.mjs';
export { CrashError, crashCheck, crashStates, crashTest, flushMutations, loadRecording, recordWrites, virtualClock } from './lab.js';
export type * from './lab.js';
