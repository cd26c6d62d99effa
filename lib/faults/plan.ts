// Accepts a fault plan, and puts it into the numbers that native takes.
import { randomInt } from 'node:crypto';
import { keysOf } from '../arguments/known-keys.js';
import { integer, listOf, requireOptions } from '../arguments/validate.js';
import { invalidArgValue } from '../errors.js';
import { clockOf } from './virtual-clock.js';
import type { NativeClock } from '../native/binding.js';
import { checkedAction, FAULT_KINDS, kindOf, type CheckedAction } from './action.js';
import { checkedMatch, FAULT_OPS, sectorRanges, type CheckedMatch, type SectorSpan } from './match.js';
import type { FaultPlan, FaultRule } from './types.js';

/** A plan that was accepted. */
export interface CheckedPlan {
  seed: number;
  rules: { match: CheckedMatch; action: CheckedAction }[];
  /** Names of tags and states, by their numbers. */
  names: string[];
  numbers: Float64Array;
  clock: NativeClock | undefined;
}

const PLAN_KEYS = keysOf<FaultPlan>({ seed: true, rules: true, allow: true, clock: true });
const RULE_KEYS = keysOf<FaultRule>({ match: true, action: true });
const MOST_RULES = 2 ** 20;
const SEED_MAX = 2 ** 32 - 1;

/** Accepts a plan; refused is what it does not know, with its path. */
export function checkedPlan(plan: unknown, name = 'plan'): CheckedPlan {
  requireOptions(plan, name, PLAN_KEYS);
  const { seed, rules, allow, clock = 'real' } = plan as Partial<FaultPlan>;
  const names = ['start'];
  const numberOf = (word: string): number => {
    const known = names.indexOf(word);
    return known >= 0 ? known : names.push(word) - 1;
  };
  const checked = listOf(rules, `${name}.rules`, MOST_RULES, (rule, place) => checkedRule(rule, place, numberOf));
  const allowed = allow === undefined ? [] : sectorRanges(allow, `${name}.allow`);
  const native = clockOf(clock);
  if (clock !== 'real' && native === undefined)
    throw invalidArgValue(`${name}.clock`, clock, "must be 'real' or a clock of virtualClock()");
  const start = seed === undefined ? randomInt(SEED_MAX + 1) : integer(seed, `${name}.seed`, 0, SEED_MAX);
  return { seed: start, rules: checked, names, numbers: numbersOf(start, allowed, checked, numberOf), clock: native };
}

function checkedRule(rule: unknown, name: string, numberOf: (word: string) => number): { match: CheckedMatch; action: CheckedAction } {
  requireOptions(rule, name, RULE_KEYS);
  const { match, action } = rule as Partial<FaultRule>;
  const { kind, possible } = kindOf(action, `${name}.action`);
  const accepted = checkedMatch(match, `${name}.match`, possible);
  return { match: accepted, action: checkedAction(action, kind, `${name}.action`, numberOf, accepted.ops) };
}

/** In the order in which addon/fault_calls.cc reads them. */
function numbersOf(
  seed: number,
  allow: readonly SectorSpan[],
  rules: readonly { match: CheckedMatch; action: CheckedAction }[],
  numberOf: (word: string) => number,
): Float64Array {
  const numbers = [seed, allow.length, ...allow.flat(), rules.length];
  for (const { match, action } of rules) {
    numbers.push(
      match.ops.reduce((bits, op) => bits | (1 << FAULT_OPS[op]), 0),
      match.minor ?? NaN,
      match.state === undefined ? -1 : numberOf(match.state),
      match.probability,
      match.every,
      match.after,
      match.times,
      match.n ?? 0,
      FAULT_KINDS[action.kind],
      action.a,
      action.b,
      action.c,
      action.d,
      action.key === undefined ? 0 : 1,
      action.key === undefined ? 0 : parseInt(action.key.slice(0, 8), 16),
      action.key === undefined ? 0 : parseInt(action.key.slice(8), 16),
      match.sectors.length,
    );
    for (const span of match.sectors) numbers.push(...span);
  }
  return Float64Array.from(numbers);
}
