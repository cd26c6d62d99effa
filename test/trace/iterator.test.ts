// The iterator of a trace: it waits for what comes, looks at nothing meanwhile, and ends by whatever ends the trace or the loop.
import { expect, test } from '@jest/globals';
import { memory } from 'rumpblk/media';
import { startTrace, type Trace, type TraceEvent } from 'rumpblk/trace';
import { runChild } from '../support/child';
import { MiB, rig } from '../support/rig';

const bench = rig();
const opened = () => bench.device(memory({ size: MiB }), { mode: 'r+' });
const data = Buffer.alloc(512);

/** Goes through a trace until it ends. */
async function rest(trace: Trace): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  for await (const event of trace) events.push(event);
  return events;
}
const nextTurns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('requests of this thread and of workers, and marks, wake it', async () => {
  const device = opened();
  using trace = device.trace();
  const events = trace[Symbol.asyncIterator]();
  for (const make of [
    () => device.writeSync(data, 0),
    () => device.flush(),
    () => trace.mark('here'),
    () => device.read(Buffer.alloc(MiB), 0),
    () => device.discardSync(0, 4096),
  ]) {
    const next = events.next();
    await nextTurns(3);
    make();
    expect((await next).done).toBe(false);
  }
});

test('several wait at once, each for all', async () => {
  const device = opened();
  const trace = device.trace();
  const both = [rest(trace), rest(trace)];
  await nextTurns(2);
  for (let i = 0; i < 3000; i += 1) {
    device.writeSync(data, 512 * (i % 8));
    if (i % 100 === 0) await nextTurns(1);
  }
  trace.stop();
  const [one, other] = await Promise.all(both);
  expect(one).toHaveLength(3000);
  expect(other).toEqual(one);
});

test('stop() ends it while it waits', async () => {
  const trace = opened().trace();
  const end = rest(trace);
  await nextTurns(3);
  trace.stop();
  expect(await end).toEqual([]);
});

test('the close of the last of its devices ends it', async () => {
  const [one, other] = [opened(), opened()];
  const trace = startTrace([one, other]);
  const end = rest(trace);
  one.writeSync(data, 0);
  await one.close();
  await nextTurns(3);
  expect(trace.stopped).toBe(false);
  other.writeSync(data, 0);
  other.closeSync();
  expect(trace.stopped).toBe(true);
  expect((await end).map(({ op }) => op)).toEqual(['write', 'flush', 'write', 'flush']);
});

test('return() ends it alone, also a next() that waits', async () => {
  const device = opened();
  using trace = device.trace();
  const events = trace[Symbol.asyncIterator]();
  const next = events.next();
  await nextTurns(3);
  expect(await events.return?.()).toEqual({ done: true, value: undefined });
  expect(await next).toEqual({ done: true, value: undefined });
  expect(trace.stopped).toBe(false);
  device.writeSync(data, 0);
  for await (const { op } of trace) {
    expect(op).toBe('write');
    break;
  }
  expect(trace.stopped).toBe(false);
});

test('a signal ends the trace', async () => {
  const device = opened();
  const abort = new AbortController();
  const trace = device.trace({ signal: abort.signal });
  const end = rest(trace);
  device.writeSync(data, 0);
  await nextTurns(3);
  abort.abort();
  device.writeSync(data, 0);
  expect(await end).toHaveLength(1);
  expect(trace.stopped).toBe(true);
  expect(device.trace({ signal: AbortSignal.abort() }).stopped).toBe(true);
  expect(() => device.trace({ signal: {} as never })).toThrow(TypeError);
});

test('it costs no look at a clock: nothing runs while nothing happens', async () => {
  const script = `
    const device = openSync(args, { mode: 'r+' });
    const trace = device.trace();
    const hooks = require('node:async_hooks');
    let timers = 0;
    hooks.createHook({ init(id, type) { if (type === 'Timeout' || type === 'Immediate') timers += 1; } }).enable();
    let seen = 0;
    const all = (async () => { for await (const event of trace) seen += 1; })();
    for (let i = 0; i < 20; i += 1) await device.read(Buffer.alloc(1024 * 1024), 0);
    trace.stop();
    await all;
    device.closeSync();
    report([seen, timers]);`;
  const { code, reports } = await runChild(script, { args: bench.sparse(MiB) });
  expect([code, reports]).toEqual([0, [[20, 0]]]);
});

test.each(['left open', 'in use', 'in a worker that is terminated'])('a process ends with traced devices %s', async (how) => {
  const script = `
    const { memory } = require('rumpblk/media');
    const { startTrace } = require('rumpblk/trace');
    const begin = () => {
      const devices = [0, 1].map(() => openSync(memory({ size: 1 << 20 }), { mode: 'r+' }));
      const traces = [devices[0].trace(), startTrace([devices[1]])];
      for (const trace of traces) (async () => { for await (const event of trace); })();
      globalThis.kept = [devices, traces];
      return devices;
    };
    const { Worker, isMainThread, parentPort } = require('node:worker_threads');
    if (args === 'in a worker that is terminated') {
      const worker = new Worker(${JSON.stringify(`
        const { openSync } = require('rumpblk');
        const { memory } = require('rumpblk/media');
        const device = openSync(memory({ size: 1 << 24 }), { mode: 'r+' });
        const trace = device.trace();
        (async () => { for await (const event of trace); })();
        (async () => { for (;;) await device.read(Buffer.alloc(1 << 20), 0); })();
        require('node:worker_threads').parentPort.postMessage('on');
      `)}, { eval: true });
      await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
    } else {
      const devices = begin();
      for (const device of devices) {
        device.writeSync(Buffer.alloc(512), 0);
        if (args === 'in use') for (let i = 0; i < 100; i += 1) void device.read(Buffer.alloc(1 << 20), 0);
        else await device.flush();
      }
    }
    report('end');
    if (args === 'in use') process.exit(0);`;
  const { code, signal, stderr, reports } = await runChild(script, { args: how });
  expect([code, signal, stderr, reports]).toEqual([0, null, '', ['end']]);
});
