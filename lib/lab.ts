// rumpblk/lab: everything that callers may use of it.
export { recordWrites } from './lab/recorder.js';
export { loadRecording } from './lab/load-recording.js';
export { crashTest } from './lab/crash-test.js';
export { crashCheck, flushMutations } from './lab/crash-check.js';
export { crashStates } from './lab/arbitrary.js';
export { CrashError } from './lab/report.js';
export { virtualClock } from './faults/virtual-clock.js';

export type { VirtualClock } from './faults/virtual-clock.js';
export type { CrashState, CutCount, LogFormat, Recorder, SaveOptions } from './lab/lab-types.js';
export type { LoadOptions } from './lab/load-recording.js';
export type { CrashSpec, FlushMutation } from './lab/crash-check.js';
export type { Check } from './lab/judge.js';
export type { CheckOptions, RecordOptions, StateOptions, Tear } from './lab/options.js';
export type { CrashFailure, CrashReport, LostUnit, Mark } from './lab/report.js';
