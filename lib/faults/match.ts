// Checks of the match of a rule, and of ranges of sectors.
import { integer, listOf, oneOf, requireOptions } from '../arguments/validate.js';
import { keysOf } from '../arguments/known-keys.js';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors.js';
import type { FaultMatch, FaultOp } from './types.js';

/** Numbers of native: those of FaultOp in core/filter/fault_plan.h. */
export const FAULT_OPS: Readonly<Record<FaultOp, number>> = { read: 0, write: 1, flush: 2, discard: 3, zeroes: 4, open: 5, map: 6 };

/** First sector, and the one behind the last. */
export type SectorSpan = readonly [begin: number, end: number];

/** A match that was accepted. */
export interface CheckedMatch {
  ops: FaultOp[];
  sectors: SectorSpan[];
  minor: number | undefined;
  probability: number;
  every: number;
  after: number;
  times: number;
  n: number | undefined;
  state: string | undefined;
}

const MATCH_KEYS = keysOf<FaultMatch>({
  op: true,
  sectors: true,
  minor: true,
  probability: true,
  every: true,
  after: true,
  times: true,
  n: true,
  state: true,
});
const MOST_RANGES = 65536;
const MINOR_MAX = 2 ** 31 - 1;
const MOST = Number.MAX_SAFE_INTEGER;

/** Accepts the match of a rule whose action can do something to `possible`. */
export function checkedMatch(match: unknown, name: string, possible: readonly FaultOp[]): CheckedMatch {
  if (match === undefined) match = {};
  requireOptions(match, name, MATCH_KEYS);
  const { op, sectors, minor, probability = 1, every = 1, after = 0, times, n, state } = match as FaultMatch;
  return {
    ops: op === undefined ? [...possible] : checkedOps(op, `${name}.op`, possible),
    sectors: sectors === undefined ? [] : checkedSectors(sectors, `${name}.sectors`),
    minor: minor === undefined ? undefined : integer(minor, `${name}.minor`, -1, MINOR_MAX),
    probability: unit(probability, `${name}.probability`),
    every: integer(every, `${name}.every`, 1, MOST),
    after: integer(after, `${name}.after`, 0, MOST),
    times: times === undefined ? Infinity : integer(times, `${name}.times`, 0, MOST),
    n: n === undefined ? undefined : integer(n, `${name}.n`, 1, MOST),
    state: state === undefined ? undefined : word(state, `${name}.state`),
  };
}

function checkedOps(op: unknown, name: string, possible: readonly FaultOp[]): FaultOp[] {
  const accept = (value: unknown, place: string): FaultOp => {
    const known = oneOf(value, place, FAULT_OPS);
    if (possible.includes(known)) return known;
    throw invalidArgValue(place, value, `the action of this rule is for: ${possible.map((each) => `'${each}'`).join(', ')}`);
  };
  if (!Array.isArray(op)) return [accept(op, name)];
  const ops = listOf(op, name, 64, accept);
  if (ops.length === 0) throw invalidArgValue(name, op, 'must name an operation');
  return ops;
}

/** Accepts one range of sectors, or a list of them. */
function checkedSectors(value: unknown, name: string): SectorSpan[] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an instance of Array', value);
  return Array.isArray(value[0]) ? sectorRanges(value, name) : [sectorRange(value, name)];
}

/** Accepts a list of ranges of sectors, first and last. */
export function sectorRanges(value: unknown, name: string): SectorSpan[] {
  return listOf(value, name, MOST_RANGES, sectorRange);
}

function sectorRange(value: unknown, name: string): SectorSpan {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an instance of Array', value);
  if (value.length !== 2) throw invalidArgValue(name, value, 'must be [first, last]');
  const first = integer(value[0], `${name}[0]`, 0, MOST - 1);
  return [first, integer(value[1], `${name}[1]`, first, MOST - 1) + 1];
}

function unit(value: unknown, name: string): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= 0 && value <= 1)) throw outOfRange(name, '>= 0 && <= 1', value);
  return value;
}

/** Accepts a name, of a tag or a state: letters, digits and what joins them, so that it stands as a word in a log. */
export function word(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
  if (!/^[\w.:/-]{1,64}$/.test(value)) throw invalidArgValue(name, value, 'must be 1 to 64 letters, digits or any of _ . : / -');
  return value;
}
