// replay(): the same requests, the same content, whatever the format and the timing.
import { rmSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { memory } from 'rumpblk/media';
import { replay, writeLogFile, type TraceEvent, type TraceRequest } from 'rumpblk/trace';
import { numbers } from '../support/batch';
import { peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { header, played, readAllOf, request } from '../support/traces';

const bench = rig();
const disk = () => bench.device(memory({ size: MiB }), { mode: 'r+' });

/** Writes that overlap, one after the other in their log. */
function writes(count: number, gap = 0): TraceRequest[] {
  const next = numbers(5);
  return Array.from({ length: count }, (_, i) => {
    const length = (1 + next(8)) * 512;
    return request(2 * i, 'write', next(64) * 512, length, { data: pattern(length, i + 1), time: i * gap });
  });
}

test.each(['jsonl', 'dm-log-writes'] as const)('the content is that of the log, %s', async (format) => {
  const events: TraceEvent[] = writes(300);
  const file = bench.path('log');
  await writeLogFile(file, header(), events, { format });
  const device = disk();
  const report = await replay(file, device);
  expect(report).toMatchObject({ requests: 300, errors: {}, differing: 0, invented: 0, bytesRead: 0 });
  expect(report.stats.write.count).toBe(300);
  expect(report.bytesWritten).toBe(events.reduce((sum, event) => sum + ('length' in event ? event.length : 0), 0));
  expect(bench.bytes(device).equals(played(events, MiB))).toBe(true);
});

test('a trace of a device replays as the same requests', async () => {
  const device = disk();
  const trace = device.trace();
  await device.write(pattern(4 * KiB), 0);
  await Promise.all([
    device.read(Buffer.alloc(512), 0),
    device.read(Buffer.alloc(512), 512),
    device.writeZeroes(8 * KiB, 512, { fua: true }),
  ]);
  await device.read(Buffer.alloc(512), 2 * MiB).catch(() => undefined);
  await device.discard(0, 4 * KiB);
  await device.flush();
  trace.stop();
  const target = disk();
  using again = target.trace();
  expect(await replay(trace.events(), [target])).toMatchObject({ requests: 7, errors: { EINVAL: 1 }, differing: 0, invented: 1 });
  const facts = (events: TraceEvent[]) =>
    events.map((event) => ('length' in event ? [event.op, event.position, event.length, event.fua, event.error] : []));
  expect(facts(again.events())).toEqual(facts(trace.events()));
});

test('a request waits for those that had completed before it, and for no others', async () => {
  const order: string[] = [];
  const device = disk();
  const { write, flush } = device;
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  Object.assign(device, {
    async write(...given: Parameters<typeof write>) {
      order.push(`write ${Number(given[1])}`);
      if (given[1] === 0) await held;
      const written = await write.apply(device, given);
      order.push(`written ${Number(given[1])}`);
      return written;
    },
    async flush() {
      order.push('flush');
      await flush.call(device);
    },
  });
  const data = pattern(512);
  // The second one was under way beside the first, the flush behind both, the third beside the flush.
  const events = [
    request(0, 'write', 0, 512, { data, done: 3 }),
    request(1, 'write', 512, 512, { data, done: 2 }),
    request(4, 'flush', 0, 0, { done: 6 }),
    request(5, 'write', 1024, 512, { data, done: 7 }),
  ];
  const over = replay(events, device);
  while (!order.includes('written 512')) await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual(['write 0', 'write 512', 'written 512']);
  letGo();
  await over;
  expect(order.slice(3, 6)).toEqual(['written 0', 'flush', 'write 1024']);
});

test('with times it is never early, and a factor divides them', async () => {
  const device = disk();
  const events = writes(10, 5e6);
  for (const [timing, least] of [
    ['original', 45e6],
    [3, 15e6],
  ] as const) {
    using trace = device.trace();
    const report = await replay(events, device, { timing });
    const times = (trace.events() as TraceRequest[]).map(({ time }) => time);
    // The clocks of the replay and of the trace are the same one; it is read a moment before the request is made.
    expect(times.at(-1)! - times[0]! + report.drift.max).toBeGreaterThanOrEqual(least);
    expect(report.drift.mean).toBeGreaterThanOrEqual(0);
  }
});

test('several devices, and one for all of them', async () => {
  const data = pattern(512);
  const events = [request(0, 'write', 0, 512, { data }), request(2, 'write', 512, 512, { data, device: 1 })];
  const devices = [disk(), disk()];
  await replay(events, devices);
  expect(devices.map((device) => bench.bytes(device).findIndex((byte) => byte !== 0) >= 512)).toEqual([false, true]);
  await expect(replay(events, [disk()])).rejects.toThrow('has no device 1');
  expect((await replay(events, disk())).requests).toBe(2);
});

test('failures are counted by code, and what other than the log says is told', async () => {
  const device = bench.device(memory({ size: MiB }));
  const events = [
    request(0, 'write', 0, 512),
    request(2, 'write', 0, 512, { error: 'EACCES' }),
    request(4, 'read', 0, 512, { error: 'EIO' }),
  ];
  expect(await replay(events, device)).toMatchObject({ requests: 3, errors: { EACCES: 2 }, differing: 2, bytesRead: 512 });
});

test('it can be aborted, and a damaged log ends it behind what is whole', async () => {
  const abort = new AbortController();
  const events = writes(10, 1e9);
  const over = replay(events, disk(), { timing: 'original', signal: abort.signal });
  abort.abort();
  await expect(over).rejects.toMatchObject({ name: 'AbortError' });
  const device = disk();
  await expect(replay(bench.image(Buffer.from('no log')), device)).rejects.toMatchObject({ code: 'EINVAL' });
  await expect(replay([], device, { timing: 0 })).rejects.toThrow('options.timing');
  await expect(replay([], device, { speed: 2 } as never)).rejects.toThrow("'timing'");
  await expect(replay([], {} as never)).rejects.toThrow(TypeError);
});

testWith(peer('fio', 'fio'))("a log of fio's replays", async () => {
  const [image, log] = [bench.sparse(MiB), bench.path('fio.log')];
  rmSync(log, { force: true });
  run('fio', '--name=job', `--filename=${image}`, '--rw=randrw', '--bs=4k', '--size=1M', '--fsync=32', `--write_iolog=${log}`);
  const { events } = await readAllOf(log);
  const report = await replay(log, disk());
  expect([report.requests, report.errors]).toEqual([events.length, {}]);
  expect(report.bytesRead + report.bytesWritten).toBe(MiB);
});
