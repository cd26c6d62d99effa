// replay(): does the requests of a log again, on devices.
// A request waits for all that had completed when it was made first: so a flush covers what it covered, and of writes to one place the last one wins.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { BlockDevice } from '../device.js';
import { isIterable } from '../arguments/iterables.js';
import { keysOf } from '../arguments/known-keys.js';
import { abortSignal, listOf, requireObject, requireOptions } from '../arguments/validate.js';
import { BlockDeviceError, invalidArgType, invalidArgValue } from '../errors.js';
import type { Bytes } from '../request/transfer.js';
import type { TraceEvents, TraceOp, TraceRequest } from './event.js';
import { LatencyHistogram } from './histogram.js';
import { readLogFile } from './log-file.js';
import { operationStats, type OperationStats } from './stats.js';

/** Options of {@link replay}. */
export interface ReplayOptions {
  /** When requests are made: `'fast'` (default), as soon as those before them allow it; `'original'`, when the log says; a number, that many times as fast. */
  timing?: 'fast' | 'original' | number;
  /** Ends it: requests under way complete, and it rejects. */
  signal?: AbortSignal;
}

/** Outcome of a replay. */
export interface ReplayReport {
  /** Requests that were made. */
  requests: number;
  /** Bytes that reads moved. */
  bytesRead: Bytes;
  /** Bytes that writes moved, and those that were zeroed. */
  bytesWritten: Bytes;
  /** Failed requests, by code; what failed in the log as well is not apart. */
  errors: Record<string, number>;
  /** Requests whose outcome, a code or none, was another one than in the log. */
  differing: number;
  /** Writes whose data the log does not have: they wrote pseudo-random bytes, the same each time. */
  invented: number;
  /** ns, all of it. */
  elapsed: number;
  /** How much later than the log says requests were made, ns; 0 where `timing` is `'fast'`. */
  drift: {
    /** Of all requests, in ns. */
    mean: number;
    /** Of the one that was latest, in ns. */
    max: number;
  };
  /** By operation: how long requests took. */
  stats: Record<TraceOp, OperationStats>;
}

const REPLAY_KEYS = keysOf<ReplayOptions>({ timing: true, signal: true }, { speed: "'timing'", scale: "'timing'" });
const MOST_DEVICES = 65536;
/** Requests under way at once, at most: of a log that does not say when they completed. */
const MOST_UNDER_WAY = 256;
/** A timer is late by up to a millisecond or two: what is left is waited for turn by turn. */
const TIMER = 2e6;
/** Milliseconds between two looks at the signal. */
const PATIENCE = 20;
const INVENTED = 1024 * 1024;
const MOST_AT_ONCE = 64 * 1024 * 1024;
const OPS: readonly TraceOp[] = ['read', 'write', 'flush', 'discard', 'zeroes'];

/**
 * Does the requests of a log again.
 *
 * @param log path of a log of any format, or events in the order of their `n`
 * @param devices what `device` of each event is an index of, or the one device that all are done on
 * @param options `timing`, default `'fast'`; `signal`, default none
 * @returns what was done, how long it took, and what was other than in the log
 * @throws {BlockDeviceError} EINVAL no log, or one about more devices; EIO it ends too early: what is before that was done. Requests that fail are counted
 *
 * @example
 * await using device = await open('disk.img', { mode: 'r+' });
 * const report = await replay('work.jsonl', device, { timing: 'original' });
 * console.log(report.requests, report.stats.write.p99, report.drift.max);
 */
export async function replay(
  log: string | TraceEvents,
  devices: BlockDevice | readonly BlockDevice[],
  options: ReplayOptions = {},
): Promise<ReplayReport> {
  requireOptions(options, 'options', REPLAY_KEYS);
  const speed = speedOf(options.timing ?? 'fast');
  const signal = abortSignal(options.signal, 'options.signal');
  const targets = devices instanceof BlockDevice ? devices : listOf(devices, 'devices', MOST_DEVICES, deviceAt);
  if (typeof log !== 'string') {
    if (!isIterable(log)) throw invalidArgType('log', 'of type string or an iterable of events', log);
    return new Replay(targets, speed, signal).run(log);
  }
  const opened = await readLogFile(log);
  try {
    return await new Replay(targets, speed, signal).run(opened.events);
  } finally {
    await opened.close();
  }
}

function deviceAt(device: unknown, name: string): BlockDevice {
  if (!(device instanceof BlockDevice)) throw invalidArgType(name, 'an instance of BlockDevice', device);
  return device;
}

/** How many times as fast; 0: as fast as it goes. */
function speedOf(timing: unknown): number {
  if (timing === 'fast') return 0;
  if (timing === 'original') return 1;
  if (typeof timing === 'number' && timing > 0 && timing < Infinity) return timing;
  throw invalidArgValue('options.timing', timing, "must be 'fast', 'original' or a number above 0");
}

interface UnderWay {
  /** When it completed in the log; Infinity where it did not. */
  done: number;
  end: Promise<void>;
}

class Replay {
  readonly #targets: BlockDevice | readonly BlockDevice[];
  readonly #speed: number;
  readonly #signal: AbortSignal | undefined;
  readonly #underWay = new Set<UnderWay>();
  readonly #took = new Map(OPS.map((op) => [op, { histogram: new LatencyHistogram(), errors: 0, bytes: 0 }]));
  readonly #errors: Record<string, number> = {};
  #requests = 0;
  #differing = 0;
  #invented = 0;
  #late = { sum: 0, max: 0 };
  /** ns of the log, and of this clock, when it began. */
  #first: number | undefined;
  #begun = now();

  constructor(targets: BlockDevice | readonly BlockDevice[], speed: number, signal: AbortSignal | undefined) {
    this.#targets = targets;
    this.#speed = speed;
    this.#signal = signal;
  }

  async run(events: TraceEvents): Promise<ReplayReport> {
    this.#begun = now();
    try {
      for await (const event of events as AsyncIterable<TraceRequest>) {
        requireObject(event, 'event');
        this.#throwIfAborted();
        if (OPS.includes(event.op)) await this.#begin(event);
      }
    } finally {
      await Promise.all([...this.#underWay].map(({ end }) => end));
    }
    this.#throwIfAborted();
    return this.#report();
  }

  async #begin(event: TraceRequest): Promise<void> {
    const device = this.#deviceOf(event);
    for (const each of this.#underWay) if (each.done < event.n) await each.end;
    while (this.#underWay.size >= MOST_UNDER_WAY) await Promise.race([...this.#underWay].map(({ end }) => end));
    if (this.#speed > 0) await this.#awaitTime(event.time);
    this.#requests += 1;
    const one: UnderWay = { done: event.done ?? Infinity, end: this.#do(device, event).finally(() => this.#underWay.delete(one)) };
    // Whoever waits for it hears of it; nobody may do so yet.
    one.end.catch(() => undefined);
    this.#underWay.add(one);
  }

  #deviceOf({ device, n }: TraceRequest): BlockDevice {
    if (this.#targets instanceof BlockDevice) return this.#targets;
    const found = this.#targets[device];
    if (found === undefined) throw invalidArgValue('devices', this.#targets, `has no device ${device}, which event ${n} is of`);
    return found;
  }

  /** A signal may be of another realm, or behave like one. */
  #throwIfAborted(): void {
    if (this.#signal?.aborted === true) throw this.#signal.reason;
  }

  async #awaitTime(time: number): Promise<void> {
    this.#first ??= time;
    const due = this.#begun + (time - this.#first) / this.#speed;
    while (due - now() > TIMER) {
      await sleep(Math.min(PATIENCE, (due - now() - TIMER) / 1e6));
      this.#throwIfAborted();
    }
    while (now() < due) await nextTurn();
    const late = now() - due;
    this.#late.sum += late;
    this.#late.max = Math.max(this.#late.max, late);
  }

  async #do(device: BlockDevice, event: TraceRequest): Promise<void> {
    const took = this.#took.get(event.op);
    const begun = now();
    let code: string | undefined;
    let moved: Bytes;
    try {
      moved = await this.#request(device, event);
    } catch (error) {
      if (!(error instanceof BlockDeviceError)) throw error;
      ({ code, bytesTransferred: moved = 0 } = error);
      this.#errors[code] = (this.#errors[code] ?? 0) + 1;
    }
    if (code !== event.error) this.#differing += 1;
    if (took === undefined) return;
    took.histogram.record(now() - begun);
    took.bytes += moved;
    if (code !== undefined) took.errors += 1;
  }

  async #request(device: BlockDevice, event: TraceRequest): Promise<Bytes> {
    const { op, position, length } = event;
    const fua = event.fua === true ? { fua: true } : {};
    if (op === 'read') return inPieces(length, async (at, size) => (await device.read(Buffer.allocUnsafe(size), position + at)).bytesRead);
    if (op === 'write' && event.data !== undefined) return (await device.write(event.data, position, fua)).bytesWritten;
    if (op === 'write') {
      this.#invented += 1;
      return inPieces(length, async (at, size) => (await device.write(invented(size, event.n), position + at, fua)).bytesWritten);
    }
    if (op === 'zeroes') return (await device.writeZeroes(position, length, fua)).bytesWritten;
    if (op === 'discard') return (await device.discard(position, length)).bytesDiscarded;
    await device.flush();
    return 0;
  }

  #report(): ReplayReport {
    const bytesOf = (op: TraceOp): Bytes => this.#took.get(op)?.bytes ?? 0;
    const stats = [...this.#took].map(([op, { histogram, errors, bytes }]) => [op, operationStats(histogram, errors, bytes)] as const);
    return {
      requests: this.#requests,
      bytesRead: bytesOf('read'),
      bytesWritten: bytesOf('write') + bytesOf('zeroes'),
      errors: this.#errors,
      differing: this.#differing,
      invented: this.#invented,
      elapsed: now() - this.#begun,
      drift: { mean: this.#requests === 0 ? 0 : this.#late.sum / this.#requests, max: this.#late.max },
      stats: Object.fromEntries(stats) as Record<TraceOp, OperationStats>,
    };
  }
}

/** What needs memory is done by so much at a time: a log may say any length. Ends where a piece is short. */
async function inPieces(length: Bytes, move: (at: Bytes, size: Bytes) => Promise<Bytes>): Promise<Bytes> {
  let moved = 0;
  do {
    const size = Math.min(length - moved, MOST_AT_ONCE);
    const step = await move(moved, size);
    moved += step;
    if (step < size) break;
  } while (moved < length);
  return moved;
}

/** ns of a clock that never goes back. */
function now(): number {
  return performance.now() * 1e6;
}

let pool: Buffer | undefined;

/** Bytes that do not repeat within a megabyte, from a place that differs from request to request. */
function invented(length: Bytes, n: number): Buffer {
  pool ??= randomBytes(INVENTED);
  const start = (n * 4099) % INVENTED;
  const data = Buffer.allocUnsafe(length);
  for (let at = 0; at < length;) at += pool.copy(data, at, at === 0 ? start : 0);
  return data;
}

function randomBytes(length: number): Buffer {
  const words = new Uint32Array(length / 4);
  let state = 0x9e3779b9;
  for (let i = 0; i < words.length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer);
}
