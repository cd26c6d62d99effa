// What people read of a failure and of an object: whether a fault was injected, where, and by which seed; that a device takes no writes; its values.
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { readPartitionsSync } from 'rumpblk';
import { failure } from '../support/failure';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();

describe('an injected failure says so', () => {
  test('whether it was a read or a write, where, and the seed that replays it', async () => {
    const file = bench.image(pattern(256 * KiB));
    const device = bench.device(file, { mode: 'r+' }, { faults: { rate: 10000, seed: 7 } });
    const data = Buffer.alloc(512);
    const head = `EIO: i/o error, strategy '${file}'`;
    for (const [call, remark] of [
      [() => device.readSync(data, 4096), 'injected read at byte 4096, seed 7'],
      [() => device.read(data, 8192n), 'injected read at byte 8192, seed 7'],
      [() => device.writeSync(data, 100), 'injected write at byte 100, seed 7'],
      [() => device.write(data, 512), 'injected write at byte 512, seed 7'],
      [() => device.strategySync({ op: 'read', blkno: 3, data }), 'injected read at byte 1536, seed 7'],
      [() => device.strategy({ op: 'write', blkno: 4n, data }), 'injected write at byte 2048, seed 7'],
      [() => readPartitionsSync(device), 'injected, seed 7'],
    ] as const) {
      const { message, injected, stack } = await failure(call, 'EIO');
      expect([message, injected]).toEqual([`${head} (${remark})`, true]);
      expect(stack).toContain(`BlockDeviceError: ${message}\n`);
    }
  });

  test('of a raw transfer: the chunk that failed', async () => {
    const device = bench.device(bench.image(pattern(256 * KiB)), { raw: true });
    // A seed under which the first of two chunks passes.
    for (let seed = 0; ; seed += 1) {
      device.driver.faults.set({ rate: 5000, seed });
      const error = await failure(() => device.readSync(Buffer.alloc(128 * KiB), 64 * KiB)).catch(() => undefined);
      if (error?.bytesTransferred !== 64 * KiB) continue;
      expect(error.message).toContain(`(injected read at byte ${128 * KiB}, seed ${seed})`);
      break;
    }
  });
});

test("what a device refuses because it is open with mode 'r' says so, and what the host refuses does not", async () => {
  const file = bench.image(pattern(64 * KiB));
  const device = bench.device(file);
  for (const call of [
    () => device.writeSync(Buffer.alloc(512), 0),
    () => device.write(Buffer.alloc(512), 0),
    () => device.strategySync({ op: 'write', blkno: 0, data: Buffer.alloc(512) }),
  ]) {
    expect((await failure(call, 'EACCES')).message).toBe(
      `EACCES: permission denied, strategy '${file}' (the device is open with mode 'r')`,
    );
  }
  expect((await failure(() => device.ioctl('DIOCWLABEL', true), 'EBADF')).message).toContain("(the device is open with mode 'r')");
  device.closeSync();
  expect((await failure(() => device.readSync(Buffer.alloc(512), 0), 'EBADF')).message).toBe('EBADF: device closed, read');
});

test('console.log shows what driver, injector, device and batch are', () => {
  const file = bench.image(pattern(64 * KiB));
  const device = bench.device(file, {}, { faults: { rate: 1, seed: 2 } });
  const batch = device.createBatch({ depth: 2 });
  const { driver } = device;
  const values = '{ rate: 1, seed: 2, injected: 0 }';
  expect(inspect(driver.faults)).toBe(`FaultInjector ${values}`);
  expect(inspect(driver, { breakLength: Infinity })).toBe(
    `BlockDriver { minors: [ '0: ${file}' ], faults: FaultInjector ${values}, closed: false }`,
  );
  const shown = `BlockDevice { path: '${file}', minor: 0, size: 65536, mode: 'r', access: 'auto', cache: 'writeback', closed: false }`;
  expect(inspect(device, { breakLength: Infinity })).toBe(shown);
  expect(inspect({ device }, { breakLength: Infinity })).toBe(`{ device: ${shown} }`);
  expect(inspect(batch, { breakLength: Infinity })).toBe(`Batch { path: '${file}', depth: 2, arena: '8192 bytes', closed: false }`);
  device.closeSync();
  expect(inspect(device)).toContain('closed: true');
  expect(inspect(batch)).toContain('closed: true');
  driver.close();
  expect(inspect(driver)).toContain('minors: []');
  expect(() => inspect(Object.getPrototypeOf(device))).not.toThrow();
});
