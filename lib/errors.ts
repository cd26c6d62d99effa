// Every Error of this package is made here: BlockDeviceError for I/O and state, Node's own codes for misuse.
// Native failures arrive as numbers and become an Error in fromFailure(); no text is ever parsed.
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorMap, inspect } from 'node:util';
import { binding, type Failure } from './binding.js';

export const { EBADF, EBUSY, ECANCELED } = constants.errno;

const BRAND = Symbol.for('rumpblk.BlockDeviceError');

/** A process that has a lock in the way. */
export interface LockHolder {
  /** Process id. */
  pid: number;
  /** Name of its program, where the system tells it. */
  command?: string;
}

/** Bytes of a device that are known to be lost: the smallest range that holds them all. */
export interface LostRange {
  /** Bytes from the start of the device. */
  position: number;
  /** Bytes in the range. */
  length: number;
}

/** What a {@link BlockDeviceError} is made from. */
export interface BlockErrorInfo {
  /** Error number of the host, negative as in Node's own errors. */
  errno: number;
  /** Name of the call that failed: `'pread'`, `'mmap'`, `'strategy'`, `'ioctl'`, ... */
  syscall: string;
  /** Path of the host file. */
  path?: string;
  /** Minor of the device, when it is in a table. */
  minor?: number;
  /** Block number of the buf that failed, in sectors of 512 bytes. */
  blkno?: number;
  /** Bytes that moved before the failure. */
  bytesTransferred?: number;
  /** True when the fault injector failed the request. */
  injected?: boolean;
  /** Who has the lock that an open met, where the system tells it. */
  holder?: LockHolder;
  /** What is lost, from a flush, a close or the release of a view; each loss is told by the first that meets it. */
  lost?: LostRange;
}

/**
 * Reports a failed request or a wrong state, in the shape of Node's own system errors; match `code`.
 *
 * @example
 * try {
 *   device.readSync(buffer, position);
 * } catch (error) {
 *   if (error instanceof BlockDeviceError && error.code === 'EIO') retry();
 *   else throw error;
 * }
 */
export class BlockDeviceError extends Error implements NodeJS.ErrnoException {
  /** Gives the error number of the host, negative. */
  declare readonly errno: number;
  /** Names the error number: `'EIO'`, or `'UNKNOWN'` where Node has no name for it. */
  declare readonly code: string;
  /** Names the call that failed. */
  declare readonly syscall: string;
  /** Gives the path of the host file. */
  declare readonly path?: string;
  /** Gives the minor of a device in a table. */
  declare readonly minor?: number;
  /** Gives the block number of the buf that failed, in sectors. */
  declare readonly blkno?: number;
  /** Counts the bytes that moved before the failure. */
  declare readonly bytesTransferred?: number;
  /** Tells that the fault injector failed the request. */
  declare readonly injected?: boolean;
  /** Names the process that has the lock which an open met, where the system tells it. */
  declare readonly holder?: LockHolder;
  /** Gives the bytes that are known to be lost; each loss is told by the first flush or close that meets it. */
  declare readonly lost?: LostRange;

  /**
   * Makes an error with Node's message for `info.errno`.
   *
   * @param info error number, call, and what else is known
   * @param options `cause`
   */
  constructor(info: BlockErrorInfo, options?: ErrorOptions) {
    const errno = -Math.abs(info.errno);
    const [code, text] = describe(errno);
    const path = info.path === undefined ? '' : ` '${info.path}'`;
    super(`${code}: ${text}, ${info.syscall}${path}${remarks(info)}`, options);
    this.errno = errno;
    this.code = code;
    this.syscall = info.syscall;
    if (info.path !== undefined) this.path = info.path;
    if (info.minor !== undefined) this.minor = info.minor;
    if (info.blkno !== undefined) this.blkno = info.blkno;
    if (info.bytesTransferred !== undefined) this.bytesTransferred = info.bytesTransferred;
    if (info.injected !== undefined) this.injected = info.injected;
    if (info.holder !== undefined) this.holder = info.holder;
    if (info.lost !== undefined) this.lost = info.lost;
  }

  /**
   * Recognises errors of every copy of this package, in every realm.
   *
   * @param value anything
   * @returns true for a BlockDeviceError
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // A subclass inherits this method and must not claim every BlockDeviceError.
    if (this !== BlockDeviceError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

Object.defineProperty(BlockDeviceError.prototype, 'name', { value: 'BlockDeviceError', writable: true, configurable: true });
Object.defineProperty(BlockDeviceError.prototype, BRAND, { value: true });

/** The device or the registration that a failure is about. */
export interface FailurePlace {
  readonly path?: string | undefined;
  /** -1 for a private minor. */
  readonly minor?: number | undefined;
}

/**
 * Turns the one form in which native reports failures into an error.
 *
 * @param failure what native answered
 * @param place what the request was made on
 * @param transfer given for requests that move bytes; its blkno replaces the one that native reports
 */
export function fromFailure(failure: Failure, place: FailurePlace, transfer?: { readonly blkno?: number }): BlockDeviceError {
  const [errno, op, moved, injected, nativeBlkno, holder, lostFrom, lostTo] = failure;
  const info: BlockErrorInfo = { errno, syscall: binding.ops[op] ?? 'unknown' };
  const blkno = transfer?.blkno ?? (nativeBlkno >= 0 ? nativeBlkno : undefined);
  if (place.path !== undefined) info.path = place.path;
  if (place.minor !== undefined && place.minor >= 0) info.minor = place.minor;
  if (blkno !== undefined) info.blkno = blkno;
  if (transfer !== undefined) info.bytesTransferred = moved;
  if (injected === 1) info.injected = true;
  if (holder > 0) info.holder = lockHolder(holder);
  if (lostFrom < lostTo) info.lost = { position: lostFrom, length: lostTo - lostFrom };
  const error = new BlockDeviceError(info);
  Error.captureStackTrace(error, fromFailure);
  return error;
}

/** Distinguishes a failure from everything else that native answers. */
export function isFailure(answer: unknown): answer is Failure {
  return Array.isArray(answer);
}

/** Makes the EBADF of a call on something that is closed: `EBADF: device closed, read`. */
export function closedError(what: 'device' | 'driver' | 'batch', syscall: string): BlockDeviceError {
  const error = new BlockDeviceError({ errno: -EBADF, syscall });
  error.message = `EBADF: ${what} closed, ${syscall}`;
  Error.captureStackTrace(error, closedError);
  return error;
}

/** Makes the error for a value of a wrong type; `expected` reads like `of type string or an instance of URL`. */
export function invalidArgType(name: string, expected: string, received: unknown): TypeError {
  return misuse(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" ${kindOf(name)} must be ${expected}.${describeType(received)}`);
}

/** Makes the error for a value of the right type that is not acceptable; `reason` reads like `must be a power of two`. */
export function invalidArgValue(name: string, received: unknown, reason: string): TypeError {
  return misuse(
    TypeError,
    'ERR_INVALID_ARG_VALUE',
    `The ${kindOf(name)} '${name}' ${reason}. Received ${shorten(inspect(received), 128, 128)}`,
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

function describe(errno: number): readonly [code: string, text: string] {
  return getSystemErrorMap().get(errno) ?? ['UNKNOWN', 'unknown error'];
}

/** What follows the path in a message. */
function remarks({ holder, lost }: BlockErrorInfo): string {
  const parts: string[] = [];
  if (holder !== undefined) parts.push(`held by ${describeHolder(holder)}`);
  if (lost !== undefined) parts.push(`lost: ${lost.length} bytes from ${lost.position} on`);
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
}

function describeHolder({ pid, command }: LockHolder): string {
  if (pid === process.pid) return 'this process';
  return command === undefined ? `process ${pid}` : `process ${pid}, ${command}`;
}

/** Adds the program's name, which Linux has for every process that is still there. */
function lockHolder(pid: number): LockHolder {
  try {
    // A process gives itself any name it likes.
    const name = readFileSync(`/proc/${pid}/comm`, 'latin1').trimEnd();
    return { pid, command: name.replace(/[^\x20-\x7e]/g, '?') };
  } catch {
    return { pid };
  }
}

function kindOf(name: string): 'property' | 'argument' {
  return name.includes('.') ? 'property' : 'argument';
}

function describeType(value: unknown): string {
  if (value === null || value === undefined) return ` Received ${String(value)}`;
  if (typeof value === 'function') return ` Received function ${value.name}`;
  if (typeof value === 'object') {
    const { constructor } = value as { constructor?: { name?: unknown } };
    const name = constructor?.name;
    return typeof name === 'string' && name !== '' ? ` Received an instance of ${name}` : ` Received ${inspect(value, { depth: -1 })}`;
  }
  return ` Received type ${typeof value} (${shorten(inspect(value), 28, 25)})`;
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
