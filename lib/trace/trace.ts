// Trace: the requests of one or several devices, kept by native code as they complete, and read from there when somebody asks.
import type { PathLike } from 'node:fs';
import { inspect, type InspectOptions } from 'node:util';
import { keysOf } from '../arguments/known-keys.js';
import { abortSignal, flag, integer, requireOptions, text } from '../arguments/validate.js';
import { FAULT_KINDS } from '../faults/action.js';
import { errorCode, fromFailure, invalidThis, isFailure } from '../errors.js';
import { binding, type NativeTrace } from '../native/binding.js';
import type { DeviceHandle } from '../request/handle.js';
import { traceHeader, type TraceHeader, type TraceMark, type TraceOp, type TraceRequest } from './event.js';
import { WaitingIterator, type Look } from './waiting-iterator.js';
import { writeLogFile, type EncoderOptions, type WrittenLog } from './log-file.js';

/** Options of `BlockDevice.trace()` and of `startTrace()`. */
export interface TraceOptions {
  /** The most requests that are kept, 1 to 2^26; default 2^20, of 72 bytes each. Requests beyond them are counted as dropped. */
  limit?: number;
  /** False: the iterator takes the requests away, so that `limit` is about those that wait for it. Default true: it leaves them. */
  keep?: boolean;
  /** Ends the trace, as `stop()` does; at once where it is aborted already. */
  signal?: AbortSignal;
}

/**
 * The requests of devices, from {@link TraceOptions | trace()} on until `stop()`, `signal` or the close of all of them. Each is told of when it
 * has completed: what has not is not in it, nor are stores through leases and what other opens of the same disk do. Its iterator waits for more
 * until the trace ends, without keeping the process alive; `return()`, which leaving a loop calls, ends that iterator alone.
 */
export interface Trace extends AsyncIterable<TraceRequest | TraceMark>, Disposable {
  /** The devices, and how places are counted. */
  readonly header: TraceHeader;
  /** Requests so far. */
  readonly requests: number;
  /** Requests for which there was no room. */
  readonly dropped: number;
  /** Whether it has ended. */
  readonly stopped: boolean;
  /**
   * Says that something happened, now.
   *
   * @param name what it is called in the log
   * @param data any value that JSON has; default none
   *
   * @example
   * trace.mark('transaction', { number: 12 });
   */
  mark(name: string, data?: unknown): void;
  /**
   * Ends the trace; what it has stays. Idempotent, and what the end of `using` does.
   *
   * @example
   * trace.stop();
   * console.log(trace.requests, trace.dropped);
   */
  stop(): void;
  /**
   * Gives what there is so far, in the order in which requests were made.
   *
   * @example
   * for (const event of trace.events()) if (event.op !== 'mark') console.log(event.op, event.latency);
   */
  events(): (TraceRequest | TraceMark)[];
  /**
   * Writes what there is so far to a file, which is made or replaced.
   *
   * @param path the file
   * @param options `format`, default `'jsonl'`; `device`, `files` as of `writeLogFile`
   * @returns how many events there were, and what the format has no words for
   * @throws {BlockDeviceError} ENOTSUP the format cannot hold it: a trace has no data, which dm-log-writes needs of writes
   *
   * @example
   * await trace.save('work.jsonl');
   */
  save(path: PathLike, options?: EncoderOptions): Promise<WrittenLog>;
}

const TRACE_KEYS = keysOf<TraceOptions>({ limit: true, keep: true, signal: true }, { max: "'limit'", size: "'limit'" });
const MOST = 2 ** 26;
const USUAL = 2 ** 20;
/** Numbers of a row, and rows that one call reads. */
const COLUMNS = 12;
const ROWS = 1024;
/** By `blk::Operation`; a copy is a write of the device that it is made to. */
const OPS: readonly TraceOp[] = ['read', 'write', 'flush', 'discard', 'zeroes', 'read', 'write'];

/** By the numbers of native code, behind the one for none. */
const FAULTS = Object.keys(FAULT_KINDS);

type Event = TraceRequest | TraceMark;

interface News {
  readonly promise: Promise<void>;
  readonly come: () => void;
}

function newsOf(): News {
  let come = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    come = resolve;
  });
  return { promise, come };
}

class NativeBackedTrace implements Trace {
  readonly header: TraceHeader;
  readonly #native: NativeTrace;
  readonly #keep: boolean;
  readonly #marks: TraceMark[] = [];
  /** Requests that the iterator has taken away. */
  #taken = 0;
  /** What iterators wait for, and whether native code will tell of it. */
  #news: News | undefined;
  #isArmed = false;
  #stopped = false;

  constructor(header: TraceHeader, native: NativeTrace, keep: boolean) {
    this.header = header;
    this.#native = native;
    this.#keep = keep;
  }

  get requests(): number {
    return binding.traceState(NativeBackedTrace.#of(this).#native)[0];
  }

  get dropped(): number {
    return binding.traceState(NativeBackedTrace.#of(this).#native)[1];
  }

  get stopped(): boolean {
    return NativeBackedTrace.#of(this).#stopped;
  }

  mark(name: string, data?: unknown): void {
    const trace = NativeBackedTrace.#of(this);
    text(name, 'name');
    const [n, time] = binding.traceNow(trace.#native);
    trace.#marks.push(data === undefined ? { op: 'mark', n, time, name } : { op: 'mark', n, time, name, data });
    trace.#ring();
  }

  stop(): void {
    const trace = NativeBackedTrace.#of(this);
    trace.#stopped = true;
    binding.endTrace(trace.#native);
    trace.#ring();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  events(): Event[] {
    const trace = NativeBackedTrace.#of(this);
    const all: Event[] = [...trace.#marks];
    for (let from = trace.#taken; ;) {
      const read = trace.#read(from);
      for (const request of read) all.push(request);
      if (read.length < ROWS) break;
      from += read.length;
    }
    return all.sort((a, b) => a.n - b.n);
  }

  async save(path: PathLike, options?: EncoderOptions): Promise<WrittenLog> {
    return writeLogFile(path, this.header, this.events(), options);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Event, void, undefined> {
    const trace = NativeBackedTrace.#of(this);
    let [from, marked] = [trace.#taken, 0];
    const look = (): Look<Event> => {
      const isLast = trace.#stopped;
      const read = trace.#read(from);
      from += read.length;
      const events: Event[] = [];
      const takeMarks = (before: number): void => {
        for (let mark = trace.#marks[marked]; mark !== undefined && mark.n < before; mark = trace.#marks[(marked += 1)]) events.push(mark);
      };
      for (const request of read) {
        takeMarks(request.done ?? 0);
        events.push(request);
      }
      if (!trace.#keep) {
        binding.freeTrace(trace.#native, from);
        trace.#taken = from;
      }
      if (read.length === 0) takeMarks(Infinity);
      return { values: events, isLast: isLast && events.length === 0 };
    };
    return new WaitingIterator(look, () => trace.#more());
  }

  /** Comes with the next request, mark or end; what has come before that is to be looked for behind this call. */
  #more(): Promise<void> {
    if (!this.#isArmed) {
      this.#isArmed = true;
      void binding.awaitTrace(this.#native).then(() => {
        this.#isArmed = false;
        this.#ring();
      });
    }
    return (this.#news ??= newsOf()).promise;
  }

  #ring(): void {
    const news = this.#news;
    this.#news = undefined;
    news?.come();
  }

  /** What `console.log` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { requests, dropped, stopped } = this;
    return `Trace ${inspect({ requests, dropped, stopped }, options)}`;
  }

  #read(from: number): TraceRequest[] {
    const rows = new Float64Array(ROWS * COLUMNS);
    const count = binding.readTrace(this.#native, from, rows);
    return Array.from({ length: count }, (_, i) => requestOf(rows.subarray(i * COLUMNS, (i + 1) * COLUMNS)));
  }

  static #of(value: unknown): NativeBackedTrace {
    if (typeof value !== 'object' || value === null || !(#native in value)) throw invalidThis('Trace');
    return value;
  }
}

function requestOf(row: Float64Array): TraceRequest {
  const [n, done, time, latency, operation, device, position, length, moved, errno, durable, fault] = row as unknown as Record<
    number,
    number
  > &
    [number, number, number, number, number, number, number, number, number, number, number, number];
  const op = OPS[operation] ?? 'read';
  // Before the start of the device there is nothing: it was refused, and stays apart by its error.
  const request: TraceRequest = { op, n, time, device, position: Math.max(0, position), length, done, latency };
  if (op !== 'flush') request.moved = moved;
  if (durable !== 0) request.fua = true;
  if (errno !== 0) request.error = errorCode(errno);
  if (fault !== 0) request.injected = FAULTS[fault - 1] ?? 'fault';
  return request;
}

/** What a trace says of a device. */
export interface TracedDevice {
  readonly path: string;
  readonly size: number;
  readonly cache: string;
}

/** Traces the devices behind `handles`, which are those of `devices`. */
export function traceOf(handles: readonly DeviceHandle[], devices: readonly TracedDevice[], options: TraceOptions | undefined): Trace {
  if (options !== undefined) requireOptions(options, 'options', TRACE_KEYS);
  const limit = options?.limit === undefined ? USUAL : integer(options.limit, 'options.limit', 1, MOST);
  const keep = flag(options?.keep, 'options.keep', true);
  const signal = abortSignal(options?.signal, 'options.signal');
  const native = binding.startTrace(
    handles.map(({ requests }) => requests),
    limit,
  );
  if (isFailure(native)) throw fromFailure(native, handles[0] ?? {});
  const trace = new NativeBackedTrace(traceHeader(devices.map(({ path, size, cache }) => ({ name: path, size, cache }))), native, keep);
  stopWithDevices(trace, handles);
  if (signal?.aborted === true) trace.stop();
  else signal?.addEventListener('abort', () => trace.stop(), { once: true });
  return trace;
}

/** Ends a trace when the last of its devices has closed. */
function stopWithDevices(trace: Trace, handles: readonly DeviceHandle[]): void {
  let open = handles.length;
  for (const handle of handles) {
    const before = handle.afterClose;
    handle.afterClose = () => {
      open -= 1;
      if (open === 0) trace.stop();
      before();
    };
  }
}
