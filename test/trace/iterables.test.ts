// Whatever takes a log as an iterable refuses what is none: memory has bytes, which are no entries, also behind a Proxy.
import { readFileSync, writeFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { planFromLog } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { readLog, replay, writeLogFile, type TraceEvent } from 'rumpblk/trace';
import { thrownBy } from '../support/failure';
import { KiB, rig } from '../support/rig';
import { header } from '../support/traces';

const bench = rig();
const NO_LOGS: Record<string, () => unknown> = {
  null: () => null,
  'a number': () => 5,
  'an empty view': () => new Uint8Array(),
  'a view': () => new Uint8Array(8),
  'a Buffer': () => Buffer.from('{"n":0,"op":"flush"}'),
  'a view of big numbers': () => new BigInt64Array(2),
  'a view of another realm': () => runInNewContext('new Uint8Array(8)'),
  'a view behind a Proxy': () => new Proxy(new Uint8Array(8), {}),
  'what only claims to be iterable': () => ({ [Symbol.iterator]: 5, [Symbol.asyncIterator]: undefined }),
  'entries that are none': () => [5],
};
const none = (name: string): never => NO_LOGS[name]!() as never;

test.each(Object.keys(NO_LOGS))('%s is no log', async (name) => {
  const refused = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
  const device = bench.device(memory({ size: 64 * KiB }), { mode: 'r+' });
  const there = bench.path('log');
  writeFileSync(there, 'there before');
  expect(await thrownBy(() => planFromLog(none(name)))).toMatchObject(refused);
  expect(await thrownBy(() => replay(none(name), device))).toMatchObject(refused);
  expect(await thrownBy(() => readLog(none(name)))).toMatchObject(refused);
  expect(await thrownBy(() => writeLogFile(there, header(['disk']), none(name)))).toMatchObject(refused);
  // Its entries are looked at when the file is written.
  if (!Array.isArray(none(name))) expect(readFileSync(there, 'utf8')).toBe('there before');
});

test('an iterable of one kind or the other is one', async () => {
  const events: TraceEvent[] = [{ op: 'flush', n: 0, time: 0, device: 0, position: 0, length: 0 }];
  const later = async function* (): AsyncGenerator<TraceEvent> {
    yield* events;
    await Promise.resolve();
  };
  const there = bench.path('log');
  for (const given of [events, new Set(events), later(), events.values()]) {
    expect(await writeLogFile(there, header(['disk']), given)).toMatchObject({ events: 1 });
  }
});
