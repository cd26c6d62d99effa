// Logs as tests make them and look at them.
import { readFileSync } from 'node:fs';
import { readLog, type ByteSource, type TraceEvent, type TraceHeader, type TraceRequest } from 'rumpblk/trace';

/** A header of these devices. */
export const header = (names: string[] = ['disk'], more: Partial<TraceHeader> = {}): TraceHeader => ({
  sector: 512,
  atomic: 512,
  clock: 'real',
  ...more,
  devices: names.map((name) => ({ name })),
});

/** A request that completed as the next event. */
export const request = (n: number, op: TraceRequest['op'], position = 0, length = 0, more: Partial<TraceRequest> = {}): TraceRequest => ({
  ...{ op, n, time: 0, device: 0, position, length, done: n + 1 },
  ...more,
});

/** A log, whole. */
export async function readAll(source: ByteSource): Promise<{ format: string; header: TraceHeader; events: TraceEvent[] }> {
  const { format, header: found, events } = await readLog(source);
  const all: TraceEvent[] = [];
  for await (const event of events) all.push(event);
  return { format, header: found, events: all };
}

export const readAllOf = (file: string): ReturnType<typeof readAll> => readAll([readFileSync(file)]);

/** How reading a log ends: the events before it, and the code and message of the failure. */
export async function howItEnds(bytes: Uint8Array): Promise<[events: number, code: string, message: string]> {
  let count = 0;
  try {
    const events = (await readLog([bytes])).events[Symbol.asyncIterator]();
    while ((await events.next()).done !== true) count += 1;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return [count, code ?? 'none', message];
  }
  return [count, 'ok', ''];
}

/** What is on a disk of zeros of this size when writes and discards of a log were done in its order. */
export function played(events: readonly TraceEvent[], size: number): Buffer {
  const disk = Buffer.alloc(size);
  for (const event of events) {
    if (event.op === 'write') disk.set(event.data!, event.position);
    if (event.op === 'discard' || event.op === 'zeroes') disk.fill(0, event.position, event.position + event.length);
  }
  return disk;
}
