// A real file system through the device: written by others, changed and copied by us, judged by e2fsck and debugfs.
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from '@jest/globals';
import { BlockDeviceError, openSync } from 'rumpblk';
import { ability, peer, run, testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const ext4 = testWith(peer('mkfs.ext4', 'e2fsprogs'), peer('debugfs', 'e2fsprogs'), peer('e2fsck', 'e2fsprogs'));
const SIZE = 16 * MiB;
const FILES: [name: string, content: Buffer][] = [
  ['small', pattern(100, 1)],
  ['odd', pattern(70001, 2)],
  ['large', pattern(3 * MiB + 5, 3)],
];

/** A new image whose file system has FILES in it; `offset` bytes of zeros come first and last. */
function fileSystem(offset = 0): string {
  const tree = bench.path(`tree-${process.hrtime.bigint()}`);
  mkdirSync(path.join(tree, 'folder'), { recursive: true });
  for (const [name, content] of FILES) writeFileSync(path.join(tree, 'folder', name), content);
  const image = bench.sparse(SIZE);
  run('mkfs.ext4', '-q', '-F', '-d', tree, image);
  if (offset === 0) return image;
  return bench.image(Buffer.concat([Buffer.alloc(offset), readFileSync(image), Buffer.alloc(offset)]));
}

function contentOf(image: string, name: string): Buffer {
  const out = bench.path('dumped');
  run('debugfs', '-R', `dump /folder/${name} ${out}`, image);
  return readFileSync(out);
}

function check(image: string): void {
  expect(run('e2fsck', '-f', '-n', image)).toContain('files');
}

function blocksOf(image: string, name: string): { size: number; blocks: number[] } {
  const size = Number(/Block size:\s+(\d+)/.exec(run('debugfs', '-R', 'stats -h', image))?.[1]);
  const blocks = run('debugfs', '-R', `blocks /folder/${name}`, image).trim().split(/\s+/).map(Number);
  return { size, blocks };
}

function shuffled(count: number): number[] {
  const order = [...Array(count).keys()];
  let state = 1;
  for (let i = count - 1; i > 0; i -= 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

describe.each(ACCESSES)('under %s', (access) => {
  ext4(`copies a file system, block by block in random order (${access})`, async () => {
    const source = bench.device(fileSystem(), { access });
    const image = bench.sparse(SIZE);
    const target = bench.device(image, { access, mode: 'r+', raw: true, cache: 'writeback' });
    const block = 4 * KiB;
    const order = shuffled(SIZE / block);
    await Promise.all(
      order.map(async (index, i) => {
        const { buffer } = await source.read(Buffer.alloc(block), index * block);
        if (i % 2) await target.strategy({ op: 'write', blkno: (index * block) / 512, data: buffer, deferred: true });
        else await target.write(buffer, index * block);
      }),
    );
    await target.close();
    expect(readFileSync(image).equals(readFileSync(source.path))).toBe(true);
    check(image);
    for (const [name, content] of FILES) expect(contentOf(image, name).equals(content)).toBe(true);
  });

  ext4(`changes the blocks of one file and nothing else (${access})`, async () => {
    const image = fileSystem();
    const { size, blocks } = blocksOf(image, 'large');
    expect(blocks).toHaveLength(Math.ceil((3 * MiB + 5) / size));
    const next = pattern(3 * MiB + 5, 77);
    const device = bench.device(image, { access, mode: 'r+' });
    for (const i of shuffled(blocks.length)) {
      const data = next.subarray(i * size, (i + 1) * size);
      if (i % 2) device.strategySync({ op: 'write', blkno: (blocks[i]! * size) / 512, data, deferred: i % 16 !== 1 });
      else await device.write(data, blocks[i]! * size);
    }
    await device.close();
    check(image);
    expect(contentOf(image, 'large').equals(next)).toBe(true);
    for (const [name, content] of FILES.slice(0, 2)) expect(contentOf(image, name).equals(content)).toBe(true);
  });

  ext4(`B2: the file system of a partition is read and written through its range (${access})`, async () => {
    const offset = 1000 * 512;
    const image = fileSystem(offset);
    const device = bench.device(image, { access, mode: 'r+', offset, size: SIZE });
    const whole = Buffer.alloc(SIZE);
    expect(await device.read(whole, 0)).toMatchObject({ bytesRead: SIZE });
    const copy = bench.image(whole);
    check(copy);
    const { size, blocks } = blocksOf(copy, 'odd');
    const next = pattern(70001, 5);
    for (const [i, block] of blocks.entries()) await device.write(next.subarray(i * size, (i + 1) * size), block * size, { fua: true });
    await device.close();
    const after = readFileSync(image);
    expect(after.subarray(0, offset).every((byte) => byte === 0)).toBe(true);
    expect(after.subarray(offset + SIZE).every((byte) => byte === 0)).toBe(true);
    const part = bench.image(after.subarray(offset, offset + SIZE));
    check(part);
    expect(contentOf(part, 'odd').equals(next)).toBe(true);
  });
});

const mounts = ability('loop mounts of ext4', () => {
  const directory = bench.path('probe');
  mkdirSync(directory);
  const image = bench.sparse(SIZE);
  run('mkfs.ext4', '-q', '-F', image);
  run('mount', '-o', 'loop', image, directory);
  run('umount', directory);
  return true;
});

testWith(peer('mkfs.ext4', 'e2fsprogs'), mounts)('B34: writing holes on a full file system is an error, not a crash', async () => {
  const mountPoint = bench.path('full');
  mkdirSync(mountPoint);
  const outer = bench.sparse(SIZE);
  run('mkfs.ext4', '-q', '-F', '-m', '0', outer);
  run('mount', '-o', 'loop', outer, mountPoint);
  try {
    const inner = path.join(mountPoint, 'sparse');
    run('truncate', '-s', '64M', inner);
    for (const access of ACCESSES) {
      const device = openSync(inner, { access, mode: 'r+' });
      let error: unknown;
      try {
        for (let position = 0; position < 64 * MiB; position += 100_000) device.writeSync(Buffer.alloc(100_000, 1), position);
        device.flushSync();
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(BlockDeviceError);
      expect(['ENOSPC', 'EIO']).toContain((error as BlockDeviceError).code);
      expect(device.readSync(Buffer.alloc(512), 0)).toBe(512);
      const [closing] = await Promise.allSettled([device.close()]);
      if (closing.status === 'rejected') expect(['ENOSPC', 'EIO']).toContain((closing.reason as BlockDeviceError).code);
    }
    expect(statSync(inner).size).toBe(64 * MiB);
  } finally {
    run('umount', '--lazy', mountPoint);
  }
});
