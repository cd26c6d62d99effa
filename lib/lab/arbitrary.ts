// Crash states for fast-check, which makes a failing one smaller by what is lost.
import type * as FastCheck from 'fast-check';
import { invalidArgType } from '../errors.js';
import { binding } from '../native/binding.js';
import { createState } from './crash-state.js';
import type { CrashState } from './lab-types.js';
import { cutRange } from './exploration.js';
import { stateSettings, type StateOptions } from './options.js';
import { recordingOf, recordRecovery } from './recorder.js';
import type { Recorder } from './lab-types.js';
import { answerOf } from './recording.js';

/** Numbers of a row of `cuts`. */
const CUT_NUMBERS = 3;
/** States that are left open behind the newest one, where properties are sync: one may take several. */
const OPEN = 64;

/**
 * Makes an arbitrary of fast-check of the crash states of a recording: a cut, and any choice of units that are lost there. A property that fails is
 * shrunk to few lost units, and shows the token. A state is disposed of when the next run of an async property takes one, or 64 newer ones were made.
 *
 * @param fc fast-check itself
 * @param recorder what was recorded
 * @param options `at`, default all cuts that count; the other ones have no meaning here
 * @returns the arbitrary
 *
 * @example
 * await fc.assert(fc.asyncProperty(crashStates(fc, recorder), async (state) => check(state)));
 */
export function crashStates(
  fc: Pick<typeof FastCheck, 'nat' | 'subarray' | 'toStringMethod'>,
  recorder: Recorder,
  options?: StateOptions,
): FastCheck.Arbitrary<CrashState> {
  if (typeof (fc as { nat?: unknown } | undefined)?.nat !== 'function') throw invalidArgType('fc', 'fast-check', fc);
  const recording = recordingOf(recorder, 'recorder');
  const range = cutRange(recording, stateSettings(options).at);
  const rows = answerOf(binding.cuts(recording.native, ...range));
  const open: CrashState[] = [];
  let isLater = false;
  const stateAt = (cut: number, lost: readonly number[], units: number): CrashState => {
    const kept = new Uint8Array(units).fill(1);
    for (const unit of lost) kept[unit] = 0;
    const choice = answerOf(binding.choiceOf(recording.native, cut, kept, new Float64Array(0)));
    const state = createState(recording, choice, recordRecovery);
    Object.defineProperty(state, fc.toStringMethod, { value: () => state.token });
    // The values of one run are made in one go: those of an earlier turn are not needed any more.
    if (isLater) for (const done of open.splice(0)) done[Symbol.dispose]();
    isLater = false;
    queueMicrotask(() => (isLater = true));
    open.push(state);
    if (open.length > OPEN) open.shift()?.[Symbol.dispose]();
    return state;
  };
  return fc.nat({ max: Math.max(0, rows.length / CUT_NUMBERS - 1) }).chain((index) => {
    const cut = rows[index * CUT_NUMBERS] ?? range[0];
    const units = rows[index * CUT_NUMBERS + 2] ?? 0;
    const all = Array.from({ length: units }, (_, unit) => unit);
    return fc.subarray(all).map((lost) => stateAt(cut, lost, units));
  });
}
