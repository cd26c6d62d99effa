// flushMutations: which states it looks at.
import { writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { FlushMutation } from 'rumpblk/lab';
import { runChild } from '../support/child';
import { rig } from '../support/rig';

const bench = rig();

test('flushMutations looks at what the missing flush makes legal alone, also in threads', async () => {
  const module = bench.path('check.cjs');
  writeFileSync(
    module,
    `module.exports = ({ device, marks }) => {
      const bytes = Buffer.alloc(device.size);
      device.readSync(bytes, 0);
      return bytes.subarray(0, marks.length * 1024).every((byte) => byte === 1);
    };`,
  );
  const { stderr, reports } = await runChild(
    `const { flushMutations } = require('rumpblk/lab');
    // Each round needs its flush; whichever it is, it is missed at once.
    const run = (rounds) => async (device, mark) => {
      for (let round = 0; round < rounds; round += 1) {
        for (const sector of [0, 1]) device.writeSync(Buffer.alloc(512, 1), (2 * round + sector) * 512);
        await device.flush();
        mark('round');
      }
    };
    for (const [rounds, workers] of [[40, 1], [4, 2]])
      report(await flushMutations({ size: 40 * 1024, run: run(rounds), check: args }, { seed: 1, workers }));`,
    { args: module },
  );
  expect(stderr).toBe('');
  for (const [index, rows] of (reports as FlushMutation[][]).entries()) {
    expect(rows.map(({ seen }) => seen)).toEqual(Array.from({ length: index === 0 ? 40 : 4 }, () => true));
    // Of one thread; of two, what was under way.
    expect(Math.max(...rows.map(({ checks }) => checks))).toBeLessThanOrEqual(index === 0 ? 3 : 12);
  }
});
