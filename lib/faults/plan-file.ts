// Fault plans in files.
import { readFileSync } from 'node:fs';
import { invalidArgValue } from '../errors.js';
import { checkedPlan } from './plan.js';
import type { FaultPlan } from './types.js';

/** Reads a plan, in JSON; refused is what it does not know. */
export function planFromFile(file: string, name: string): FaultPlan {
  try {
    const plan: unknown = JSON.parse(readFileSync(file, 'utf8'));
    checkedPlan(plan, 'plan');
    return plan as FaultPlan;
  } catch (error) {
    throw invalidArgValue(name, file, `must name a fault plan in JSON: ${(error as Error).message}`);
  }
}
