// copy() to a file, as strace sees it.
import { expect } from '@jest/globals';
import { media } from '../support/copying';
import { testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';
import { strace, STRACE } from '../support/strace';

const bench = rig();
const { fresh } = media(bench);

const script = `
  const { copy } = require('rumpblk/copy');
  const { source, target, options } = args;
  copy(source, target, options).then(() => mark('end'));
`;

// ext4 writes a file back when it is closed that was cut to nothing before, so that its close waits for the disk.
testWith(...STRACE)('a target is cut to nothing only where it held something', async () => {
  const cutsOf = async (target: string): Promise<string[]> => {
    const source = bench.image(pattern(MiB));
    const { calls, code } = await strace(script, { args: { source, target, options: {} }, calls: ['ftruncate'], only: target });
    expect(code).toBe(0);
    return calls.map(({ args }) => args.replace(/^\d+<?[^,]*, /, ''));
  };
  expect(await cutsOf(fresh())).not.toContain('0');
  expect(await cutsOf(bench.image(Buffer.alloc(4096, 1)))).toContain('0');
});
