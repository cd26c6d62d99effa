// The default disklabel in sectors, and the ioctls.
import { describe, expect, test } from '@jest/globals';
import { type IoctlMap, open } from 'rumpblk';
import { layOut, sumOf } from '../support/disklabel';
import { failure, refusal } from '../support/failure';
import { ability, testWith } from '../support/peers';
import { type Ground, MiB, TiB, pattern, rig } from '../support/rig';

const bench = rig();
const UNUSED = { offset: 0, size: 0, fstype: 0, fsize: 0, frag: 0, cpg: 0 };

const [FILE] = bench.media as [Ground];

/** A driver whose table holds `minor`, bound to a disk of `size` bytes, and everything below it. */
function deviceAt(minor: number, size: number, { disk } = FILE): ReturnType<typeof bench.device> {
  const driver = bench.driver({ minorCount: Math.max(16, minor + 1) });
  for (let i = 0; i <= minor; i += 1) driver.registerSync(disk(i === minor ? size : 512));
  return bench.keep(driver.openSync(minor));
}

test('B11: DIOCGDINFO describes a device of 10000 sectors, in sectors', () => {
  expect(deviceAt(0, 10000 * 512).ioctl('DIOCGDINFO')).toEqual({
    type: 21,
    subtype: 0,
    typename: 'rumpd',
    packname: 'fictitious',
    secsize: 512,
    nsectors: 10000,
    ntracks: 1,
    ncylinders: 1,
    secpercyl: 10000,
    secperunit: 10000,
    sparespertrack: 0,
    sparespercyl: 0,
    acylinders: 0,
    rpm: 11,
    interleave: 1,
    trackskew: 0,
    cylskew: 0,
    headswitch: 0,
    trkseek: 0,
    flags: 0,
    drivedata: [0, 0, 0, 0, 0],
    spare: [0, 0, 0, 0, 0],
    bbsize: 0,
    sbsize: 0,
    partitions: [{ ...UNUSED, size: 10000 }],
    checksum: 0x7215,
  });
});

const MINORS = bench.media.flatMap((ground) => [...Array(16).keys()].map((minor) => ({ name: ground.name, ground, minor })));

describe.each(MINORS)('minor $minor of $name', ({ ground, minor }) => {
  test.each([0, 512, 10 * MiB + 511])('B12, B13: its own partition and a valid checksum, at %d bytes', (size) => {
    const device = deviceAt(minor, size, ground);
    const label = device.ioctl('DIOCGDINFO');
    const sectors = Math.floor(size / 512);
    expect(label.secperunit).toBe(sectors);
    expect(label.partitions).toEqual([...Array<typeof UNUSED>(minor).fill(UNUSED), { ...UNUSED, size: sectors }]);
    expect(label.checksum).toBe(0x7214 ^ (minor + 1));
    expect(sumOf(layOut(label))).toBe(0);
    expect(device.ioctl('DIOCGPART')).toEqual({ ...UNUSED, size: sectors });
  });
});

test('B12: minors from 16 on are partitions of the next units', () => {
  for (const [minor, partition] of [
    [16, 0],
    [19, 3],
    [33, 1],
  ] as const) {
    const label = deviceAt(minor, 5120).ioctl('DIOCGDINFO');
    expect(label.partitions).toHaveLength(partition + 1);
    expect(label.partitions[partition]?.size).toBe(10);
    expect(label.checksum).toBe(0x7214 ^ (partition + 1));
  }
});

const large = ability('file system with files of 8 TiB', () => bench.sparse(8 * TiB) !== '');
testWith(large)('B11: what 32 bits do not hold stops at 2^32 - 1', () => {
  const device = bench.device(bench.sparse(8 * TiB));
  const label = device.ioctl('DIOCGDINFO');
  const most = 2 ** 32 - 1;
  expect([label.secperunit, label.nsectors, label.secpercyl, label.partitions[0]?.size]).toEqual([most, most, most, most]);
  expect(sumOf(layOut(label))).toBe(0);
  expect(device.ioctl('DIOCGMEDIASIZE')).toBe(8 * TiB);
});

test('DIOCGPART gives any partition of the label, and refuses the others', async () => {
  const device = deviceAt(3, 5120);
  expect(device.ioctl('DIOCGPART', 3)).toEqual({ ...UNUSED, size: 10 });
  expect(device.ioctl('DIOCGPART', 0)).toEqual(UNUSED);
  for (const partition of [4, 15, 16, 1000]) {
    expect((await failure(() => device.ioctl('DIOCGPART', partition), 'EINVAL')).syscall).toBe('ioctl');
  }
  for (const wrong of [-1, 1.5, NaN, 2 ** 53, 'x', null, {}]) await refusal(() => device.ioctl('DIOCGPART', wrong as number));
});

test('a private minor is partition a', async () => {
  const device = bench.keep(await open(bench.sparse(5120), { offset: 512 }));
  expect(device.ioctl('DIOCGDINFO').partitions).toEqual([{ ...UNUSED, size: 9 }]);
  expect(device.ioctl('DIOCGPART')).toEqual({ ...UNUSED, size: 9 });
});

test('each call gives a label of its own', () => {
  const device = deviceAt(1, 5120);
  const label = device.ioctl('DIOCGDINFO');
  label.partitions.length = 0;
  label.typename = 'other';
  device.ioctl('DIOCGPART').size = 0;
  expect(device.ioctl('DIOCGDINFO')).toMatchObject({ typename: 'rumpd', partitions: [UNUSED, { size: 10 }] });
});

test.each(bench.grounds)('media size in bytes and sector size under $name', ({ access, disk }) => {
  const device = bench.device(disk(pattern(10000)), { access, offset: 100, size: 9000 });
  expect(device.ioctl('DIOCGMEDIASIZE')).toBe(9000);
  expect(device.ioctl('DIOCGSECTORSIZE')).toBe(512);
});

test.each(bench.media)('B44: DIOCCACHESYNC is a flush, of $name', async ({ disk }) => {
  const device = bench.device(disk(MiB), { mode: 'r+', access: 'pio' });
  device.writeSync(Buffer.alloc(512), 0);
  const answer = device.ioctl('DIOCCACHESYNC');
  expect(typeof answer.then).toBe('function');
  expect(await answer).toBeUndefined();
  expect(device.driver.counters().flushes).toBe(1);
});

test('anything else is ENOTTY', async () => {
  const device = bench.device(bench.sparse(MiB));
  for (const name of ['DIOCEJECT', 'DIOCGPARTX', 'diocgdinfo', 'DIOCGDINFO ', '', 'toString', '__proto__', 'constructor', 'then']) {
    const error = await failure(() => device.ioctl(name as keyof IoctlMap), 'ENOTTY');
    expect(error).toMatchObject({ syscall: 'ioctl', minor: 0, path: device.path });
  }
  for (const wrong of [undefined, null, 5, 0x41986465, Symbol('x'), {}]) {
    expect(await refusal(() => device.ioctl(wrong as keyof IoctlMap))).toBe('ERR_INVALID_ARG_TYPE');
  }
});
