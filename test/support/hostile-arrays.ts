// Arrays that a hostile or careless caller may hand over, as recipes.
import fc from 'fast-check';
import { mostly, recipe, type Recipes, Sabotage, type Trick } from './hostile';

/** What an array may be, other than a list of its elements: what it skips, what it claims, what its methods do. */
const ARRAYS: Record<string, (list: unknown[], trick: Trick) => unknown> = {
  plain: (list) => list,
  'with a hole in front': (list) => [, ...list], // eslint-disable-line no-sparse-arrays
  'with its last element deleted': (list) => (Reflect.deleteProperty(list, list.length - 1), list),
  'of nothing but holes': (list) => Array(list.length + 1),
  'of 4294967295 holes': () => Array(2 ** 32 - 1),
  'with methods of its own': (list, trick) =>
    Object.assign(list, Object.fromEntries(['map', 'flatMap', 'forEach', 'entries', 'filter'].map((name) => [name, () => (trick(), [5])]))),
  'that iterates over something else': (list, trick) => Object.assign(list, { [Symbol.iterator]: () => (trick(), [5][Symbol.iterator]()) }),
  'of another class': (list) =>
    Object.setPrototypeOf(
      list,
      class extends Array {
        static override get [Symbol.species](): ArrayConstructor {
          return Sabotage as unknown as ArrayConstructor;
        }
      }.prototype,
    ) as unknown,
  'of no prototype': (list) => Object.setPrototypeOf(list, null) as unknown,
  'of getters': (list, trick) =>
    Object.defineProperties(
      [],
      Object.fromEntries(list.map((each, i) => [i, { get: () => (trick(), each), enumerable: true, configurable: true }])),
    ),
  'behind a Proxy': (list, trick) => new Proxy(list, { get: (target, key) => (trick(), Reflect.get(target, key) as unknown) }),
  ...Object.fromEntries(
    [2 ** 32, 4, -1, NaN, 0.5, '2', 2n, undefined].map((length) => [
      `behind a Proxy of length ${String(length)}`,
      (list: unknown[]) => new Proxy(list, { get: (target, key) => (key === 'length' ? length : (Reflect.get(target, key) as unknown)) }),
    ]),
  ),
};

/** A list of up to four such things, mostly in an array that is what it seems. */
export function listOf(each: Recipes): Recipes {
  const list = fc.array(each, { maxLength: 4 });
  const kind = fc.oneof({ weight: 4, arbitrary: fc.constant('plain') }, fc.constantFrom(...Object.keys(ARRAYS)));
  return mostly(
    fc.tuple(kind, list).map(([how, given]) =>
      recipe(`[${given.map(String).join(', ')}] ${how}`, (trick) =>
        ARRAYS[how]!(
          given.map((one) => one.make(trick)),
          trick,
        ),
      ),
    ),
    20,
  );
}
