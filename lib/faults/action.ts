// Checks of the action of a rule, and the numbers that native takes for it.
import { constants } from 'node:os';
import { requireKnown } from '../arguments/known-keys.js';
import { integer, oneOf, requireObject, text } from '../arguments/validate.js';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors.js';
import type { FaultOp } from './types.js';
import { word } from './match.js';

/** Numbers of native: those of FaultKind in core/filter/fault_plan.h. */
export const FAULT_KINDS = {
  errno: 0,
  delay: 1,
  hang: 2,
  stall: 3,
  short: 4,
  tear: 5,
  corrupt: 6,
  drop: 7,
  ignoreFlush: 8,
  budget: 9,
  badUntilWritten: 10,
  enter: 11,
  generator: 12,
} as const;
export type FaultKind = keyof typeof FAULT_KINDS;
export const TEARS = { prefix: 0, suffix: 1, subset: 2 } as const;
export const DAMAGES = { flip: 0, stuck: 1, misdirect: 2 } as const;

/** What an action is for native. Tags and states are numbered by `numberOf`. */
export interface CheckedAction {
  kind: FaultKind;
  a: number;
  b: number;
  c: number;
  d: number;
  /** Instead of a draw: 16 hexadecimal digits. */
  key: string | undefined;
}

/** Gives the names of tags and states the numbers that native knows them by; 0 is the state 'start'. */
export type NumberOf = (name: string) => number;

const MOVES: readonly FaultOp[] = ['read', 'write'];
const REQUESTS: readonly FaultOp[] = ['read', 'write', 'flush', 'discard', 'zeroes'];
const ALL: readonly FaultOp[] = [...REQUESTS, 'open', 'map'];

/** An action with any of its keys, and nothing known of them. */
type Given = { [key in FaultKind | 'keep' | 'sectors' | 'key' | 'bits' | 'to' | 'rate']?: unknown };

/** What each action can do something to. */
const POSSIBLE: Readonly<Record<FaultKind, readonly FaultOp[]>> = {
  errno: ALL,
  delay: REQUESTS,
  hang: REQUESTS,
  stall: REQUESTS,
  short: MOVES,
  tear: ['write'],
  corrupt: MOVES,
  drop: ['write', 'discard', 'zeroes'],
  ignoreFlush: ['flush'],
  budget: ['write', 'zeroes'],
  badUntilWritten: ['read'],
  enter: ALL,
  generator: MOVES,
};

/** Keys that an action has beside its own. */
const BESIDE: Readonly<Partial<Record<FaultKind, readonly string[]>>> = {
  errno: ['keep'],
  tear: ['sectors', 'key'],
  corrupt: ['bits', 'to', 'key'],
  generator: ['rate'],
};
const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];
const MOST = Number.MAX_SAFE_INTEGER;
const NS_PER_MS = 1e6;

/** Tells which action it is, and what it can do something to. */
export function kindOf(action: unknown, name: string): { kind: FaultKind; possible: readonly FaultOp[] } {
  requireObject(action, name);
  const [kind, other] = KINDS.filter((key) => key in action);
  if (kind === undefined) {
    requireKnown(action, { names: KINDS, instead: {} }, name);
    throw invalidArgValue(name, action, `must have one of: ${KINDS.map((key) => `'${key}'`).join(', ')}`);
  }
  if (other !== undefined) throw invalidArgValue(name, action, `must have either '${kind}' or '${other}'`);
  requireKnown(action, { names: [kind, ...(BESIDE[kind] ?? [])], instead: {} }, name);
  return { kind, possible: POSSIBLE[kind] };
}

/** Accepts the action of a rule that is about `ops`. */
export function checkedAction(action: unknown, kind: FaultKind, name: string, numberOf: NumberOf, ops: readonly FaultOp[]): CheckedAction {
  const given = action as Given;
  const place = `${name}.${kind}`;
  const value = given[kind];
  const [a = 0, b = 0, c = 0, d = 0] = numbersOf(kind, value, given, name, numberOf, ops);
  const key = given.key === undefined ? undefined : text(given.key, `${name}.key`);
  if (key !== undefined && !/^[0-9a-f]{16}$/.test(key)) throw invalidArgValue(`${name}.key`, key, 'must be 16 hexadecimal digits');
  if (kind === 'drop' || kind === 'ignoreFlush' || kind === 'badUntilWritten') {
    if (value !== true) throw invalidArgValue(place, value, 'must be true');
  }
  return { kind, a, b, c, d, key };
}

function numbersOf(kind: FaultKind, value: unknown, given: Given, name: string, numberOf: NumberOf, ops: readonly FaultOp[]): number[] {
  const place = `${name}.${kind}`;
  switch (kind) {
    case 'errno':
      return [errnoOf(value, place), keepOf(given.keep, `${name}.keep`, ops)];
    case 'delay':
      return delayOf(value, place);
    case 'hang':
    case 'enter':
      return [numberOf(word(value, place))];
    case 'stall':
      return stallOf(value, place);
    case 'short':
    case 'budget':
      return [integer(value, place, 0, MOST)];
    case 'tear': {
      const tear = oneOf(value, place, TEARS);
      if (given.sectors === undefined) return [TEARS[tear], 0];
      if (tear === 'subset') throw invalidArgValue(`${name}.sectors`, given.sectors, 'is for a prefix or a suffix');
      return [TEARS[tear], 1 + integer(given.sectors, `${name}.sectors`, 0, MOST - 1)];
    }
    case 'corrupt':
      return corruptOf(value, given, name);
    case 'generator':
      oneOf(value, place, { 'rumpblk-1.31': 0 });
      return [integer(given.rate, `${name}.rate`, 0, 10000)];
    case 'drop':
    case 'ignoreFlush':
    case 'badUntilWritten':
      return [];
  }
}

function errnoOf(value: unknown, name: string): number {
  const code = text(value, name);
  const number = (constants.errno as Readonly<Record<string, number | undefined>>)[code];
  if (number === undefined) throw invalidArgValue(name, value, "must be a name of the host's errors, as 'EIO'");
  return number;
}

function keepOf(value: unknown, name: string, ops: readonly FaultOp[]): number {
  if (value === undefined) return 0;
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
  if (!ops.includes('flush')) throw invalidArgValue(name, value, "is for a rule about 'flush'");
  return Number(value);
}

function delayOf(value: unknown, name: string): number[] {
  if (typeof value === 'number') return [nanoseconds(value, name), 0, 0, 0];
  requireObject(value, name);
  requireKnown(value, { names: ['mean', 'min', 'max', 'distribution'], instead: {} }, name);
  const { mean, min = 0, max, distribution = 'exponential' } = value as Record<string, unknown>;
  const way = oneOf(distribution, `${name}.distribution`, { exponential: 1, uniform: 2 });
  const middle = nanoseconds(mean, `${name}.mean`);
  const least = nanoseconds(min, `${name}.min`);
  const most = max === undefined ? (way === 'uniform' ? Math.max(least, 2 * middle - least) : MOST) : nanoseconds(max, `${name}.max`);
  if (most < least) throw outOfRange(`${name}.max`, `>= ${least / NS_PER_MS}`, max);
  return [middle, least, most, way === 'uniform' ? 2 : 1];
}

function stallOf(value: unknown, name: string): number[] {
  requireObject(value, name);
  requireKnown(value, { names: ['every', 'for'], instead: {} }, name);
  const { every, for: length } = value as Record<string, unknown>;
  const period = nanoseconds(every, `${name}.every`);
  const episode = nanoseconds(length, `${name}.for`);
  if (period === 0) throw outOfRange(`${name}.every`, '> 0', every);
  if (episode > period) throw outOfRange(`${name}.for`, `<= ${period / NS_PER_MS}`, length);
  return [period, episode];
}

function corruptOf(value: unknown, given: Given, name: string): number[] {
  const damage = oneOf(value, `${name}.corrupt`, DAMAGES);
  if (damage === 'misdirect') {
    if (given.bits !== undefined) throw invalidArgValue(`${name}.bits`, given.bits, "is not for 'misdirect'");
    return [DAMAGES.misdirect, given.to === undefined ? 0 : 1 + integer(given.to, `${name}.to`, 0, MOST - 1)];
  }
  if (given.to !== undefined) throw invalidArgValue(`${name}.to`, given.to, "is for 'misdirect'");
  const { bits = damage === 'flip' ? 1 : 8 } = given;
  return [DAMAGES[damage], integer(bits, `${name}.bits`, 1, 4096)];
}

/** Accepts ms, 0 to some 100 days, and gives ns. */
function nanoseconds(value: unknown, name: string): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= 0 && value <= 1e10)) throw outOfRange(name, '>= 0 && <= 10000000000', value);
  return Math.round(value * NS_PER_MS);
}
