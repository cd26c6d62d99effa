// Partitions that come, go and are guarded while others do the same: what must hold whoever is first.
import { expect, test } from '@jest/globals';
import { BATCH_WRITE, readPartitionsSync, writePartitions, writePartitionsSync } from 'rumpblk';
import { LINUX } from '../support/disks';
import { failure } from '../support/failure';
import { MiB, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * MiB;

test.each(bench.media)(
  'registering, opening, deregistering and dividing $name at once: each ends, errors are EBUSY and ENXIO, nothing is lost',
  async (ground) => {
    const driver = bench.driver({ minorCount: 8 });
    const disk = driver.registerSync(ground.disk(SIZE));
    const whole = bench.keep(driver.openSync(disk, { mode: 'r+', cache: 'unsafe' }));
    const partitions = [1, 2, 3, 4].map((i) => ({ start: 8 * i * MiB, size: MiB, type: LINUX, label: `part ${i}` }));
    writePartitionsSync(whole, { scheme: 'gpt', partitions });
    const table = readPartitionsSync(whole);
    if (table === undefined) throw new Error('no table');
    const codes = new Set<unknown>();
    const noted = async (work: () => unknown): Promise<void> => {
      try {
        await work();
      } catch (error) {
        codes.add((error as { code: unknown }).code);
      }
    };
    const useOne = async (i: number): Promise<void> => {
      const minor = await driver.registerPartition(disk, `p${i}`);
      await noted(async () => {
        const device = await driver.open(minor, { mode: i % 2 === 0 ? 'r+' : 'r', cache: 'unsafe' });
        if (i % 2 === 0) await device.write(Buffer.alloc(512, i), 0);
        await device.close();
      });
      driver.deregister(minor);
    };
    for (let round = 0; round < 40; round += 1) {
      const users = [1, 2, 3, 4, 1, 2].map((i) => noted(() => useOne(i)));
      await Promise.all([...users, noted(() => writePartitions(whole, table)), noted(() => driver.deregister(disk))]);
    }
    expect([...codes].filter((code) => code !== 'EBUSY' && code !== 'ENXIO')).toEqual([]);
    expect(readPartitionsSync(whole)).toEqual(table);
    const first = Buffer.alloc(512);
    whole.readSync(first, 16 * MiB);
    expect(first.equals(Buffer.alloc(512, 2))).toBe(true);
    expect(driver.minors().map(({ minor }) => minor)).toContain(disk);
  },
);

test.each(bench.media)('tables written at once on $name are one of them', async (ground) => {
  const device = bench.device(ground.disk(SIZE), { mode: 'r+', cache: 'unsafe' });
  for (let round = 0; round < 20; round += 1) {
    const starts = [1, 2, 3, 4];
    await Promise.all(
      starts.map((i) =>
        writePartitions(device, { scheme: 'gpt', partitions: [{ start: i * MiB, size: MiB, type: LINUX, label: `${i}` }] }),
      ),
    );
    const read = readPartitionsSync(device);
    expect(read).toMatchObject({ problems: [], partitions: [{}] });
    expect(read?.partitions[0]?.label).toBe(String((read?.partitions[0]?.start ?? 0) / MiB));
  }
});

test.each(bench.media)(
  'a partition of $name is guarded at its label and at the ranges of its open, in batches, views and bufs too',
  async (ground) => {
    const driver = bench.driver();
    const disk = driver.registerSync(ground.disk(SIZE));
    const whole = bench.keep(driver.openSync(disk, { mode: 'r+' }));
    writePartitionsSync(whole, { scheme: 'bsd', partitions: [{ start: 0, size: 8 * MiB, type: 7 }] });
    const minor = driver.registerPartitionSync(disk, 'a');
    const part = bench.keep(
      driver.openSync(minor, {
        mode: 'r+',
        protect: [
          [4096, 4096],
          [8 * MiB - 512, SIZE],
        ],
      }),
    );
    const batch = part.createBatch({ depth: 8 });
    batch.op.fill(BATCH_WRITE);
    batch.bcount.fill(512);
    batch.blkno.set([0, 1, 2, 8, 15, 16, 16383, 16384]);
    batch.runSync(8);
    expect([...batch.error]).toEqual([0, -30, 0, -30, -30, 0, -30, 0]);
    expect(batch.resid[7]).toBe(512); // the end of the partition, not of the disk
    batch[Symbol.dispose]();
    for (const [position, length] of [
      [0, 1024],
      [4096, 512],
      [8 * MiB - 512, 512],
    ] as const) {
      await failure(() => part.mapSync(position, length), ground.name === 'memory' ? 'ENOTSUP' : 'EROFS');
      await failure(() => part.strategySync({ op: 'write', blkno: position / 512, data: Buffer.alloc(length) }), 'EROFS');
    }
    await failure(() => writePartitions(part, { scheme: 'mbr', partitions: [{ start: MiB, size: MiB, type: 0x83 }] }), 'EROFS');
    expect(readPartitionsSync(whole)).toMatchObject({ scheme: 'bsd', problems: [] });
  },
);
