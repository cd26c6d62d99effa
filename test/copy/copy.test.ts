// copy(): between devices, files and streams; what it does about ends, failures, aborts and memory.
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { PassThrough, Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createGzip, gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { copy, type CopyProgress, type CopySource, type CopyTarget } from 'rumpblk/copy';
import { reportsFrom, runChild } from '../support/child';
import { SIZE, content, digest, media, pieces } from '../support/copying';
import { failure } from '../support/failure';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const { medium, fresh } = media(bench);

/** Where a stream put what it got. */
class Kept extends Writable {
  readonly chunks: Buffer[] = [];
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.chunks.push(chunk);
    setImmediate(callback);
  }
  get data(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

const SOURCES: [name: string, make: () => CopySource][] = [
  ['a device', () => medium(content, 'r').device],
  ['a path', () => bench.image(content)],
  ['a URL', () => pathToFileURL(bench.image(content))],
  ['a path in bytes', () => Buffer.from(bench.image(content))],
  ['a file stream', () => createReadStream(bench.image(content))],
  ['a Readable of odd chunks', () => Readable.from(pieces(content, 777), { objectMode: false })],
  ['a Web stream', () => new Blob([content]).stream() as never],
  [
    'an async iterable',
    async function* () {
      for (const piece of pieces(content, 100_001)) {
        yield piece;
        await turn();
      }
    },
  ],
];

interface Sink {
  target: CopyTarget;
  result: () => Buffer;
}

const TARGETS: [name: string, make: () => Sink][] = [
  ['a device', () => { const { device, image } = medium(SIZE); return { target: device, result: () => readFileSync(image) }; }],
  ['a larger device', () => { const { device, image } = medium(pattern(SIZE + 5000, 9)); return { target: device, result: () => readFileSync(image).subarray(0, SIZE) }; }],
  ['a path', () => { const file = fresh(); return { target: file, result: () => readFileSync(file) }; }],
  ['a path of a longer file', () => { const file = bench.image(pattern(SIZE + 5000, 9)); return { target: file, result: () => readFileSync(file) }; }],
  ['a URL', () => { const file = fresh(); return { target: pathToFileURL(file), result: () => readFileSync(file) }; }],
  ['a Writable', () => { const target = new Kept(); return { target, result: () => target.data }; }],
  ['a Web stream', () => { const kept: Uint8Array[] = []; return { target: new WritableStream({ write: (chunk: Uint8Array) => void kept.push(chunk) }), result: () => Buffer.concat(kept) }; }],
]; // prettier-ignore

describe.each(SOURCES)('from %s', (_from, source) => {
  test.each(TARGETS)('to %s', async (_to, make) => {
    const { target, result } = make();
    expect(await copy(source(), target, { chunkSize: 300_007 })).toMatchObject({ bytes: SIZE, verified: false });
    expect(digest(result())).toBe(digest(content));
  });
});

test.each([1, 2, 64])('with %d chunks under way', async (concurrency) => {
  const { device, image } = medium(SIZE);
  await copy(medium(content, 'r').device, device, { chunkSize: 65536, concurrency });
  expect(digest(readFileSync(image))).toBe(digest(content));
  const sink = new Kept();
  await copy(device, sink, { chunkSize: 65536, concurrency });
  expect(digest(sink.data)).toBe(digest(content));
});

describe('a range', () => {
  const options = { sourcePosition: 1000, targetPosition: 5000n, length: 700_000, chunkSize: 65536 };
  test('goes to its place, between devices and between files', async () => {
    const old = pattern(SIZE, 4);
    const expected = digest(Buffer.concat([old.subarray(0, 5000), content.subarray(1000, 701_000), old.subarray(705_000)]));
    const { device, image } = medium(old);
    expect(await copy(medium(content, 'r').device, device, { ...options, verify: true })).toMatchObject({ bytes: 700_000, verified: true });
    expect(digest(readFileSync(image))).toBe(expected);
    const file = bench.image(old);
    await copy(bench.image(content), file, { ...options, verify: true });
    expect(digest(readFileSync(file))).toBe(expected);
  });

  test('makes a file longer where it has to, with targetPosition', async () => {
    const file = bench.image(Buffer.alloc(10, 1));
    await copy(bench.image(content), file, { targetPosition: 5, length: 100 });
    expect(readFileSync(file).equals(Buffer.concat([Buffer.alloc(5, 1), content.subarray(0, 100)]))).toBe(true);
  });

  test('longer than the source ends with it', async () => {
    const file = fresh();
    expect(await copy(bench.image(content), file, { sourcePosition: SIZE - 10, length: 1e9 })).toMatchObject({
      bytes: 10,
      verified: false,
    });
    expect(await copy(Readable.from(pieces(content, 1000)), fresh(), { length: 1e9 })).toMatchObject({ bytes: SIZE });
  });

  test('of a stream is taken off its beginning, and the stream is ended', async () => {
    const source = Readable.from(pieces(content, 1000), { objectMode: false });
    const file = fresh();
    await copy(source, file, { length: 12_345, verify: true });
    expect(readFileSync(file).equals(content.subarray(0, 12_345))).toBe(true);
    expect(source.destroyed).toBe(true);
  });

  test('of nothing copies nothing', async () => {
    const file = fresh();
    expect(await copy(bench.image(content), file, { length: 0, verify: true })).toMatchObject({ bytes: 0, verified: true });
    expect(await copy(medium(0).device, file)).toMatchObject({ bytes: 0, verified: false });
    expect(await copy(Readable.from([]), file)).toMatchObject({ bytes: 0, verified: false });
    expect(statSync(file).size).toBe(0);
  });
});

describe('what does not fit', () => {
  test('is ENOSPC before anything is written, where the length is known', async () => {
    const old = pattern(SIZE, 4);
    const { device, image } = medium(old);
    for (const source of [bench.image(Buffer.concat([content, content])), medium(Buffer.concat([content, content]), 'r').device]) {
      expect(await failure(() => copy(source, device), 'ENOSPC')).toMatchObject({ path: image });
    }
    await failure(() => copy(bench.image(content), device, { targetPosition: 1 }), 'ENOSPC');
    await failure(() => copy(bench.image(content), device, { targetPosition: SIZE + 1, length: 0 }), 'ENOSPC');
    await failure(() => copy(bench.image(content), device, { sourcePosition: SIZE + 1 }), 'EINVAL');
    expect(readFileSync(image).equals(old)).toBe(true);
  });

  test('of a stream is ENOSPC at the end, and the stream is destroyed', async () => {
    const { device, image } = medium(1 * MiB);
    const source = Readable.from(pieces(content, 1000), { objectMode: false });
    await failure(() => copy(source, device, { chunkSize: 65536 }), 'ENOSPC');
    expect(source.destroyed).toBe(true);
    expect(statSync(image).size).toBe(1 * MiB);
    expect(device.closed).toBe(false);
  });
});

describe('verification', () => {
  test('finds what changed after it was written', async () => {
    for (const makeSource of [() => medium(content, 'r').device, () => Readable.from(pieces(content, 5000), { objectMode: false })]) {
      const { device, image } = medium(SIZE);
      const onProgress = ({ phase, bytes }: CopyProgress): void => {
        if (phase === 'copy' && bytes === SIZE) device.writeSync(Buffer.from('spoiled'), 2 * MiB + 5);
      };
      const error = await failure(() => copy(makeSource(), device, { verify: true, onProgress, chunkSize: 65536 }), 'EIO');
      expect(error).toMatchObject({ syscall: 'verify', path: image, bytesTransferred: 2 * MiB });
    }
  });

  test('reads all of it, and tells how far it is', async () => {
    const { device } = medium(SIZE);
    const told: CopyProgress[] = [];
    await copy(bench.image(content), device, { verify: true, chunkSize: 1 * MiB, onProgress: (progress) => told.push(progress) });
    const phases = (phase: string): number[] => told.filter((each) => each.phase === phase).map(({ bytes }) => bytes);
    expect(phases('copy').at(-1)).toBe(SIZE);
    expect(phases('verify').at(-1)).toBe(SIZE);
    expect([phases('copy').length, phases('verify').length]).toEqual([4, 4]);
    expect(told.every(({ total }) => total === SIZE)).toBe(true);
    expect(phases('copy')).toEqual([...phases('copy')].sort((a, b) => a - b));
  });

  test('has no total while a stream goes on', async () => {
    const told: CopyProgress[] = [];
    await copy(Readable.from(pieces(content, 99_999), { objectMode: false }), fresh(), { onProgress: (progress) => told.push(progress) });
    expect(told.map(({ total }) => total)).toEqual([undefined, undefined, undefined, undefined]);
    expect(told.at(-1)?.bytes).toBe(SIZE);
  });
});

describe('zeros', () => {
  const data = Buffer.alloc(16 * MiB);
  pattern(100_000, 3).copy(data, 5 * MiB);

  test('become holes of a file, and stay holes of a device', async () => {
    const source = bench.image(data);
    const [file, full] = [fresh(), fresh()];
    await copy(source, file, { verify: true, sparse: 'detect' });
    await copy(source, full, { sparse: false });
    const { device, image } = medium(data.length);
    await copy(source, device, { verify: true, sparse: true });
    for (const each of [file, full, image]) expect(digest(readFileSync(each))).toBe(digest(data));
    expect(statSync(file).blocks * 512).toBeLessThan(1 * MiB);
    expect(statSync(image).blocks * 512).toBeLessThan(1 * MiB);
    expect(statSync(full).blocks * 512).toBeGreaterThanOrEqual(data.length);
  });

  test('take the place of what was there', async () => {
    const { device, image } = medium(Buffer.alloc(data.length, 0xee));
    await copy(bench.image(data), device);
    expect(digest(readFileSync(image))).toBe(digest(data));
    const file = bench.image(Buffer.alloc(data.length + 10, 0xee));
    await copy(bench.image(data), file);
    expect(digest(readFileSync(file))).toBe(digest(data));
    const inPlace = bench.image(Buffer.alloc(data.length, 0xee));
    await copy(bench.image(data), inPlace, { targetPosition: 0 });
    expect(digest(readFileSync(inPlace))).toBe(digest(data));
  });
});

test('the copy is durable, unless flush says otherwise', async () => {
  const { device } = medium(SIZE);
  await copy(bench.image(content), device, { flush: false });
  expect(device.driver.counters().flushes).toBe(0);
  await copy(bench.image(content), device);
  expect(device.driver.counters().flushes).toBe(1);
});

test('streams may transform on the way, and keep what they were given', async () => {
  const gzip = createGzip();
  const kept = new Kept();
  // Asked for before: it may have come by the time the copy is told to be over.
  const all = new Promise((resolve) => kept.on('finish', resolve));
  gzip.pipe(kept);
  await copy(bench.image(content), gzip, { chunkSize: 65536 });
  await all;
  expect(digest(gunzipSync(kept.data))).toBe(digest(content));
  const through = new PassThrough({ highWaterMark: 8 * MiB });
  await copy(medium(content).device, through, { chunkSize: 65536, concurrency: 2 });
  expect(digest(Buffer.concat(await through.toArray()))).toBe(digest(content));
});

test('stdout is written, and stays open', async () => {
  const script = `
    const { copy } = require('rumpblk/copy');
    await copy(args, process.stdout);
    process.stdout.write('after');`;
  const { stdout, code } = await runChild(script, { args: bench.image(Buffer.from('the disk ')) });
  expect([code, stdout]).toEqual([0, 'the disk after']);
});

test('memory is bounded by chunk size and concurrency, whatever the length', async () => {
  const script = `
    const { copy } = require('rumpblk/copy');
    const { Writable, Readable } = require('node:stream');
    const slow = new Writable({ highWaterMark: 1, write: (chunk, encoding, done) => setImmediate(done) });
    let most = 0;
    const onProgress = () => { most = Math.max(most, process.memoryUsage().arrayBuffers); };
    const device = openSync(args.image);
    const target = openSync(args.target, { mode: 'r+' });
    await copy(device, slow, { chunkSize: 1 << 20, concurrency: 4, onProgress });
    global.gc();
    await copy(device, target, { chunkSize: 1 << 20, concurrency: 4, onProgress, verify: true });
    await device.close();
    await target.close();
    report(most);`;
  const args = { image: bench.sparse(512 * MiB), target: bench.sparse(512 * MiB) };
  const [most] = await reportsFrom(script, { args, nodeFlags: ['--expose-gc'] });
  expect(most).toBeLessThan(96 * MiB);
});
