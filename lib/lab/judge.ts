// What a check says of crash states: it is run, or answered from what earlier runs read.
import { types } from 'node:util';
import { binding, type NativeChoice, type NativeMemo } from '../native/binding.js';
import { createState, isSeenThrough, nativeStateOf } from './crash-state.js';
import type { CrashState } from './lab-types.js';
import { recordRecovery } from './recorder.js';
import type { Recording } from './recording.js';

/** A state, and what the check says of it. */
export interface Judged {
  readonly choice: NativeChoice;
  readonly verdict: Verdict;
}

/** Looks at a state. It fails by throwing, by giving false, or by giving a text. */
export type Check = (state: CrashState) => unknown;

/** What a check said. */
export interface Verdict {
  readonly failed: boolean;
  readonly error?: unknown;
}

/** What is done with a state after its check, before it is disposed of: another verdict, where that was not the whole one. */
export type Afterwards = (verdict: Verdict) => Promise<Verdict>;
/** Is called for a state before its check. */
export type Beforehand = (state: CrashState) => Afterwards | undefined;

const FINE: Verdict = { failed: false };
/** Every so many answers from the memo are checked again. */
const RECHECKED = 50;

/** Judges the states of one recording. */
export class Judge {
  /** Checks that ran, apart from those that `verdictOf` was asked for. */
  checked = 0;
  /** Answers that needed none. */
  fromMemo = 0;
  /** Token of the first state of which the check said something else the second time. */
  nondeterministic: string | undefined;

  readonly #recording: Recording;
  readonly #check: Check;
  readonly #before: Beforehand | undefined;
  /** Verdicts by their number in the memo; the first is that of states that are fine. */
  readonly #verdicts: Verdict[] = [FINE];
  #memo: NativeMemo | undefined;
  #hits = 0;

  /**
   * Judges by a check.
   *
   * @param memo whether the check need not run where it would read what it has read before
   * @param before is called for each state that is checked
   */
  constructor(recording: Recording, check: Check, memo: boolean, before?: Beforehand) {
    this.#recording = recording;
    this.#check = check;
    this.#before = before;
    if (memo) this.#memo = binding.memo(recording.native);
  }

  /** Gives what the check says of a state, or would. */
  async judge(choice: NativeChoice): Promise<Verdict> {
    const known = this.#remembered(choice);
    if (known === undefined) {
      this.checked += 1;
      return this.#run(choice, true);
    }
    this.#hits += 1;
    this.fromMemo += 1;
    if (this.#hits % RECHECKED !== 0) return known;
    const again = await this.#run(choice, false);
    if (again.failed !== known.failed) this.#doubt(choice);
    return again.failed ? again : known;
  }

  /** Runs the check on a state, whatever is known. */
  async verdictOf(choice: NativeChoice): Promise<Verdict> {
    return this.#run(choice, false);
  }

  /** Runs the check on a state that somebody else disposes of. */
  verdictOn(state: CrashState): Promise<Verdict> {
    return verdictOn(state, this.#check);
  }

  #remembered(choice: NativeChoice): Verdict | undefined {
    if (this.#memo === undefined) return undefined;
    const number = binding.memoFind(this.#memo, choice);
    return number < 0 ? undefined : this.#verdicts[number];
  }

  async #run(choice: NativeChoice, isKept: boolean): Promise<Verdict> {
    const state = createState(this.#recording, choice, recordRecovery);
    try {
      const after = isKept ? this.#before?.(state) : undefined;
      const verdict = await verdictOn(state, this.#check);
      const whole = after === undefined ? verdict : await after(verdict);
      if (isKept) this.#keep(choice, state, whole);
      return whole;
    } finally {
      await endOf(state);
    }
  }

  /** Notes a verdict, where nothing but what was read can have led to it. */
  #keep(choice: NativeChoice, state: CrashState, verdict: Verdict): void {
    if (this.#memo === undefined || isSeenThrough(state)) return;
    // A check that asked for no device says the same of all states; its reads are those of a state that nobody has read.
    const native = nativeStateOf(state) ?? binding.stateOf(choice);
    const number = verdict.failed ? this.#verdicts.push(verdict) - 1 : 0;
    if (!binding.memoAdd(this.#memo, native, number)) this.#doubt(choice);
    if (nativeStateOf(state) === undefined) binding.stateRelease(native);
  }

  #doubt(choice: NativeChoice): void {
    this.#memo = undefined;
    this.nondeterministic ??= binding.choiceToken(choice);
    const message = `a check of crash states said something else the second time, of ${this.nondeterministic}: the memo is off`;
    process.emitWarning(message, { code: 'ENONDETERMINISTIC' });
  }
}

async function verdictOn(state: CrashState, check: Check): Promise<Verdict> {
  try {
    const given = check(state);
    const said = types.isPromise(given) ? await given : given;
    if (said === false) return { failed: true, error: 'the check gave false' };
    return typeof said === 'string' ? { failed: true, error: said } : FINE;
  } catch (error) {
    return { failed: true, error };
  }
}

/** Ends a state; requests that a check did not wait for are waited for. */
async function endOf(state: CrashState): Promise<void> {
  try {
    state[Symbol.dispose]();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    await state[Symbol.asyncDispose]();
  }
}
