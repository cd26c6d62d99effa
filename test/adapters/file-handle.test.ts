// openFileHandle: the FileHandle of node:fs/promises over a device, compared with one over the same file.
import { readFileSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { openFileHandle, type DeviceFileHandle } from 'rumpblk/fs';
import { failure, refusal, thrownBy } from '../support/failure';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * KiB + 100;
const content = pattern(SIZE);

function writable(): { handle: DeviceFileHandle; image: string; device: DeviceFileHandle['device'] } {
  const image = bench.image(content);
  const device = bench.device(image, { mode: 'r+' });
  return { handle: openFileHandle(device), image, device };
}

/** What a call gave, without memory that is of no interest. */
async function outcome(call: () => Promise<any>): Promise<unknown> {
  const { bytesRead, bytesWritten, buffer } = await call();
  return {
    bytesRead,
    bytesWritten,
    text: typeof buffer === 'string' ? buffer : Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength).toString('latin1'),
  };
}

type Step = (handle: any) => Promise<any>;
const STEPS: [name: string, step: Step][] = [
  ['read(buffer, offset, length, position)', (handle) => handle.read(Buffer.alloc(50), 10, 20, 513)],
  ['read(buffer, offset, length)', (handle) => handle.read(Buffer.alloc(50), 10, 20)],
  ['read(buffer), which goes on from there', (handle) => handle.read(Buffer.alloc(50))],
  ['read(buffer, null, null, null)', (handle) => handle.read(Buffer.alloc(50), null, null, null)],
  ['read(buffer, 0, 10, -1)', (handle) => handle.read(Buffer.alloc(50), 0, 10, -1)],
  ['read(buffer, options)', (handle) => handle.read(Buffer.alloc(50), { offset: 5, length: 6, position: 7 })],
  ['read(buffer, {})', (handle) => handle.read(new Uint16Array(50), {})],
  ['read(options)', (handle) => handle.read({ buffer: Buffer.alloc(50), position: 1000 })],
  ['read()', (handle) => handle.read()],
  ['read({})', (handle) => handle.read({})],
  ['read(buffer, 0, 0)', (handle) => handle.read(Buffer.alloc(5), 0, 0)],
  ['write(buffer, offset, length, position)', (handle) => handle.write(Buffer.from('one two'), 4, 3, 2000)],
  ['write(buffer, offset)', (handle) => handle.write(Buffer.from('one two'), 4)],
  ['write(buffer, options)', (handle) => handle.write(Buffer.from('three'), { offset: 1, length: 3, position: 3000 })],
  ['write(string, position)', (handle) => handle.write('grüße', 4000)],
  ['write(string, position, encoding)', (handle) => handle.write('grüße', 5000, 'latin1')],
  ['write(string)', (handle) => handle.write('ad rem')],
  ['read(buffer) after all that', (handle) => handle.read(Buffer.alloc(100))],
  ['read over the end', (handle) => handle.read(Buffer.alloc(200), 0, 200, SIZE - 60)],
  ['read at the end', (handle) => handle.read(Buffer.alloc(200), 0, 200, SIZE)],
  ['read beyond the end', (handle) => handle.read(Buffer.alloc(200), 0, 200, SIZE + 1000)],
];

test('every form of read and write does what FileHandle does, and moves the position as it does', async () => {
  const { handle, image } = writable();
  const twin = bench.image(content);
  const file = await openFile(twin, 'r+');
  for (const [name, step] of STEPS) {
    expect([name, await outcome(() => step(handle))]).toEqual([name, await outcome(() => step(file))]);
  }
  const views = (): Buffer[] => [Buffer.alloc(3), Buffer.alloc(0), Buffer.alloc(70)];
  for (const position of [0, undefined, SIZE - 30, null]) {
    const [ours, theirs] = [await handle.readv(views(), position), await file.readv(views(), position as number)];
    expect(ours.bytesRead).toBe(theirs.bytesRead);
    expect(Buffer.concat(ours.buffers).equals(Buffer.concat(theirs.buffers))).toBe(true);
    const data = [Buffer.from('abc'), Buffer.from('defg')];
    expect(await handle.writev(data, 6000)).toEqual(await file.writev(data, 6000));
    expect(await handle.writev(data)).toMatchObject({ bytesWritten: 7, buffers: data });
    await file.writev(data);
    await handle.read({ position: null, buffer: Buffer.alloc(100) });
    await file.read({ position: null, buffer: Buffer.alloc(100) });
    if (position === undefined) break; // from here on FileHandle would make the file longer
  }
  await file.sync();
  await file.close();
  await handle.sync();
  expect(readFileSync(image).equals(readFileSync(twin))).toBe(true);
});

test('a position may be a bigint', async () => {
  const { handle } = writable();
  const { buffer } = await handle.read(Buffer.alloc(10), 0, 10, 99n);
  expect(buffer.equals(content.subarray(99, 109))).toBe(true);
  expect((await handle.read(Buffer.alloc(10), { position: -1n })).buffer.equals(content.subarray(0, 10))).toBe(true);
});

test('reads without a position that are begun together get ranges of their own, in order', async () => {
  const { handle } = writable();
  const views = Array.from({ length: 100 }, () => Buffer.alloc(700));
  const counts = await Promise.all(views.map((view) => handle.read(view)));
  expect(Buffer.concat(views.map((view, i) => view.subarray(0, counts[i]!.bytesRead))).equals(content)).toBe(true);
  expect((await handle.read(Buffer.alloc(5))).bytesRead).toBe(0);
});

test('a request that failed has not moved the position', async () => {
  const { handle, device, image } = writable();
  await handle.read(Buffer.alloc(100));
  device.driver.faults.set({ rate: 10_000, seed: 1 });
  await failure(() => handle.read(Buffer.alloc(512)), 'EIO');
  await failure(() => handle.write(Buffer.alloc(512)), 'EIO');
  device.driver.faults.clear();
  const { buffer } = await handle.read(Buffer.alloc(20));
  expect(buffer.equals(content.subarray(100, 120))).toBe(true);
  expect(readFileSync(image).equals(content)).toBe(true);
});

describe('what does not fit', () => {
  test('is ENOSPC, and nothing of it is written', async () => {
    const { handle, image } = writable();
    const data = pattern(100, 3);
    for (const position of [SIZE - 99, SIZE, SIZE + 1, 2 ** 50]) {
      expect(await failure(() => handle.write(data, 0, 100, position), 'ENOSPC')).toMatchObject({ path: image, bytesTransferred: 0 });
      await failure(() => handle.writev([data.subarray(50), data.subarray(0, 50)], position), 'ENOSPC');
    }
    await handle.read({ buffer: Buffer.alloc(SIZE - 10) });
    await failure(() => handle.write(data), 'ENOSPC');
    await failure(() => handle.write('a text of more than ten'), 'ENOSPC');
    expect(await handle.write(data.subarray(0, 10))).toMatchObject({ bytesWritten: 10 });
    await failure(() => handle.write(data.subarray(0, 1)), 'ENOSPC');
    expect(await handle.write(data, 0, 0)).toMatchObject({ bytesWritten: 0 });
    expect(readFileSync(image).equals(Buffer.concat([content.subarray(0, SIZE - 10), data.subarray(0, 10)]))).toBe(true);
  });

  test('truncate is refused, whatever the length', async () => {
    const { handle, image } = writable();
    for (const length of [undefined, 0, SIZE, SIZE + 1]) await failure(() => handle.truncate(length), 'EINVAL');
    expect(readFileSync(image).length).toBe(SIZE);
  });
});

test('stat tells a block device of its size; sync and datasync flush', async () => {
  const { handle, device } = writable();
  const stats = await handle.stat();
  expect(stats).toMatchObject({ size: SIZE, blksize: 512, blocks: 129 });
  expect([stats.isBlockDevice(), stats.isFile(), stats.isDirectory(), stats.mode & 0o777]).toEqual([true, false, false, 0o600]);
  expect([stats.isCharacterDevice(), stats.isSymbolicLink(), stats.isFIFO(), stats.isSocket()]).toEqual([false, false, false, false]);
  await handle.write('x', 0);
  await handle.datasync();
  await handle.write('y', 0);
  await handle.sync();
  expect(device.driver.counters().flushes).toBe(2);
});

test('a read and a write can be aborted', async () => {
  const { handle } = writable();
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  expect(await thrownBy(() => handle.read(Buffer.alloc(10), { signal }))).toBe(reason);
  expect(await thrownBy(() => handle.write(Buffer.alloc(10), { signal }))).toBe(reason);
  expect((await handle.read(Buffer.alloc(10))).buffer.equals(content.subarray(0, 10))).toBe(true);
});

describe('closing', () => {
  test('waits for what is in flight, refuses what comes later, and leaves the device open', async () => {
    const { handle, device, image } = writable();
    const closed: string[] = [];
    handle.on('close', () => closed.push('close'));
    const underWay = Array.from({ length: 30 }, (_, i) => handle.write(Buffer.alloc(512, 1), 0, 512, i * 512));
    const closing = handle.close();
    expect(handle.close()).toBe(closing);
    const late = failure(() => handle.read(Buffer.alloc(5)), 'EBADF');
    await closing;
    expect(closed).toEqual(['close']);
    expect((await Promise.all(underWay)).length).toBe(30);
    expect((await late).message).toContain('file closed');
    for (const call of ['read', 'write', 'readv', 'writev', 'stat', 'sync', 'datasync', 'truncate'] as const) {
      await failure(() => (handle[call] as (...args: unknown[]) => unknown)(Buffer.alloc(1)), 'EBADF');
    }
    for (const make of ['createReadStream', 'createWriteStream', 'readableWebStream', 'writableWebStream'] as const) {
      await failure(() => handle[make](), 'EBADF');
    }
    expect([handle.closed, device.closed]).toEqual([true, false]);
    expect(
      readFileSync(image)
        .subarray(0, 30 * 512)
        .every((byte) => byte === 1),
    ).toBe(true);
  });

  test('closes the device when asked to, and reports what its close reports', async () => {
    const device = bench.device(bench.image(content), { mode: 'r+' });
    const handle = openFileHandle(device, { closeDevice: true });
    await handle[Symbol.asyncDispose]();
    expect(device.closed).toBe(true);
  });

  test('a device that is closed under it is EBADF', async () => {
    const { handle, device } = writable();
    await device.close();
    await failure(() => handle.read(Buffer.alloc(5)), 'EBADF');
    await failure(() => handle.read(Buffer.alloc(5), 0, 5, SIZE + 5), 'EBADF');
    await failure(() => handle.write('x', 0), 'EBADF');
    await handle.close();
    expect(((await thrownBy(() => openFileHandle(device))) as NodeJS.ErrnoException).code).toBe('EBADF');
  });
});

describe('wrong arguments', () => {
  const data = Buffer.alloc(16);
  const both: [name: string, args: unknown[], code: string][] = [
    ['a text as position', [data, 0, 1, 'x'], 'ERR_INVALID_ARG_TYPE'],
    ['a negative position', [data, 0, 1, -2], 'ERR_OUT_OF_RANGE'],
    ['a part beyond the buffer', [data, 10, 7, 0], 'ERR_OUT_OF_RANGE'],
    ['a text as offset', [data, 'x', 7, 0], 'ERR_INVALID_ARG_TYPE'],
    ['a position that is none, in options', [data, { position: {} }], 'ERR_INVALID_ARG_TYPE'],
    ['an array as options', [data, []], 'ERR_INVALID_ARG_TYPE'],
    ['a signal that is none', [data, { signal: {} }], 'ERR_INVALID_ARG_TYPE'],
    ['no view', [5, 0, 1, 0], 'ERR_INVALID_ARG_TYPE'],
    ['shared memory', [new Uint8Array(new SharedArrayBuffer(8))], 'ERR_INVALID_ARG_VALUE'],
  ];
  test.each(both)('%s', async (_name, args, code) => {
    const { handle } = writable();
    expect(await refusal(() => handle.read(...(args as [])))).toBe(code);
    expect(await refusal(() => handle.write(...(args as unknown as [Buffer])))).toBe(code);
  });

  test('of the others', async () => {
    const { handle, device } = writable();
    expect(await refusal(() => handle.write('x', 0, 'utf99' as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => handle.readv('x' as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => handle.writev([5] as never))).toBe('ERR_INVALID_ARG_TYPE');
    for (const wrong of [undefined, null, {}, 'x', Object.create(device)]) {
      expect(await refusal(() => openFileHandle(wrong as never))).toBe('ERR_INVALID_ARG_TYPE');
    }
    expect(await refusal(() => openFileHandle(device, { closeDevice: 'yes' as never }))).toBe('ERR_INVALID_ARG_TYPE');
  });
});
