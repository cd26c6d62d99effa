// Node's own errors for misuse: what a caller got wrong, in the caller's words. No message hides another: naming a value
// that cannot be named is no failure.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';

/** Makes the error for a value of a wrong type; `expected` reads like `of type string or an instance of URL`. */
export function invalidArgType(name: string, expected: string, received: unknown): TypeError {
  return misuse(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" ${kindOf(name)} must be ${expected}.${describeType(received)}`);
}

/** Makes the error for a value of the right type that is not acceptable; `reason` reads like `must be a power of two`. */
export function invalidArgValue(name: string, received: unknown, reason: string): TypeError {
  return misuse(
    TypeError,
    'ERR_INVALID_ARG_VALUE',
    `The ${kindOf(name)} '${name}' ${reason}. Received ${shorten(shown(received, inspect), 128, 128)}`,
  );
}

/** Makes the error for a number outside `range`, which reads like `>= 0 && <= 9`. */
export function outOfRange(name: string, range: string, received: unknown): RangeError {
  return misuse(
    RangeError,
    'ERR_OUT_OF_RANGE',
    `The value of "${name}" is out of range. It must be ${range}. Received ${describeNumber(received)}`,
  );
}

/**
 * Makes the error for a key of an object that it does not have.
 *
 * @param key the key
 * @param name the object: `options` itself, or what lies in it, as `options.faults`
 * @param advice what to do instead
 */
export function unknownKey(key: string, name: string, advice: string): TypeError {
  const isOption = name === 'options' || name.startsWith('options.');
  const place = `${isOption ? name.slice('options.'.length) : name}.${key}`.replace(/^\./, '');
  return misuse(TypeError, 'ERR_INVALID_ARG_VALUE', `unknown ${isOption ? 'option' : 'property'} '${shorten(place, 128, 128)}': ${advice}`);
}

/** Makes the error for a method that is called on a foreign object. */
export function invalidThis(expected: string): TypeError {
  return misuse(TypeError, 'ERR_INVALID_THIS', `Value of "this" must be of type ${expected}`);
}

/** Makes the error for `new` on a class that only this package constructs. */
export function illegalConstructor(): TypeError {
  return misuse(TypeError, 'ERR_ILLEGAL_CONSTRUCTOR', 'Illegal constructor');
}

/** The stack begins with `TypeError [CODE]: message` as Node's own do; `name` stays that of the class. */
function misuse<E extends Error>(Base: new (message: string) => E, code: string, message: string): E & { code: string } {
  const error = new Base(message);
  const name = error.name;
  Object.defineProperty(error, 'name', { value: `${name} [${code}]`, configurable: true });
  Error.captureStackTrace(error, misuse);
  // The text of a stack is made when it is first read; it has to be made while the name is this one.
  const { stack } = error;
  Reflect.deleteProperty(error, 'name');
  return Object.assign(error, { stack, code });
}

function kindOf(name: string): 'property' | 'argument' {
  return name.includes('.') ? 'property' : 'argument';
}

function describeType(value: unknown): string {
  if (value === null || value === undefined) return ` Received ${String(value)}`;
  if (typeof value === 'function' || typeof value === 'object') return ` Received ${shown(value, describeObject)}`;
  return ` Received type ${typeof value} (${shorten(inspect(value), 28, 25)})`;
}

function describeObject(value: object): string {
  const { constructor } = value as { constructor?: { name?: unknown } };
  if (typeof value === 'function') return `function ${value.name}`;
  const name = constructor?.name;
  return typeof name === 'string' && name !== '' ? `an instance of ${name}${copyOf(value)}` : inspect(value, { depth: -1 });
}

/** On the prototypes of this package's classes: the folder that its copy was loaded from. */
const COPY = Symbol.for('rumpblk.copy');
const HERE = path.join(__dirname, '../..');

/** Marks a class as one of this copy of the package, so that another copy can say whose an object is. */
export function markCopy({ prototype }: { readonly prototype: object }): void {
  Object.defineProperty(prototype, COPY, { value: HERE });
}

/** What tells an object of another copy of the package from one of this, whose class has the same name. */
function copyOf(value: object): string {
  const folder = (value as { [COPY]?: unknown })[COPY];
  if (typeof folder !== 'string' || folder === HERE) return '';
  return ` of another copy of rumpblk: ${versionAt(folder)}, and this is ${versionAt(HERE)}`;
}

function versionAt(folder: string): string {
  try {
    const { version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as { version?: string };
    return `${version ?? 'a version'} in ${folder}`;
  } catch {
    return `the one in ${folder}`; // a bundle
  }
}

/** What `show` makes of a value whose own code may throw meanwhile: that must not hide the refusal. */
function shown<T>(value: T, show: (value: T) => string): string {
  try {
    return show(value);
  } catch {
    return 'an object that cannot be shown';
  }
}

function describeNumber(value: unknown): string {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) > 2 ** 32) return separated(String(value));
  if (typeof value === 'bigint') return `${value > 2n ** 32n || value < -(2n ** 32n) ? separated(String(value)) : String(value)}n`;
  return inspect(value);
}

/** Groups digits by three, as Node's range errors do. */
function separated(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, '_');
}

function shorten(text: string, limit: number, keep: number): string {
  return text.length > limit ? `${text.slice(0, keep)}...` : text;
}
