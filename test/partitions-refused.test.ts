// Tables that cannot be written: by what they say, by the device, and by what is open.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type BlockDevice, type PartitionTable, writePartitions, writePartitionsSync } from 'rumpblk';
import { LINUX, table } from './support/disks';
import { failure, refusal, thrownBy } from './support/failure';
import { MiB, rig } from './support/rig';

const bench = rig();
const SIZE = 16 * MiB;

function writable(file = bench.sparse(SIZE)): BlockDevice {
  return bench.device(file, { mode: 'r+' });
}

describe('refused', () => {
  const cause = async (device: BlockDevice, wrong: PartitionTable): Promise<string> => {
    const before = readFileSync(device.path);
    const error = await failure(() => writePartitions(device, wrong), 'EINVAL');
    expect(await thrownBy(() => writePartitionsSync(device, wrong))).toEqual(error);
    expect(readFileSync(device.path).equals(before)).toBe(true);
    return (error.cause as Error).message;
  };
  const nested = (type: number, inner: PartitionTable): PartitionTable => {
    const outer = table('mbr', [0, 2048, 20480, type]);
    Object.assign(outer.partitions[0] as object, { table: inner });
    return outer;
  };

  test('tables that cannot be, with the reason as the cause, and nothing is written', async () => {
    const device = writable();
    const last = SIZE / 512;
    const wrong: [PartitionTable, RegExp][] = [
      [table('mbr', [0, 2048, 2048, 0x83], [1, 4095, 10, 0x83]), /^s2 overlaps s1$/],
      [table('mbr', [0, 2048, 2048, 0x83], [0, 8192, 10, 0x83]), /^s1 has an index/],
      [table('mbr', [4, 2048, 2048, 0x83]), /^s5 has an index/],
      [table('mbr', [0, last - 1, 2, 0x83]), /^s1 ends beyond/],
      [table('mbr', [0, 2048, 0, 0x83]), /^s1 is empty/],
      [table('mbr', [0, 2048.5, 2, 0x83]), /^s1 does not begin and end with a sector/],
      [table('mbr', [0, 2048, 2, 0]), /^s1 has a type/],
      [table('gpt', [0, 33, 2, LINUX]), /^p1 is not inside/],
      [table('gpt', [0, last - 33, 1, LINUX]), /^p1 is not inside/],
      [table('gpt', [8192, 2048, 1, LINUX]), /^p8193 has an index/],
      [table('gpt', [0, 2048, 1, '00000000-0000-0000-0000-000000000000']), /^p1 has a type/],
      [table('bsd', [16, 2048, 1, 7]), /has an index/],
      [{ ...table('bsd', [0, 2048, 1, 7]), position: 1024 }, /cannot lie there/],
      [{ ...table('mbr', [0, 2048, 8, 0x83]), sectorSize: 4096 }, /counts in sectors of 4096 bytes/],
      [{ ...table('gpt', [0, 2048, 8, LINUX]), sectorSize: 2048 }, /counts in sectors of 2048 bytes/],
      [nested(0x83, table('bsd', [0, 2048, 1, 7])), /^s1 cannot hold/],
      [nested(0x05, table('bsd', [0, 2048, 1, 7])), /^s1 cannot hold/],
      [nested(0xa9, table('bsd', [0, 10, 100, 7])), /^s1a is not inside/],
      [nested(0x05, table('ebr', [0, 2048, 10, 0x83])), /^s5 has no free sector/],
      [nested(0x05, table('ebr', [0, 2049, 10, 0x83], [1, 2059, 10, 0x83])), /^s6 has no free sector/],
      [nested(0x05, table('ebr', [0, 22527, 10, 0x83])), /^s5 is not inside/],
      [nested(0x05, table('ebr', [0, 2100, 10, 0x05])), /^s5 has a type/],
      [table('ebr', [0, 2048, 1, 7]), /./],
    ];
    for (const [one, words] of wrong) expect(await cause(device, one)).toMatch(words);
    expect(await cause(writable(bench.sparse(30 * 512)), table('gpt'))).toMatch(/no room/);
    expect(await cause(writable(bench.sparse(100)), table('mbr'))).toMatch(/no room/);
  });

  test('arguments', async () => {
    const device = writable();
    const entry = { name: 's1', index: 0, start: 2048 * 512, size: 512, type: 0x83, typeName: '' };
    const wrong: [unknown, string][] = [
      [undefined, 'ERR_INVALID_ARG_TYPE'],
      [{ ...table('mbr'), scheme: 'apm' }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('mbr'), partitions: {} }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...table('mbr'), id: 'x' }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('mbr'), sectorSize: 1000 }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('mbr'), partitions: [{ ...entry, type: 256 }] }, 'ERR_OUT_OF_RANGE'],
      [{ ...table('mbr'), partitions: [{ ...entry, start: -1 }] }, 'ERR_OUT_OF_RANGE'],
      [{ ...table('mbr'), partitions: [{ ...entry, index: null }] }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...table('mbr'), partitions: [null] }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...table('bsd'), position: 0 }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('gpt'), partitions: [{ ...entry, type: 'linux' }] }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('gpt'), partitions: [{ ...entry, type: LINUX, label: 'x'.repeat(37) }] }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('gpt'), partitions: [{ ...entry, type: LINUX, attributes: 5 }] }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...table('gpt'), partitions: [{ ...entry, type: LINUX, attributes: -1n }] }, 'ERR_INVALID_ARG_VALUE'],
    ];
    for (const [one, code] of wrong) {
      expect(await refusal(() => writePartitions(device, one as PartitionTable))).toBe(code);
      expect(await refusal(() => writePartitionsSync(device, one as PartitionTable))).toBe(code);
    }
    const loop = table('mbr');
    loop.partitions.push({ ...entry, table: loop });
    expect(await refusal(() => writePartitions(device, loop))).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('by mode, by protection, by faults, and for what is open', async () => {
    const mbr = table('mbr', [0, 2048, 2048, 0x83], [1, 4096, 2048, 0x83]);
    await failure(() => writePartitions(bench.device(bench.sparse(SIZE)), mbr), 'EACCES');
    const guarded = bench.device(bench.sparse(SIZE), { mode: 'r+', protect: [[0, 512]] });
    await failure(() => writePartitions(guarded, mbr), 'EROFS');
    const faulty = writable();
    faulty.driver.faults.set({ rate: 10000, seed: 1 });
    await failure(() => writePartitions(faulty, mbr), 'EIO');

    const driver = bench.driver();
    const disk = driver.registerSync(bench.sparse(SIZE));
    const device = bench.keep(driver.openSync(disk, { mode: 'r+', raw: true }));
    writePartitionsSync(device, mbr);
    const part = bench.keep(driver.openSync(driver.registerPartitionSync(disk, 's1')));
    for (const change of [
      table('mbr', [1, 4096, 2048, 0x83]),
      table('mbr', [0, 2049, 2047, 0x83]),
      table('mbr', [0, 2048, 2047, 0x83]),
      table('gpt', [0, 2048, 2048, LINUX]),
    ]) {
      await failure(() => writePartitions(device, change), 'EBUSY');
    }
    await writePartitions(device, table('mbr', [0, 2048, 4096, 0x83]));
    await part.close();
    await writePartitions(device, table('mbr'));
    device.closeSync();
    await failure(() => writePartitions(device, mbr), 'EBADF');
  });
});
