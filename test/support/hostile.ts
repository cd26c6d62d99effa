// Values that a hostile or careless caller may hand over, as recipes: each run makes its own, since a run uses them up.
import fc from 'fast-check';
import { runInNewContext } from 'node:vm';

/** Every byte of the image and of every view: whatever is moved where, no byte may change. */
export const FILL = 0x5a;

/** What a hostile getter throws: the one error that is not ours and may come out of a call. */
export class Sabotage extends Error {}

/** What an object throws when somebody tries to name it: a refusal must not fail over that. */
export class Unspeakable extends Error {}

/** What a hostile getter may do before it answers. */
export type Trick = () => void;

/** How to make a value; `trick` is for its getters. */
export interface Recipe {
  make(trick: Trick): unknown;
  toString(): string;
}
export type Recipes = fc.Arbitrary<Recipe>;

export const recipe = (name: string, make: (trick: Trick) => unknown): Recipe => ({ make, toString: () => name });
/** The same value each time. */
export const value = (given: unknown): Recipe => recipe(fc.stringify(given), () => given);
export const values = (...given: unknown[]): Recipes => fc.constantFrom(...given.map(value));
export const valuesOf = (arbitrary: fc.Arbitrary<unknown>): Recipes => arbitrary.map(value);

// ---- memory

type Resizable = new (length: number, options: { maxByteLength: number }) => ArrayBuffer;

/** `size` bytes of memory, all FILL, and what JavaScript can do to it. */
export const MEMORIES: Record<string, (size: number) => ArrayBufferLike> = {
  fixed: (size) => new Uint8Array(size).fill(FILL).buffer,
  resizable: (size) => filled(new (ArrayBuffer as unknown as Resizable)(size, { maxByteLength: size * 2 + 8 })),
  shared: (size) => filled(new SharedArrayBuffer(size)),
  growable: (size) => filled(new (SharedArrayBuffer as unknown as Resizable)(size, { maxByteLength: size * 2 + 8 })),
  foreign: (size) => filled(runInNewContext(`new ArrayBuffer(${size})`) as ArrayBuffer),
};

function filled<T extends ArrayBufferLike>(buffer: T): T {
  new Uint8Array(buffer).fill(FILL);
  return buffer;
}

export function detach(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) structuredClone(buffer, { transfer: [buffer] });
}

type View = new (buffer: ArrayBufferLike, offset?: number, length?: number) => NodeJS.ArrayBufferView;
const VIEWS: View[] = [Uint8Array, DataView, Float64Array, BigInt64Array, Uint8ClampedArray, Int16Array];

/** What is done to a view after it was made. */
const TWISTS: Record<string, (view: NodeJS.ArrayBufferView, trick: Trick) => unknown> = {
  'as it is': (view) => view,
  detached: (view) => {
    detach(view.buffer);
    return view;
  },
  'shrunk under it': (view) => {
    const { buffer } = view;
    if ((buffer as { resizable?: boolean }).resizable === true) (buffer as unknown as { resize(size: number): void }).resize(0);
    return view;
  },
  'that lies': (view, trick) =>
    Object.defineProperties(view, {
      byteLength: { get: () => (trick(), 2 ** 40) },
      byteOffset: { get: () => (trick(), -1) },
      length: { get: () => (trick(), 2 ** 31) },
      buffer: { get: () => (trick(), new ArrayBuffer(4)) },
      constructor: { get: () => (trick(), Sabotage) },
    }),
  'of no prototype': (view) => Object.setPrototypeOf(view, null) as unknown,
  'of another prototype': (view) => Object.setPrototypeOf(view, DataView.prototype) as unknown,
  'behind a Proxy': (view) => new Proxy(view, {}),
};

const size = fc.constantFrom(0, 8, 504, 512, 4096, 65536);
/** Views of every kind, most of them good. */
export const views: Recipes = fc
  .record({
    memory: fc.oneof({ weight: 4, arbitrary: fc.constant('fixed') }, fc.constantFrom(...Object.keys(MEMORIES))),
    kind: fc.constantFrom<View>(Buffer.from as unknown as View, ...VIEWS),
    twist: fc.oneof({ weight: 4, arbitrary: fc.constant('as it is') }, fc.constantFrom(...Object.keys(TWISTS))),
    size,
  })
  .map(({ memory, kind, twist, size: bytes }) =>
    recipe(`${kind === (Buffer.from as unknown) ? 'Buffer' : kind.name}(${bytes}) of ${memory} memory, ${twist}`, (trick) => {
      const buffer = MEMORIES[memory]!(bytes);
      const view = kind === (Buffer.from as unknown) ? Buffer.from(buffer as ArrayBuffer) : new kind(buffer);
      return TWISTS[twist]!(view, trick);
    }),
  );

// ---- values without a meaning

/** An object whose every property, and whose every conversion, is a trap. */
const trap = (trick: Trick, target: object): object => {
  const sprung = (): never => {
    trick();
    throw new Sabotage();
  };
  const handler = Object.fromEntries(
    ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'apply'].map((t) => [t, sprung]),
  );
  return new Proxy(target, handler);
};

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

const odd: Recipes = fc.constantFrom(
  recipe('a Proxy that throws', (trick) => trap(trick, {})),
  recipe('a function Proxy that throws', (trick) => trap(trick, () => 0)),
  recipe('a Proxy over an array that throws', (trick) => trap(trick, [])),
  recipe('a revoked Proxy', () => revoked({})),
  recipe('a revoked Proxy over an array', () => revoked([])),
  recipe('an object whose class throws', (trick) =>
    Object.defineProperty({}, 'constructor', {
      get: () => {
        trick();
        throw new Unspeakable();
      },
    }),
  ),
  recipe('an object that throws when shown', (trick) => ({
    [Symbol.for('nodejs.util.inspect.custom')]: () => {
      trick();
      throw new Unspeakable();
    },
    get [Symbol.toStringTag](): string {
      trick();
      throw new Unspeakable();
    },
  })),
  recipe('a number in disguise', (trick) => ({
    valueOf: () => (trick(), 0),
    toString: () => (trick(), '0'),
    [Symbol.toPrimitive]: () => (trick(), 0),
  })),
  recipe('a function whose name throws', (trick) =>
    Object.defineProperty(() => 0, 'name', {
      get: () => {
        trick();
        throw new Unspeakable();
      },
    }),
  ),
  recipe('an object of no class', () => Object.create(null) as object),
  recipe('an ArrayBuffer', () => MEMORIES['fixed']!(512)),
  recipe('a SharedArrayBuffer', () => MEMORIES['shared']!(512)),
  recipe('a promise', () => Promise.resolve(1)),
  recipe('an array that claims a million elements', () => ({ length: 1e6, 0: 1 })),
);

export const INTEGERS = [
  0,
  -0,
  1,
  -1,
  511,
  512,
  513,
  4096,
  65536,
  65636,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 52,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  2 ** 64,
];
const numbers: Recipes = fc.oneof(
  values(...INTEGERS, ...INTEGERS.map((each) => -each), NaN, Infinity, -Infinity, 0.5, 1e308, Number.MIN_VALUE),
  values(0n, 1n, -1n, 512n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, -(2n ** 63n), 2n ** 64n, 2n ** 4000n),
  valuesOf(fc.double()),
);
const primitives: Recipes = fc.oneof(
  values(undefined, null, true, false, '', 'x', 'r', 'r+', 'auto', '__proto__', 'constructor', '\0', '\ud800', 'x'.repeat(70_000)),
  values(Symbol('x'), Symbol.iterator, Object(5), Object('r+'), new Date(NaN), /x/, new Map(), [], [1], Sabotage, () => 0),
  valuesOf(fc.string()),
);

/** Anything at all. */
export const anything: Recipes = fc.oneof(numbers, primitives, views, odd);

/** Mostly what `good` makes, else anything. */
export const mostly = (good: Recipes, weight = 8): Recipes => fc.oneof({ weight, arbitrary: good }, anything);

// ---- options

/** Where the fields of an options object come from, and what happens on the way. */
const SHAPES = {
  plain: (fields: [string, unknown][]) => Object.fromEntries(fields),
  inherited: (fields: [string, unknown][]) => Object.create(Object.fromEntries(fields)) as object,
  'of no class': (fields: [string, unknown][]) => Object.assign(Object.create(null) as object, Object.fromEntries(fields)),
  frozen: (fields: [string, unknown][]) => Object.freeze(Object.fromEntries(fields)),
  'of getters': (fields: [string, unknown][], trick: Trick) =>
    Object.defineProperties({}, Object.fromEntries(fields.map(([key, field]) => [key, { get: () => (trick(), field) }]))),
  'of getters that throw': (fields: [string, unknown][], trick: Trick) =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        fields.map(([key]) => [
          key,
          {
            get: () => {
              trick();
              throw new Sabotage();
            },
          },
        ]),
      ),
    ),
  'of getters that answer otherwise each time': (fields: [string, unknown][]) =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        fields.map(([key, field]) => {
          let asked = 0;
          return [key, { get: () => (asked++ === 0 ? field : [NaN, -1, 2 ** 53, 'x', undefined][asked % 5]) }];
        }),
      ),
    ),
  'behind a Proxy': (fields: [string, unknown][], trick: Trick) =>
    new Proxy(Object.fromEntries(fields), { get: (target, key) => (trick(), target[key as string]) }),
};

/** An options object with some of these fields; with a weight, one that has them all more often than not. */
export function options(fields: Record<string, Recipes>, whole = 0): Recipes {
  const shape = fc.oneof(
    { weight: 3, arbitrary: fc.constant<keyof typeof SHAPES>('plain') },
    fc.constantFrom(...(Object.keys(SHAPES) as (keyof typeof SHAPES)[])),
  );
  return fc
    .tuple(
      shape,
      fc.oneof({ weight: 1, arbitrary: fc.record(fields, { requiredKeys: [] }) }, { weight: whole, arbitrary: fc.record(fields) }),
    )
    .map(([how, given]) => {
      const entries = Object.entries(given) as [string, Recipe][];
      return recipe(`{ ${entries.map(([key, each]) => `${key}: ${String(each)}`).join(', ')} } ${how}`, (trick) =>
        SHAPES[how](
          entries.map(([key, each]) => [key, each.make(trick)]),
          trick,
        ),
      );
    });
}

/** An AbortSignal, or what pretends to be one. */
export const signals: Recipes = mostly(
  fc.constantFrom(
    recipe('a signal', () => new AbortController().signal),
    recipe('an aborted signal', () => AbortSignal.abort(new Sabotage())),
    recipe('a signal that aborts soon', () => {
      const controller = new AbortController();
      setImmediate(() => controller.abort(new Sabotage()));
      return controller.signal;
    }),
    recipe('half a signal', (trick) => ({ aborted: false, addEventListener: trick })),
    recipe('a signal of getters', (trick) => ({ get aborted() { trick(); return false; }, addEventListener: trick, removeEventListener: trick })), // prettier-ignore
    recipe('a signal that throws', () => ({
      aborted: false,
      addEventListener: () => {
        throw new Sabotage();
      },
      removeEventListener: () => {
        throw new Sabotage();
      },
    })),
  ),
  4,
);
