// Whatever is no disk, and whatever is not in one, is refused with the reason.
import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { openSync } from 'rumpblk';
import { failure } from '../support/failure';
import { rig } from '../support/rig';

const bench = rig();
const file = bench.sparse(8192);
const pipe = bench.path('pipe');
execFileSync('mkfifo', [pipe]);

test.each<[string, string, object, RegExp]>([
  ['a folder', '.', {}, /a folder, a pipe or a socket/],
  ['a pipe', pipe, {}, /a folder, a pipe or a socket/],
  ['a node without positions', '/dev/ptmx', {}, /no positions/],
  ['a node without a size', '/dev/zero', {}, /does not tell its size/],
  ['a file without a size', '/proc/version', {}, /does not tell its size/],
  ['a range that begins behind the end', file, { offset: 8193 }, /begins behind the end/],
  ['a range that ends behind the end', file, { offset: 4096, size: 4097 }, /ends behind the end/],
])('%s', async (_, path, range, words) => {
  expect((await failure(() => openSync(path, range), 'EINVAL')).message).toMatch(words);
});
