// Issue 13.7: `rumpblk write` from stdin that is a file: its holes stay holes, and it begins where stdin stands.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT } from '../support/child';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 32 * MiB;
const DATA = 10 * MiB;

/** A file of zeros with some bytes in the middle. */
function sparse(): string {
  const file = bench.sparse(SIZE);
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, pattern(5000), 0, 5000, DATA);
  closeSync(descriptor);
  return file;
}

/** Runs `rumpblk write` with a file as stdin, of which so many bytes were read before, and gives what is left in it afterwards. */
function written(file: string, target: string, taken: number, ...args: string[]): number {
  const stdin = openSync(file, 'r');
  try {
    readSync(stdin, Buffer.alloc(taken), 0, taken, null);
    execFileSync(process.execPath, [path.join(ROOT, 'dist/cli/bin.js'), 'write', target, ...args], { stdio: [stdin, 'pipe', 'pipe'] });
    const rest = Buffer.alloc(SIZE);
    return readSync(stdin, rest, 0, SIZE, null);
  } finally {
    closeSync(stdin);
  }
}

test.each([0, 1000, DATA + 100])('what is behind byte %d of stdin is written, and its holes are none of the data', (taken) => {
  const file = sparse();
  const target = bench.image(pattern(SIZE, 2));
  written(file, target, taken);
  const expected = Buffer.concat([readFileSync(file).subarray(taken), pattern(SIZE, 2).subarray(SIZE - taken)]);
  expect(readFileSync(target).equals(expected)).toBe(true);
  const hole = bench.sparse(SIZE);
  written(file, hole, taken);
  expect(statSync(hole).blocks * 512).toBeLessThan(MiB);
});

test('of stdin no byte more is taken than was asked for', () => {
  const file = sparse();
  const target = bench.sparse(SIZE);
  expect(written(file, target, DATA, '--length', '3001', '--position', '512')).toBe(SIZE - DATA - 3001);
  expect(
    readFileSync(target)
      .subarray(512, 512 + 3001)
      .equals(pattern(5000).subarray(0, 3001)),
  ).toBe(true);
});

test('at the end of stdin there is nothing to write', () => {
  const target = bench.image(pattern(MiB));
  written(sparse(), target, SIZE);
  expect(readFileSync(target).equals(pattern(MiB))).toBe(true);
});
