// The laboratory from an ES module, where fast-check has other types than for CommonJS. Never run.
import fc from 'fast-check';
import { crashStates, type CrashState, type Recorder } from 'rumpblk/lab';

export const property = (recorder: Recorder): fc.IAsyncPropertyWithHooks<[CrashState]> =>
  fc.asyncProperty(crashStates(fc, recorder), (state) => Promise.resolve(state.device.size > 0));

// @ts-expect-error that is no recorder
crashStates(fc, {});
