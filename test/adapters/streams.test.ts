// Node and Web streams of a device: what they carry, how they pause, fail, and end early.
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { createReadStream, createWriteStream, type DeviceFileHandle } from 'rumpblk/fs';
import { failure, refusal, thrownBy } from '../support/failure';
import { SIZE, content, opener } from '../support/opened';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const writable = opener(bench);

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The two kinds of streams that read, made alike. */
const READERS: [kind: string, make: (handle: DeviceFileHandle, options?: object) => AsyncIterable<Uint8Array>][] = [
  ['createReadStream', (handle, options) => handle.createReadStream(options)],
  ['readableWebStream', (handle, options) => handle.readableWebStream(options)],
];

describe.each(READERS)('%s', (_kind, make) => {
  test.each<[object, number, number]>([
    [{}, 0, SIZE],
    [{ start: 0 }, 0, SIZE],
    [{ start: 1000, end: 1000 }, 1000, 1001],
    [{ start: 5000, end: 200_000, highWaterMark: 777 }, 5000, 200_001],
    [{ end: 99 }, 0, 100],
    [{ start: SIZE - 5 }, SIZE - 5, SIZE],
    [{ start: SIZE - 5, end: SIZE + 1000 }, SIZE - 5, SIZE],
    [{ start: SIZE }, SIZE, SIZE],
    [{ start: SIZE + 9 }, SIZE, SIZE],
    [{ start: 10n, end: 20n }, 10, 21],
  ])('with %p gives that range', async (options, from, to) => {
    expect((await collect(make(writable().handle, options))).equals(content.subarray(from, to))).toBe(true);
  });

  test('without a start goes on where the handle is, and moves it', async () => {
    const { handle } = writable();
    await handle.read(Buffer.alloc(1000));
    expect((await collect(make(handle, { end: 1999, autoClose: false }))).equals(content.subarray(1000, 3000))).toBe(true);
    expect((await handle.read(Buffer.alloc(10))).buffer.equals(content.subarray(3000, 3010))).toBe(true);
  });

  test('closes the handle, or not, and the device never', async () => {
    const { handle, device } = writable();
    await collect(make(handle, { end: 9, autoClose: false }));
    expect(handle.closed).toBe(false);
    await collect(make(handle, { end: 9 }));
    expect([handle.closed, device.closed]).toEqual([true, false]);
  });

  test('reads no more than is asked for', async () => {
    const { handle, device } = writable();
    const stream = make(handle, { highWaterMark: 16 * KiB });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    for (let i = 0; i < 50; i += 1) await turn();
    expect(device.driver.counters().bytesRead).toBeLessThanOrEqual(3 * 16 * KiB);
    await iterator.return?.();
    expect(handle.closed).toBe(true);
  });

  test('fails with the error of the device, in the middle, and closes the handle', async () => {
    const { handle, device } = writable();
    const seen: number[] = [];
    const error = await failure(async () => {
      for await (const chunk of make(handle, { highWaterMark: 4096 })) {
        seen.push(chunk.byteLength);
        if (seen.length === 5) device.driver.faults.set({ rate: 10_000, seed: 1 });
      }
    }, 'EIO');
    expect(error.injected).toBe(true);
    expect(seen.length).toBeLessThan(9);
    expect([handle.closed, device.closed]).toEqual([true, false]);
  });

  test('ends when its signal says so, before and in the middle', async () => {
    const reason = new Error('enough');
    const early = await thrownBy(() => collect(make(writable().handle, { signal: AbortSignal.abort(reason) })));
    expect([early, (early as Error).cause]).toContain(reason);
    const { handle } = writable();
    const controller = new AbortController();
    const late = await thrownBy(async () => {
      for await (const chunk of make(handle, { highWaterMark: 4096, signal: controller.signal }))
        if (chunk.length > 0) controller.abort(reason);
    });
    expect([late, (late as Error).cause]).toContain(reason);
    await turn();
    expect(handle.closed).toBe(true);
  });

  test('of a device that is closed meanwhile fails with EBADF', async () => {
    const { handle, device } = writable();
    await failure(async () => {
      for await (const chunk of make(handle, { highWaterMark: 4096 })) if (chunk.length > 0) await device.close();
    }, 'EBADF');
  });

  test('refuses wrong options at the call', async () => {
    const { handle } = writable();
    const wrong: [object, string][] = [
      [{ start: -1 }, 'ERR_OUT_OF_RANGE'],
      [{ start: 5, end: 4 }, 'ERR_OUT_OF_RANGE'],
      [{ start: '0' }, 'ERR_INVALID_ARG_TYPE'],
      [{ end: 0.5 }, 'ERR_OUT_OF_RANGE'],
      [{ highWaterMark: 0 }, 'ERR_OUT_OF_RANGE'],
      [{ highWaterMark: 2 ** 40 }, 'ERR_OUT_OF_RANGE'],
      [{ autoClose: 1 }, 'ERR_INVALID_ARG_TYPE'],
      [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    ];
    for (const [options, code] of wrong) expect(await refusal(() => make(handle, options))).toBe(code);
    expect(await refusal(() => make(handle, null as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await collect(make(handle, { end: 4 }))).toHaveLength(5);
  });
});

/** The two kinds of streams that write, as something that takes chunks. */
const WRITERS: [
  kind: string,
  put: (handle: DeviceFileHandle, source: Iterable<Buffer> | AsyncIterable<Buffer>, options?: object) => Promise<void>,
][] = [
  [
    'createWriteStream',
    (handle, source, options) => pipeline(Readable.from(source, { objectMode: false }), handle.createWriteStream(options)),
  ],
  [
    'writableWebStream',
    (handle, source, options) => (ReadableStream as any).from(source).pipeTo(handle.writableWebStream(options)) as Promise<void>,
  ],
];

function* pieces(data: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

describe.each(WRITERS)('%s', (_kind, put) => {
  const data = pattern(300_001, 5);

  test('writes from its start on', async () => {
    const { handle, image, device } = writable();
    await put(handle, pieces(data, 7777), { start: 1000, flush: true });
    expect(device.driver.counters().flushes).toBe(1);
    expect(readFileSync(image).equals(Buffer.concat([content.subarray(0, 1000), data, content.subarray(301_001)]))).toBe(true);
    expect([handle.closed, device.closed]).toEqual([true, false]);
  });

  test('without a start goes on where the handle is, and moves it', async () => {
    const { handle, image } = writable();
    await handle.read(Buffer.alloc(500));
    await put(handle, pieces(data, 50_000), { autoClose: false });
    await handle.write('next');
    expect(
      readFileSync(image)
        .subarray(500, 300_505)
        .equals(Buffer.concat([data, Buffer.from('next')])),
    ).toBe(true);
    expect(handle.closed).toBe(false);
  });

  test('is ENOSPC at the end of the device, with everything before it written', async () => {
    const { handle, image } = writable();
    await failure(() => put(handle, pieces(data, 1000), { start: SIZE - 10_500 }), 'ENOSPC');
    expect(
      readFileSync(image).equals(
        Buffer.concat([content.subarray(0, SIZE - 10_500), data.subarray(0, 10_000), content.subarray(SIZE - 500)]),
      ),
    ).toBe(true);
    expect(handle.closed).toBe(true);
  });

  test('fails with the error of the device, in the middle', async () => {
    const { handle, device } = writable();
    async function* source(): AsyncGenerator<Buffer> {
      for (const [i, piece] of [...pieces(data, 10_000)].entries()) {
        if (i === 5) device.driver.faults.set({ rate: 10_000, seed: 1 });
        yield piece;
        await turn();
      }
    }
    expect(await failure(() => put(handle, source()), 'EIO')).toMatchObject({ injected: true });
    expect(handle.closed).toBe(true);
  });

  test('ends when its signal says so', async () => {
    const { handle, image } = writable();
    const controller = new AbortController();
    const reason = new Error('enough');
    let given = 0;
    async function* source(): AsyncGenerator<Buffer> {
      for (;;) {
        given += 1;
        if (given === 5) controller.abort(reason);
        yield data.subarray(0, 1000);
        await turn();
      }
    }
    const error = await thrownBy(() => put(handle, source(), { signal: controller.signal }));
    expect([error, (error as Error).cause]).toContain(reason);
    expect(readFileSync(image).length).toBe(SIZE);
  });
});

test('streams of a device close nothing, whether they end, are left or are destroyed', async () => {
  const { device } = writable().handle;
  expect((await collect(createReadStream(device, { end: 99 }))).equals(content.subarray(0, 100))).toBe(true);
  for await (const chunk of createReadStream(device, { highWaterMark: 512 })) {
    expect(chunk).toHaveLength(512);
    break;
  }
  const destroyed = createReadStream(device);
  destroyed.destroy();
  await pipeline(Readable.from([Buffer.from('hello')]), createWriteStream(device, { start: 4096, flush: true }));
  expect((await collect(createReadStream(device, { start: 4096, end: 4100 }))).toString()).toBe('hello');
  device.driver.faults.set({ rate: 10_000 });
  await expect(collect(createReadStream(device))).rejects.toMatchObject({ code: 'EIO', injected: true });
  device.driver.faults.clear();
  await expect(collect(createReadStream(device, { signal: AbortSignal.abort() }))).rejects.toMatchObject({ name: 'AbortError' });
  expect((await collect(createReadStream(device, { start: SIZE - 5 }))).equals(content.subarray(SIZE - 5))).toBe(true);
  expect(device.closed).toBe(false);
});

test('streams of a device need one that is open', async () => {
  const { device } = writable().handle;
  await device.close();
  expect(() => createReadStream(device)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  expect(() => createWriteStream(device)).toThrow(expect.objectContaining({ code: 'EBADF' }));
});
