// What a crash test found, and the message that says it.
import { inspect } from 'node:util';
import { illegalConstructor, markCopy } from '../errors.js';

/** Something that the workload said happened: `Recorder.mark()`. */
export interface Mark {
  /** Says what happened. */
  readonly name: string;
  /** Is what was given with it, copied. */
  readonly data: unknown;
}

/** A part of a request that a crash state has not, or has in part: units of one request that follow one another. */
export interface LostUnit {
  /** Number of the request, from 0. */
  readonly request: number;
  /** Which device of the recording, from 0. */
  readonly device: number;
  /** First sector of 512 bytes. */
  readonly sector: number;
  /** Sectors. */
  readonly sectors: number;
  /** What became of it. */
  readonly how: 'lost' | 'shorn' | 'garbage';
  /** Where the request was made, when stacks are kept. */
  readonly stack?: string;
}

/** What a crash test did. */
export interface CrashReport {
  /** Requests of the recording. */
  requests: number;
  /** Cuts that were looked at. */
  cuts: number;
  /** States that were made, equal ones included. */
  generated: number;
  /** States of them that differ in content or in marks. */
  distinct: number;
  /** Checks that ran for them, without those that made failures smaller. */
  checked: number;
  /** States that were answered from what earlier checks read. */
  fromMemo: number;
  /** States of recoveries, of which `again` asks. */
  recoveries: number;
  /** The seed that gives the same states again. */
  seed: number;
  /** Nanoseconds. */
  elapsed: number;
  /** What failed. */
  failures: CrashFailure[];
  /** Whether all legal states of all cuts were covered. */
  complete: boolean;
  /** Memory was lent by `leases: 'diff'`: what was stored and overwritten between two looks is in no state. */
  leases?: 'under-approximated';
  /** Token of a state of which a check said something else the second time; the memo was turned off then. */
  nondeterministic?: string;
}

/** A state that the check does not accept, made small. */
export interface CrashFailure {
  /** Gives the state again; with a `/` in it, a state of the recovery from a state. */
  readonly token: string;
  /** What the check threw, or said. */
  readonly error: unknown;
  /** Event that the power was cut before. */
  readonly cut: number;
  /** Marks before the cut. */
  readonly marks: readonly Mark[];
  /** The fewest units whose loss is enough, when all else is kept. */
  readonly lost: LostUnit[];
  /** The fewest units that have to be kept for the failure, when all else is lost; none with `shrink: 0`, and `lost` is then all that the state lost. */
  readonly kept: LostUnit[];
  /** Checks that it took to make it small. */
  readonly tests: number;
  /** File with the recording, for {@link loadRecording}; '' where none could be written. */
  readonly recording: string;
}

/** Units that a message lists of each kind. */
const SHOWN = 8;

/** Nothing outside this file can name it, so that only crashError() can construct. */
const KEY = Symbol('crashError');

/** Makes the error of a report with one failure or more. */
export let crashError: (report: CrashReport) => CrashError;

/**
 * Is thrown by a crash test that found a state which the check does not accept. Its message is the report of the first one.
 *
 * @example
 * await crashTest(recorder, check).catch((error) => {
 *   if (error instanceof CrashError) console.log(error.report.failures[0]?.token);
 * });
 */
export class CrashError extends Error {
  /** Is `'ERR_CRASH_STATE'`. */
  readonly code = 'ERR_CRASH_STATE';
  /** Has all that the test did and found. */
  readonly report: CrashReport;

  static {
    markCopy(CrashError);
    crashError = (report) => new CrashError(KEY, report);
  }

  private constructor(key: symbol, report: CrashReport) {
    if (key !== KEY) throw illegalConstructor();
    super(reportText(report), { cause: report.failures[0]?.error });
    this.report = report;
  }
}

Object.defineProperty(CrashError.prototype, 'name', { value: 'CrashError', writable: true, configurable: true });

/** The whole report of the first failure, as lines. */
export function reportText(report: CrashReport): string {
  const [failure] = report.failures;
  if (failure === undefined) return summaryOf(report);
  const { token, error, cut, marks, lost, kept, tests, recording } = failure;
  const more = report.failures.length - 1;
  return [
    `after a power cut: ${errorText(error)}`,
    '',
    `lost ${listed(lost)}`,
    `kept ${listed(kept)}`,
    `cut before event ${cut}, ${afterMark(marks)}; shrunk in ${counted(tests, 'check')}`,
    ...(more > 0 ? [`and ${counted(more, 'more failure')}`] : []),
    '',
    summaryOf(report),
    `again: RUMPBLK_CRASH_TOKEN=${token}`,
    ...(recording === '' ? [] : [`recording: ${recording}`]),
  ].join('\n');
}

/** A line for each unit, as `#12 sector 16, 8 sectors (app.js:10:3)`. */
export function unitText({ request, device, sector, sectors, how, stack }: LostUnit): string {
  const disk = device === 0 ? '' : `device ${device} `;
  const state = how === 'lost' ? '' : ` ${how}`;
  const where = stack === undefined || stack === '' ? '' : ` (${callSite(stack)})`;
  return `#${request} ${disk}sector ${sector}${sectors === 1 ? '' : `, ${sectors} sectors`}${state}${where}`;
}

/** What a check threw or said, in a line. */
export function errorText(error: unknown): string {
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return typeof error === 'string' ? error : inspect(error, { breakLength: Infinity, depth: 1 });
}

function listed(units: readonly LostUnit[]): string {
  if (units.length === 0) return 'nothing';
  const lines = units.slice(0, SHOWN).map((unit) => `  ${unitText(unit)}`);
  if (units.length > SHOWN) lines.push(`  and ${units.length - SHOWN} more`);
  return [counted(new Set(units.map(({ request }) => request)).size, 'request'), ...lines].join('\n');
}

function afterMark(marks: readonly Mark[]): string {
  const last = marks.at(-1);
  if (last === undefined) return 'before any mark';
  const data = last.data === undefined ? '' : ` ${inspect(last.data, { breakLength: Infinity, depth: 1, maxStringLength: 60 })}`;
  return `after ${counted(marks.length, 'mark')}, the last one '${last.name}'${data}`;
}

function summaryOf(report: CrashReport): string {
  const { requests, cuts, generated, distinct, checked, fromMemo, recoveries, seed, elapsed, complete, leases } = report;
  const states = `${counted(distinct, 'state')} of ${counted(cuts, 'cut')} of ${counted(requests, 'request')}${complete ? ', all there are' : ''}`;
  const answers = `${checked} checked, ${fromMemo} from memo${recoveries > 0 ? `, ${recoveries} of recoveries` : ''}`;
  return `${states} (${generated} generated; ${answers}); seed ${seed}, ${(elapsed / 1e9).toFixed(1)} s${leases === undefined ? '' : `; leases: ${leases}`}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The first line of a stack that names a place. */
function callSite(stack: string): string {
  const line = stack.split('\n').find((text) => /:\d+:\d+/.test(text)) ?? stack;
  return line.trim().replace(/^at /, '');
}
