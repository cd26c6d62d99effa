// Requests as they are traced, recorded and kept in logs: the one model that all formats of lib/trace read into and write from.
import type { Bytes } from '../request/transfer.js';

/** The operation of a request in a log. A copy from another device is a `'write'`. */
export type TraceOp = 'read' | 'write' | 'flush' | 'discard' | 'zeroes';

/** One request of a log. */
export interface TraceRequest {
  /** The operation. */
  op: TraceOp;
  /** Place in the one order of all events of a log: a whole number that grows, not always by one. */
  n: number;
  /** When it was made, ns from the start of the log; 0 where the format has no times. */
  time: number;
  /** Index into {@link TraceHeader.devices}. */
  device: number;
  /** First byte on the device; 0 of a flush. */
  position: Bytes;
  /** Bytes that were asked for; 0 of a flush. */
  length: Bytes;
  /** The request was durable when it completed. */
  fua?: boolean;
  /** It stands for stores through a lease, of which each word may be on the disk or not. */
  stores?: boolean;
  /** Place of its completion in the order of `n`; undefined: it did not complete while the log was made. */
  done?: number;
  /** From `time` to its completion as the caller saw it, ns. */
  latency?: number;
  /** Bytes that moved; all of `length` where this is undefined and nothing failed. */
  moved?: Bytes;
  /** Code of its failure, `'EIO'`. */
  error?: string;
  /** What a fault plan did to it, by the name of its action, `'drop'`; `'generator'` also of `faults.set`. */
  injected?: string;
  /** The bytes that a write wrote, `length` of them, where the log has data. */
  data?: Uint8Array;
  /** Digest of what it wrote, in hexadecimal, where the log has digests. */
  sha?: string;
}

/** Something that happened, told by whoever made the log. */
export interface TraceMark {
  /** Tells it from a request. */
  op: 'mark';
  /** Place in the order of all events. */
  n: number;
  /** ns from the start of the log. */
  time: number;
  /** Name of the event. */
  name: string;
  /** Any value that JSON has. */
  data?: unknown;
}

/** Content of a device before the first event; only in logs that hold all they need. */
export interface TraceBase {
  /** Tells it from a request. */
  op: 'base';
  /** Index of the device. */
  device: number;
  /** Its first byte. */
  position: Bytes;
  /** The bytes. */
  data: Uint8Array;
}

/** One entry of a log. */
export type TraceEvent = TraceRequest | TraceMark | TraceBase;

/** A device that a log is about. */
export interface TraceDevice {
  /** Path, or what else it is called. */
  name: string;
  /** Bytes; undefined where the format does not say. */
  size?: Bytes;
  /** Cache mode that it was open with. */
  cache?: string;
  /** SHA-256 of its content before the first event. */
  base?: string;
  /** Which disk it is a part of, where it is one: devices with the same number share what a flush covers. */
  disk?: number;
  /** Where it begins on that disk; default 0. */
  offset?: Bytes;
}

/** Header of a log: version, devices, clock. */
export interface TraceHeader {
  /** Bytes of a sector, the unit of positions in formats that have one: 512, or what a dm-log-writes log says. */
  sector: number;
  /** Bytes that the medium writes as one. */
  atomic: number;
  /** The devices, in the order of {@link TraceRequest.device}. The readers of fio's formats add to it while they read. */
  devices: TraceDevice[];
  /** Whether times are of a clock that a test drives. */
  clock: 'real' | 'virtual';
}

/** A log that is being read. */
export interface TraceLog {
  /** Version, devices, clock. */
  readonly header: TraceHeader;
  /** In the order of the log; it can be gone through once. Throws where the log is damaged, after all that is before that place. */
  readonly events: AsyncIterable<TraceEvent>;
}

/** What events are made of by those who have them all, or one after the other. */
export type TraceEvents = Iterable<TraceEvent> | AsyncIterable<TraceEvent>;

/** Turns events into the bytes of a format, in the order of the calls: begin(), add() of each event, end(). */
export interface TraceEncoder {
  begin(): Uint8Array;
  add(event: TraceEvent): Iterable<Uint8Array>;
  end(): Iterable<Uint8Array>;
  /** What replaces the bytes of begin() once all is written, of the same length: a format that counts its entries up front. */
  finalBegin?(): Uint8Array;
  /** Counts, by kind, of all that the format cannot express and that was left out: `'read'`, `'mark data'`, `'unfinished write'`. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/** A header of nothing in particular. */
export function traceHeader(devices: TraceDevice[], known: Partial<TraceHeader> = {}): TraceHeader {
  return { sector: 512, atomic: 512, clock: 'real', ...known, devices };
}

/** Counts one of that kind, of what a format leaves out. */
export function count(leftOut: Map<string, number>, kind: string): void {
  leftOut.set(kind, (leftOut.get(kind) ?? 0) + 1);
}

/** Entries of events, by which a log is looked into where its entries are not its events: of those that lie far out, which may be wrong. */
const entries = new WeakMap<TraceRequest, bigint>();
const FAR = 2 ** 40;

/** Notes which entry of its log an event is of, where it ends behind 1 TiB. */
export function inEntry(event: TraceRequest, entry: bigint): TraceRequest {
  if (event.position + event.length > FAR) entries.set(event, entry);
  return event;
}

/** Tells the entry of an event which ends behind 1 TiB, in a log whose entries have numbers of their own. */
export function entryOf(event: TraceRequest): bigint | undefined {
  return entries.get(event);
}
