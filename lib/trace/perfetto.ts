// The trace event format of Chrome, which Perfetto shows: a process for each device, in it a track for each request that was under way
// beside others, since what is on one track must not overlap.
import type { TraceEncoder, TraceEvent, TraceHeader, TraceRequest } from './event.js';
import { count } from './event.js';

type Json = Record<string, unknown>;

/** Writes a trace for Perfetto: times are in microseconds, and what has no latency has no length. */
export function perfettoEncoder(header: TraceHeader): TraceEncoder {
  const leftOut = new Map<string, number>();
  const named = new Set<number>();
  /** By device: when each of its tracks is free, ns. */
  const tracks: number[][] = [];
  let isFirst = true;
  const lines = function* (...events: Json[]): Generator<Uint8Array, void, undefined> {
    for (const event of events) {
      yield Buffer.from(`${isFirst ? '' : ','}\n${JSON.stringify(event)}`);
      isFirst = false;
    }
  };
  const trackOf = (device: number, time: number, end: number): number => {
    const free = (tracks[device] ??= []);
    const found = free.findIndex((until) => until <= time);
    const track = found < 0 ? free.length : found;
    free[track] = end;
    return track;
  };
  const nameOf = (device: number): Json[] => {
    if (named.has(device)) return [];
    named.add(device);
    return [{ name: 'process_name', ph: 'M', pid: device + 1, tid: 0, args: { name: header.devices[device]?.name ?? `device ${device}` } }];
  };
  return {
    leftOut,
    begin: () => Buffer.from('{"displayTimeUnit":"ns","traceEvents":['),
    *add(event: TraceEvent) {
      if (event.op === 'base') return count(leftOut, 'base');
      if (event.op === 'mark') {
        yield* lines({ name: event.name, ph: 'i', s: 'g', ts: event.time / 1000, pid: 1, tid: 0, args: { data: event.data } });
        return;
      }
      const { device, time, latency = 0 } = event;
      const tid = trackOf(device, time, time + latency) + 1;
      yield* lines(...nameOf(device), {
        name: event.op,
        cat: 'io',
        ph: 'X',
        ts: time / 1000,
        dur: latency / 1000,
        pid: device + 1,
        tid,
        args: argsOf(event),
      });
    },
    *end() {
      yield Buffer.from('\n]}\n');
    },
  };
}

function argsOf({ n, position, length, moved, fua, error, injected }: TraceRequest): Json {
  return { n, position, length, moved, fua, error, injected };
}
