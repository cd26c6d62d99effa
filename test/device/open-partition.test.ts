// open(path, { partition }): one partition of a disk in one call, by name, number, label, GUID or entry; and what is said when it is not there.
import { readdirSync, readlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type BlockDevice, BlockDriver, type PartitionEntry, open, openSync, readPartitionsSync, writePartitions } from 'rumpblk';
import { cli } from '../support/cli';
import { FDISK, LINUX, SFDISK, nestedLabel, sfdisk } from '../support/disks';
import { failure, refusal, thrownBy } from '../support/failure';
import { testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 16 * MiB;
type Choice = string | number | PartitionEntry;

/** Opened in both ways, one after the other. */
async function bothWays<T>(file: string, partition: Choice, use: (device: BlockDevice) => T): Promise<T[]> {
  const seen: T[] = [];
  for (const opened of [openSync(file, { partition }), open(file, { partition })]) {
    const device = await opened;
    seen.push(use(device));
    await device.close();
  }
  return seen;
}

async function bothMessages(file: string, partition: Choice, code = 'ENXIO'): Promise<string> {
  const sync = await failure(() => openSync(file, { partition }), code);
  const { message, path } = await failure(() => open(file, { partition }), code);
  expect([sync.message, path]).toEqual([message, file]);
  return message;
}

async function gpt(labels: readonly string[]): Promise<string> {
  const file = bench.image(pattern(SIZE));
  await using disk = await open(file, { mode: 'r+' });
  const partitions = labels.map((label, i) => ({ start: MiB * (i + 1), size: MiB, type: LINUX, label }));
  await writePartitions(disk, { scheme: 'gpt', partitions });
  return file;
}

function entriesOf(file: string): PartitionEntry[] {
  using disk = openSync(file);
  return readPartitionsSync(disk)?.partitions ?? [];
}

function openDescriptors(file: string): number {
  const target = (name: string): string | undefined => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return undefined; // that of the listing itself
    }
  };
  return readdirSync('/proc/self/fd').filter((name) => target(name) === file).length;
}

describe('a partition in one call', () => {
  test('by name, number, label, GUID and entry', async () => {
    const file = await gpt(['boot', 'root']);
    const entry = entriesOf(file)[1] as PartitionEntry;
    for (const choice of ['p2', 2, 'root', entry.uuid as string, entry]) {
      for (const [size, devname, minor, first] of await bothWays(file, choice, (device) => {
        const sector = Buffer.alloc(512);
        device.readSync(sector, 0);
        return [device.size, device.ioctl('DIOCGWEDGEINFO').devname, device.minor, sector] as const;
      })) {
        expect([size, devname, minor]).toEqual([MiB, 'p2', -1]);
        expect(first.equals(pattern(SIZE).subarray(2 * MiB, 2 * MiB + 512))).toBe(true);
      }
    }
    expect(openDescriptors(file)).toBe(0);
  });

  test('writes nothing outside it', async () => {
    const file = await gpt(['boot', 'root']);
    await using device = await open(file, { partition: 'root', mode: 'r+' });
    await device.write(Buffer.alloc(512, 0xee), 0);
    expect((await device.write(Buffer.alloc(4096, 0xee), MiB - 512)).bytesWritten).toBe(512);
    expect((await failure(() => device.write(Buffer.alloc(512), MiB + 512))).code).toBe('EINVAL');
    await device.flush();
    const whole = openSync(file, { lock: false });
    const around = Buffer.alloc(1024);
    whole.readSync(around, 2 * MiB - 512);
    expect(around.subarray(0, 512).equals(pattern(SIZE).subarray(2 * MiB - 512, 2 * MiB))).toBe(true);
    expect(around.subarray(512)).toEqual(Buffer.alloc(512, 0xee));
    whole.readSync(around, 3 * MiB - 512);
    expect(around.subarray(512).equals(pattern(SIZE).subarray(3 * MiB, 3 * MiB + 512))).toBe(true);
    expect(readPartitionsSync(whole)?.problems).toEqual([]);
    whole.closeSync();
  });

  test('two partitions may be open for writing at once, one of them not twice', async () => {
    const file = await gpt(['boot', 'root']);
    await using boot = await open(file, { partition: 1, mode: 'r+' });
    await using root = await open(file, { partition: 2, mode: 'r+' });
    expect([boot.size, root.size]).toEqual([MiB, MiB]);
    expect((await failure(() => open(file, { partition: 'p2', mode: 'r+' }))).code).toBe('EBUSY');
    expect((await failure(() => open(file, { mode: 'r+' }))).code).toBe('EBUSY');
  });

  test('within a range of the file, on a driver that is given, with a signal', async () => {
    const inner = await gpt(['boot', 'root']);
    const disk = openSync(inner);
    const content = Buffer.alloc(SIZE);
    disk.readSync(content, 0);
    disk.closeSync();
    const file = bench.path('shifted');
    writeFileSync(file, Buffer.concat([Buffer.alloc(MiB), content]));
    const driver = new BlockDriver();
    const { signal } = new AbortController();
    const device = await open(file, { offset: MiB, size: SIZE, partition: 2, driver, signal });
    expect([device.size, device.driver, driver.minors()]).toEqual([MiB, driver, []]);
    await device.close();
    driver.close();
    expect(await thrownBy(() => open(file, { partition: 'p2', signal: AbortSignal.abort('no') }))).toBe('no');
  });

  testWith(SFDISK)('an MBR of sfdisk: primary and logical partitions by number', async () => {
    const file = bench.sparse(SIZE);
    sfdisk(
      file,
      'label: dos',
      'start=2048,size=2048,type=83',
      'start=4096,size=20480,type=5',
      'start=6144,size=2048',
      'start=10240,size=4096',
    );
    expect(await bothWays(file, 1, ({ size }) => size)).toEqual([MiB, MiB]);
    expect(await bothWays(file, 6, ({ size }) => size)).toEqual([2 * MiB, 2 * MiB]);
    expect(await bothWays(file, 's6', ({ size }) => size)).toEqual([2 * MiB, 2 * MiB]);
    expect(await bothMessages(file, 3)).toBe(`ENXIO: no partition 3 in '${file}' (MBR): s1, s2, s5, s6`);
  });

  testWith(SFDISK, FDISK)('a label in a slice: the label itself is protected, as through registerPartition', async () => {
    const file = bench.sparse(64 * MiB);
    nestedLabel(file);
    expect(await bothWays(file, 's1a', (device) => device.ioctl('DIOCGWEDGEINFO').ptype)).toEqual(['ffs', 'ffs']);
    await using slice = await open(file, { partition: 's1', mode: 'r+' });
    expect((await failure(() => slice.write(Buffer.alloc(512), 512))).code).toBe('EROFS');
  });
});

test('registerPartition takes a number or an entry as well', async () => {
  const file = await gpt(['boot', 'root']);
  const [boot, root] = entriesOf(file) as [PartitionEntry, PartitionEntry];
  const driver = bench.driver();
  const disk = driver.registerSync(file);
  const minors = [
    driver.registerPartitionSync(disk, 2),
    await driver.registerPartition(disk, root),
    await driver.registerPartition(disk, 1),
  ];
  expect(minors).toEqual([1, 1, 2]);
  expect(driver.registerPartitionSync(disk, boot)).toBe(2);
  const moved = { ...root, start: root.start + 512 };
  for (const call of [() => driver.registerPartition(disk, moved), () => driver.registerPartitionSync(disk, moved)]) {
    expect((await failure(call, 'ENXIO')).message).toContain("partition 'p2'");
  }
  expect((await failure(() => driver.registerPartitionSync(disk, 3), 'ENXIO')).message).toContain('no partition 3');
  expect((await failure(() => driver.registerPartition(9, 1), 'ENXIO')).message).toContain('no such device');
  for (const wrong of [undefined, null, true])
    expect(await refusal(() => driver.registerPartition(disk, wrong as never))).toBe('ERR_INVALID_ARG_TYPE');
});

describe('a partition that is not there', () => {
  test('names what was asked for and what there is', async () => {
    const file = await gpt(['boot', 'root']);
    expect(await bothMessages(file, 's2')).toBe(`ENXIO: no partition 's2' in '${file}' (GPT): p1 boot, p2 root`);
    expect(await bothMessages(file, 7)).toBe(`ENXIO: no partition 7 in '${file}' (GPT): p1 boot, p2 root`);
    const driver = bench.driver();
    const disk = driver.registerSync(file);
    const sync = await failure(() => driver.registerPartitionSync(disk, 'home'), 'ENXIO');
    const { message, minor, path, syscall } = await failure(() => driver.registerPartition(disk, 'home'), 'ENXIO');
    expect(message).toBe(`ENXIO: no partition 'home' in '${file}' (GPT): p1 boot, p2 root`);
    expect([sync.message, minor, path, syscall]).toEqual([message, disk, file, 'register']);
    expect((await failure(() => driver.registerPartition(5, 'p1'), 'ENXIO')).message).toContain('no such device');
    expect(openDescriptors(file)).toBe(1);
  });

  test('a disk that is not divided, one without partitions, one with many, two of one label', async () => {
    const bare = bench.sparse(SIZE);
    expect(await bothMessages(bare, 'p1')).toBe(`ENXIO: no partition 'p1' in '${bare}' (not divided)`);
    expect(await bothMessages(bare, 1)).toBe(`ENXIO: no partition 1 in '${bare}' (not divided)`);
    const none = await gpt([]);
    expect(await bothMessages(none, 'p1')).toBe(`ENXIO: no partition 'p1' in '${none}' (GPT): none`);
    const twins = await gpt(['root', 'root']);
    expect(await bothMessages(twins, 'root')).toBe(`ENXIO: no partition 'root' in '${twins}' (GPT): p1, p2 are all called so`);
    const file = bench.sparse(SIZE);
    await using disk = await open(file, { mode: 'r+' });
    const partitions = Array.from({ length: 20 }, (_, i) => ({ start: MiB + i * 65536, size: 65536, type: LINUX }));
    await writePartitions(disk, { scheme: 'gpt', partitions });
    await disk.close();
    expect(await bothMessages(file, 'p21')).toMatch(/: p1, p2, .*, p16, and 4 more$/);
  });

  test('one that reaches out of the disk', async () => {
    const file = await gpt(['boot', 'root']);
    truncateSync(file, 2.5 * MiB);
    const { size, start } = entriesOf(file)[1] as PartitionEntry;
    for (const choice of ['p2', 'root', 2]) {
      const message = `EINVAL: partition 'p2' of '${file}' ends beyond the end of the device: it has ${size} bytes from ${start} on`;
      expect(await bothMessages(file, choice, 'EINVAL')).toBe(message);
      const driver = bench.driver();
      const disk = driver.registerSync(file);
      expect((await failure(() => driver.registerPartitionSync(disk, choice), 'EINVAL')).message).toBe(message);
      expect(await failure(() => driver.registerPartition(disk, choice), 'EINVAL')).toMatchObject({ message, minor: disk });
    }
    const refused = await cli(['info', file, '--partition', 'root']);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringMatching(/ends beyond the end of the device: [^(]*\n$/)]);
    // What is no disk at all says so.
    expect(await bothMessages(__dirname, 1, 'EINVAL')).toMatch(/^EINVAL: invalid argument/);
  });

  test('a label that would steer a terminal is shown, not obeyed', async () => {
    const file = await gpt(['\x1b[2J\u202eevil']);
    expect(await bothMessages(file, '\x07')).toBe(`ENXIO: no partition '\\x07' in '${file}' (GPT): p1 \\x1b[2J\\u202eevil`);
  });

  test('an entry of another disk, or of what the disk was', async () => {
    const [one, other] = [await gpt(['boot', 'root']), await gpt(['all'])];
    const [first, second] = entriesOf(one) as [PartitionEntry, PartitionEntry];
    expect(await bothMessages(other, second)).toBe(`ENXIO: no partition 'p2' in '${other}' (GPT): p1 all`);
    await using disk = await open(one, { mode: 'r+' });
    await writePartitions(disk, { scheme: 'gpt', partitions: [{ start: MiB, size: 2 * MiB, type: LINUX }] });
    await disk.close();
    expect(await bothMessages(one, first)).toBe(
      `ENXIO: partition 'p1' of '${one}' is not the one given: it has 2097152 bytes from 1048576 on`,
    );
    expect(openDescriptors(one)).toBe(0);
  });

  test('what no partition can be', async () => {
    const file = await gpt(['boot']);
    for (const [wrong, code] of [
      ['', 'ERR_INVALID_ARG_VALUE'],
      [null, 'ERR_INVALID_ARG_TYPE'],
      [true, 'ERR_INVALID_ARG_TYPE'],
      [['p1'], 'ERR_INVALID_ARG_TYPE'],
      [{ name: 'p1' }, 'ERR_INVALID_ARG_TYPE'],
      [0, 'ERR_OUT_OF_RANGE'],
      [1.5, 'ERR_OUT_OF_RANGE'],
    ] as const) {
      expect(await refusal(() => openSync(file, { partition: wrong as string }))).toBe(code);
      expect(await refusal(() => open(file, { partition: wrong as string }))).toBe(code);
    }
    expect((await failure(() => open(bench.path('missing'), { partition: 'p1' }))).code).toBe('ENOENT');
    expect((await failure(() => open(bench.path('missing'), { partition: 1 }))).code).toBe('ENOENT');
  });
});
