// The log of what a fault plan did: rows of native as events, JSON lines, and the plan that repeats it.
import { constants } from 'node:os';
import { isIterable } from '../arguments/iterables.js';
import { keysOf } from '../arguments/known-keys.js';
import { integer, oneOf, requireOptions, text } from '../arguments/validate.js';
import { invalidArgType, invalidArgValue } from '../errors.js';
import { DAMAGES, FAULT_KINDS, TEARS, type FaultKind } from './action.js';
import { FAULT_OPS } from './match.js';
import type { FaultAction, FaultEvent, FaultOp, FaultPlan, FaultRule } from './types.js';

/** Numbers of an event, in the order of FaultLog() in addon/fault_calls.cc. */
const ROW = 11;
const NS_PER_MS = 1e6;
const OPS = Object.keys(FAULT_OPS) as FaultOp[];
const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];
const TEAR_NAMES = Object.keys(TEARS);
const ERRORS = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
const DAMAGE_NAMES = Object.keys(DAMAGES);

/**
 * Makes events of the rows of native.
 *
 * @param names of tags and states, by their numbers
 */
export function eventsOf(rows: Float64Array, names: readonly string[]): FaultEvent[] {
  const events: FaultEvent[] = [];
  for (let at = 0; at < rows.length; at += ROW) {
    const [n = 0, rule = 0, op = 0, minor = 0, blkno = 0, bcount = 0, kind = 0, a = 0, b = 0, high = 0, low = 0] = rows.subarray(
      at,
      at + ROW,
    );
    const key = hex(high) + hex(low);
    const action = actionText(KINDS[kind] ?? 'errno', a, b, key, names);
    events.push({ n, rule, op: OPS[op] ?? 'read', minor, blkno, bcount, action });
  }
  return events;
}

function hex(half: number): string {
  return half.toString(16).padStart(8, '0');
}

function actionText(kind: FaultKind, a: number, b: number, key: string, names: readonly string[]): string {
  switch (kind) {
    case 'errno':
      return `errno ${ERRORS.get(a) ?? String(a)}${b === 0 ? '' : ' keep'}`;
    case 'delay':
    case 'stall':
      return `${kind} ${a / NS_PER_MS}`;
    case 'hang':
    case 'enter':
      return `${kind} ${names[a] ?? ''}`;
    case 'short':
    case 'budget':
      return `${kind} ${a}`;
    case 'tear':
      return `tear ${TEAR_NAMES[a] ?? ''} ${a === TEARS.subset ? key : b - 1}`;
    case 'corrupt':
      return `corrupt ${DAMAGE_NAMES[a] ?? ''} ${a === DAMAGES.misdirect ? b - 1 : `${b} ${key}`}`;
    case 'drop':
    case 'ignoreFlush':
    case 'badUntilWritten':
    case 'generator':
      return kind;
  }
}

/** Puts events into JSON lines, one a line. */
export function toJsonLines(events: readonly FaultEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join('');
}

const EVENT_KEYS = keysOf<FaultEvent>({ n: true, rule: true, op: true, minor: true, blkno: true, bcount: true, action: true });

/**
 * Makes a plan that does again exactly what a log tells, to the same requests: whatever drew it, in whatever state, at whatever time. What the
 * plan did not do is not in its log: give `allow` and `clock` to the new plan again, where the old one had them.
 *
 * @param log events of {@link FaultInjector.log}, or the JSON lines of them
 * @returns a plan with a rule for each event, without draws
 * @throws {TypeError} ERR_INVALID_ARG_VALUE for what is no log
 *
 * @example
 * const plan = planFromLog(device.driver.faults.log());
 * device.driver.faults.plan(plan);
 */
export function planFromLog(log: Iterable<FaultEvent> | string): FaultPlan {
  const rules: FaultRule[] = [];
  let at = 0;
  for (const event of typeof log === 'string' ? parsed(log) : iterable(log)) {
    const name = `log[${at++}]`;
    requireOptions(event, name, EVENT_KEYS);
    const n = integer(event.n, `${name}.n`, 1, Number.MAX_SAFE_INTEGER);
    const op = oneOf(event.op, `${name}.op`, FAULT_OPS);
    const minor = integer(event.minor, `${name}.minor`, -1, 2 ** 31 - 1);
    const action = actionOf(text(event.action, `${name}.action`), `${name}.action`);
    // A change of state does nothing by itself, and what it led to is in the log as well.
    if (action !== undefined) rules.push({ match: { op, minor, n }, action: op === 'flush' ? action : withoutKeep(action) });
  }
  return { seed: 0, rules };
}

/** A rule about all operations may say what its failing flushes keep; other requests fail without that. */
function withoutKeep(action: FaultAction): FaultAction {
  return 'errno' in action ? { errno: action.errno } : action;
}

function iterable(log: unknown): Iterable<FaultEvent> {
  if (isIterable(log, { onlyNow: true })) return log as Iterable<FaultEvent>;
  throw invalidArgType('log', 'iterable, or of type string', log);
}

function* parsed(lines: string): Generator<FaultEvent> {
  let number = 0;
  for (const line of lines.split('\n')) {
    number += 1;
    if (line.trim() === '') continue;
    try {
      yield JSON.parse(line) as FaultEvent;
    } catch {
      throw invalidArgValue('log', line, `line ${number} must be JSON`);
    }
  }
}

function actionOf(words: string, name: string): FaultAction | undefined {
  const [kind, first = '', second = '', third] = words.split(' ');
  const number = Number(first);
  switch (kind) {
    case 'errno':
      return second === 'keep' ? { errno: first, keep: true } : { errno: first };
    // What was drawn, found bad or due by the clock is so without that.
    case 'generator':
    case 'badUntilWritten':
      return { errno: 'EIO' };
    case 'delay':
    case 'stall':
      return { delay: number };
    case 'hang':
      return { hang: first };
    case 'short':
      return { short: number };
    case 'budget':
      return { budget: number };
    case 'tear':
      if (first === 'subset') return { tear: first, key: second };
      return { tear: first as 'prefix' | 'suffix', sectors: Number(second) };
    case 'corrupt':
      if (first === 'misdirect') return { corrupt: first, to: Number(second) };
      return { corrupt: first as 'flip' | 'stuck', bits: Number(second), ...(third === undefined ? {} : { key: third }) };
    case 'drop':
      return { drop: true };
    case 'ignoreFlush':
      return { ignoreFlush: true };
    case 'enter':
      return undefined;
    case undefined:
    default:
      throw invalidArgValue(name, words, 'is no action of a log');
  }
}
