// Hosts that are no ordinary file: character nodes, and a file without a byte. Block nodes: device/loop.test.ts.
import { describe, expect, test } from '@jest/globals';
import { failure } from '../support/failure';
import { ACCESSES, KiB, rig } from '../support/rig';

const bench = rig();
const SIZE = 256 * KiB;

describe('character nodes', () => {
  test('need a size, since the host tells none', async () => {
    const driver = bench.driver();
    await failure(() => driver.registerSync('/dev/zero'), 'EINVAL');
    await failure(() => driver.register('/dev/zero', { offset: 512 }), 'EINVAL');
    driver.registerSync('/dev/zero', { size: SIZE });
    expect(driver.minors()).toMatchObject([{ path: '/dev/zero', type: 'character', size: SIZE }]);
  });

  test('one that cannot seek is EINVAL', async () => {
    const driver = bench.driver();
    await failure(() => driver.registerSync('/dev/ptmx', { size: SIZE }), 'EINVAL');
    expect(driver.minors()).toEqual([]);
  });

  test.each(ACCESSES)('B17: are read and written under %s', async (access) => {
    const device = bench.device('/dev/zero', { access, mode: 'r+', size: SIZE });
    const got = Buffer.alloc(SIZE, 1);
    expect(await device.read(got, 0)).toMatchObject({ bytesRead: SIZE });
    expect(got.every((byte) => byte === 0)).toBe(true);
    expect(device.writeSync(got, 512, { length: 1024 })).toBe(1024);
    expect(device.readSync(got, SIZE - 100)).toBe(100);
    await failure(() => device.readSync(got, SIZE + 1), 'EINVAL');
  });

  test.each(ACCESSES)('ENOSPC of the host is the error of the write under %s', async (access) => {
    const device = bench.device('/dev/full', { access, mode: 'r+', size: SIZE });
    const data = Buffer.alloc(512);
    const error = await failure(() => device.writeSync(data, 1024), 'ENOSPC');
    expect(error).toMatchObject({ path: '/dev/full', blkno: 2, bytesTransferred: 0, minor: 0 });
    expect(error.injected).not.toBe(true);
    await failure(() => device.write(data, 0), 'ENOSPC');
    await failure(() => device.strategy({ op: 'write', blkno: 0, data }), 'ENOSPC');
    expect(device.readSync(data, 0)).toBe(512);
  });
});

describe.each(ACCESSES)('a file of size 0 under %s', (access) => {
  test('is a device of no bytes', async () => {
    const device = bench.device(bench.image(Buffer.alloc(0)), { access, mode: 'r+' });
    const data = Buffer.alloc(512, 5);
    expect(device.size).toBe(0);
    expect(device.readSync(data, 0)).toBe(0);
    expect(device.writeSync(data, 0)).toBe(0);
    expect(await device.strategy({ op: 'read', blkno: 0, data })).toEqual({ bcount: 512, resid: 512 });
    expect(data.every((byte) => byte === 5)).toBe(true);
    await failure(() => device.readSync(data, 1), 'EINVAL');
    await failure(() => device.strategySync({ op: 'read', blkno: 1, data }), 'EINVAL');
    await device.flush();
    expect(device.ioctl('DIOCGMEDIASIZE')).toBe(0);
    expect(device.ioctl('DIOCGDINFO').secperunit).toBe(0);
  });

  test('B7: an offset exactly at the end is a device of no bytes too', () => {
    const device = bench.device(bench.sparse(SIZE), { access, offset: SIZE });
    expect(device.size).toBe(0);
    expect(device.readSync(Buffer.alloc(10), 0)).toBe(0);
  });
});
