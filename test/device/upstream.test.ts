// The cases of NetBSD's own tests/rump/rumpvfs/t_etfs.c, in every access mode.
import { closeSync, openSync as openFile, statSync, writeSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { failure } from '../support/failure';
import { ability, testWith } from '../support/peers';
import { ACCESSES, TiB, rig } from '../support/rig';

const bench = rig();

describe.each(ACCESSES)('under %s', (access) => {
  test('reregister_blk', async () => {
    const driver = bench.driver();
    for (const [sectors, fill] of [
      [64, 1],
      [128, 2],
    ] as const) {
      const minor = await driver.register(bench.image(Buffer.alloc(sectors * 512, fill)));
      expect(minor).toBe(0);
      const device = await driver.open(minor, { access, raw: true });
      const got = Buffer.alloc(128 * 512, 9);
      const { bytesRead } = await device.read(got, 0);
      expect(bytesRead).toBe(sectors * 512);
      expect(got.subarray(0, bytesRead).every((byte) => byte === fill)).toBe(true);
      expect(got.subarray(bytesRead).every((byte) => byte === 9)).toBe(true);
      await device.close();
      driver.deregister(minor);
      await failure(() => driver.open(minor), 'ENXIO');
    }
  });

  const large = ability('file system with files of 8 TiB', () => bench.sparse(8 * TiB) !== '');
  testWith(large)(`B3: large_blk (${access})`, async () => {
    const file = bench.sparse(8 * TiB);
    const data = Buffer.alloc(128, 12);
    const driver = bench.driver();
    const first = await driver.open(await driver.register(file), { access, mode: 'r+' });
    expect(await first.write(data, 6 * TiB)).toMatchObject({ bytesWritten: 128 });
    await first.close();
    driver.deregister(0);
    const second = bench.driver();
    const device = bench.keep(await second.open(await second.register(file, { size: 8 * TiB }), { access }));
    const got = Buffer.alloc(128);
    expect(await device.read(got, 6 * TiB)).toMatchObject({ bytesRead: 128 });
    expect(got.equals(data)).toBe(true);
    expect(statSync(file).size).toBe(8 * TiB);
    expect(statSync(file).blocks).toBeLessThan(10000);
  });

  test('B1, B2: range_blk', async () => {
    const file = bench.sparse(64000);
    const descriptor = openFile(file, 'r+');
    writeSync(descriptor, Buffer.alloc(16, 1), 0, 16, 32000);
    closeSync(descriptor);
    const device = bench.device(file, { access, offset: 16000, size: 32000 });
    const got = Buffer.alloc(32000, 9);
    expect(await device.read(got, 0)).toMatchObject({ bytesRead: 32000 });
    const expected = Buffer.alloc(32000).fill(1, 16000, 16016);
    expect(got.equals(expected)).toBe(true);
    expect(device.readSync(got, 32000)).toBe(0);
  });
});
