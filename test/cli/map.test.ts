// rumpblk map: what it prints, against qemu-img.
import { closeSync, openSync, writeSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { numbers } from '../support/batch';
import { cli, documentOf } from '../support/cli';
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
