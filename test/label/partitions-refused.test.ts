// Tables that cannot be written: by what they say, by the device, and by what is open.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type BlockDevice, type PartitionTable, readPartitionsSync, writePartitions, writePartitionsSync } from 'rumpblk';
import { ROOT, reportsFrom } from '../support/child';
import { LINUX, table } from '../support/disks';
import { failure, refusal, thrownBy } from '../support/failure';
import { MiB, rig } from '../support/rig';

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
      [table('bsd', [22, 2048, 1, 7]), /has an index/],
      [{ ...table('bsd', [0, 2048, 1, 7]), position: 1024 }, /cannot lie there/],
      [{ ...table('mbr', [0, 2048, 8, 0x83]), sectorSize: 4096 }, /counts in sectors of 4096 bytes/],
      [{ ...table('gpt', [0, 2048, 8, LINUX]), sectorSize: 8192 }, /counts in sectors of 8192 bytes/],
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
      [{ ...table('mbr'), scheme: 'none' }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('mbr'), partitions: {} }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...table('mbr'), id: 'x' }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('mbr'), sectorSize: 1000 }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('mbr'), partitions: [{ ...entry, type: 256 }] }, 'ERR_OUT_OF_RANGE'],
      [{ ...table('mbr'), partitions: [{ ...entry, start: -1 }] }, 'ERR_OUT_OF_RANGE'],
      [{ ...table('mbr'), partitions: [{ ...entry, index: null }] }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...table('mbr'), partitions: [null] }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...table('bsd'), position: 0 }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('gpt'), partitions: [{ ...entry, type: 'linus' }] }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('gpt'), partitions: [{ ...entry, type: LINUX, label: 'x'.repeat(37) }] }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('gpt'), partitions: [{ ...entry, type: LINUX, attributes: 5 }] }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...table('gpt'), partitions: [{ ...entry, type: LINUX, attributes: -1n }] }, 'ERR_INVALID_ARG_VALUE'],
      // What the scheme has no place for.
      [{ ...table('gpt'), partitions: [{ ...entry, type: LINUX, bootable: true }] }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('bsd'), partitions: [{ ...entry, type: 7, bootable: true }] }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('mbr'), partitions: [{ ...entry, label: 'root' }] }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('mbr'), partitions: [{ ...entry, uuid: LINUX }] }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...table('mbr'), partitions: [{ ...entry, attributes: 4n }] }, 'ERR_INVALID_ARG_VALUE'],
    ];
    for (const [one, code] of wrong) {
      expect(await refusal(() => writePartitions(device, one as PartitionTable))).toBe(code);
      expect(await refusal(() => writePartitionsSync(device, one as PartitionTable))).toBe(code);
    }
    const slip = { ...table('mbr'), partitions: [{ ...entry, bootabel: true }] };
    expect(await thrownBy(() => writePartitionsSync(device, slip))).toMatchObject({
      message: "unknown property 'table.partitions[0].bootabel': did you mean 'bootable'?",
    });
    const loop = table('mbr');
    loop.partitions.push({ ...entry, table: loop });
    expect(await refusal(() => writePartitions(device, loop))).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('12.10: holes in a list, own methods and a length that lies; the process and the image are whole', async () => {
    const device = writable();
    const entry = { start: 2048 * 512, size: 512, type: 0x83 };
    const before = readFileSync(device.path);
    const read = table('mbr', [0, 2048, 2048, 0x83]);
    Reflect.deleteProperty(read.partitions, 0);
    const claiming = (length: unknown): unknown =>
      new Proxy([entry], { get: (target, key) => (key === 'length' ? length : (Reflect.get(target, key) as unknown)) });
    const lists: [unknown, string][] = [
      [read.partitions, 'ERR_INVALID_ARG_TYPE'],
      [Array(1), 'ERR_INVALID_ARG_TYPE'],
      [Array(2 ** 20), 'ERR_INVALID_ARG_TYPE'],
      [Array(2 ** 20 + 1), 'ERR_OUT_OF_RANGE'],
      [Object.assign([entry, 5], { map: () => [] }), 'ERR_INVALID_ARG_TYPE'],
      [claiming(2), 'ERR_INVALID_ARG_TYPE'],
      [claiming(2 ** 40), 'ERR_OUT_OF_RANGE'],
      [claiming(-1), 'ERR_OUT_OF_RANGE'],
      [claiming('1'), 'ERR_INVALID_ARG_TYPE'],
    ];
    for (const scheme of ['mbr', 'bsd'] as const) {
      for (const [partitions, code] of lists) {
        const wrong = { scheme, partitions: partitions as [] };
        expect(await refusal(() => writePartitions(device, wrong))).toBe(code);
        expect(await refusal(() => writePartitionsSync(device, wrong))).toBe(code);
      }
    }
    const inside = { scheme: 'mbr' as const, partitions: [{ ...entry, type: 5, table: { scheme: 'ebr' as const, partitions: Array(2) } }] };
    expect(await refusal(() => writePartitions(device, inside))).toBe('ERR_INVALID_ARG_TYPE');
    expect(readFileSync(device.path).equals(before)).toBe(true);
    // What an array does of its own counts as little when it is harmless.
    writePartitionsSync(device, { scheme: 'mbr', partitions: Object.assign([entry], { map: () => [5], entries: () => [] }) });
    expect(readPartitionsSync(device)?.partitions).toHaveLength(1);
  });

  test('12.10: native code refuses rows that are no table', async () => {
    const script = `
      const { binding } = require(args.binding);
      const driver = new binding.Driver(1, 0, 16, 16, 1);
      const device = driver.openPathSync(Buffer.from(args.file), 0, -1, 0, 0, '', 1, false, 0, 1, false, true, new Float64Array(0));
      const entry = [0, 1048576, 512, 0x83, false, '', '', '', 0n, undefined];
      const rows = (...entries) => [1, 0, 0, 0, '', entries, undefined];
      const swap = (row, i, value) => row.map((each, at) => (at === i ? value : each));
      const odd = [undefined, null, NaN, -1, 0.5, 2 ** 64, {}, [], 'x', Symbol('x'), -1n, 2n ** 64n];
      const cycle = rows(entry.slice());
      cycle[5][0][9] = cycle;
      const tables = [
        ...odd, [], [1], new Proxy(rows(entry), {}), cycle, rows(undefined), Array(6), [1, 0, 0, 0, '', Array(1), undefined], [1, 0, 0, 0, '', { length: 1 }, undefined],
        ...entry.flatMap((good, i) => odd.filter((each) => each !== good && typeof each !== typeof good).map((each) => rows(swap(entry, i, each)))),
        ...rows(entry).flatMap((good, i) => odd.filter((each) => typeof each !== typeof good).map((each) => swap(rows(entry), i, each))),
      ];
      const bad = [];
      for (const table of tables) {
        for (const answer of [device.writeTableSync(table), await device.writeTable(table)]) {
          if (!Array.isArray(answer) || answer[0] !== 22) bad.push(String(answer));
        }
      }
      report({ bad, tried: tables.length, good: device.writeTableSync(rows(entry)).outcome });
      device.closeSync();
    `;
    const [answer] = await reportsFrom(script, { args: { binding: `${ROOT}/dist/native/binding.js`, file: bench.sparse(SIZE) } });
    expect(answer).toMatchObject({ bad: [], good: 0 });
    expect(answer.tried).toBeGreaterThan(100);
  });

  test('12.10: the cause names the first few faults and counts the rest', async () => {
    const device = writable();
    const entry = { start: 2048 * 512, size: 512, type: 0x83 };
    const two = await failure(
      () =>
        writePartitions(device, {
          scheme: 'mbr',
          partitions: [
            { ...entry, size: 0 },
            { ...entry, type: 0, start: MiB * 4 },
          ],
        }),
      'EINVAL',
    );
    expect((two.cause as Error).message).toBe('s1 is empty; s2 has a type that stands for no partition');
    const many = await failure(
      () => writePartitions(device, { scheme: 'mbr', partitions: Array<typeof entry>(50_000).fill(entry) }),
      'EINVAL',
    );
    expect((many.cause as Error).message).toMatch(/^s5 has an index [^;]*; (s\d has [^;]*; ){4}and \d{5} more$/);
  });

  test('by mode, by protection, by faults, and for what is open', async () => {
    const mbr = table('mbr', [0, 2048, 2048, 0x83], [1, 4096, 2048, 0x83]);
    await failure(() => writePartitions(bench.device(bench.sparse(SIZE)), mbr), 'EACCES');
    const guarded = bench.device(bench.sparse(SIZE), { mode: 'r+', protect: [[0, 512]] });
    await failure(() => writePartitions(guarded, mbr), 'EROFS');
    // What changes nothing in the guarded range is nothing that it has to be guarded from.
    const gpt = table('gpt', [0, 2048, 2048, LINUX]);
    const file = bench.sparse(SIZE);
    const fresh = writable(file);
    writePartitionsSync(fresh, gpt);
    fresh.closeSync();
    await writePartitions(bench.device(file, { mode: 'r+', protect: [[0, 512]] }), { ...gpt, partitions: [] });
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
