// The ioctls that set a disklabel in memory and on the medium, and what its partitions may do to it. Its bytes: label-codec.test.ts.
import { describe, expect, test } from '@jest/globals';
import {
  type BlockDevice,
  type DiskLabel,
  type IoctlMap,
  decodeDiskLabel,
  encodeDiskLabel,
  findDiskLabelSync,
  writePartitionsSync,
} from 'rumpblk';
import { SECTORS, label, layOut, sumOf } from '../support/disklabel';
import { FDISK, MMLS, PARTX, SFDISK, mmlsRows, nestedLabel, partxRows, sfdiskRows } from '../support/disks';
import { failure, refusal } from '../support/failure';
import { testWith } from '../support/peers';
import { pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = SECTORS * 512;

const PLACES = bench.media.flatMap(({ name, disk }) => [512, 64, 128].map((position) => ({ name, disk, position })));

test.each(PLACES)('a label written at byte $position of $name is the one that DIOCGDINFO gives', ({ disk, position }) => {
  for (const byteOrder of ['little', 'big'] as const) {
    const device = bench.device(disk(SIZE), { mode: 'r+' });
    device.writeSync(encodeDiskLabel(label(), { byteOrder }).subarray(0, 148 + 16 * 4), position);
    expect(device.ioctl('DIOCGDINFO')).toMatchObject({ typename: 'SCSI', packname: 'mine', secperunit: SECTORS });
    expect(findDiskLabelSync(device)).toMatchObject({ position, byteOrder });
    expect(device.ioctl('DIOCGPART', 0)).toMatchObject({ offset: 2048, size: 4096, fstype: 7 });
    expect(device.ioctl('DIOCGDEFLABEL').typename).toBe('rumpd');
    // Written again, it stays where it is and as it is.
    const before = bench.bytes(device);
    device.ioctl('DIOCWDINFO', device.ioctl('DIOCGDINFO'));
    expect(bench.bytes(device).equals(before)).toBe(true);
    device.closeSync();
  }
});

testWith(
  SFDISK,
  FDISK,
  PARTX,
  MMLS,
)('real tools read what DIOCWDINFO wrote, bare and in a slice', () => {
  const bare = bench.device(bench.sparse(SIZE), { mode: 'r+' });
  bare.ioctl('DIOCWDINFO', label());
  const wanted = [{ start: 2048 * 512, size: 4096 * 512 }];
  expect(mmlsRows(bare.path, '-t', 'bsd')).toEqual(expect.arrayContaining(wanted));
  expect(partxRows(bare.path)).toEqual(expect.arrayContaining(wanted));
  expect(sfdiskRows(bare.path).map(({ start, size }) => ({ start, size }))).toEqual(expect.arrayContaining(wanted));

  const file = bench.sparse(SIZE);
  nestedLabel(file);
  const nested = bench.device(file, { mode: 'r+' });
  const old = nested.ioctl('DIOCGDINFO');
  old.partitions[1] = { offset: 30000, size: 1000, fstype: 1, fsize: 0, frag: 0, cpg: 0 };
  nested.ioctl('DIOCWDINFO', old);
  expect(findDiskLabelSync(nested)?.position).toBe(2049 * 512);
  expect(sfdiskRows(file, '-Y', 'bsd').map(({ start, size, type }) => [start / 512, size / 512, type])).toEqual([
    [4096, 16384, '7'],
    [30000, 1000, '1'],
    [2048, 65536, '0'],
  ]);
});

describe.each(bench.media)('setting a label of $name', ({ name, disk }) => {
  test('DIOCSDINFO is in memory until the last close, and DIOCKLABEL keeps it longer', async () => {
    const driver = bench.driver();
    const minor = driver.registerSync(disk(SIZE));
    const open = (): BlockDevice => bench.keep(driver.openSync(minor, { mode: 'r+' }));
    const [one, two] = [open(), open()];
    expect(one.ioctl('DIOCSDINFO', { ...label(), checksum: 7 })).toBeUndefined();
    const set = two.ioctl('DIOCGDINFO');
    expect(set).toMatchObject({ packname: 'mine' });
    expect(sumOf(layOut(set))).toBe(0);
    expect(bench.bytes(one).equals(Buffer.alloc(SIZE))).toBe(true);
    const partition = driver.registerPartitionSync(minor, 'a');
    expect(driver.minors()[partition]).toMatchObject({ offset: 2048 * 512, size: 4096 * 512 });
    await one.close();
    expect(two.ioctl('DIOCGDINFO').packname).toBe('mine');
    await two.close();
    const three = open();
    expect(three.ioctl('DIOCGDINFO').packname).toBe('fictitious');
    three.ioctl('DIOCSDINFO', label());
    three.ioctl('DIOCKLABEL', true);
    await three.close();
    const four = open();
    expect(four.ioctl('DIOCGDINFO').packname).toBe('mine');
    four.ioctl('DIOCKLABEL', 0);
    await four.close();
    expect(open().ioctl('DIOCGDINFO').packname).toBe('fictitious');
  });

  test('DIOCWDINFO is on the medium when it returns: the label in sector 1, byte for byte, and nothing behind its last partition', () => {
    const device = bench.device(disk(pattern(SIZE)), { mode: 'r+', access: 'pio' });
    const before = bench.bytes(device);
    device.writeSync(Buffer.alloc(512), 0);
    before.fill(0, 0, 512);
    device.flushSync();
    const { flushes } = device.driver.counters();
    device.ioctl('DIOCWDINFO', label());
    expect(device.driver.counters().flushes).toBe(flushes + 1);
    before.set(encodeDiskLabel(label()).subarray(0, 148 + 16 * label().partitions.length), 512);
    expect(bench.bytes(device).equals(before)).toBe(true);
    expect(device.ioctl('DIOCGDINFO').packname).toBe('mine');
  });

  test('EBADF when opened for reading', async () => {
    const device = bench.device(disk(SIZE));
    const requests: (() => unknown)[] = [
      () => device.ioctl('DIOCSDINFO', label()),
      () => device.ioctl('DIOCWDINFO', label()),
      () => device.ioctl('DIOCWLABEL', true),
      () => device.ioctl('DIOCKLABEL', 1),
    ];
    for (const request of requests) expect(await failure(request, 'EBADF')).toMatchObject({ syscall: 'ioctl', minor: 0 });
  });

  test('EINVAL for nonsense, and nothing has changed', async () => {
    const device = bench.device(disk(SIZE), { mode: 'r+' });
    const nonsense: DiskLabel[] = [
      { ...label(), secpercyl: 0 },
      { ...label(), secsize: 0 },
      { ...label(), secsize: 100 },
      { ...label(), secsize: 768 },
      { ...label(), partitions: [] },
      label({ offset: SECTORS - 1, size: 2, fstype: 7 }),
      label({ offset: 2 ** 32 - 1, size: 2 ** 32 - 1, fstype: 7 }),
    ];
    for (const wrong of nonsense) {
      await failure(() => device.ioctl('DIOCSDINFO', wrong), 'EINVAL');
      await failure(() => device.ioctl('DIOCWDINFO', wrong), 'EINVAL');
    }
    expect(device.ioctl('DIOCGDINFO').typename).toBe('rumpd');
    expect(bench.bytes(device).equals(Buffer.alloc(SIZE))).toBe(true);
    for (const wrong of [undefined, null, 1, [], { ...label(), rpm: 'fast' }]) {
      expect(await refusal(() => device.ioctl('DIOCSDINFO', wrong as never))).toBe('ERR_INVALID_ARG_TYPE');
    }
    expect(await refusal(() => device.ioctl('DIOCWLABEL', 'yes' as never))).toBe('ERR_INVALID_ARG_TYPE');
    // A GPT has sector 1: a label is for memory alone.
    const divided = bench.device(disk(SIZE), { mode: 'r+' });
    writePartitionsSync(divided, { scheme: 'gpt', position: 512, problems: [], partitions: [] });
    await failure(() => divided.ioctl('DIOCWDINFO', label()), 'EINVAL');
    divided.ioctl('DIOCSDINFO', label());
    expect(divided.ioctl('DIOCGDINFO').packname).toBe('mine');
    const small = bench.device(disk(512), { mode: 'r+' });
    await failure(() => small.ioctl('DIOCWDINFO', label({})), 'EINVAL');
  });

  test('EBUSY for moving, shrinking or dropping an open partition; the device of the whole image is none', async () => {
    const driver = bench.driver();
    const minor = driver.registerSync(disk(SIZE));
    const whole = bench.keep(driver.openSync(minor, { mode: 'r+' }));
    whole.ioctl('DIOCWDINFO', label());
    const part = bench.keep(driver.openSync(driver.registerPartitionSync(minor, 'a')));
    const a = { offset: 2048, size: 4096, fstype: 7 };
    for (const change of [
      { ...a, offset: 2049 },
      { ...a, size: 4095 },
      { ...a, size: 0 },
    ]) {
      for (const request of ['DIOCSDINFO', 'DIOCWDINFO'] as const) await failure(() => whole.ioctl(request, label(change)), 'EBUSY');
    }
    whole.ioctl('DIOCSDINFO', label({ ...a, size: 8192 }));
    whole.ioctl('DIOCSDINFO', label(a, { offset: 10000, size: 10, fstype: 1 }));
    whole.ioctl('DIOCSDINFO', label({ ...a, fstype: 0 }));
    expect(whole.ioctl('DIOCGPART', 0).fstype).toBe(7); // one that is said to be unused stays what it was
    await part.close();
    whole.ioctl('DIOCWDINFO', label({ ...a, offset: 4096 }));
    expect(part.size).toBe(4096 * 512);
  });

  test('EROFS for a partition that writes over the label, unless DIOCWLABEL allows it; the whole image may', async () => {
    const driver = bench.driver();
    const minor = driver.registerSync(disk(SIZE));
    const whole = bench.keep(driver.openSync(minor, { mode: 'r+' }));
    whole.ioctl('DIOCWDINFO', label({ offset: 0, size: 4096, fstype: 7 }));
    for (const access of ['auto', 'mmap', 'pio'] as const) {
      const part = bench.keep(driver.openSync(driver.registerPartitionSync(minor, 'a'), { mode: 'r+', access }));
      const sector = Buffer.alloc(512);
      part.readSync(sector, 512);
      for (const [position, length] of [
        [512, 512],
        [1023, 1],
        [0, 8192],
        [511, 2],
      ] as const) {
        const error = await failure(() => part.writeSync(Buffer.alloc(length), position), 'EROFS');
        expect(error).toMatchObject({ syscall: 'strategy', bytesTransferred: 0 });
        await failure(() => part.write(Buffer.alloc(length), position), 'EROFS');
      }
      part.writeSync(Buffer.alloc(512), 0);
      part.writeSync(Buffer.alloc(512), 1024);
      if (access !== 'pio') await failure(() => part.mapSync(0, 1024), name === 'memory' ? 'ENOTSUP' : 'EROFS');
      part.ioctl('DIOCWLABEL', true);
      part.writeSync(sector, 512);
      part.ioctl('DIOCWLABEL', false);
      await failure(() => part.writeSync(sector, 512), 'EROFS');
      whole.writeSync(sector, 512);
      await part.close();
    }
  });

  test('a partition of an r+ open sets the label of its disk', async () => {
    const driver = bench.driver();
    const minor = driver.registerSync(disk(SIZE));
    const whole = bench.keep(driver.openSync(minor, { mode: 'r+' }));
    whole.ioctl('DIOCWDINFO', label());
    const part = bench.keep(driver.openSync(driver.registerPartitionSync(minor, 'a'), { mode: 'r+' }));
    await failure(() => part.ioctl('DIOCWDINFO', label({ offset: 2048, size: 4095, fstype: 7 })), 'EBUSY');
    part.ioctl('DIOCWDINFO', { ...label(), packname: 'by a' });
    expect(whole.ioctl('DIOCGDINFO').packname).toBe('by a');
    expect(decodeDiskLabel(bench.bytes(whole), { offset: 512 })).toMatchObject({ label: { packname: 'by a' } });
  });

  test('a host that fails the write is an error, and the label is what it was', async () => {
    const content = Buffer.alloc(SIZE);
    encodeDiskLabel(label()).copy(content);
    const file = disk(content);
    const device = bench.device(file, { mode: 'r+', protect: [[512, 512]] });
    await failure(() => device.ioctl('DIOCWDINFO', label()), 'EROFS');
    expect(device.ioctl('DIOCGDINFO').typename).toBe('rumpd');
  });

  test('wedges: every partition that can be a device, whatever the scheme', async () => {
    const driver = bench.driver();
    const minor = driver.registerSync(disk(SIZE));
    const whole = bench.keep(driver.openSync(minor, { mode: 'r+' }));
    expect(whole.ioctl('DIOCLWEDGES')).toEqual([]);
    whole.ioctl('DIOCWDINFO', label());
    const part = driver.registerPartitionSync(minor, 'a');
    const wedge = { devname: 'a', wname: 'a', parent: whole.path, offset: 2048, size: 4096, ptype: 'ffs', minor: part };
    expect(whole.ioctl('DIOCLWEDGES')).toEqual([wedge]);
    const device = bench.keep(driver.openSync(part));
    expect(device.ioctl('DIOCGWEDGEINFO')).toEqual(wedge);
    expect(device.ioctl('DIOCLWEDGES')).toEqual([wedge]);
    await failure(() => whole.ioctl('DIOCGWEDGEINFO'), 'ENOTTY');
    for (const name of ['DIOCSDINFOX', 'DIOCAWEDGE']) await failure(() => whole.ioctl(name as keyof IoctlMap), 'ENOTTY');
  });
});
