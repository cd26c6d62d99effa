// BlockDeviceError, the error for I/O and state, and misuse.ts, Node's own codes for misuse: every Error of this package.
// Native failures arrive as numbers and become an Error in fromFailure(); no text is ever parsed.
// Over 300 lines: what callers may know of a failure is listed where it is made into an Error.
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { binding, FAILURE_NUMBERS, WHY, type Failure } from './native/binding.js';
import { keysOf, requireKnown } from './arguments/known-keys.js';
import { invalidArgType } from './arguments/misuse.js';

export { illegalConstructor, invalidArgType, invalidArgValue, invalidThis, markCopy, outOfRange } from './arguments/misuse.js';

export const { EACCES, EBADF, EBUSY, ECANCELED, EINVAL, ENXIO, ESTALE } = constants.errno;

/** Names of the host's errors, more than Node has words for. */
const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

const BRAND = Symbol.for('rumpblk.BlockDeviceError');
/** In what an error is made from: words of ours about it, which callers have no use for. */
const REMARK = Symbol('remark');
const DEV_BSIZE = 512;

interface Remarked {
  [REMARK]?: string;
}

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
  /** Path of the host file, or name of the medium. */
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
  /** True of a write whose answer was lost with the connection to its server: it may have happened, or not. */
  uncertain?: boolean;
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
  /** Gives the path of the host file, or the name of the medium. */
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
  /** Tells that a write may have happened or not: its answer was lost with the connection to its server. */
  declare readonly uncertain?: boolean;

  /**
   * Makes an error with Node's message for `info.errno`.
   *
   * @param info error number, call, and what else is known
   * @param options `cause`
   * @throws {TypeError} ERR_INVALID_ARG_TYPE for an errno, call or path of another type
   *
   * @example
   * throw new BlockDeviceError({ errno: -5, syscall: 'read', path: 'disk.img' }); // EIO, as of a device of one's own
   */
  constructor(info: BlockErrorInfo, options?: { cause?: unknown }) {
    const { errno: given, syscall, path, holder, lost, ...facts } = checkedInfo(info);
    const errno = -Math.abs(given);
    const [code, text] = describe(errno);
    const where = path === undefined ? '' : ` '${path}'`;
    super(`${code}: ${text}, ${syscall}${where}${remarks(facts, holder, lost)}`, options);
    this.errno = errno;
    this.code = code;
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
    if (facts.minor !== undefined) this.minor = facts.minor;
    if (facts.blkno !== undefined) this.blkno = facts.blkno;
    if (facts.bytesTransferred !== undefined) this.bytesTransferred = facts.bytesTransferred;
    if (facts.injected !== undefined) this.injected = facts.injected;
    if (holder !== undefined) this.holder = holder;
    if (lost !== undefined) this.lost = lost;
    if (facts.uncertain !== undefined) this.uncertain = facts.uncertain;
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
  /** Of a device: how it was opened. */
  readonly mode?: 'r' | 'r+';
  /** Gives the seed of the faults that its requests may meet: of the plan in force, or of the generator; undefined: there was no plan. */
  readonly seedOfFaults?: (byPlan: boolean) => number | undefined;
  /** Slots of the table in which something is registered. */
  readonly minorCount?: number | undefined;
}

/** What a request on a range was to do, and where: at a byte, or at a sector of 512 bytes. */
export interface TransferPlace {
  readonly op: 'read' | 'write' | 'discard' | 'zero';
  readonly position?: number;
  readonly blkno?: number;
}

/**
 * Turns the one form in which native reports failures into an error.
 *
 * @param failure what native answered
 * @param place what the request was made on
 * @param transfer given for requests that move bytes; its blkno replaces the one that native reports
 */
export function fromFailure(failure: Failure, place: FailurePlace, transfer?: TransferPlace): BlockDeviceError {
  const [errno, op, moved, injected, nativeBlkno, holder, lostFrom, lostTo, why] = failure;
  const info: BlockErrorInfo & Remarked = { errno, syscall: binding.ops[op] ?? 'unknown' };
  const blkno = transfer?.blkno ?? (nativeBlkno >= 0 ? nativeBlkno : undefined);
  if (place.path !== undefined) info.path = place.path;
  if (place.minor !== undefined && place.minor >= 0) info.minor = place.minor;
  if (blkno !== undefined) info.blkno = blkno;
  if (transfer !== undefined) info.bytesTransferred = moved;
  if (injected === 1) info.injected = true;
  if (why === WHY.uncertain) info.uncertain = true;
  const remark =
    injected === 1 ? faultRemark(failure, place, transfer) : (whyRemark(why) ?? modeRemark(failure, place) ?? fullRemark(failure, place));
  if (remark !== undefined) info[REMARK] = remark;
  if (holder > 0) info.holder = lockHolder(holder);
  if (lostFrom < lostTo) info.lost = { position: lostFrom, length: lostTo - lostFrom };
  const error = new BlockDeviceError(info);
  Error.captureStackTrace(error, fromFailure);
  return error;
}

/** Gives an error other words, in its stack as well; `above` is the function that the stack begins above. */
export function reword<E extends Error>(error: E, message: string, above: (...given: never[]) => unknown): E {
  error.message = message;
  Error.captureStackTrace(error, above);
  return error;
}

/** Names an error number, positive or negative: `'EIO'`. */
export function errorCode(errno: number): string {
  return describe(-Math.abs(errno))[0];
}

/** Makes an error that says in words of ours what the errno cannot; `above` is the function that its stack begins above. */
export function remarkedError(info: BlockErrorInfo, remark: string, above: (...given: never[]) => unknown): BlockDeviceError {
  const remarked: BlockErrorInfo & Remarked = { ...info, [REMARK]: remark };
  const error = new BlockDeviceError(remarked);
  Error.captureStackTrace(error, above);
  return error;
}

/** Says of an injected failure what it met and what replays it, so that nobody looks for a broken disk. */
function faultRemark(failure: Failure, { seedOfFaults }: FailurePlace, transfer: TransferPlace | undefined): string {
  const [, , moved, , blkno, , , , why] = failure;
  const sector = transfer?.blkno ?? (blkno >= 0 ? blkno : undefined);
  const position = transfer?.position === undefined ? (sector === undefined ? undefined : sector * DEV_BSIZE) : transfer.position + moved;
  const what = ['injected', transfer?.op, position === undefined ? undefined : `at byte ${position}`];
  const byPlan = why === WHY.injected;
  const seed = seedOfFaults?.(byPlan);
  const replays = seed === undefined ? '' : `, seed ${seed}`;
  return `${what.filter((word) => word !== undefined).join(' ')}${byPlan ? ' by the fault plan' : ''}${replays}`;
}

/** Says what the errno cannot: which rule of a format an image breaks, say. */
function whyRemark(why: number): string | undefined {
  return binding.whys[why] || undefined;
}

/** Says of a refusal that it is ours: the host has not been asked. */
function modeRemark([errno, op]: Failure, { mode }: FailurePlace): string | undefined {
  const isRefused = errno === EACCES || (errno === EBADF && binding.ops[op] === 'ioctl');
  return mode === 'r' && isRefused ? "the device is open with mode 'r'" : undefined;
}

/** Says of a registration that found no slot where more slots come from. */
function fullRemark([errno, op]: Failure, { minorCount }: FailurePlace): string | undefined {
  if (minorCount === undefined || errno !== EBUSY || binding.ops[op] !== 'register') return undefined;
  return `the table has ${minorCount} minors, and not enough of them are free: see minorCount, an option of the driver`;
}

/** Distinguishes a failure from everything else that native answers. */
export function isFailure(answer: unknown): answer is Failure {
  return Array.isArray(answer) && answer.length === FAILURE_NUMBERS;
}

/** Makes the EBADF of a call on something that is closed: `EBADF: device closed, read`. */
export function closedError(what: 'device' | 'driver' | 'batch' | 'file' | 'overlay' | 'crash state', syscall: string): BlockDeviceError {
  const error = new BlockDeviceError({ errno: -EBADF, syscall });
  return reword(error, `EBADF: ${what} closed, ${syscall}`, closedError);
}

const INFO_KEYS = keysOf<BlockErrorInfo>({
  errno: true,
  syscall: true,
  path: true,
  minor: true,
  blkno: true,
  bytesTransferred: true,
  injected: true,
  holder: true,
  lost: true,
  uncertain: true,
});

/** Accepts the parts of a message, which a caller's own error may get wrong; the other facts are passed on as they are. */
function checkedInfo(info: unknown): BlockErrorInfo & Remarked {
  const given = objectOf(info, 'info');
  requireKnown(given, INFO_KEYS, 'info');
  const { errno, syscall, path, holder, lost, ...facts } = given;
  if (!Number.isInteger(errno)) throw invalidArgType('info.errno', 'an integer', errno);
  if (typeof syscall !== 'string') throw invalidArgType('info.syscall', 'of type string', syscall);
  if (path !== undefined && typeof path !== 'string') throw invalidArgType('info.path', 'of type string', path);
  const known = { holder: holder === undefined ? holder : checkedHolder(holder), lost: lost === undefined ? lost : checkedRange(lost) };
  return { ...facts, ...known, errno, syscall, path } as BlockErrorInfo & Remarked;
}

function checkedHolder(holder: unknown): LockHolder {
  const { pid, command } = objectOf(holder, 'info.holder');
  if (!Number.isInteger(pid)) throw invalidArgType('info.holder.pid', 'an integer', pid);
  if (command !== undefined && typeof command !== 'string') throw invalidArgType('info.holder.command', 'of type string', command);
  return (command === undefined ? { pid } : { pid, command }) as LockHolder;
}

function checkedRange(range: unknown): LostRange {
  const { position, length } = objectOf(range, 'info.lost');
  if (typeof position !== 'number') throw invalidArgType('info.lost.position', 'of type number', position);
  if (typeof length !== 'number') throw invalidArgType('info.lost.length', 'of type number', length);
  return { position, length };
}

function objectOf(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw invalidArgType(name, 'of type object', value);
  return value as Record<string, unknown>;
}

function describe(errno: number): readonly [code: string, text: string] {
  // Node's text for it ends in "on socket", and there is none here.
  if (errno === -constants.errno.ENOTSUP) return ['ENOTSUP', 'operation not supported'];
  if (errno === -constants.errno.ESTALE) return ['ESTALE', 'stale file handle']; // not in Node's map
  if (errno === -constants.errno.EDEADLK) return ['EDEADLK', 'resource deadlock avoided']; // nor this
  return getSystemErrorMap().get(errno) ?? [NAMES.get(-errno) ?? 'UNKNOWN', 'unknown error'];
}

/** What follows the path in a message. */
function remarks(facts: Remarked, holder: LockHolder | undefined, lost: LostRange | undefined): string {
  const parts: string[] = [];
  const remark = facts[REMARK];
  if (remark !== undefined) parts.push(remark);
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
