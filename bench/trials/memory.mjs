// A million requests: what they allocate, how often they make the garbage collector run, and whether the process grows.
import { setImmediate } from 'node:timers/promises';
import { PerformanceObserver } from 'node:perf_hooks';
import { openDevice, readThrough, ring } from '../support/context.mjs';
import { batchSync, noBatch } from './batch.mjs';

const REQUESTS = 1_000_000;

/** The figures of one pass over REQUESTS requests. The heap is collected before, so that garbage of the warm-up is gone. */
function counted({ run }) {
  let collections = 0;
  const observer = new PerformanceObserver((list) => (collections += list.getEntries().length));
  return async () => {
    await run(0, REQUESTS / 20);
    globalThis.gc();
    await setImmediate();
    observer.observe({ entryTypes: ['gc'] });
    await setImmediate();
    collections = 0;
    const before = process.memoryUsage();
    const start = process.hrtime.bigint();
    const given = run(0, REQUESTS);
    if (given instanceof Promise) await given;
    const ns = Number(process.hrtime.bigint() - start) / REQUESTS;
    const after = process.memoryUsage();
    await setImmediate();
    await setImmediate();
    observer.disconnect();
    return {
      ns,
      heapBytes: (after.heapUsed - before.heapUsed) / REQUESTS,
      outsideBytes: (after.external - before.external) / REQUESTS,
      rssKib: (after.rss - before.rss) / 1024,
      collections,
    };
  };
}

function row(id, title, contenderOf, limits, rest = {}) {
  const value = (label, metric, max) => ({ label, kind: 'value', of: 'requests', metric, ...(max !== undefined && { max }) });
  return {
    id,
    title,
    places: ['disk'],
    files: ['hot'],
    passes: 1,
    nodeFlags: ['--expose-gc'],
    ...rest,
    checks: [
      value('bytes of heap a request', 'heapBytes', limits.heapBytes),
      value('bytes outside the heap a request', 'outsideBytes', limits.heapBytes),
      value('collections', 'collections', limits.collections),
      value('KiB the process grew', 'rssKib', limits.rssKib),
    ],
    contenders: (context) => {
      const device = openDevice(context);
      readThrough(device, context.size);
      return { requests: { figures: counted(contenderOf(context, device, ring(context, 'uniform'))) } };
    },
  };
}

const NONE = { heapBytes: 1, collections: 0, rssKib: 2048 };

function singleSync(context, device, at) {
  const memory = Buffer.alloc(4096);
  const mask = at.length - 1;
  return {
    run: (from, to) => {
      for (let i = from; i < to; i += 1) device.readSync(memory, at[i & mask]);
    },
  };
}

function promises(context, device, at) {
  const memory = Buffer.alloc(4096);
  const mask = at.length - 1;
  return {
    run: async (from, to) => {
      for (let i = from; i < to; i += 1) await device.read(memory, at[i & mask]);
    },
  };
}

export default [
  row('memory-sync', '10^6 sync reads: memory', singleSync, NONE),
  row('memory-batch', '10^6 reads in batches of 32: memory', batchSync, NONE, { skip: noBatch, short: false }),
  row('memory-promise', '10^6 promise reads: memory', promises, {}, { short: false }),
];
