// rumpblk/media: what memory() and nullMedium() take and give, where a medium stands for a path, and which of them are the same.
import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { type BlockDevice, open, openSync, readPartitions, writePartitions } from 'rumpblk';
import { copy } from 'rumpblk/copy';
import { memory, nullMedium, type Medium } from 'rumpblk/media';
import { failure, refusal, thrownBy } from '../support/failure';
import { contentOf, filled } from '../support/memory';
import { GiB, MiB, pattern, rig, TiB } from '../support/rig';

const bench = rig();
const content = pattern(MiB);
const LARGEST = Number.MAX_SAFE_INTEGER;

describe('memory()', () => {
  test('is zeros, keeps what is written, and gives it to the next open', async () => {
    const medium = memory({ size: content.length });
    expect(contentOf(medium).equals(Buffer.alloc(MiB))).toBe(true);
    const device = await open(medium, { mode: 'r+' });
    await device.write(content, 0);
    await device.close();
    expect(contentOf(medium).equals(content)).toBe(true);
  });

  test('says what it is, and cannot be changed', () => {
    const medium = memory({ size: 4096n, name: 'scratch' });
    expect({ ...medium }).toEqual({ kind: 'memory', name: 'scratch', size: 4096 });
    expect({ ...memory({ size: 65536 }) }).toEqual({ kind: 'memory', name: 'memory:65536', size: 65536 });
    expect(inspect(medium)).toBe("Medium { kind: 'memory', name: 'scratch', size: 4096 }");
    expect(() => Object.assign(medium, { name: 'other' })).toThrow(TypeError);
    using device = openSync(medium);
    expect(device.path).toBe('scratch');
  });

  test('takes any name, and any size that there is address space for', async () => {
    for (const name of ['', 'ä/\0\u{1f4be}', '/etc/passwd', 'x'.repeat(70_000)]) {
      using device = openSync(memory({ size: 512, name }));
      expect(device.path).toBe(name);
    }
    for (const size of [0, 1, 511, 513, 4097, TiB + 1]) {
      const medium = memory({ size });
      await using device = await open(medium, { mode: 'r+' });
      expect(device.size).toBe(size);
      expect(device.readSync(Buffer.alloc(4), size)).toBe(0);
      if (size > 0) expect(device.writeSync(Buffer.from('end!'), size - 1)).toBe(1);
      await failure(() => device.read(Buffer.alloc(1), size + 1), 'EINVAL');
    }
    for (const size of [2 ** 50, LARGEST]) {
      const error = await failure(() => memory({ size }), 'ENOMEM');
      expect(error).toMatchObject({ syscall: 'map', path: `memory:${size}` });
    }
  });

  test('with a sector size of its own has tables that count in it', async () => {
    const medium = memory({ size: 8 * MiB, sectorSize: 4096 });
    await using device = await open(medium, { mode: 'r+' });
    await writePartitions(device, { scheme: 'gpt', partitions: [{ start: MiB, size: MiB, type: 'linux' }] });
    expect(await readPartitions(device)).toMatchObject({ scheme: 'gpt', position: 4096, sectorSize: 4096 });
    expect(device.sectorSize).toBe(512);
  });
});

describe('nullMedium()', () => {
  test('gives zeros whatever was written, up to the largest size there is', async () => {
    const medium = nullMedium({ size: LARGEST });
    expect({ ...medium }).toEqual({ kind: 'null', name: `null:${LARGEST}`, size: LARGEST });
    await using device = await open(medium, { mode: 'r+', isolated: true });
    const data = Buffer.from(content);
    expect(device.writeSync(data, LARGEST - MiB)).toBe(MiB);
    expect((await device.write(data, 0, { fua: true })).bytesWritten).toBe(MiB);
    expect(device.readSync(data, LARGEST - MiB)).toBe(MiB);
    expect(data.equals(Buffer.alloc(MiB))).toBe(true);
    expect(device.readSync(data, LARGEST - 1)).toBe(1);
    await device.flush();
    expect(device.driver.counters()).toMatchObject({ bytesWritten: 2 * MiB, bytesRead: MiB + 1 });
  });

  test('has no bytes at size 0', async () => {
    await using device = await open(nullMedium({ size: 0 }), { mode: 'r+' });
    expect([device.readSync(Buffer.alloc(1), 0), device.writeSync(Buffer.alloc(1), 0)]).toEqual([0, 0]);
  });
});

describe('misuse', () => {
  test('of the options is refused in words', async () => {
    for (const make of [memory, nullMedium] as ((options: any) => Medium)[]) {
      for (const wrong of [undefined, null, 64, '64M', [64], () => 64]) {
        expect(await refusal(() => make(wrong))).toBe('ERR_INVALID_ARG_TYPE');
      }
      for (const size of [undefined, null, '64', {}, true]) expect(await refusal(() => make({ size }))).toBe('ERR_INVALID_ARG_TYPE');
      for (const size of [-1, -1n, 0.5, NaN, Infinity, 2 ** 53, 2n ** 53n, 2n ** 64n]) {
        const error = (await thrownBy(() => make({ size }))) as Error;
        expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE', message: expect.stringContaining('"options.size"') });
      }
      for (const key of ['bytes', 'length', 'Size', 'szie']) {
        const { message } = (await thrownBy(() => make({ size: 1, [key]: 1 }))) as Error;
        expect(message).toBe(`unknown option '${key}': did you mean 'size'?`);
      }
    }
    expect(await refusal(() => memory({ size: 1, sectorSize: 513 }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => memory({ size: 1, sectorSize: 256 }))).toBe('ERR_OUT_OF_RANGE');
    expect(await refusal(() => memory({ size: 1, name: Buffer.from('x') as never }))).toBe('ERR_INVALID_ARG_TYPE');
  });

  test('an object in the shape of a medium is none, whatever it was copied from', async () => {
    const medium = memory({ size: 4096 });
    const driver = bench.driver();
    const foreign = [
      { ...medium },
      structuredClone(medium),
      Object.create(medium),
      new Proxy(medium, {}),
      { kind: 'memory', name: 'x', size: 1 },
    ];
    for (const wrong of foreign as Medium[]) {
      for (const call of [() => open(wrong), () => openSync(wrong), () => driver.register(wrong), () => driver.registerSync(wrong)]) {
        expect(await thrownBy(call)).toMatchObject({
          code: 'ERR_INVALID_ARG_TYPE',
          message: expect.stringContaining('The "source" argument must be of type string or an instance of Buffer, URL or Medium.'),
        });
      }
      expect(await refusal(() => copy(wrong, bench.path('none')))).toBe('ERR_INVALID_ARG_TYPE');
      expect(await refusal(() => copy(medium, wrong))).toBe('ERR_INVALID_ARG_TYPE');
    }
    expect(driver.minors()).toEqual([]);
  });

  test('a string is a path, whatever it looks like', async () => {
    const error = await failure(() => open('memory:64M'), 'ENOENT');
    expect(error.path).toBe('memory:64M');
    writeFileSync(bench.path('null:1M'), content);
    using device = openSync(bench.path('null:1M'));
    expect(device.size).toBe(MiB);
  });
});

describe('in a table', () => {
  test('the same medium and range are the same minor; another medium is not', async () => {
    const driver = bench.driver();
    const [one, two] = [memory({ size: MiB, name: 'twin' }), memory({ size: MiB, name: 'twin' })];
    const nothing = nullMedium({ size: MiB });
    const minors = [driver.registerSync(one), await driver.register(two), driver.registerSync(nothing)];
    expect(minors).toEqual([0, 1, 2]);
    expect(await Promise.all([driver.register(one), driver.register(two), driver.register(nothing)])).toEqual(minors);
    expect(driver.registerSync(one, { offset: 0, size: MiB })).toBe(0);
    expect(driver.registerSync(one, { offset: 512 })).toBe(3);
    expect(driver.registerSync(nullMedium({ size: MiB }))).toBe(4);
    expect(driver.minors().map(({ source, type, path, offset, size }) => ({ source, type, path, offset, size }))).toEqual([
      { source: 'memory', type: 'block', path: 'twin', offset: 0, size: MiB },
      { source: 'memory', type: 'block', path: 'twin', offset: 0, size: MiB },
      { source: 'null', type: 'block', path: `null:${MiB}`, offset: 0, size: MiB },
      { source: 'memory', type: 'block', path: 'twin', offset: 512, size: MiB - 512 },
      { source: 'null', type: 'block', path: `null:${MiB}`, offset: 0, size: MiB },
    ]);
    for (const { minor } of driver.minors()) driver.deregister(minor);
    driver.registerSync(bench.image(content));
    expect(driver.minors()[0]).toMatchObject({ source: 'file', type: 'file' });
  });

  test('a range outside it is EINVAL, a full table EBUSY, a closed driver EBADF', async () => {
    const driver = bench.driver({ minorCount: 1 });
    const medium = memory({ size: MiB });
    await failure(() => driver.registerSync(medium, { offset: MiB + 1 }), 'EINVAL');
    await failure(() => driver.register(medium, { offset: 512, size: MiB }), 'EINVAL');
    await failure(() => open(medium, { size: MiB + 1 }), 'EINVAL');
    driver.registerSync(medium);
    const { message } = await failure(() => driver.registerSync(medium, { offset: 512 }), 'EBUSY');
    expect(message).toContain(`'${medium.name}' (the table has 1 minors`);
    driver.close();
    await failure(() => driver.registerSync(medium), 'EBADF');
    await failure(() => openSync(medium, { driver }), 'EBADF');
  });

  test('its partitions become minors', async () => {
    const driver = bench.driver();
    const disk = driver.registerSync(memory({ size: 8 * MiB }));
    {
      using device = driver.openSync(disk, { mode: 'r+' });
      await writePartitions(device, { scheme: 'gpt', partitions: [{ start: MiB, size: MiB, type: 'linux', label: 'root' }] });
    }
    const root = await driver.registerPartition(disk, 'root');
    expect(driver.minors()[root]).toMatchObject({ source: 'memory', offset: MiB, size: MiB, disk, partition: 'p1' });
    using device = driver.openSync(root, { mode: 'r+' });
    device.writeSync(content, 0);
    using whole = driver.openSync(disk);
    const data = Buffer.alloc(MiB);
    whole.readSync(data, MiB);
    expect(data.equals(content)).toBe(true);
    expect((await failure(() => driver.registerPartition(disk, 'none'), 'ENXIO')).message).toContain(`memory:${8 * MiB}`);
  });
});

describe('locks', () => {
  const LOW = { size: MiB } as const;
  const HIGH = { offset: MiB } as const;
  const ACROSS = { offset: MiB - 512, size: 1024 } as const;

  test.each([
    ['memory', memory({ size: 2 * MiB })],
    ['null', nullMedium({ size: 2 * MiB })],
  ])('of %s keep writers off a range that others have, of every driver', async (_name, medium) => {
    const [one, two] = [bench.driver(), bench.driver()];
    const low = one.openSync(one.registerSync(medium, LOW), { mode: 'r+' });
    const high = two.openSync(two.registerSync(medium, HIGH), { mode: 'r+' });
    for (const mode of ['r', 'r+'] as const) {
      const error = await failure(() => openSync(medium, { ...ACROSS, mode }), 'EBUSY');
      expect(error).toMatchObject({ syscall: 'lock', path: medium.name, holder: { pid: process.pid } });
      expect(error.message).toContain('(held by this process)');
      await failure(() => one.open(one.registerSync(medium, ACROSS), { mode }), 'EBUSY');
    }
    // Opens of one minor share what it has; who asks for no lock gets in.
    one.openSync(0, { mode: 'r+' }).closeSync();
    openSync(medium, { mode: 'r+', lock: false }).closeSync();
    low.closeSync();
    await failure(() => openSync(medium, ACROSS), 'EBUSY');
    high.closeSync();
    using reader = openSync(medium, ACROSS);
    openSync(medium).closeSync();
    await failure(() => openSync(medium, { mode: 'r+' }), 'EBUSY');
    expect(reader.closed).toBe(false);
  });
});

test('ways that only a host file has are not there, and nothing breaks for it', async () => {
  for (const access of ['auto', 'mmap', 'pio'] as const) {
    await using device: BlockDevice = await open(filled(content), { mode: 'r+', access });
    expect([device.access, device.windows()]).toEqual(['pio', []]);
    await failure(() => device.mapSync(0, 512), 'ENOTSUP');
    const data = Buffer.alloc(MiB);
    expect((await device.read(data, 0)).bytesRead).toBe(MiB);
    expect(data.equals(content)).toBe(true);
  }
  using direct = openSync(filled(content), { direct: true, mode: 'r+' });
  expect(direct.writeSync(content.subarray(1, 6), 3)).toBe(5);
});

test('what is written costs memory, what is not does not', () => {
  const medium = memory({ size: 512 * GiB });
  using device = openSync(medium, { mode: 'r+' });
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 512; i += 1) device.writeSync(content.subarray(0, 4096), i * GiB);
  expect(process.memoryUsage.rss() - before).toBeLessThan(256 * MiB);
  const data = Buffer.alloc(4096);
  device.readSync(data, 511 * GiB);
  expect(data.equals(content.subarray(0, 4096))).toBe(true);
});
