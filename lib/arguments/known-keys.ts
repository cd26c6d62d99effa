// Which keys an object of options has. One that it has not is a slip, and refused with the key that was probably meant:
// what is ignored in silence writes to the wrong place, or tests nothing.
import { types } from 'node:util';
import { invalidArgType, unknownKey } from './misuse.js';

/** The keys of one kind of options, and what to say of others that callers are likely to try. */
export interface KnownKeys {
  readonly names: readonly string[];
  /** By key: what to use instead, in words that follow "did you mean". */
  readonly instead: Readonly<Record<string, string>>;
}

/**
 * Lists the keys of a type of options. TypeScript sees to it that none is missing and none is too many.
 *
 * @param names every key of `T`
 * @param instead by key that `T` has not: what is meant by it
 */
export function keysOf<T>(names: Readonly<Record<keyof T, true>>, instead: Readonly<Record<string, string>> = {}): KnownKeys {
  return { names: Object.keys(names), instead };
}

/** What to say of a signal that is given to a form that cannot be aborted. */
export const NO_SIGNAL = { signal: 'the promise form, which a signal can end' } as const;

/** What to say of keys that choose what is opened, where a device is given that is open already. */
export const NO_CHOICE = {
  partition: 'the device of open(path, { partition })',
  offset: 'the device of open(path, { offset })',
  mode: "the device of open(path, { mode: 'r+' })",
} as const;

/** Refuses an object that has a key which `known` has not. Symbols are nobody's slip; what is inherited counts as given. */
export function requireKnown(given: object, known: KnownKeys, name: string): void {
  const prototype: unknown = Object.getPrototypeOf(given);
  if (prototype !== Object.prototype && prototype !== null) requireKnownOfClass(given, known, name);
  const { names } = known;
  // Most callers give keys in the order of the type: each is looked for behind the last one, and then among all.
  let at = 0;
  for (const key in given) {
    while (at < names.length && names[at] !== key) at += 1;
    if (at < names.length) continue;
    if (!names.includes(key)) refuse(key, given, known, name);
    at = 0;
  }
}

/** What holds its content otherwise than in keys: all that it was given would be ignored, and its `size` or `length` taken for options. */
const CONTAINERS: readonly ((value: unknown) => boolean)[] = [
  types.isPromise,
  types.isMap,
  types.isSet,
  types.isDate,
  types.isRegExp,
  types.isAnyArrayBuffer,
  (value) => ArrayBuffer.isView(value),
];

/** The same of an object with a class: its getters count as given, which no loop over keys shows. */
function requireKnownOfClass(given: object, known: KnownKeys, name: string): void {
  if (CONTAINERS.some((isOne) => isOne(given))) throw invalidArgType(name, 'of type object', given);
  for (let level = prototypeOf(given); level !== null && !isRoot(level); level = prototypeOf(level)) {
    for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (typeof property.get === 'function' && !known.names.includes(key)) refuse(key, given, known, name);
    }
  }
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}

/** `Object.prototype`, of this realm or another one. */
function isRoot(level: object): boolean {
  return prototypeOf(level) === null && Object.hasOwn(level, 'hasOwnProperty');
}

function refuse(key: string, given: object, { names, instead }: KnownKeys, name: string): void {
  // Somebody has extended every object there is: that is no option.
  if (key in Object.prototype && !Object.hasOwn(given, key)) return;
  // Where an entry is what is asked for, a slip in one is a slip.
  if (isEntry(given) && !names.includes('start'))
    throw unknownKey(key, name, `this is a PartitionEntry, and no options${placeForEntry(names)}`);
  const meant = Object.hasOwn(instead, key) ? instead[key] : nearest(key, names);
  const advice = meant === undefined ? `known are ${names.map(quoted).join(', ')}` : `did you mean ${meant}?`;
  throw unknownKey(key, name, advice);
}

/** Tells a partition as `readPartitions` gives it, whose `size` would pass for that of a range. */
function isEntry(given: object): boolean {
  return ['start', 'index', 'typeName'].every((key) => key in given);
}

/** How the same call takes an entry, where it does. */
function placeForEntry(names: readonly string[]): string {
  const takers = names.filter((name) => /^(p|[a-z]+P)artition$/.test(name)).map((name) => `{ ${name}: entry }`);
  return takers.length === 0 ? '' : `: give it as ${takers.join(' or ')}`;
}

function quoted(key: string): string {
  return `'${key}'`;
}

/** The known key that is nearest to `key`, in quotes, if any is near enough to be meant. */
function nearest(key: string, names: readonly string[]): string | undefined {
  const typed = key.toLowerCase();
  let best: string | undefined;
  // A third of it may be wrong.
  let least = Math.max(1, Math.floor(key.length / 3)) + 1;
  for (const name of names) {
    const steps = distance(typed, name.toLowerCase());
    if (steps < least) [best, least] = [name, steps];
  }
  return best === undefined ? undefined : quoted(best);
}

/** Letters to insert, leave out, replace or swap with a neighbour to get from one word to the other. */
function distance(from: string, to: string): number {
  let [before, last] = [[] as number[], Array.from({ length: to.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1];
      const isSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const ways = [(last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (isSame ? 0 : 1)];
      if (isSwapped) ways.push((before[j - 2] ?? 0) + 1);
      row.push(Math.min(...ways));
    }
    [before, last] = [last, row];
  }
  return last[to.length] ?? 0;
}
