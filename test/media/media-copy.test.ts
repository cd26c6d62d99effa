// rumpblk/copy from and to media.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { open, openSync, writePartitions } from 'rumpblk';
import { copy } from 'rumpblk/copy';
import { memory, nullMedium } from 'rumpblk/media';
import { failure, refusal } from '../support/failure';
import { contentOf, filled } from '../support/memory';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(MiB);

describe('copy()', () => {
  test('reads and writes media as it does files, and looks again', async () => {
    const file = bench.image(content);
    const [one, two] = [memory({ size: MiB }), memory({ size: MiB })];
    expect(await copy(file, one, { verify: true })).toMatchObject({ bytes: MiB, verified: true });
    expect(await copy(one, two, { verify: true })).toMatchObject({ bytes: MiB, verified: true });
    const target = bench.path('copied');
    expect(await copy(two, target, { verify: true })).toMatchObject({ bytes: MiB, verified: true });
    expect(readFileSync(target).equals(content)).toBe(true);
    expect(await copy(nullMedium({ size: MiB }), two, { sourcePosition: 512 })).toMatchObject({ bytes: MiB - 512, verified: false });
    expect(
      contentOf(two)
        .subarray(0, MiB - 512)
        .equals(Buffer.alloc(MiB - 512)),
    ).toBe(true);
    const error = await failure(() => copy(file, nullMedium({ size: MiB }), { verify: true }), 'EIO');
    expect(error.path).toBe(`null:${MiB}`);
  });

  test('refuses ends that share bytes, what does not fit, and what somebody has', async () => {
    const medium = filled(content);
    for (const options of [{}, { sourcePosition: 512, length: 1024, targetPosition: 1024 }]) {
      expect(await refusal(() => copy(medium, medium, options))).toBe('ERR_INVALID_ARG_VALUE');
    }
    {
      using device = openSync(medium, { offset: 512, size: 512 });
      expect(await refusal(() => copy(device, medium, { targetPosition: 1023 }))).toBe('ERR_INVALID_ARG_VALUE');
      await failure(() => copy(bench.image(content), medium), 'EBUSY');
    }
    const error = await failure(() => copy(medium, memory({ size: MiB - 1 })), 'ENOSPC');
    expect(error.path).toBe(`memory:${MiB - 1}`);
    expect(contentOf(medium).equals(content)).toBe(true);
  });

  test('takes partitions of media', async () => {
    const disk = memory({ size: 8 * MiB });
    {
      await using device = await open(disk, { mode: 'r+' });
      await writePartitions(device, { scheme: 'mbr', partitions: [{ start: MiB, size: MiB, type: 0x83 }] });
    }
    expect(await copy(filled(content), disk, { targetPartition: 1, verify: true })).toMatchObject({ bytes: MiB, verified: true });
    const out = memory({ size: MiB });
    await copy(disk, out, { sourcePartition: 's1' });
    expect(contentOf(out).equals(content)).toBe(true);
    await failure(() => copy(disk, out, { sourcePartition: 's2' }), 'ENXIO');
  });
});
