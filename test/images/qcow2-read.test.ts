// Issue 15, item 5: qcow2 images of QEMU's programs, read. What we read is what qemu-img makes a raw image of.
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from '@jest/globals';
import { open, openSync, type ImageFormat } from 'rumpblk';
import { failure } from '../support/failure';
import { peer, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const withQemu = testWith(peer('qemu-img', 'qemu-utils'), peer('qemu-io', 'qemu-utils'));

let names = 0;
const fresh = (): string => bench.path(`q${(names += 1)}.qcow2`);

function tool(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

const img = (...args: string[]): string => tool('qemu-img', ...args);

/** Writes by qemu-io at places and of lengths that a seed gives: data, zeros and discards. */
function scribble(file: string, size: number, seed: number, count = 30, format = 'qcow2'): void {
  let state = seed * 2654435761;
  const next = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  const commands = Array.from({ length: count }, (_, i) => {
    const at = next(size / 512 - 1) * 512;
    const length = Math.min((1 + next(400)) * 512, size - at);
    const kind = next(8);
    if (kind === 0) return `write -z ${at} ${length}`;
    if (kind === 1) return `discard ${at} ${length}`;
    return `write -P ${1 + ((i * 7 + seed) % 255)} ${at} ${length}`;
  });
  tool('qemu-io', '-f', format, ...commands.flatMap((command) => ['-c', command]), file);
}

/** The bytes of the disk, as qemu-img has them. */
function expected(file: string, format = 'qcow2'): Buffer {
  const raw = bench.path('expected.raw');
  img('convert', '-f', format, '-O', 'raw', file, raw);
  return readFileSync(raw);
}

/** The same as we read them: at once, and in pieces out of step with everything. */
async function expectSame(file: string, format: ImageFormat = 'qcow2'): Promise<void> {
  const right = expected(file, format === 'vhd' ? 'vpc' : format);
  await using device = await open(file, { format });
  expect(device.size).toBe(right.length);
  const whole = Buffer.alloc(device.size);
  device.readSync(whole, 0);
  expect(whole.equals(right)).toBe(true);
  const pieces = Buffer.alloc(device.size);
  const step = 37 * KiB + 3;
  const reads = Array.from({ length: Math.ceil(device.size / step) }, (_, i) =>
    device.read(pieces.subarray(i * step, (i + 1) * step), i * step),
  );
  await Promise.all(reads);
  expect(pieces.equals(right)).toBe(true);
}

const KINDS: readonly (readonly [name: string, options: string])[] = [
  ...['512', '4k', '64k', '2M'].map((size) => [`clusters of ${size}`, `cluster_size=${size}`] as const),
  ['version 2', 'compat=0.10'],
  ['version 2, clusters of 512', 'compat=0.10,cluster_size=512'],
  ['lazy refcounts', 'lazy_refcounts=on'],
  ['refcounts of a bit', 'refcount_bits=1'],
  ['extended L2', 'extended_l2=on,cluster_size=128k'],
  ['extended L2, smallest', 'extended_l2=on,cluster_size=16k'],
  ['preallocated tables', 'preallocation=metadata'],
];

describe('images that qemu-img made', () => {
  for (const [name, options] of KINDS) {
    withQemu(name, async () => {
      const file = fresh();
      const size = 9 * MiB + 512;
      img('create', '-q', '-f', 'qcow2', '-o', options, file, String(size));
      await expectSame(file);
      scribble(file, size, name.length);
      await expectSame(file);
    });
  }

  for (const [name, options] of [
    ['zlib', 'compression_type=zlib'],
    ['zstd', 'compression_type=zstd'],
    ['zlib, clusters of 512', 'cluster_size=512'],
    ['zlib, clusters of 2 MiB', 'cluster_size=2M'],
    ['zstd, extended L2', 'compression_type=zstd,extended_l2=on,cluster_size=32k'],
    ['version 2', 'compat=0.10'],
  ] as const) {
    withQemu(`compressed: ${name}`, async () => {
      const raw = bench.image(
        Buffer.concat([
          pattern(MiB),
          Buffer.alloc(2 * MiB, 'some text '),
          Buffer.alloc(MiB),
          pattern(300 * KiB),
          Buffer.alloc(212 * KiB, 5),
        ]),
      );
      const file = fresh();
      img('convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', options, raw, file);
      await expectSame(file);
      scribble(file, 4 * MiB, 5);
      await expectSame(file);
    });
  }

  withQemu('chains of backing files, by paths from the folder of each image, larger and smaller than what is over them', async () => {
    const base = bench.image(pattern(3 * MiB));
    const [middle, top] = [fresh(), fresh()];
    img('create', '-q', '-f', 'qcow2', '-b', path.basename(base), '-F', 'raw', middle, '5M');
    scribble(middle, 5 * MiB, 2);
    await expectSame(middle);
    img('create', '-q', '-f', 'qcow2', '-o', 'extended_l2=on,cluster_size=64k', '-b', middle, '-F', 'qcow2', top, '8M');
    scribble(top, 8 * MiB, 3);
    await expectSame(top);
    const small = fresh();
    img('create', '-q', '-f', 'qcow2', '-b', `file:${top}`, '-F', 'qcow2', small, '2M');
    await expectSame(small);
  });

  withQemu('a backing file without a format is raw, whatever it holds', async () => {
    const below = fresh();
    img('create', '-q', '-f', 'qcow2', below, '1M');
    const file = fresh();
    img('create', '-q', '-f', 'qcow2', '-b', below, '-F', 'raw', file);
    // The extension with the format becomes one that nobody knows.
    const bytes = readFileSync(file);
    bytes.writeUInt32BE(0x12345678, bytes.indexOf(Buffer.from('e2792aca', 'hex')));
    writeFileSync(file, bytes);
    await using device = await open(file, { format: 'qcow2' });
    const magic = Buffer.alloc(4);
    await device.read(magic, 0);
    expect(magic.toString('latin1')).toBe('QFI\xfb');
  });

  withQemu('internal snapshots: the disk as it is now, and not to be written', async () => {
    const file = fresh();
    img('create', '-q', '-f', 'qcow2', file, '4M');
    scribble(file, 4 * MiB, 7);
    img('snapshot', '-c', 'before', file);
    scribble(file, 4 * MiB, 8);
    await expectSame(file);
    const error = await failure(() => open(file, { format: 'qcow2', mode: 'r+' }), 'EROFS');
    expect(error.message).toContain('internal snapshots');
  });
});

describe('the format', () => {
  withQemu("is never guessed but by 'auto'", () => {
    const file = fresh();
    img('create', '-q', '-f', 'qcow2', file, '1M');
    {
      using device = openSync(file);
      expect(device.size).toBe(readFileSync(file).length);
    }
    using device = openSync(file, { format: 'auto' });
    expect(device.size).toBe(MiB);
    using raw = openSync(bench.image(pattern(MiB)), { format: 'auto' });
    expect(raw.size).toBe(MiB);
  });

  withQemu('a partition, a range and a registration of an image', async () => {
    const file = fresh();
    img('create', '-q', '-f', 'qcow2', file, '4M');
    scribble(file, 4 * MiB, 9);
    const right = expected(file);
    await using range = await open(file, { format: 'qcow2', offset: MiB, size: 2 * MiB });
    const bytes = Buffer.alloc(2 * MiB);
    await range.read(bytes, 0);
    expect(bytes.equals(right.subarray(MiB, 3 * MiB))).toBe(true);
    const driver = bench.driver();
    const minor = await driver.register(file, { format: 'qcow2' });
    expect(await driver.register(file, { format: 'qcow2' })).toBe(minor);
    expect(await driver.register(file)).not.toBe(minor);
    expect(driver.minors()[minor]).toMatchObject({ path: file, size: 4 * MiB, source: 'file' });
  });

  withQemu('QEMU keeps its own off an image that we read, and we one that it writes', () => {
    const file = fresh();
    img('create', '-q', '-f', 'qcow2', file, '1M');
    using device = openSync(file, { format: 'qcow2' });
    expect(device.size).toBe(MiB);
    const { stdout, stderr } = spawnSync('qemu-io', ['-f', 'qcow2', '-c', 'write 0 512', file], { encoding: 'utf8' });
    expect(stdout + stderr).toMatch(/Failed to get .*lock/);
  });
});

describe('what is refused, and why', () => {
  const change = (file: string, at: number, bytes: number[]): string => {
    const other = fresh();
    copyFileSync(file, other);
    const content = readFileSync(other);
    Buffer.from(bytes).copy(content, at);
    writeFileSync(other, content);
    return other;
  };
  withQemu('unknown features, encryption, data files, damaged headers and circles', async () => {
    const file = fresh();
    img('create', '-q', '-f', 'qcow2', file, '1M');
    const cases: readonly [at: number, bytes: number[], code: string, words: string][] = [
      [0, [1], 'EINVAL', 'not a qcow2 image'],
      [7, [4], 'ENOTSUP', 'version'],
      [79, [32], 'ENOTSUP', 'feature'],
      [79, [4], 'ENOTSUP', 'external file'],
      [35, [1], 'ENOTSUP', 'encrypted'],
      [20, [0, 0, 0, 8], 'EINVAL', 'clusters'],
      [20, [0, 0, 0, 63], 'EINVAL', 'clusters'],
      [36, [255, 255, 255, 255], 'EINVAL', 'L1 table'],
      [36, [0, 0, 0, 0], 'EINVAL', 'L1 table'],
      [40, [0, 0, 0, 0, 0, 0, 0, 0], 'EINVAL', 'L1 table'],
      [40, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0], 'EINVAL', 'L1 table'],
      [48, [0, 0, 0, 0, 0, 0, 0, 1], 'EINVAL', 'refcount table'],
      [100, [0xff, 0xff, 0xff, 0xff], 'EINVAL', 'header'],
    ];
    for (const [at, bytes, code, words] of cases) {
      const error = await failure(() => open(change(file, at, bytes), { format: 'qcow2' }), code);
      expect(error.message).toContain(words);
    }
    const [one, other] = [fresh(), fresh()];
    img('create', '-q', '-f', 'qcow2', one, '1M');
    img('create', '-q', '-f', 'qcow2', '-b', one, '-F', 'qcow2', other, '1M');
    img('rebase', '-u', '-b', other, '-F', 'qcow2', one);
    expect((await failure(() => open(one, { format: 'qcow2' }), 'ELOOP')).message).toContain('its own backing file');
    img('rebase', '-u', '-b', 'gone.img', '-F', 'raw', one);
    expect((await failure(() => open(one, { format: 'qcow2' }), 'ENOENT')).message).toContain('backing file');
    img('rebase', '-u', '-b', 'nbd://localhost/', '-F', 'raw', one);
    expect((await failure(() => open(one, { format: 'qcow2' }), 'ENOTSUP')).message).toContain('openOverlay(nbd(url)');
    img('rebase', '-u', '-b', 'https://localhost/', '-F', 'raw', one);
    expect((await failure(() => open(one, { format: 'qcow2' }), 'ENOTSUP')).message).toContain('no plain path');
  });

  withQemu('tables that point nowhere fail the reads that need them, and no others', async () => {
    const file = fresh();
    img('create', '-q', '-f', 'qcow2', file, '1G');
    scribble(file, MiB, 1, 60);
    const bytes = readFileSync(file);
    const l1 = Number(bytes.readBigUInt64BE(40));
    const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00fffffffffffe00n);
    for (const [at, value] of [
      [l1, 0x8000000000000200n],
      [l1, 0x8000ffff00000000n],
      [l2, 0x8000ffff00000000n],
      [l2, 0x8000000000000200n],
      [l2, 0x4000000000000000n],
      [l2, 0x7fffffffffffffffn],
    ] as const) {
      const damaged = Buffer.alloc(8);
      damaged.writeBigUInt64BE(value);
      await using device = await open(change(file, at, [...damaged]), { format: 'qcow2' });
      const error = await failure(() => device.read(Buffer.alloc(512), 0), 'EIO');
      expect(error.message).toMatch(/qcow2 image/);
      expect((await device.read(Buffer.alloc(512), 600 * MiB)).bytesRead).toBe(512);
    }
  });
});
