// device.trace(), startTrace() and device.stats(): what is seen of each kind of call, and what is not.
// Over 300 lines: one list of what traces see.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { memory } from 'rumpblk/media';
import { nbd, serve } from 'rumpblk/nbd';
import { LatencyHistogram, readLogFile, startTrace, type TraceEvent, type TraceRequest } from 'rumpblk/trace';
import { randomFrom } from '../support/chance';
import { lateDisk } from '../support/late';
import { KiB, MiB, rig } from '../support/rig';
import { readAllOf } from '../support/traces';

const bench = rig();
const KB4 = 4 * KiB;

/** What a test says of an event: the rest is time. */
const facts = (events: readonly TraceEvent[]) =>
  events.map((event) => {
    if (event.op === 'mark' || event.op === 'base') return [event.op];
    const { op, position, length, moved, fua, error, injected } = event;
    return [op, position, length, ...[moved, fua, error, injected].filter((value) => value !== undefined)];
  });

/** Each number once, each request after it was made, and one after the other where the caller awaited. */
function checkOrder(events: readonly TraceRequest[]): void {
  const numbers = events.flatMap(({ n, done }) => [n, done!]);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(events.every(({ n, done }) => n < done!)).toBe(true);
  expect(events.map(({ n }) => n)).toEqual(events.map(({ n }) => n).sort((a, b) => a - b));
  expect(events.map(({ time }) => time)).toEqual(events.map(({ time }) => time).sort((a, b) => a - b));
}

describe.each(bench.grounds.map((ground) => [ground.name, ground] as const))('over %s', (_, ground) => {
  const opened = () => bench.device(ground.disk(MiB), { mode: 'r+', access: ground.access });

  test('each call is one event, as the caller sees it', async () => {
    const device = opened();
    const trace = device.trace();
    const data = Buffer.alloc(MiB, 7);
    device.writeSync(data.subarray(0, KB4), KB4);
    await device.write(data.subarray(0, 100), 5, { fua: true });
    await device.read(data, 0);
    device.readSync(data.subarray(0, 512), MiB - 100);
    await device.flush();
    device.flushSync();
    await device.writeZeroes(0, KB4);
    device.discardSync(8 * KiB, KB4);
    device.prefetch(0, KB4);
    await device.strategy({ op: 'read', blkno: 3, data: data.subarray(0, 512) });
    await expect(device.read(data, 2 * MiB)).rejects.toMatchObject({ code: 'EINVAL' });
    expect(() => device.strategySync({ op: 'write', blkno: -1, data: data.subarray(0, 512) })).toThrow('EINVAL');
    trace.stop();
    device.readSync(data.subarray(0, 512), 0);
    const events = trace.events() as TraceRequest[];
    const discarded = events.find(({ op }) => op === 'discard')!.moved;
    expect(facts(events)).toEqual([
      ['write', KB4, KB4, KB4],
      ['write', 5, 100, 100, true],
      ['read', 0, MiB, MiB],
      ['read', MiB - 100, 512, 100],
      ['flush', 0, 0],
      ['flush', 0, 0],
      ['zeroes', 0, KB4, KB4],
      ['discard', 8 * KiB, KB4, discarded],
      ['read', 1536, 512, 512],
      ['read', 2 * MiB, MiB, 0, 'EINVAL'],
      ['write', 0, 512, 0, true, 'EINVAL'],
    ]);
    checkOrder(events);
    for (let i = 1; i < events.length; i += 1) expect(events[i]!.n).toBeGreaterThan(events[i - 1]!.done!);
  });

  test('entries of a batch, of both forms; a flush stands behind what it covers', async () => {
    const device = opened();
    const batch = device.createBatch({ depth: 6 });
    batch.op.set([1, 0, 2, 1, 4, 0]);
    batch.blkno.set([0, 8, 0, 16, 24, 1e9]);
    batch.bcount.fill(512);
    batch.offset.set([0, 512, 0, 1024, 0, 1536]);
    for (const run of [() => Promise.resolve(batch.runSync(6)), () => batch.run(6)]) {
      using trace = device.trace();
      expect(await run()).toBe(5);
      const events = trace.events() as TraceRequest[];
      expect(facts(events).sort()).toEqual(
        [
          ['write', 0, 512, 512],
          ['read', KB4, 512, 512],
          ['flush', 0, 0],
          ['write', 8 * KiB, 512, 512],
          ['zeroes', 12 * KiB, 512, 512],
          ['read', 512e9, 512, 0, 'EINVAL'],
        ].sort(),
      );
      const flush = events.find(({ op }) => op === 'flush')!;
      expect(events.filter(({ done }) => done! < flush.n).map(({ position }) => position)).toEqual([0, KB4]);
    }
  });

  test('requests of many at once are all there', async () => {
    const device = opened();
    using trace = device.trace();
    const sizes = [512, KB4, 300 * KiB];
    await Promise.all(Array.from({ length: 200 }, (_, i) => device.read(Buffer.alloc(sizes[i % 3]!), (i % 100) * 512)));
    const events = trace.events() as TraceRequest[];
    expect(events).toHaveLength(200);
    expect(facts(events)).toEqual(Array.from({ length: 200 }, (_, i) => ['read', (i % 100) * 512, sizes[i % 3], sizes[i % 3]]));
    checkOrder(events);
  });
});

test('faults are told as such', async () => {
  const device = bench.device(memory({ size: MiB }), { mode: 'r+' });
  device.driver.faults.set({ rate: 10000 });
  using trace = device.trace();
  await expect(device.write(Buffer.alloc(512), 0)).rejects.toMatchObject({ injected: true });
  expect(facts(trace.events())).toEqual([['write', 0, 512, 0, 'EIO', 'generator']]);
});

test('what a plan did is told by the name of its action, also where nothing failed, and of entries of a batch', async () => {
  const device = bench.device(memory({ size: MiB }), { mode: 'r+' });
  device.driver.faults.plan({
    rules: [
      { match: { op: 'write', n: 2 }, action: { drop: true } },
      { match: { op: 'write', n: 3 }, action: { tear: 'prefix' } },
      { match: { op: 'read', n: 1 }, action: { corrupt: 'flip' } },
      { match: { op: 'read', n: 2 }, action: { delay: 1 } },
      { match: { op: 'read', n: 3 }, action: { errno: 'EIO' } },
      { match: { op: 'flush', n: 1 }, action: { ignoreFlush: true } },
      { match: { op: 'write', n: 5 }, action: { drop: true } },
    ],
  });
  using trace = device.trace();
  const data = Buffer.alloc(1024);
  for (let i = 0; i < 3; i += 1) await device.write(data, 0);
  for (let i = 0; i < 2; i += 1) device.readSync(data, 0);
  await expect(device.read(data, 0)).rejects.toMatchObject({ injected: true });
  await device.flush();
  const batch = device.createBatch({ depth: 2 });
  batch.op.fill(1);
  batch.bcount.fill(512);
  await batch.run(2);
  const told = (trace.events() as TraceRequest[]).map(({ op, injected }) => [op, injected]);
  expect(told).toEqual([
    ...[
      ['write', undefined],
      ['write', 'drop'],
      ['write', 'tear'],
      ['read', 'corrupt'],
      ['read', 'delay'],
      ['read', 'errno'],
    ],
    ...[
      ['flush', 'ignoreFlush'],
      ['write', undefined],
      ['write', 'drop'],
    ],
  ]);
});

test('what was aborted while it waited is told so', async () => {
  const late = lateDisk(MiB, { held: true });
  const device = bench.device(late.medium, { mode: 'r+' }, { requestMemory: MiB });
  using trace = device.trace();
  const first = device.write(Buffer.alloc(MiB), 0);
  const abort = new AbortController();
  const second = device.write(Buffer.alloc(512), 512, { signal: abort.signal });
  abort.abort();
  await expect(second).rejects.toMatchObject({ name: 'AbortError' });
  expect(facts(trace.events())).toEqual([['write', 512, 512, 0, 'ECANCELED']]);
  late.release();
  await first;
  expect(facts(trace.events())).toEqual([
    ['write', 0, MiB, MiB],
    ['write', 512, 512, 0, 'ECANCELED'],
  ]);
});

test('requests of clients of a server are those of the device', async () => {
  const device = bench.device(memory({ size: MiB }), { mode: 'r+' });
  const socket = bench.path('traced.sock');
  await using server = await serve({ exports: { disk: { device, writable: true } }, socket });
  const client = bench.device(nbd(server.url!), { mode: 'r+' });
  using trace = device.trace();
  await client.write(Buffer.alloc(KB4, 1), 0);
  await client.flush();
  await client.read(Buffer.alloc(100 * KiB), 0);
  await client.writeZeroes(KB4, KB4);
  expect(facts(trace.events())).toEqual([
    ['write', 0, KB4, KB4],
    ['flush', 0, 0],
    ['read', 0, 100 * KiB, 100 * KiB],
    ['zeroes', KB4, KB4, KB4],
  ]);
  await client.close();
});

test('several devices come in one order, with marks', async () => {
  const devices = [bench.device(memory({ size: MiB }), { mode: 'r+' }), bench.device(memory({ size: MiB }), { mode: 'r+' })];
  using trace = startTrace(devices);
  await devices[0]!.write(Buffer.alloc(512), 0);
  trace.mark('between', { at: 1 });
  await devices[1]!.write(Buffer.alloc(512), 512);
  expect(trace.events()).toMatchObject([
    { op: 'write', device: 0, n: 0, done: 1 },
    { op: 'mark', n: 2, name: 'between', data: { at: 1 } },
    { op: 'write', device: 1, n: 3, done: 4 },
  ]);
  expect(trace.header.devices).toEqual(devices.map((device) => ({ name: device.path, size: MiB, cache: 'writeback' })));
  expect(() => devices[0]!.trace()).toThrow('EBUSY');
  trace.stop();
  devices[0]!.trace().stop();
});

test('the iterator goes on until the trace is stopped', async () => {
  const device = bench.device(memory({ size: MiB }), { mode: 'r+' });
  const trace = device.trace();
  const seen: TraceEvent[] = [];
  const all = (async () => {
    for await (const event of trace) seen.push(event);
  })();
  await device.write(Buffer.alloc(512), 0);
  trace.mark('m');
  await device.read(Buffer.alloc(512), 0);
  trace.stop();
  await all;
  expect(facts(seen)).toEqual([['write', 0, 512, 512], ['mark'], ['read', 0, 512, 512]]);
  expect(facts(trace.events())).toEqual(facts(seen));
});

test('what has no room is dropped and counted; with keep: false the iterator makes room', async () => {
  const device = bench.device(memory({ size: MiB }), { mode: 'r+' });
  const some = Buffer.alloc(512);
  using full = device.trace({ limit: 10 });
  for (let i = 0; i < 15; i += 1) device.readSync(some, 0);
  expect([full.requests, full.dropped]).toEqual([10, 5]);
  full.stop();
  const taken = device.trace({ limit: 10, keep: false });
  let count = 0;
  const all = (async () => {
    for await (const event of taken) count += event.op === 'read' ? 1 : 0;
  })();
  while (count < 50) {
    device.readSync(some, 0);
    await sleep(1);
  }
  taken.stop();
  await all;
  expect([taken.dropped, taken.events()]).toEqual([0, []]);
});

test('it is saved in each format that has words for it', async () => {
  const device = bench.device(memory({ size: MiB }), { mode: 'r+' });
  using trace = device.trace();
  await device.write(Buffer.alloc(512), 512);
  await device.flush();
  trace.stop();
  const file = bench.path('saved');
  expect(await trace.save(file)).toEqual({ events: 2, leftOut: {} });
  expect((await readAllOf(file)).events).toEqual(trace.events());
  await trace.save(file, { format: 'fio-iolog-3', files: ['/dev/x'] });
  const { header, events } = await readLogFile(file);
  for await (const event of events) expect(event.op).toMatch(/write|flush/);
  expect(header.devices).toEqual([{ name: '/dev/x' }]);
  await expect(trace.save(file, { format: 'dm-log-writes' })).rejects.toMatchObject({ code: 'ENOTSUP' });
});

test('a trace may outlive its device, and be forgotten', async () => {
  const device = bench.device(memory({ size: MiB }), { mode: 'r+' });
  const trace = device.trace();
  await device.write(Buffer.alloc(512), 512);
  await device.close();
  expect(trace.events().map(({ op }) => op)).toEqual(['write', 'flush']);
  trace.stop();
  trace.stop();
  expect(() => device.trace()).toThrow('EBADF');
  expect(() => device.stats()).toThrow('EBADF');
});

test('stats begin with the first call, count each operation, and begin anew on reset', async () => {
  const device = bench.device(memory({ size: MiB }), { mode: 'r+' });
  await device.write(Buffer.alloc(512), 0);
  expect(device.stats().write).toMatchObject({ count: 0, min: 0, max: 0, mean: 0, p99: 0 });
  for (let i = 0; i < 100; i += 1) await device.write(Buffer.alloc(KB4), 0);
  device.readSync(Buffer.alloc(512), 0);
  await device.read(Buffer.alloc(512), 2 * MiB).catch(() => undefined);
  const { write, read, flush } = device.stats({ reset: true });
  expect([write.count, write.bytes, write.errors, flush.count]).toEqual([100, 100 * KB4, 0, 0]);
  expect([read.count, read.bytes, read.errors]).toEqual([2, 512, 1]);
  const rising = [write.min, write.p50, write.p90, write.p99, write.p99_9, write.p99_99];
  expect(rising).toEqual([...rising].sort((a, b) => a - b));
  expect(rising[0]).toBeGreaterThan(0);
  expect(write.p99_99).toBe(write.max);
  expect(device.stats().write.count).toBe(0);
});

test('a percentile is within 1 % of the exact one', () => {
  const histogram = new LatencyHistogram();
  const times: number[] = [];
  const random = randomFrom(1);
  for (let i = 1, time = 1; i <= 20000; i += 1, time = Math.floor(random() * 2 ** (i % 40)) + 1) {
    histogram.record(time);
    times.push(time);
  }
  times.sort((a, b) => a - b);
  for (const percent of [0, 1, 10, 50, 90, 99, 99.9, 99.99, 100]) {
    const exact = times[Math.max(1, Math.ceil((percent / 100) * times.length)) - 1]!;
    expect(Math.abs(histogram.percentile(percent) - exact)).toBeLessThanOrEqual(exact / 100);
  }
  expect([histogram.min, histogram.max, histogram.count]).toEqual([times[0], times.at(-1), times.length]);
  expect(histogram.mean).toBeCloseTo(times.reduce((a, b) => a + b) / times.length, -3);
  expect(histogram.countUpTo(2 ** 50)).toBe(times.length);
});

test('misuse is refused', () => {
  const device = bench.device(memory({ size: MiB }));
  expect(() => device.trace({ limit: 0 })).toThrow(RangeError);
  expect(() => device.trace({ size: 1 } as never)).toThrow("did you mean 'limit'");
  expect(() => device.stats({ reset: 1 } as never)).toThrow(TypeError);
  expect(() => startTrace([])).toThrow('must not be empty');
  expect(() => startTrace([{} as never])).toThrow(TypeError);
  expect(() => startTrace([device, device])).toThrow('EBUSY');
  device.trace().stop();
});
