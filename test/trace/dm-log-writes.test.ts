// dm-log-writes logs: the bytes, logs that are damaged, and QEMU's blklogwrites as a writer of them.
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { writeLogFile, type TraceEvent } from 'rumpblk/trace';
import { peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { header, howItEnds, played, readAll, readAllOf, request } from '../support/traces';

const bench = rig();

/** A log by the words of its layout, apart from the code under test. */
function superblock(entries: number, sector = 512, version = 1): Buffer {
  const block = Buffer.alloc(sector);
  block.writeBigUInt64LE(0x6a736677736872n, 0);
  block.writeBigUInt64LE(BigInt(version), 8);
  block.writeBigUInt64LE(BigInt(entries), 16);
  block.writeUInt32LE(sector, 24);
  return block;
}

function entry(sector: number | bigint, sectors: number | bigint, flags: number, text = '', size = 512, length = text.length): Buffer {
  const block = Buffer.alloc(size);
  [sector, sectors, flags, length].forEach((value, i) => block.writeBigUInt64LE(BigInt(value), i * 8));
  block.write(text, 32);
  return block;
}

const read = (...blocks: Buffer[]) => readAll([Buffer.concat(blocks)]);

test('each kind of entry is read as what it is', async () => {
  const data = pattern(1024, 3);
  const log = await read(
    superblock(7),
    ...[entry(16, 2, 0), data],
    entry(0, 0, 1),
    ...[entry(8, 1, 2), data.subarray(0, 512)],
    entry(100, 50, 4),
    entry(0, 0, 8, 'half'),
    ...[entry(1, 1, 17), data.subarray(512)],
    entry(0, 0, 8, '{"mark":"ack","data":7}'),
  );
  expect(log.format).toBe('dm-log-writes');
  expect(log.header).toEqual(header(['log']));
  expect(log.events).toEqual([
    request(0, 'write', 8192, 1024, { data }),
    request(2, 'flush'),
    request(4, 'write', 4096, 512, { fua: true, data: data.subarray(0, 512) }),
    request(6, 'discard', 51200, 25600),
    { op: 'mark', n: 8, time: 0, name: 'half' },
    request(9, 'flush'),
    request(11, 'write', 512, 512, { data: data.subarray(512) }),
    { op: 'mark', n: 13, time: 0, name: 'ack', data: 7 },
  ]);
});

test('the sector size of the log is the unit of all of it', async () => {
  const data = pattern(4096);
  const log = await read(superblock(2, 4096), entry(3, 1, 0, '', 4096), data, entry(1, 2, 4, '', 4096));
  expect(log.events).toEqual([request(0, 'write', 12288, 4096, { data }), request(2, 'discard', 4096, 8192)]);
  expect(log.header.sector).toBe(4096);
});

test('the count of the superblock is obeyed, whatever follows', async () => {
  const data = pattern(512);
  const one = await read(superblock(1), entry(0, 1, 0), data, entry(1, 1, 0), data);
  expect(one.events).toHaveLength(1);
  const junk = Buffer.alloc(700, 0xff);
  expect((await read(superblock(1), entry(0, 1, 0), data, junk)).events).toHaveLength(1);
  expect((await read(superblock(0), junk)).events).toEqual([]);
});

test('whatever is behind the fields of a block is ignored', async () => {
  const [head, block] = [superblock(2), entry(0, 0, 1)];
  head.fill(0xee, 28);
  block.fill(0xee, 32);
  const mark = entry(0, 0, 8, 'here');
  mark.fill(0xee, 36);
  expect((await read(head, block, mark)).events).toEqual([request(0, 'flush'), { op: 'mark', n: 2, time: 0, name: 'here' }]);
});

test('a log comes in pieces of any size', async () => {
  const whole = Buffer.concat([superblock(2), entry(1, 3, 0), pattern(1536), entry(0, 0, 8, 'end')]);
  const once = await readAll([whole]);
  for (const size of [1, 7, 511, 513]) {
    const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => whole.subarray(i * size, (i + 1) * size));
    expect(await readAll(pieces)).toEqual(once);
  }
});

describe('damaged logs', () => {
  const data = pattern(512);
  const bad: [string, Buffer, [number, string, RegExp]][] = [
    ['another version', superblock(0, 512, 2), [0, 'EINVAL', /version 2 /]],
    ['a sector size of 513', superblock(0).fill(1, 24, 25), [0, 'EINVAL', /sector size of 513/]],
    ['a sector size of 256', superblock(0, 512).fill(1, 25, 26).fill(0, 24, 25), [0, 'EINVAL', /sector size of 256/]],
    ['a sector size of 128 KiB', superblock(0, 131072), [0, 'EINVAL', /sector size of 131072/]],
    ['half a superblock', superblock(0).subarray(0, 100), [0, 'EIO', /superblock/]],
    ['27 bytes', superblock(0).subarray(0, 27), [0, 'EIO', /superblock/]],
    ['no entry where one is counted', superblock(1), [0, 'EIO', /entry 0 of 1/]],
    ['half an entry', Buffer.concat([superblock(2), entry(0, 0, 1), entry(0, 0, 1).subarray(0, 500)]), [1, 'EIO', /entry 1 of 2/]],
    ['half of the data', Buffer.concat([superblock(2), entry(0, 0, 1), entry(0, 2, 0), data]), [1, 'EIO', /data of entry 1 of 2/]],
    ['more data than memory', Buffer.concat([superblock(1), entry(0, 2n ** 43n, 0), data]), [0, 'EIO', /data of entry 0/]],
    ['a sector behind 2^53', Buffer.concat([superblock(1), entry(2n ** 60n, 1, 4)]), [0, 'EINVAL', /2\^53/]],
    ['a length of 2^64', Buffer.concat([superblock(1), entry(0, 2n ** 64n - 1n, 0)]), [0, 'EINVAL', /2\^53/]],
    ['unknown flags', Buffer.concat([superblock(1), entry(0, 0, 32)]), [0, 'EINVAL', /flags: 32/]],
    ['a mark longer than its block', Buffer.concat([superblock(1), entry(0, 0, 8, '', 512, 481)]), [0, 'EINVAL', /mark of 481/]],
    ['2^64 entries', Buffer.concat([superblock(0).fill(0xff, 16, 24), entry(0, 0, 1)]), [1, 'EIO', /entry 1 of 18446744073709551615/]],
  ];
  test.each(bad)('%s', async (_, bytes, [events, code, message]) => {
    const [before, found, words] = await howItEnds(bytes);
    expect([before, found]).toEqual([events, code]);
    expect(words).toMatch(message);
  });
});

const write = async (events: TraceEvent[], more: object = {}, head = header()) => {
  const file = bench.path('out.log');
  const written = await writeLogFile(file, head, events, { format: 'dm-log-writes', ...more });
  return { file, written, bytes: readFileSync(file) };
};

test('what is written is the layout, byte for byte', async () => {
  const data = pattern(1024, 5);
  const { bytes, written } = await write([
    request(0, 'write', 512, 1024, { data }),
    request(2, 'read', 0, 512),
    request(4, 'flush'),
    { op: 'mark', n: 6, time: 0, name: 'half' },
    request(7, 'write', 0, 512, { data: data.subarray(512), fua: true }),
    request(9, 'discard', 2048, 512),
    request(11, 'zeroes', 4096, 1024),
    { op: 'mark', n: 13, time: 0, name: 'ack', data: { id: 7 } },
  ]);
  const zeros = Buffer.alloc(1024);
  const expected = [
    superblock(7),
    ...[entry(1, 2, 0), data],
    entry(0, 0, 1),
    entry(0, 0, 8, 'half'),
    ...[entry(0, 1, 2), data.subarray(512)],
    entry(4, 1, 4),
    ...[entry(8, 2, 0), zeros],
    entry(0, 0, 8, '{"mark":"ack","data":{"id":7}}'),
  ];
  expect(bytes.equals(Buffer.concat(expected))).toBe(true);
  expect(written).toEqual({ events: 8, leftOut: { read: 1 } });
});

test('the order is that of completion, and a flush stands where it began', async () => {
  const data = pattern(512);
  const at = (n: number, done: number, sector: number) => request(n, 'write', sector * 512, 512, { data, done });
  // The write of sector 3 completes while the flush is under way, which does not cover it.
  const { file } = await write([at(0, 3, 1), at(1, 2, 2), at(4, 6, 3), request(5, 'flush', 0, 0, { done: 7 }), at(8, 9, 4)]);
  const { events } = await readAllOf(file);
  expect(events.map((event) => (event.op === 'write' ? event.position / 512 : event.op))).toEqual([2, 1, 'flush', 3, 4]);
});

test('of requests that failed or did not end only what moved is written', async () => {
  const data = pattern(1024);
  const { file, written } = await write([
    request(0, 'write', 0, 1024, { data, moved: 512, error: 'EIO' }),
    request(2, 'write', 0, 1024, { data, moved: 0, error: 'EIO' }),
    request(4, 'flush', 0, 0, { error: 'EIO' }),
    { op: 'write', n: 6, time: 0, device: 0, position: 0, length: 512, data: data.subarray(512) },
  ]);
  expect((await readAllOf(file)).events).toEqual([request(0, 'write', 0, 512, { data: data.subarray(0, 512) })]);
  expect(written.leftOut).toEqual({ 'failed write': 1, 'failed flush': 1, 'unfinished write': 1 });
});

test('what the format cannot hold is refused by name', async () => {
  const fails = (events: TraceEvent[], more: object = {}, head = header()) =>
    expect(
      write(events, more, head).then(
        () => 'written',
        (error: unknown) => [(error as NodeJS.ErrnoException).code, (error as Error).message],
      ),
    ).resolves;
  await fails([request(0, 'write', 0, 512)]).toEqual(['ENOTSUP', expect.stringContaining('event 0 is a write without its data')]);
  await fails([request(0, 'write', 1, 512, { data: pattern(512) })]).toEqual(['ENOTSUP', expect.stringContaining('whole sectors of 512')]);
  await fails([{ op: 'mark', n: 0, time: 0, name: 'x'.repeat(480) }]).toEqual(['ENOTSUP', expect.stringContaining('room for 479')]);
  await fails([], {}, header(['a', 'b'])).toEqual(['ENOTSUP', expect.stringContaining('about 2')]);
});

test('one of several devices can be chosen, and data of a mark that does not fit is left out', async () => {
  const data = pattern(512);
  const { file, written } = await write(
    [
      request(0, 'write', 0, 512, { data }),
      request(2, 'write', 512, 512, { data, device: 1 }),
      { op: 'mark', n: 4, time: 0, name: 'm', data: 'x'.repeat(479) },
    ],
    { device: 1 },
    header(['a', 'b']),
  );
  expect((await readAllOf(file)).events).toEqual([request(0, 'write', 512, 512, { data }), { op: 'mark', n: 2, time: 0, name: 'm' }]);
  expect(written.leftOut).toEqual({ 'mark data': 1 });
});

test('a discard is cut at 128 MiB and zeros at 1 MiB, which readers can do', async () => {
  const { file } = await write([request(0, 'discard', 0, 300 * MiB), request(2, 'zeroes', 512, 3 * MiB)]);
  const places = (await readAllOf(file)).events.map((event) =>
    'position' in event && 'length' in event ? [event.op, event.position, event.length] : [],
  );
  expect(places).toEqual([
    ['discard', 0, 128 * MiB],
    ['discard', 128 * MiB, 128 * MiB],
    ['discard', 256 * MiB, 44 * MiB],
    ...[0, 1, 2].map((i) => ['write', 512 + i * MiB, MiB]),
  ]);
});

describe('QEMU', () => {
  const tools = [peer('qemu-io', 'qemu-utils')];
  const logged = (image: string, log: string, end: string): string =>
    `driver=blklogwrites,file.driver=file,file.filename=${image},log.driver=file,log.filename=${log},${end}`;
  const io = (options: string, ...commands: string[]): string =>
    run('qemu-io', '--image-opts', options, ...commands.flatMap((command) => ['-c', command]));

  for (const sector of [512, 4096]) {
    testWith(...tools)(`a log of blklogwrites is read, sectors of ${sector}`, async () => {
      const [image, log] = [bench.sparse(MiB), bench.sparse(0)];
      io(
        logged(image, log, `log-sector-size=${sector}`),
        ...[
          'write -P 1 0 64k',
          'write -P 2 8k 4k',
          'flush',
          'write -f -P 3 128k 16k',
          'write -z 32k 8k',
          'discard 512k 64k',
          'write -P 5 512k 4k',
          'flush',
        ],
      );
      const { events, header: found } = await readAllOf(log);
      expect(found.sector).toBe(sector);
      expect(new Set(events.map(({ op }) => op))).toEqual(new Set(['write', 'flush', 'discard']));
      expect(played(events, MiB).equals(readFileSync(image))).toBe(true);
    });
  }

  testWith(...tools)('blklogwrites goes on with a log of ours', async () => {
    const data = pattern(64 * KiB);
    const { file } = await write([
      request(0, 'write', 0, data.length, { data }),
      request(2, 'flush'),
      { op: 'mark', n: 4, time: 0, name: 'ours' },
    ]);
    const image = bench.path('image');
    writeFileSync(image, Buffer.concat([data, Buffer.alloc(MiB - data.length)]));
    io(logged(image, file, 'log-append=on'), 'write -P 9 4k 4k', 'flush');
    const { events } = await readAllOf(file);
    expect(events.map(({ op }) => op)).toEqual(expect.arrayContaining(['mark']));
    expect(events.length).toBeGreaterThan(3);
    expect(played(events, MiB).equals(readFileSync(image))).toBe(true);
  });
});
