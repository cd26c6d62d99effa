// A loop device as a block node of the host.
import { readFileSync } from 'node:fs';
import { describe, expect } from '@jest/globals';
import { failure } from '../support/failure';
import { loops } from '../support/loop';
import { run } from '../support/peers';
import { ACCESSES, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const { attach, looped } = loops(bench);
const SIZE = 4 * MiB;

describe('a loop device', () => {
  for (const access of ACCESSES) {
    looped(`B17: is read, written and synced under ${access}`, async () => {
      const content = pattern(SIZE);
      const file = bench.image(content);
      const node = attach(file);
      const driver = bench.driver();
      const minor = await driver.register(node);
      expect(driver.minors()).toMatchObject([{ path: node, type: 'block', size: SIZE, offset: 0 }]);
      const device = bench.keep(await driver.open(minor, { access, mode: 'r+' }));
      const got = Buffer.alloc(SIZE);
      expect(await device.read(got, 0)).toMatchObject({ bytesRead: SIZE });
      expect(got.equals(content)).toBe(true);
      const expected = Buffer.from(content);
      const writes = [
        [0, 512],
        [100, 1000],
        [SIZE / 2 - 1, 70000],
        [SIZE - 10, 10],
      ] as const;
      for (const [i, [position, length]] of writes.entries()) {
        const data = pattern(length, i + 2);
        data.copy(expected, position);
        if (i % 2) await device.write(data, position, { fua: true });
        else device.writeSync(data, position);
      }
      expect(device.strategySync({ op: 'write', blkno: 1000, data: got.subarray(0, 512) })).toEqual({ bcount: 512, resid: 0 });
      got.copy(expected, 512000, 0, 512);
      expect(device.writeSync(got, SIZE)).toBe(0);
      await failure(() => device.writeSync(got, SIZE + 512), 'EINVAL');
      await device.flush();
      // fdatasync of the node has brought everything to the backing file.
      expect(readFileSync(file).equals(expected)).toBe(true);
      device.readSync(got, 0);
      expect(got.equals(expected)).toBe(true);
    });

    looped(`a range of it is a device of its own under ${access}`, async () => {
      const content = pattern(SIZE);
      const file = bench.image(content);
      const device = bench.device(attach(file), { access, mode: 'r+', offset: MiB + 512, size: MiB });
      const data = pattern(MiB + 512, 2);
      expect(await device.write(data, 0)).toMatchObject({ bytesWritten: MiB });
      await device.close();
      const expected = Buffer.from(content);
      data.copy(expected, MiB + 512, 0, MiB);
      expect(readFileSync(file).equals(expected)).toBe(true);
    });
  }

  looped('is one file under every name of its node', async () => {
    const driver = bench.driver();
    const node = attach(bench.sparse(SIZE));
    run('ln', '-s', node, bench.path('link'));
    run('cp', '-a', node, bench.path('copy'));
    expect([node, bench.path('link'), bench.path('copy')].map((name) => driver.registerSync(name))).toEqual([0, 0, 0]);
    await failure(() => driver.registerSync(node, { size: SIZE + 1 }), 'EINVAL');
    await failure(() => driver.registerSync(node, { offset: SIZE + 512 }), 'EINVAL');
    expect(driver.registerSync(node, { offset: 512 })).toBe(1);
  });

  looped("B29: 'r+' keeps others away, programs too", async () => {
    const node = attach(bench.sparse(SIZE));
    const driver = bench.driver();
    const minor = driver.registerSync(node);
    const device = driver.openSync(minor, { mode: 'r+' });
    const other = bench.driver();
    await failure(() => other.openSync(other.registerSync(node), { mode: 'r+' }), 'EBUSY');
    await failure(() => other.openSync(0), 'EBUSY');
    const again = driver.openSync(minor, { mode: 'r+' });
    device.closeSync();
    await failure(() => other.openSync(0, { mode: 'r+' }), 'EBUSY');
    again.closeSync();
    bench.keep(other.openSync(0, { mode: 'r+' }));
  });

  looped("B29: a locked 'r+' behind an unlocked one claims the node for itself, and gives it back", async () => {
    const node = attach(bench.sparse(SIZE));
    const driver = bench.driver();
    const minor = driver.registerSync(node, { size: MiB });
    bench.keep(driver.openSync(minor, { mode: 'r+', lock: false }));
    const writer = driver.openSync(minor, { mode: 'r+' });
    const other = bench.driver();
    const beside = other.registerSync(node, { offset: 2 * MiB });
    // Another range, so that it is the claim that refuses.
    await failure(() => other.openSync(beside, { mode: 'r+' }), 'EBUSY');
    writer.closeSync();
    bench.keep(other.openSync(beside, { mode: 'r+' }));
  });

  looped("a read-only one refuses 'r+' at open, not at the first write", async () => {
    const content = pattern(SIZE);
    const driver = bench.driver();
    const minor = driver.registerSync(attach(bench.image(content), '-r'));
    await failure(() => driver.openSync(minor, { mode: 'r+' }), 'EROFS', 'EACCES');
    const got = Buffer.alloc(SIZE);
    expect(bench.keep(driver.openSync(minor)).readSync(got, 0)).toBe(SIZE);
    expect(got.equals(content)).toBe(true);
  });

  looped('B38: with sectors of 4096 bytes it takes any range, direct or not', async () => {
    const content = pattern(SIZE);
    const file = bench.image(content);
    const device = bench.device(attach(file, '-b', '4096'), { access: 'pio', mode: 'r+', direct: true });
    const got = Buffer.alloc(700);
    expect(device.readSync(got, 512)).toBe(700);
    expect(got.equals(content.subarray(512, 1212))).toBe(true);
    const data = pattern(5000, 2);
    expect(await device.write(data, 512, { fua: true })).toMatchObject({ bytesWritten: 5000 });
    expect(device.strategySync({ op: 'write', blkno: 33, data: data.subarray(0, 512) })).toEqual({ bcount: 512, resid: 0 });
    expect(device.sectorSize).toBe(512);
    const expected = Buffer.from(content);
    data.copy(expected, 512);
    data.copy(expected, 33 * 512, 0, 512);
    await device.close();
    expect(readFileSync(file).equals(expected)).toBe(true);
  });
});
