// fio's I/O logs, versions 2 and 3: the words, logs that are damaged, and fio itself as writer and reader of them.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readLogFile, writeLogFile, type TraceEvent, type TraceFormat } from 'rumpblk/trace';
import { peer, run, testWith } from '../support/peers';
import { GiB, KiB, MiB, rig } from '../support/rig';
import { header, howItEnds, readAll, readAllOf, request } from '../support/traces';

const bench = rig();
const read = (...lines: string[]) => readAll([Buffer.from(`${lines.join('\n')}\n`)]);

test('version 3: times, names, and each action', async () => {
  const log = await read(
    'fio version 3 iolog',
    ...['0 a add', '0 /dev/b add', '1 a open', '2 /dev/b open'],
    ...['5 a read 4096 512', '7 /dev/b write 0 8192', '1000 a sync 0 0', '1000 a datasync 0 0', '1500 a trim 65536 4096'],
    ...['1600 a sync_file_range 0 0', '1700 a syncfs 0 0', '1800 a wait 5 0', '2000 a close', ''],
  );
  expect(log).toMatchObject({ format: 'fio-iolog-3', header: header(['a', '/dev/b']) });
  expect(log.events).toEqual([
    request(0, 'read', 4096, 512, { time: 5000 }),
    request(2, 'write', 0, 8192, { time: 7000, device: 1 }),
    request(4, 'flush', 0, 0, { time: 1_000_000 }),
    request(6, 'flush', 0, 0, { time: 1_000_000 }),
    request(8, 'discard', 65536, 4096, { time: 1_500_000 }),
    request(10, 'flush', 0, 0, { time: 1_700_000 }),
  ]);
});

test('version 2: a wait is milliseconds since the start, as fio does it', async () => {
  const log = await read(
    'fio version 2 iolog',
    'a add',
    'a open',
    'a read 0 512',
    'a wait 400 0',
    'a write 512 512',
    'a wait 600 0',
    'a wait 500 0',
    'a sync 0 0',
  );
  expect(log.format).toBe('fio-iolog-2');
  expect(log.events).toEqual([
    request(0, 'read', 0, 512),
    request(2, 'write', 512, 512, { time: 400e6 }),
    request(4, 'flush', 0, 0, { time: 600e6 }),
  ]);
});

test('a file that was never added, blank lines and line ends of another system', async () => {
  const log = await read('fio version 2 iolog\r', 'b read 0 512\r', '\r', 'a read 0 512');
  expect(log.header.devices).toEqual([{ name: 'b' }, { name: 'a' }]);
  expect(log.events).toMatchObject([{ device: 0 }, { device: 1 }]);
});

test('fio appends to a log that is there: times go on, whatever the version', async () => {
  const log = await read(
    ...['fio version 3 iolog', '0 a add', '0 a open', '7 a write 0 512', '9 a close'],
    ...['fio version 3 iolog', '0 a add', '0 a open', '5 a write 512 512', '6 a close'],
    ...['fio version 2 iolog', 'b add', 'b open', 'b wait 1 0', 'b write 0 512', 'b close'],
  );
  expect(log.header.devices).toEqual([{ name: 'a' }, { name: 'b' }]);
  expect(log.events).toEqual([
    request(0, 'write', 0, 512, { time: 7000 }),
    request(2, 'write', 512, 512, { time: 14_000 }),
    request(4, 'write', 0, 512, { time: 1_015_000, device: 1 }),
  ]);
});

test('of a log that is cut inside a line the whole lines are given, wherever the cut is', async () => {
  const text = 'fio version 3 iolog\n0 a add\n1 a write 4096 65536\n2 a read 0 512\n';
  const wholeLines = (length: number): string[] => text.slice(0, length).split('\n').slice(0, -1);
  for (let length = text.indexOf('\n') + 1; length <= text.length; length += 1) {
    const lines = wholeLines(length);
    const requests = lines.filter((line) => / (write|read) /.test(line)).length;
    const isCut = !text.slice(0, length).endsWith('\n');
    const [events, code, message] = await howItEnds(Buffer.from(text.slice(0, length)));
    expect([length, events, code]).toEqual([length, requests, isCut ? 'EIO' : 'ok']);
    if (isCut) expect(message).toContain(`line ${lines.length + 1}`);
  }
});

test('what is wrong with a log in a file names the file', async () => {
  const name = (text: string): string => {
    writeFileSync(bench.path('named.log'), text);
    return bench.path('named.log');
  };
  const ending = async (file: string): Promise<unknown> => {
    let count = 0;
    for await (const { op } of (await readLogFile(file)).events) count += op.length;
    return count;
  };
  for (const [text, words] of [
    ['fio version 3 iolog\n1 a chew 0 1\n', 'line 2'],
    ['fio version 3 iolog\n1 a read 0 5', 'line 2'],
    ['{}\n', 'no log'],
    ['x', 'neither'],
  ] as const) {
    const file = name(text);
    const error = (await ending(file).catch((reason: unknown) => reason)) as Error & { path: string };
    expect(error.message).toContain(words);
    expect([error.path, error.message.includes(`'${file}'`)]).toEqual([file, true]);
  }
});

describe('damaged logs', () => {
  const three = (...lines: string[]): string => `${['fio version 3 iolog', '0 a add', '1 a read 0 512', ...lines].join('\n')}\n`;
  const bad: [string, string, [number, RegExp]][] = [
    ['version 1', 'fio version 1 iolog\n', [0, /neither/]],
    ['an unknown action', three('2 a chew 0 512'), [1, /line 4 .*chew/]],
    ['no length', three('2 a read 0'), [1, /line 4/]],
    ['a sync without its numbers', three('2 a sync'), [1, /line 4/]],
    ['a negative offset', three('2 a read -1 512'), [1, /line 4/]],
    ['a time in words', three('now a read 0 512'), [1, /line 4/]],
    ['an offset of 2^64', three('2 a read 18446744073709551616 1'), [1, /line 4/]],
    ['a range that ends behind 2^53', three('2 a read 9007199254740991 1'), [1, /line 4/]],
    ['an action of every object', three('2 a constructor 0 1'), [1, /line 4/]],
    ['a line without end', three(`2 ${'a'.repeat(5000)} read 0 1`), [1, /line 4 .*4095/]],
    ['an escape sequence', three('2 a \x1b[2J 0 1'), [1, /x1b/]],
  ];
  test.each(bad)('%s', async (_, text, [events, words]) => {
    const [before, code, message] = await howItEnds(Buffer.from(text));
    expect([before, code]).toEqual([events, 'EINVAL']);
    expect(message).toMatch(words);
    // eslint-disable-next-line no-control-regex
    expect(message).not.toMatch(/[\x00-\x1f]/);
  });
});

const write = async (format: TraceFormat, events: TraceEvent[], names = ['disk'], files?: string[]) => {
  const file = bench.path('out.log');
  const written = await writeLogFile(file, header(names), events, files === undefined ? { format } : { format, files });
  return { file, written, lines: readFileSync(file, 'utf8').split('\n') };
};

const ms = (time: number): { time: number } => ({ time: time * 1e6 });
const EVENTS: TraceEvent[] = [
  request(0, 'read', 0, 512, ms(1000)),
  request(2, 'write', 512, 512, { ...ms(1000.4), fua: true }),
  { op: 'mark', n: 4, time: 1001e6, name: 'm' },
  request(5, 'zeroes', 4096, 512, ms(1003)),
  request(7, 'flush', 0, 0, ms(1003)),
  request(9, 'discard', 0, 4096, { ...ms(1010), device: 1 }),
  request(11, 'read', 0, 0, ms(1010)),
];

test('version 3 begins at time 1, since fio has no delay behind a time of 0', async () => {
  const { lines, written } = await write('fio-iolog-3', EVENTS, ['a b', 'c']);
  expect(lines).toEqual([
    'fio version 3 iolog',
    ...['1 a_b add', '1 a_b open', '1 c add', '1 c open'],
    ...['1 a_b read 0 512', '401 a_b write 512 512', '401 a_b datasync 0 0', '3001 a_b write 4096 512', '3001 a_b sync 0 0'],
    ...['10001 c trim 0 4096', '10001 a_b close', '10001 c close', ''],
  ]);
  expect(written).toEqual({ events: 7, leftOut: { mark: 1, 'empty read': 1 } });
});

test('version 2 has waits for times', async () => {
  const { lines } = await write('fio-iolog-2', EVENTS, ['a', 'c'], ['x', 'y']);
  expect(lines).toEqual([
    'fio version 2 iolog',
    ...['x add', 'x open', 'y add', 'y open', 'x read 0 512', 'x write 512 512', 'x datasync 0 0'],
    ...['x wait 4 0', 'x write 4096 512', 'x sync 0 0', 'y wait 11 0', 'y trim 0 4096', 'x close', 'y close', ''],
  ]);
});

test('a length that fio cannot read is cut', async () => {
  const { lines } = await write('fio-iolog-3', [request(0, 'discard', 0, 5 * GiB)]);
  const lengths = lines.filter((line) => line.includes('trim')).map((line) => line.split(' ').slice(3).map(Number));
  expect(lengths.every(([, length]) => length! < 2 ** 31)).toBe(true);
  expect(lengths.reduce((sum, [, length]) => sum + length!, 0)).toBe(5 * GiB);
  expect(lengths.map(([at]) => at)).toEqual(lengths.map((_, i) => lengths.slice(0, i).reduce((sum, [, length]) => sum + length!, 0)));
});

test('names are one word of at most 255 bytes each, and differ', async () => {
  const { file } = await write('fio-iolog-3', [], ['x\ny z', 'x y z', '', 'ü'.repeat(300)]);
  const names = (await readAllOf(file)).header.devices.map(({ name }) => name);
  expect(new Set(names).size).toBe(4);
  expect(names.every((name) => /^\S+$/.test(name) && Buffer.byteLength(name) < 256)).toBe(true);
});

describe('fio', () => {
  const tools = [peer('fio', 'fio')];
  const fio = (
    ...options: string[]
  ): {
    read: { total_ios: number; io_bytes: number };
    write: { total_ios: number; io_bytes: number };
    trim: { total_ios: number };
    sync: { total_ios: number };
  } => {
    const output = run('fio', '--name=job', '--ioengine=psync', '--output-format=json', ...options);
    return JSON.parse(output.slice(output.indexOf('{'))).jobs[0];
  };

  testWith(...tools)('its own log is read', async () => {
    const [image, log] = [bench.sparse(4 * MiB), bench.path('theirs.log')];
    rmSync(log, { force: true });
    const job = fio(`--filename=${image}`, '--rw=randrw', '--bs=4k', '--size=1M', '--fsync=16', `--write_iolog=${log}`);
    const { events, format, header: found } = await readAllOf(log);
    expect(format).toBe('fio-iolog-3');
    expect(found.devices).toEqual([{ name: image }]);
    const count = (op: string): number => events.filter((event) => event.op === op).length;
    expect([count('read'), count('write')]).toEqual([job.read.total_ios, job.write.total_ios]);
    expect(count('flush')).toBeGreaterThan(0);
    expect(events.every((event) => event.op === 'flush' || ('length' in event && event.length === 4 * KiB))).toBe(true);
    const times = events.map((event) => ('time' in event ? event.time : NaN));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  testWith(...tools)('a log that it has appended to is read as both', async () => {
    const [image, log] = [bench.sparse(4 * MiB), bench.path('appended.log')];
    rmSync(log, { force: true });
    const options = [`--filename=${image}`, '--rw=randrw', '--bs=4k', '--size=256k', `--write_iolog=${log}`];
    const jobs = [fio(...options), fio(...options)];
    expect(readFileSync(log, 'utf8').match(/fio version/g)).toHaveLength(2);
    const { events, header: found } = await readAllOf(log);
    expect(found.devices).toEqual([{ name: image }]);
    expect(events.filter(({ op }) => op !== 'flush')).toHaveLength(
      jobs.reduce((sum, job) => sum + job.read.total_ios + job.write.total_ios, 0),
    );
    const times = events.map((event) => ('time' in event ? event.time : NaN));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  for (const format of ['fio-iolog-2', 'fio-iolog-3'] as const) {
    testWith(...tools)(`it replays ours, ${format}`, async () => {
      const image = bench.sparse(MiB);
      const { file } = await write(
        format,
        [
          request(0, 'write', 0, 4096),
          request(2, 'read', 0, 4096),
          request(4, 'write', 8192, 4096, { fua: true }),
          request(6, 'flush'),
          request(8, 'read', 16384, 8192),
        ],
        [image],
      );
      const job = fio(`--read_iolog=${file}`);
      expect([job.read.total_ios, job.write.total_ios, job.read.io_bytes, job.write.io_bytes]).toEqual([2, 2, 12288, 8192]);
      expect(
        readFileSync(image)
          .subarray(0, 12288)
          .some((byte) => byte !== 0),
      ).toBe(true);
    });
  }

  testWith(...tools)('a log of its own that was read and written again replays as the same requests', async () => {
    const [image, theirs, ours] = [bench.sparse(4 * MiB), bench.path('once.log'), bench.path('twice.log')];
    rmSync(theirs, { force: true });
    fio(`--filename=${image}`, '--rw=randwrite', '--bs=4k', '--size=256k', '--fdatasync=8', `--write_iolog=${theirs}`);
    const { header: head, events } = await readAllOf(theirs);
    await writeLogFile(ours, head, events, { format: 'fio-iolog-3' });
    const again = await readAllOf(ours);
    const places = (all: TraceEvent[]) => all.map((event) => ('length' in event ? [event.op, event.position, event.length] : []));
    expect(places(again.events)).toEqual(places(events));
    writeFileSync(image, Buffer.alloc(4 * MiB));
    expect(fio(`--read_iolog=${ours}`).write.total_ios).toBe(64);
  });
});
