// rumpblk/lab: everything that callers may use of it.
export { recordWrites, Recorder } from './lab/recorder.js';
export { loadRecording } from './lab/load-recording.js';
export { CrashState } from './lab/crash-state.js';
export { crashTest } from './lab/crash-test.js';
export { crashCheck, flushMutations } from './lab/crash-check.js';
export { crashStates } from './lab/arbitrary.js';
export { CrashError } from './lab/report.js';

export type { CutCount } from './lab/recorder.js';
export type { LoadOptions } from './lab/load-recording.js';
export type { LogFormat, SaveOptions } from './lab/save.js';
export type { CrashSpec, FlushMutation } from './lab/crash-check.js';
export type { Check } from './lab/judge.js';
export type { CheckOptions, RecordOptions, StateOptions, Tear } from './lab/options.js';
export type { CrashFailure, CrashReport, LostUnit, Mark } from './lab/report.js';
