// Leases: bytes of a device as memory, what they see, what reaches the file, and when they end.
import { openSync as openFile, closeSync as closeFile, existsSync, readFileSync, readdirSync, readlinkSync, writeSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { openSync, type BlockDevice, type WindowView } from 'rumpblk';
import { numbers } from '../support/batch';
import { failure, refusal, thrownBy } from '../support/failure';
import { ability, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 4 * MiB + 300;
const content = pattern(SIZE);
const MAPPED = ['auto', 'mmap'] as const;

const open = (access: BlockDevice['access'], mode: 'r' | 'r+' = 'r+', options: object = {}, tunables: object = {}): BlockDevice =>
  bench.device(bench.image(content), { access, mode, ...options }, { windowSize: MiB, ...tunables });
const same = (view: WindowView, position: number, of: Uint8Array = content): boolean =>
  Buffer.from(view.bytes).equals(of.subarray(position, position + view.bytes.length));

describe.each(MAPPED)('under %s', (access) => {
  test.each(['r', 'r+'] as const)("a lease of an '%s' device is exactly the bytes asked for", (mode) => {
    const device = open(access, mode);
    for (const [position, length] of [
      [0, 512],
      [0, MiB],
      [1, 1],
      [4095, 2],
      [12345, 70000],
      [MiB, MiB],
      [2 * MiB - 1, 1],
      [SIZE - 1, 1],
      [4 * MiB, 300],
    ] as const) {
      const view = device.mapSync(position, length);
      expect(view.bytes).toBeInstanceOf(Uint8Array);
      expect([view.bytes.length, view.bytes.byteOffset, view.bytes.buffer.byteLength]).toEqual([length, 0, length]);
      expect(same(view, position)).toBe(true);
      view.release();
    }
    expect(same(device.mapSync(BigInt(MiB), 5), MiB)).toBe(true);
    expect(device.driver.counters().ioTotal).toBe(0);
  });

  test('a range of the host file is leased at its own positions', () => {
    for (const [offset, size] of [
      [MiB - 1, MiB],
      [3 * 512, 2 * MiB],
      [4 * MiB, 300],
    ] as const) {
      const device = open(access, 'r+', { offset, size, lock: false });
      // Windows lie at multiples of their size in the host file.
      const room = Math.min(size, MiB - (offset % MiB));
      const view = device.mapSync(0, room);
      expect(same(view, offset)).toBe(true);
      view.bytes.fill(7);
      view.release();
      expect(readFileSync(device.path).equals(Buffer.from(content).fill(7, offset, offset + room))).toBe(true);
    }
  });

  test("on an 'r+' device stores reach the file, and writes reach the view", async () => {
    const device = open(access);
    const view = device.mapSync(MiB + 100, 5000);
    view.bytes.fill(9, 0, 100);
    const got = Buffer.alloc(200);
    device.readSync(got, MiB + 50);
    expect(got.equals(Buffer.from(content.subarray(MiB + 50, MiB + 250)).fill(9, 50, 150))).toBe(true);
    await device.write(Buffer.alloc(1000, 4), MiB + 1100);
    device.writeSync(Buffer.alloc(10, 5), MiB + 2100, { fua: true });
    const expected = Buffer.from(content)
      .fill(9, MiB + 100, MiB + 200)
      .fill(4, MiB + 1100, MiB + 2100)
      .fill(5, MiB + 2100, MiB + 2110);
    expect(same(view, MiB + 100, expected)).toBe(true);
    view.release();
    expect(readFileSync(device.path).equals(expected)).toBe(true);
  });

  test("on an 'r' device stores stay in the view", () => {
    const device = open(access, 'r');
    const [one, two] = [device.mapSync(5000, 10000), device.mapSync(5000, 10000)];
    one.bytes.fill(1);
    expect(same(two, 5000)).toBe(true);
    const got = Buffer.alloc(10000);
    device.readSync(got, 5000);
    expect(got.equals(content.subarray(5000, 15000))).toBe(true);
    expect(one.bytes.every((byte) => byte === 1)).toBe(true);
    one.release();
    expect(same(device.mapSync(5000, 10000), 5000)).toBe(true);
    expect(readFileSync(device.path).equals(content)).toBe(true);
  });

  test.each(['r', 'r+'] as const)("release and dispose detach, once, on an '%s' device", (mode) => {
    const device = open(access, mode);
    for (const end of [(view: WindowView) => view.release(), (view: WindowView) => view[Symbol.dispose]()]) {
      const view = device.mapSync(100, 100);
      const { bytes } = view;
      const other = new Uint16Array(bytes.buffer);
      for (let round = 0; round < 3; round += 1) {
        end(view);
        expect([view.bytes, bytes.length, bytes.buffer.byteLength, other.length, bytes[0]]).toEqual([bytes, 0, 0, 0, undefined]);
      }
    }
  });

  test.each(['close', 'closeSync', 'asyncDispose', 'dispose'] as const)('%s of the device detaches every lease', async (way) => {
    for (const mode of ['r', 'r+'] as const) {
      const device = open(access, mode);
      const views = [device.mapSync(0, 10), device.mapSync(3 * MiB, 4096), device.mapSync(5, 10)];
      views[1]!.bytes[0] = 0xaa;
      const kept = views.map(({ bytes }) => bytes);
      await (way === 'close' || way === 'closeSync' ? device[way]() : device[Symbol[way]]());
      expect(kept.map(({ length }) => length)).toEqual([0, 0, 0]);
      for (const view of views) view.release();
      expect(readFileSync(device.path)[3 * MiB]).toBe(mode === 'r' ? content[3 * MiB] : 0xaa);
      await failure(() => device.mapSync(0, 1), 'EBADF');
    }
  });

  test('what is empty, outside the device or across windows is EINVAL', async () => {
    for (const mode of ['r', 'r+'] as const) {
      const device = open(access, mode);
      for (const [position, length] of [
        [0, 0],
        [SIZE, 1],
        [SIZE - 1, 2],
        [SIZE + 1, 1],
        [0, SIZE],
        [MiB - 1, 2],
        [0, MiB + 1],
        [2 ** 53 - 1, 1],
        [0, 2 ** 53 - 1],
        [1, 2 ** 53 - 1],
      ] as const) {
        await failure(() => device.mapSync(position, length), 'EINVAL');
      }
      expect(device.windows().every(({ refs }) => refs === 0)).toBe(true);
    }
  });

  test('reads and writes go on while windows are leased, and the leased ones stay in place', async () => {
    const device = open(access, 'r+', {}, { windowCount: 3, windowSize: 64 * KiB });
    const model = Buffer.from(content);
    const view = device.mapSync(20 * 64 * KiB + 77, 60000);
    const next = numbers(99);
    for (let round = 0; round < 150; round += 1) {
      const length = 1 + next(200000);
      const position = next(SIZE - length);
      if (round % 3 === 0) {
        const data = pattern(length, round + 2);
        if (round % 2) device.writeSync(data, position);
        else await device.write(data, position);
        data.copy(model, position);
      } else {
        const got = Buffer.alloc(length);
        if (round % 2) device.readSync(got, position);
        else await device.read(got, position);
        expect(got.equals(model.subarray(position, position + length))).toBe(true);
      }
      const at = next(60000);
      view.bytes[at] = round;
      model[20 * 64 * KiB + 77 + at] = round;
      expect(same(view, 20 * 64 * KiB + 77, model)).toBe(true);
    }
    expect(device.windows().filter(({ refs }) => refs > 0)).toEqual([{ offset: 20 * 64 * KiB, length: 64 * KiB, refs: 1 }]);
    view.release();
    await device.close();
    expect(readFileSync(device.path).equals(model)).toBe(true);
  });

  test('a write of others to the file is seen', () => {
    const device = open(access, 'r+', { lock: false });
    const view = device.mapSync(0, 100);
    const descriptor = openFile(device.path, 'r+');
    writeSync(descriptor, Buffer.alloc(50, 3), 0, 50, 25);
    closeFile(descriptor);
    expect(same(view, 0, Buffer.from(content).fill(3, 25, 75))).toBe(true);
  });

  test.each(['r', 'r+'] as const)("a view can be the buffer of requests, and is not transferred, on an '%s' device", async (mode) => {
    const device = open(access, mode);
    const view = device.mapSync(0, 4096);
    expect((await device.read(view.bytes, MiB)).bytesRead).toBe(4096);
    expect(same(view, MiB)).toBe(true);
    try {
      structuredClone(null, { transfer: [view.bytes.buffer as ArrayBuffer] });
    } catch (error) {
      expect((error as Error).name).toBe('DataCloneError');
    }
    expect(view.bytes.length).toBe(4096);
    const reading = device.read(Buffer.alloc(2 * MiB), 0);
    view.release();
    expect((await reading).bytesRead).toBe(2 * MiB);
    expect(await refusal(() => device.readSync(view.bytes, 0))).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('a thousand leases leave neither mappings nor descriptors behind', async () => {
    for (const mode of ['r', 'r+'] as const) {
      const device = open(access, mode);
      const held = (): [number, number] => [
        readFileSync('/proc/self/maps', 'utf8')
          .split('\n')
          .filter((line) => line.includes(device.path)).length,
        readdirSync('/proc/self/fd').filter((fd) => thrownFree(() => readlinkSync(`/proc/self/fd/${fd}`)) === device.path).length,
      ];
      const [maps, descriptors] = held();
      expect(maps).toBeGreaterThan(0);
      for (let i = 0; i < 1000; i += 1) device.mapSync((i * 4093) % (MiB - 4096), 4096).release();
      expect(held()).toEqual([maps, descriptors]);
      const views = Array.from({ length: 200 }, (_, i) => device.mapSync((i % 4) * MiB + i, 100));
      expect(held()[1]).toBe(descriptors);
      for (const view of views) view.release();
      expect(held()).toEqual([maps, descriptors]);
      device.mapSync(0, 10);
      await device.close();
      expect(held()[0]).toBe(0);
    }
  });

  const move = ability('ArrayBuffer.prototype.transfer (Node 21)', () => 'transfer' in ArrayBuffer.prototype);
  testWith(move)(`bytes moved by ArrayBuffer.prototype.transfer are good until they are dropped (${access})`, async () => {
    for (const mode of ['r', 'r+'] as const) {
      const device = open(access, mode);
      const view = device.mapSync(100, 4096);
      const moved = new Uint8Array((view.bytes.buffer as unknown as { transfer(): ArrayBuffer }).transfer());
      expect(view.bytes.length).toBe(0);
      view.release();
      await device.close();
      expect(Buffer.from(moved).equals(content.subarray(100, 4196))).toBe(true);
      moved.fill(1);
    }
  });
});

function thrownFree<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

test('under pio there are none: ENOTSUP', async () => {
  for (const mode of ['r', 'r+'] as const) await failure(() => open('pio', mode).mapSync(0, 10), 'ENOTSUP');
  // Node's own text for it is about a socket.
  expect(() => open('pio', 'r').mapSync(0, 10)).toThrow(/^ENOTSUP: operation not supported, map '/);
});

// Files of /sys are read and have no maps, as those of a FUSE file system with direct_io.
const WITHOUT_MAPS = '/sys/kernel/uevent_seqnum';
const withSys = testWith(ability(WITHOUT_MAPS, () => existsSync(WITHOUT_MAPS)));

withSys("of a file that has no maps there are none: ENODEV, and 'mmap' is 'pio'", async () => {
  for (const access of ['auto', 'mmap'] as const) {
    const device = bench.keep(openSync(WITHOUT_MAPS, { access }));
    expect(device.access).toBe(access === 'auto' ? 'auto' : 'pio');
    await failure(() => device.mapSync(0, 512), access === 'auto' ? 'ENODEV' : 'ENOTSUP');
    expect(device.readSync(Buffer.alloc(1), 0)).toBe(1);
  }
});

test('misuse', async () => {
  const device = open('auto');
  for (const wrong of ['x', '1', null, undefined, {}, [], true, Symbol('x')]) {
    expect(await refusal(() => device.mapSync(wrong as number, 1))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => device.mapSync(0, wrong as number))).toBe('ERR_INVALID_ARG_TYPE');
  }
  for (const wrong of [-1, 1.5, NaN, Infinity, 2 ** 53, -1n, 2n ** 64n]) {
    expect(await refusal(() => device.mapSync(wrong, 1))).toBe('ERR_OUT_OF_RANGE');
    expect(await refusal(() => device.mapSync(0, wrong as number))).toBe('ERR_OUT_OF_RANGE');
  }
  const view = device.mapSync(0, 10);
  for (const foreigner of [undefined, null, 5, {}, device, new Proxy(view, {})]) {
    expect(await thrownBy(() => view.release.call(foreigner as WindowView))).toBeInstanceOf(TypeError);
    expect(await thrownBy(() => view[Symbol.dispose].call(foreigner as WindowView))).toBeInstanceOf(TypeError);
  }
  expect(same(view, 0)).toBe(true);
});
