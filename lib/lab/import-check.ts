// A check that a module exports.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { invalidArgType } from '../errors.js';
import type { Check } from './judge.js';

/** Gives the check that a module exports by default. */
export async function importCheck(module: string): Promise<Check> {
  const { default: exported } = (await import(pathToFileURL(module).href)) as { default?: unknown };
  // CommonJS that was an ES module once has its default in the default.
  const check = typeof exported === 'object' && exported !== null && 'default' in exported ? exported.default : exported;
  if (typeof check !== 'function') throw invalidArgType('check', 'the path of a module whose default export is a function', check);
  return check as Check;
}

/** Gives the path of a check that is a module; undefined of one that is a function. */
export function moduleOf(check: unknown, workers: number): string | undefined {
  if (typeof check === 'string') return path.resolve(check);
  if (workers > 1) throw invalidArgType('check', 'the path of a module, for more than one worker', check);
  if (typeof check !== 'function') throw invalidArgType('check', 'of type function or the path of a module', check);
  return undefined;
}
