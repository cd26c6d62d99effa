// What other programs show: Perfetto's trace events, Prometheus' text.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { memory } from 'rumpblk/media';
import { metrics, writeLogFile } from 'rumpblk/trace';
import { KiB, MiB, rig } from '../support/rig';
import { header, request } from '../support/traces';

const bench = rig();

interface Shown {
  name: string;
  ph: string;
  ts: number;
  dur: number;
  pid: number;
  tid: number;
  args: Record<string, unknown>;
}

test('a trace for Perfetto: what overlaps is on tracks of its own', async () => {
  const file = bench.path('shown.json');
  const us = (time: number, latency: number): object => ({ time: time * 1000, latency: latency * 1000 });
  const events = [
    request(0, 'write', 0, 512, { ...us(1, 10), error: 'EIO' }),
    request(2, 'read', 512, 512, us(2, 3)),
    request(4, 'flush', 0, 0, us(5, 1)),
    { op: 'mark' as const, n: 6, time: 7000, name: 'm', data: 1 },
    request(7, 'read', 0, 512, { ...us(11.5, 1), device: 1 }),
  ];
  await writeLogFile(file, header(['a "b"', 'c']), events, { format: 'perfetto' });
  const { traceEvents, displayTimeUnit } = JSON.parse(readFileSync(file, 'utf8')) as { traceEvents: Shown[]; displayTimeUnit: string };
  expect(displayTimeUnit).toBe('ns');
  expect(traceEvents.map(({ name, ph, ts, dur, pid, tid }) => [name, ph, ts, dur, pid, tid])).toEqual([
    ['process_name', 'M', undefined, undefined, 1, 0],
    ['write', 'X', 1, 10, 1, 1],
    ['read', 'X', 2, 3, 1, 2],
    ['flush', 'X', 5, 1, 1, 2],
    ['m', 'i', 7, undefined, 1, 0],
    ['process_name', 'M', undefined, undefined, 2, 0],
    ['read', 'X', 11.5, 1, 2, 1],
  ]);
  expect(traceEvents[0]!.args).toEqual({ name: 'a "b"' });
  expect(traceEvents[1]!.args).toEqual({ n: 0, position: 0, length: 512, error: 'EIO' });
  await writeLogFile(file, header(), [], { format: 'perfetto' });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ displayTimeUnit: 'ns', traceEvents: [] });
});

/** The text by the words of its grammar: samples of each family behind its HELP and TYPE, each with its labels. */
function parse(text: string): Map<string, { type: string; samples: { name: string; labels: Record<string, string>; value: number }[] }> {
  const families = new Map<string, { type: string; samples: { name: string; labels: Record<string, string>; value: number }[] }>();
  let family = '';
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.trimEnd().split('\n')) {
    const title = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (title) {
      family = title[2]!;
      if (title[1] === 'TYPE') families.set(family, { type: title[3]!, samples: [] });
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\} ([0-9.e+-]+|\+Inf)$/.exec(line);
    expect([line, sample === null]).toEqual([line, false]);
    expect(sample![1]!.startsWith(family)).toBe(true);
    const labels = Object.fromEntries([...sample![2]!.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value!]));
    families.get(family)!.samples.push({ name: sample![1]!, labels: labels as Record<string, string>, value: Number(sample![3]) });
  }
  return families;
}

test('metrics for Prometheus: counters, and histograms that rise to their count', async () => {
  const device = bench.device(memory({ size: MiB, name: 'a"b\\c' }), { mode: 'r+' });
  metrics({ devices: [device] });
  for (let i = 0; i < 20; i += 1) await device.write(Buffer.alloc(4 * KiB), 0);
  await device.read(Buffer.alloc(1), 2 * MiB).catch(() => undefined);
  const families = parse(metrics({ drivers: [device.driver], devices: [device] }));
  const counters = device.driver.counters();
  expect(families.get('rumpblk_driver_bytes_written_total')).toEqual({
    type: 'counter',
    samples: [{ name: 'rumpblk_driver_bytes_written_total', labels: { driver: '0' }, value: counters.bytesWritten }],
  });
  expect([...families.keys()].filter((name) => name.includes('driver'))).toHaveLength(Object.keys(counters).length);
  const failed = families.get('rumpblk_requests_failed_total')!.samples.map(({ labels, value }) => [labels['op'], value]);
  expect(failed).toEqual([
    ['read', 1],
    ['write', 0],
    ['flush', 0],
    ['discard', 0],
    ['zeroes', 0],
  ]);
  const duration = families.get('rumpblk_request_duration_seconds')!;
  expect(duration.type).toBe('histogram');
  const write = duration.samples.filter(({ labels }) => labels['op'] === 'write');
  const buckets = write.filter(({ name }) => name.endsWith('_bucket'));
  expect(buckets.map(({ value }) => value)).toEqual(buckets.map(({ value }) => value).sort((a, b) => a - b));
  const bounds = buckets.map(({ labels }) => (labels['le'] === '+Inf' ? Infinity : Number(labels['le'])));
  expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
  expect([buckets.at(-1)!.value, write.at(-1)!.value]).toEqual([20, 20]);
  expect(write.at(-2)!.value).toBeGreaterThan(0);
  expect(write[0]!.labels['device']).toBe('a\\"b\\\\c');
  expect(parse(metrics({ drivers: [device.driver], prefix: 'x' })).has('x_driver_io_total')).toBe(true);
  expect(metrics({})).toBe('');
  expect(() => metrics({ prefix: '1' })).toThrow('sources.prefix');
  expect(() => metrics({ device } as never)).toThrow("'devices'");
  expect(() => metrics({ devices: [{} as never] })).toThrow(TypeError);
});
