// crashTest(): runs a check on the states that a power cut may have left, and reports what it does not accept.
import { hrtime } from 'node:process';
import { binding, type NativeChoice } from '../native/binding.js';
import type { CrashState, Recorder } from './lab-types.js';
import { Exploration } from './exploration.js';
import { Judge, type Afterwards, type Check, type Judged, type Verdict } from './judge.js';
import { importCheck, moduleOf } from './import-check.js';
import { keptFile } from './kept-recordings.js';
import { checkSettings, type CheckOptions, type CheckSettings } from './options.js';
import { recordingOf } from './recorder.js';
import { infoOf, type Recording } from './recording.js';
import { crashError, type CrashFailure, type CrashReport } from './report.js';
import { saveRecording } from './save.js';
import { makeSmall } from './smallest.js';
import { Workers } from './workers.js';

/** Between the token of a state and that of a state of its recovery. */
export const INNER = '/';
/** Milliseconds that a test keeps the event loop for. */
const TURN = 20;

/**
 * Runs a check on crash states of a recording. The check fails by throwing, by giving false or by giving a text; it may be async. Each
 * state is disposed of behind its check.
 *
 * @param recorder what is tested; recording has stopped, or goes on
 * @param check looks at a state; a path of a module is one whose default export it is, from the working directory
 * @param options which states, and `workers`, `memo`, `again`, `failures`, `shrink`; each has a default
 * @returns what was done, when nothing failed
 * @throws {CrashError} a state is not accepted; its message is the report, `report` has all
 * @throws {BlockDeviceError} EOVERFLOW `exhaustive: true` and more than 2^24 states; as of `Recorder.stop()`
 *
 * @example
 * const report = await crashTest(recorder, (state) => recover(state.device).count >= acknowledged(state.marks));
 * console.log(`${report.distinct} states`);
 */
export async function crashTest(recorder: Recorder, check: Check | string, options?: CheckOptions): Promise<CrashReport> {
  const recording = recordingOf(recorder, 'recorder');
  const settings = checkSettings(options);
  return accepted(await runTest(recording, check, settings));
}

/** How a test is run. */
export interface TestSettings extends CheckSettings {
  /** Whether the recording of a failure is left in a file; default true. */
  readonly isKept?: boolean;
  /** Of a recording with an event left out: whether only states count that it would not have with the event; default false. */
  readonly beyond?: boolean;
}

/** Throws a report of failures; gives any other. */
export function accepted(report: CrashReport): CrashReport {
  if (report.failures.length > 0) throw crashError(report);
  return report;
}

/** Runs a test; the report has its failures. */
export async function runTest(recording: Recording, check: Check | string, settings: TestSettings): Promise<CrashReport> {
  const module = moduleOf(check, settings.workers);
  const call = module === undefined ? (check as Check) : await importCheck(module);
  const test = new CrashTest(recording, call, settings);
  if (module === undefined || settings.workers === 1) return test.run();
  const workers = await Workers.start(recording, module, settings);
  try {
    return await test.run(workers);
  } finally {
    await workers.end();
  }
}

/**
 * Runs the check on the one state that a token names.
 *
 * @throws {BlockDeviceError} EINVAL no token; ESTALE of a recording of other requests
 */
export async function crashTokenTest(
  recorder: Recorder,
  check: Check | string,
  token: string,
  settings: CheckSettings,
): Promise<CrashReport> {
  const recording = recordingOf(recorder, 'recorder');
  const module = moduleOf(check, 1);
  const call = module === undefined ? (check as Check) : await importCheck(module);
  return new CrashTest(recording, call, settings).runToken(recorder, token);
}

/** One test of one recording. */
class CrashTest {
  readonly #recording: Recording;
  readonly #check: Check;
  readonly #settings: TestSettings;
  readonly #judge: Judge;
  readonly #failures: CrashFailure[] = [];
  readonly #began = hrtime.bigint();
  #recoveries = 0;
  #saved: string | undefined;
  /** Of the recovery that failed last. */
  #inner: CrashFailure | undefined;

  constructor(recording: Recording, check: Check, settings: TestSettings) {
    this.#recording = recording;
    this.#check = check;
    this.#settings = settings;
    // What a recovery reads of the state below it is not noted there.
    const memo = settings.memo && settings.again === 0;
    this.#judge = new Judge(recording, check, memo, settings.again === 0 ? undefined : (state) => this.#watchRecovery(state));
  }

  async run(workers?: Workers): Promise<CrashReport> {
    const walk = new Exploration(this.#recording, this.#settings);
    const verdicts = workers === undefined ? this.#oneByOne(walk) : workers.judge(walk);
    for await (const { choice, verdict } of verdicts) {
      if (!verdict.failed) continue;
      this.#failures.push(await this.#failureOf(choice, verdict));
      if (this.#failures.length >= this.#settings.failures) break;
    }
    const { checked, fromMemo } = workers ?? this.#judge;
    return this.#report({ ...walk.walked, checked, fromMemo });
  }

  /** Runs the check on the state of a token, or on one of its recovery. */
  async runToken(recorder: Recorder, token: string): Promise<CrashReport> {
    const [outer = '', inner] = token.split(INNER);
    await using state = recorder.fromToken(outer);
    const recovery = inner === undefined ? undefined : state.record();
    const own = new Judge(this.#recording, this.#check, false);
    let verdict = await own.verdictOn(state);
    const tried = { token, cut: state.cut, marks: state.marks, lost: [...state.lost], kept: [], tests: 0, recording: '' };
    if (recovery !== undefined && inner !== undefined) {
      recovery.stop();
      await using after = recovery.fromToken(inner);
      verdict = await own.verdictOn(after);
      Object.assign(tried, { cut: after.cut, marks: after.marks, lost: [...after.lost] });
    }
    if (verdict.failed) this.#failures.push({ ...tried, error: verdict.error });
    return this.#report({ cuts: 1, generated: 1, distinct: 1, complete: false, checked: 1, fromMemo: 0 });
  }

  async *#oneByOne(walk: Exploration): AsyncGenerator<Judged, void> {
    let since = performance.now();
    for (let choice = walk.next(); choice !== undefined; choice = walk.next()) {
      yield { choice, verdict: await this.#judge.judge(choice) };
      if (performance.now() - since < TURN) continue;
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
    }
  }

  /** Records what a check writes to a state, and cuts the power there, too. */
  #watchRecovery(state: CrashState): Afterwards {
    const recovery = state.record();
    return async (verdict) => {
      recovery.stop();
      if (verdict.failed || recovery.requests === 0) return verdict;
      const recording = recordingOf(recovery, 'recovery');
      const inner = new CrashTest(recording, this.#check, {
        ...this.#settings,
        again: 0,
        limit: this.#settings.again,
        failures: 1,
        at: undefined,
      });
      const report = await inner.run();
      this.#recoveries += report.distinct;
      [this.#inner] = report.failures;
      return this.#inner === undefined ? verdict : { failed: true, error: this.#inner.error };
    };
  }

  async #failureOf(choice: NativeChoice, { error }: Verdict): Promise<CrashFailure> {
    const inner = this.#inner;
    this.#inner = undefined;
    if (inner !== undefined) {
      const token = binding.choiceToken(choice);
      return { ...inner, token: `${token}${INNER}${inner.token}`, recording: await this.#save(token) };
    }
    const ask = (other: NativeChoice): Promise<Verdict> => this.#judge.verdictOf(other);
    const { choice: small, ...found } = await makeSmall(this.#recording, choice, error, ask, this.#settings);
    const token = binding.choiceToken(small);
    const [cut = 0, marks = 0] = binding.choiceCut(small);
    const known = this.#recording.marks.slice(0, this.#recording.inherited + marks);
    return { token, cut, marks: known, ...found, recording: await this.#save(token) };
  }

  /** Keeps the recording, once; a state of a recovery comes back with that of the state before it. */
  async #save(token: string): Promise<string> {
    if (this.#saved !== undefined) return this.#saved;
    if (this.#settings.isKept === false || this.#recording.inherited > 0) return '';
    const file = keptFile(token, this.#recording.settings.directory);
    try {
      await saveRecording(this.#recording, file, undefined);
      this.#saved = file;
    } catch (error) {
      this.#saved = '';
      process.emitWarning(`the recording of a failure could not be kept: ${String(error)}`, { code: 'RUMPBLK_LAB' });
    }
    return this.#saved;
  }

  #report(counts: Pick<CrashReport, 'cuts' | 'generated' | 'distinct' | 'complete' | 'checked' | 'fromMemo'>): CrashReport {
    const { nondeterministic } = this.#judge;
    const { requests, underApproximated } = infoOf(this.#recording);
    return {
      requests,
      ...counts,
      recoveries: this.#recoveries,
      seed: this.#settings.seed,
      elapsed: Number(hrtime.bigint() - this.#began),
      failures: this.#failures,
      ...(underApproximated && { leases: 'under-approximated' as const }),
      ...(nondeterministic !== undefined && { nondeterministic }),
    };
  }
}
