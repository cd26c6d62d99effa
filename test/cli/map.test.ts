// rumpblk map: what it prints, against qemu-img.
import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { createQcow2Sync, openSync as openDisk } from 'rumpblk';
import { numbers } from '../support/batch';
import { cli, documentOf, shell } from '../support/cli';
import { peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();

function holed(pieces: number, size: number): string {
  const image = bench.sparse(size);
  const descriptor = openSync(image, 'r+');
  const next = numbers(2);
  for (let i = 0; i < pieces; i += 1) writeSync(descriptor, pattern(4096, i + 1), 0, 4096, next(size / 4096 - 1) * 4096);
  closeSync(descriptor);
  return image;
}

testWith(peer('qemu-img', 'qemu-utils'))('--json prints what qemu-img prints', async () => {
  for (const pieces of [0, 1, 2000]) {
    const image = holed(pieces, 32 * MiB);
    const ours = await cli(['map', image, '--json']);
    expect([ours.status, ours.stderr]).toEqual([0, '']);
    const theirs: unknown = JSON.parse(run('qemu-img', 'map', '--output=json', '-f', 'raw', image));
    expect(documentOf(ours)).toEqual(theirs);
  }
});

describe('of a qcow2 image', () => {
  const qcow2 = (name: string, size: string, ...options: string[]): string => {
    const image = bench.path(`${name}.qcow2`);
    run('qemu-img', 'create', '-q', '-f', 'qcow2', ...options, image, size);
    return image;
  };
  const io = (image: string, ...commands: string[]): void => {
    run('qemu-io', ...commands.flatMap((command) => ['-c', command]), image);
  };
  const over = (base: string, format: string): string[] => ['-b', base, '-F', format];
  const EXTENDED = ['-o', 'extended_l2=on,cluster_size=128k'];

  testWith(peer('qemu-img', 'qemu-utils'), peer('qemu-io', 'qemu-utils'))(
    '--json tells depth, offset and present as qemu-img does',
    async () => {
      const raw = holed(5, 10 * MiB);
      const base = qcow2('base', '10M');
      io(base, 'write -P 1 1M 100k', 'write -z 3M 1M', 'write -z -u 1M 64k', 'discard 5M 64k');
      const packed = bench.path('packed.qcow2');
      run('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, packed);
      const top = qcow2('top', '20M', ...over(base, 'qcow2'));
      io(top, 'write -P 2 1M 10k', 'write -z 2M 1M', 'write -P 3 15M 1k');
      const third = qcow2('third', '12M', ...over(top, 'qcow2'));
      io(third, 'write -P 2 9M 10k');
      const extended = qcow2('extended', '10M', ...EXTENDED);
      io(extended, 'write -P 1 1M 5k', 'write -P 1 1200k 200k', 'write -z 1M 4k', 'write -z 3M 1M');
      const overRaw = qcow2('over-raw', '12M', ...EXTENDED, ...over(raw, 'raw'));
      io(overRaw, 'write -P 1 1M 4k', 'write -z 3M 1M');
      const overPacked = qcow2('over-packed', '10M', ...over(packed, 'qcow2'));
      const images = [
        qcow2('empty', '10M'),
        base,
        packed,
        top,
        third,
        extended,
        overRaw,
        overPacked,
        qcow2('old', '9M', '-o', 'compat=0.10'),
      ];
      for (const image of images) {
        const theirs: unknown = JSON.parse(run('qemu-img', 'map', '--output=json', '-f', 'qcow2', image));
        expect([image, documentOf(await cli(['map', image, '--format', 'qcow2', '--json']))]).toEqual([image, theirs]);
      }
    },
  );
});

test('ranges, zeros inside of data, and media without a file', async () => {
  const image = bench.image(Buffer.concat([pattern(64 * KiB), Buffer.alloc(64 * KiB), pattern(64 * KiB)]));
  const mapped = await cli(['map', image, '-p', '4k', '-l', '128k', '--detect-zeroes', '4k', '--json']);
  expect(documentOf(mapped)).toEqual([
    { start: 4 * KiB, length: 60 * KiB, depth: 0, present: true, zero: false, data: true, offset: 4 * KiB },
    { start: 64 * KiB, length: 64 * KiB, depth: 0, present: true, zero: true, data: false, offset: 64 * KiB },
    { start: 128 * KiB, length: 4 * KiB, depth: 0, present: true, zero: false, data: true, offset: 128 * KiB },
  ]);
  const text = (await cli(['map', 'memory:1M'])).stdout.toString();
  expect(text).toMatch(/start +bytes +type +depth +offset/);
  expect(text).toMatch(/\b0 +1 MiB +hole +0 +-\n$/);
  const beyond = await cli(['map', image, '-p', '1G']);
  expect([beyond.status, beyond.stdout.toString()]).toEqual([1, '']);
  expect(beyond.stderr).toContain('EINVAL');
});

describe('--bmap', () => {
  const JUDGED = testWith(peer('bmaptool', 'bmap-tools'), peer('qemu-img', 'qemu-utils'));

  /** Has bmaptool check the map and the blocks, and make the image from them. */
  function copied(image: string, map: string): Buffer {
    const target = bench.path('copied');
    rmSync(target, { force: true });
    run('bmaptool', 'copy', '--bmap', map, image, target);
    return readFileSync(target);
  }

  async function mapOf(image: string, ...options: string[]): Promise<string> {
    const map = bench.path('image.bmap');
    expect(await cli(['map', image, '--bmap', '-o', map, ...options])).toMatchObject({ status: 0, stderr: '', stdout: Buffer.alloc(0) });
    return map;
  }

  JUDGED('is what bmaptool checks and copies', async () => {
    for (const [pieces, size] of [
      [0, MiB],
      [1, 32 * MiB],
      [1500, 32 * MiB],
      [20, MiB + 1234],
    ] as const) {
      const image = holed(pieces, size);
      const map = await mapOf(image);
      expect(copied(image, map).equals(readFileSync(image))).toBe(true);
      const theirs = bench.path('theirs.bmap');
      run('bmaptool', 'create', '-o', theirs, image);
      const rangesOf = (file: string): string[] =>
        readFileSync(file, 'utf8').match(/<(Range|ImageSize|BlocksCount|MappedBlocksCount).*?>.*?(?= *<)/g) ?? [];
      expect(rangesOf(map)).toEqual(rangesOf(theirs));
    }
  });

  JUDGED('ends with a block that is cut, and a range longer than what is read at a time', async () => {
    const image = bench.image(pattern(5 * MiB + 100));
    expect(copied(image, await mapOf(image)).equals(pattern(5 * MiB + 100))).toBe(true);
    const { stdout } = await cli(['map', image, '--bmap']);
    expect(stdout.toString()).toBe(readFileSync(bench.path('image.bmap'), 'utf8'));
    expect(stdout.toString()).toMatch(/<Range chksum="[0-9a-f]{64}"> 0-1280 <\/Range>/);
  });

  JUDGED('of a qcow2 image is of the disk that it holds', async () => {
    const raw = holed(300, 16 * MiB);
    const qcow2 = bench.path('image.qcow2');
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2);
    expect(copied(raw, await mapOf(qcow2, '--format', 'qcow2')).equals(readFileSync(raw))).toBe(true);
  });

  JUDGED('with --detect-zeroes leaves out blocks of zeros', async () => {
    const image = bench.image(Buffer.concat([pattern(64 * KiB), Buffer.alloc(MiB), pattern(64 * KiB)]));
    const map = await mapOf(image, '--detect-zeroes', '4k');
    expect(readFileSync(map, 'utf8')).toContain('<MappedBlocksCount> 32 </MappedBlocksCount>');
    expect(copied(image, map).equals(readFileSync(image))).toBe(true);
    // Sectors of zeros within blocks, and across their edges.
    const sectors = bench.image(Buffer.alloc(MiB, Buffer.concat([pattern(512), Buffer.alloc(1024), pattern(4096), Buffer.alloc(10_240)])));
    const finer = await mapOf(sectors, '--detect-zeroes', '512');
    expect(copied(sectors, finer).equals(readFileSync(sectors))).toBe(true);
    const blocks = Array.from({ length: 256 }, (_, block) => readFileSync(sectors).subarray(block * 4096, (block + 1) * 4096));
    const mapped = blocks.filter((block) => !block.equals(Buffer.alloc(4096))).length;
    expect(readFileSync(finer, 'utf8')).toContain(`<MappedBlocksCount> ${mapped} </MappedBlocksCount>`);
    expect(mapped).toBeLessThan(256);
  });

  JUDGED('is refused by bmaptool when a block or a line of it was changed', async () => {
    const image = holed(20, MiB);
    const map = await mapOf(image);
    const text = readFileSync(map, 'utf8');
    writeFileSync(map, text.replace('Bytes of the image', 'Bytes of the disk'));
    expect(() => copied(image, map)).toThrow('checksum');
    writeFileSync(map, text);
    const first = Number(/<Range[^>]*> (\d+)/.exec(text)?.[1]);
    const descriptor = openSync(image, 'r+');
    writeSync(descriptor, 'spoiled', first * 4096 + 10);
    closeSync(descriptor);
    expect(() => copied(image, map)).toThrow('checksum mismatch');
  });

  test.each([
    [['map', 'x', '--bmap', '--json'], 'exclude each other'],
    [['map', 'x', '--bmap', '-p', '4k'], '--offset'],
  ])('%j is a wrong command line', async (args, words) => {
    expect(await cli(args)).toMatchObject({ status: 2, stderr: expect.stringContaining(words) });
  });
});

test('-o writes a list to a file, and never over the image', async () => {
  const image = holed(3000, 32 * MiB);
  const list = bench.path('list.json');
  expect(await cli(['map', image, '--json', '-o', list])).toMatchObject({ status: 0, stderr: '', stdout: Buffer.alloc(0) });
  expect(JSON.parse(readFileSync(list, 'utf8'))).toEqual(documentOf(await cli(['map', image, '--json'])));
  expect(await cli(['map', image, '-o', image])).toMatchObject({ status: 2, stderr: expect.stringContaining('itself') });
  expect(await cli(['map', image, '-o', bench.path('no/where')])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("no/where'"),
  });
  const text = (await cli(['map', image])).stdout.toString().trimEnd().split('\n');
  expect(text).toHaveLength(1 + (JSON.parse(readFileSync(list, 'utf8')) as object[]).length);
  // Whoever has seen enough ends it.
  expect(await shell('$RUMPBLK map "$1" | head -n 1', image)).toMatchObject({ status: 0, stderr: '' });
});

test('-o writes over nothing that is open, nor over what the image lies over', async () => {
  const base = bench.image(pattern(3 * MiB));
  const before = readFileSync(base);
  const image = bench.path('over.qcow2');
  createQcow2Sync(image, { size: 3 * MiB, backing: base });
  expect(await cli(['map', image, '--format', 'qcow2', '-o', base])).toMatchObject({ status: 1, stderr: expect.stringContaining('EBUSY') });
  const device = bench.keep(openDisk(base, { mode: 'r+' }));
  expect(await cli(['map', bench.sparse(MiB), '-o', base])).toMatchObject({ status: 1, stderr: expect.stringContaining('EBUSY') });
  await device.close();
  expect(readFileSync(base).equals(before)).toBe(true);
});

test('an empty device has an empty list', async () => {
  expect(documentOf(await cli(['map', 'null:0', '--json']))).toEqual([]);
});
