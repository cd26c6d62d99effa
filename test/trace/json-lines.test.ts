// JSON lines: all that an event has comes back, what is damaged is refused by its line, and what others add is ignored.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readLogFile, writeLogFile, type TraceEvent, type TraceHeader } from 'rumpblk/trace';
import { seedOf } from '../support/chance';
import { pattern, rig } from '../support/rig';
import { header, howItEnds, readAll, readAllOf, request } from '../support/traces';

const bench = rig();
const HEAD = '{"v":1,"format":"rumpblk-trace","sector":512,"atomic":512,"devices":[{"name":"a"}],"clock":"real"}';
const read = (...lines: string[]) => readAll([Buffer.from(lines.join('\n'))]);

const write = async (events: TraceEvent[], head: TraceHeader = header(['a'])) => {
  const file = bench.path('out.jsonl');
  const written = await writeLogFile(file, head, events);
  return { file, written, lines: readFileSync(file, 'utf8').trimEnd().split('\n') };
};

test('the keys of the format, one by one', async () => {
  const data = pattern(1024);
  const { lines, written } = await write([
    request(0, 'write', 8192, 1024, { time: 12345, done: 3, latency: 3333, moved: 1024, fua: true, data, sha: 'ab', injected: 'drop' }),
    request(1, 'read', 100, 1000, { time: 12400, done: 2, latency: 5, error: 'EIO', moved: 0 }),
    request(4, 'flush', 0, 0, { time: 20000 }),
    { op: 'mark', n: 6, time: 20001, name: 'ack', data: 7 },
    { op: 'base', device: 0, position: 512, data: data.subarray(0, 512) },
  ]);
  expect(lines[0]).toBe(HEAD);
  expect(lines.slice(1).map((line) => JSON.parse(line))).toEqual([
    {
      n: 0,
      t: 12345,
      d: 0,
      op: 'write',
      s: 16,
      c: 2,
      fua: 1,
      e: 3,
      te: 15678,
      r: 1024,
      x: 'drop',
      sha: 'ab',
      data: data.toString('base64'),
    },
    { n: 1, t: 12400, d: 0, op: 'read', s: 0, c: 3, p: 100, l: 1000, e: 2, te: 12405, r: 0, err: 'EIO' },
    { n: 4, t: 20000, d: 0, op: 'flush', e: 5 },
    { n: 6, t: 20001, mark: 'ack', data: 7 },
    { base: true, d: 0, s: 1, c: 1, data: data.subarray(0, 512).toString('base64') },
  ]);
  expect(written).toEqual({ events: 5, leftOut: {} });
});

const places = fc.oneof(
  fc.nat(1000).map((n) => n * 512),
  fc.nat(2 ** 30),
  fc.integer({ min: 0, max: 2 ** 52 }),
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const ops = fc.constantFrom('read' as const, 'write' as const, 'discard' as const, 'zeroes' as const);
const whole = fc.nat(2 ** 31 - 1);
const requests = fc
  .record({
    op: ops,
    time: whole,
    position: places,
    length: places,
    fua: maybe(fc.constant(true)),
    latency: maybe(whole),
    moved: maybe(whole),
  })
  .chain((fixed) =>
    fc.record({
      fixed: fc.constant(fixed),
      error: maybe(fc.string()),
      injected: maybe(fc.string()),
      sha: maybe(fc.string()),
      data: maybe(fc.uint8Array()),
    }),
  );

test('whatever an event has comes back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { maxLength: 20 }), fc.array(fc.tuple(fc.string(), maybe(fc.jsonValue()))), async (list, marks) => {
      const defined = (value: object): object => Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
      const events = [
        ...list.map(({ fixed, data, ...texts }, i) => {
          const sized = data === undefined ? {} : { data: Buffer.from(data), length: data.length };
          return defined({ n: 2 * i, done: 2 * i + 1, device: i % 2, ...fixed, ...texts, ...sized });
        }),
        // JSON has one zero.
        ...marks.map(([name, data], i) =>
          defined({ op: 'mark', n: 1000 + i, time: i, name, data: data === undefined ? data : JSON.parse(JSON.stringify(data)) }),
        ),
      ] as TraceEvent[];
      const head = { ...header(['a', 'b\u2028"']), sector: 4096, atomic: 4096, clock: 'virtual' as const };
      const { file } = await write(events, head);
      expect(await readAllOf(file)).toEqual({ format: 'jsonl', header: head, events });
    }),
    { seed: seedOf('JSON_LINES'), numRuns: 100 },
  );
});

test('what others add is ignored, and what they leave out has its default', async () => {
  const log = await read(
    '{"v":1,"format":"rumpblk-trace","devices":[{}],"by":"others"}',
    '{"n":0,"op":"write","s":1,"c":1,"colour":"red"}',
    '',
    '{"n":1,"op":"flush"}',
  );
  expect(log.header).toEqual(header(['']));
  expect(log.events).toEqual([
    { op: 'write', n: 0, time: 0, device: 0, position: 512, length: 512 },
    { op: 'flush', n: 1, time: 0, device: 0, position: 0, length: 0 },
  ]);
});

describe('damaged logs', () => {
  const line = (text: string): string => `${HEAD}\n{"n":0,"op":"flush"}\n${text}\n`;
  const bad: [string, string, [number, string, RegExp]][] = [
    ['nothing', '', [0, 'EINVAL', /neither/]],
    ['other JSON', '{"a":1}\n', [0, 'EINVAL', /"format"/]],
    ['an array', '[1]\n', [0, 'EINVAL', /neither/]],
    ['a later version', HEAD.replace('"v":1', '"v":2'), [0, 'EINVAL', /version 2/]],
    ['no devices', HEAD.replace('"devices":', '"disks":'), [0, 'EINVAL', /line 1: "devices"/]],
    ['a sector of 0', HEAD.replace('512', '0'), [0, 'EINVAL', /"sector"/]],
    ['another clock', HEAD.replace('real', 'sun'), [0, 'EINVAL', /"clock"/]],
    ['half a first line', HEAD.slice(0, 40), [0, 'EINVAL', /first line/]],
    ['an unknown op', line('{"n":1,"op":"erase","s":0,"c":1}'), [1, 'EINVAL', /line 3: unknown "op": erase/]],
    ['an op of every object', line('{"n":1,"op":"constructor"}'), [1, 'EINVAL', /unknown "op"/]],
    ['no number', line('{"op":"flush"}'), [1, 'EINVAL', /line 3: "n" is missing/]],
    ['half a number', line('{"n":1.5,"op":"flush"}'), [1, 'EINVAL', /"n" is no whole number/]],
    ['a negative sector', line('{"n":1,"op":"read","s":-1,"c":1}'), [1, 'EINVAL', /"s"/]],
    ['a range behind 2^53', line('{"n":1,"op":"read","s":17592186044415,"c":2}'), [1, 'EINVAL', /2\^53/]],
    ['an end before the start', line('{"n":1,"op":"flush","t":5,"te":4}'), [1, 'EINVAL', /"te"/]],
    ['a completion before the start', line('{"n":1,"op":"flush","e":1}'), [1, 'EINVAL', /"e"/]],
    ['a device that is not there', line('{"n":1,"op":"flush","d":1}'), [1, 'EINVAL', /device 1/]],
    ['data of another length', line('{"n":1,"op":"write","s":0,"c":1,"data":"AAAA"}'), [1, 'EINVAL', /3 bytes/]],
    ['data in no base64', line('{"n":1,"op":"write","l":3,"data":"A!AA"}'), [1, 'EINVAL', /base64/]],
    ['text', line('hello'), [1, 'EINVAL', /line 3/]],
    ['half a line in the middle', line('{"n":1,\n{"n":2,"op":"flush"}'), [1, 'EINVAL', /line 3/]],
    ['half a line at the end', line('').trimEnd() + '\n{"n":1,"op":', [1, 'EIO', /line 3/]],
  ];
  test.each(bad)('%s', async (_, text, [events, code, words]) => {
    const [before, found, message] = await howItEnds(Buffer.from(text));
    expect([before, found]).toEqual([events, code]);
    expect(message).toMatch(words);
  });

  test('any bytes at all are an error, and nothing worse', async () => {
    const heads = [HEAD + '\n', 'fio version 3 iolog\n', 'fio version 2 iolog\n', '\x68\x73\x72\x77\x67\x73\x6a\0'];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 4096 }), async (head, junk) => {
        const [, code] = await howItEnds(Buffer.concat([Buffer.from(head, 'latin1'), junk]));
        expect(['ok', 'EINVAL', 'EIO']).toContain(code);
      }),
      { seed: seedOf('JSON_LINES'), numRuns: 200 },
    );
  });
});

test('a log that nobody reads to its end can be closed', async () => {
  const { file } = await write([request(0, 'flush'), request(2, 'flush')]);
  const log = await readLogFile(file);
  for await (const event of log.events) {
    expect(event.op).toBe('flush');
    break;
  }
  await log.close();
  await (await readLogFile(file)).close();
  await expect(readLogFile(bench.path('none'))).rejects.toMatchObject({ code: 'ENOENT' });
});
