// The ESM face of rumpblk/lab: the same objects as the CommonJS build.
import './loads.mjs';
export { CrashError, crashCheck, CrashState, crashStates, crashTest, flushMutations, loadRecording, Recorder, recordWrites } from './lab.js';
export type * from './lab.js';
