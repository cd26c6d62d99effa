// copy() between files: blocks that both share, bytes that the host copies, and what takes part in neither.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync as openFile,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { BlockDriver, openSync } from 'rumpblk';
import { copy, type CopyProgress } from 'rumpblk/copy';
import { memory } from 'rumpblk/media';
import { digest, media } from '../support/copying';
import { failure, refusal } from '../support/failure';
import { mounts, MOUNTED, type Mounted } from '../support/mounts';
import { peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { strace, STRACE } from '../support/strace';

const bench = rig();
const { mount, needs } = mounts(bench);
const { fresh } = media(bench);

const SIZE = 20 * MiB + 1234;
const RUN = 64 * KiB;
const EVERY = 1280 * KiB;

/** A file of SIZE bytes: 64 KiB of data every 1280 KiB, and an end that is no whole block. */
function holey(file: string): string {
  const fd = openFile(file, 'w+');
  ftruncateSync(fd, SIZE);
  for (let at = 0; at < SIZE - RUN; at += EVERY) writeSync(fd, pattern(RUN, at + 1), 0, RUN, at);
  writeSync(fd, Buffer.from('end'), 0, 3, SIZE - 3);
  closeSync(fd);
  return file;
}
const allocated = (file: string): number => statSync(file).blocks * 512;
/** Bytes that a file has in common with others, as the file system tells. */
function shared(file: string): number {
  run('sync', file);
  const rows = run('filefrag', '-v', '-b1', file).split('\n');
  const flagged = rows.filter((row) => /\bshared\b/.test(row)).map((row) => Number(row.split(':')[3]?.trim()));
  return flagged.reduce((sum, length) => sum + length, 0);
}
const SHARING: readonly Mounted[] = ['xfs', 'btrfs'];
const TOOLS = [peer('cmp', 'diffutils'), peer('filefrag', 'e2fsprogs')];

describe.each(MOUNTED)('on %s', (kind) => {
  const on = testWith(...needs(kind), ...TOOLS);
  const shares = SHARING.includes(kind);

  on('a file is the same, with its holes, and shares what it can', () => {
    return withFiles(kind, async (source, target) => {
      const { bytes, bytesHoles, bytesCloned } = await copy(source, target);
      execFileSync('cmp', [source, target]);
      expect(bytes).toBe(SIZE);
      expect(bytesHoles).toBeGreaterThan(SIZE - 20 * (RUN + 4096));
      expect(bytesCloned).toBe(shares ? SIZE - bytesHoles : 0);
      expect(allocated(target)).toBeLessThanOrEqual(allocated(source) + MiB);
      if (shares) expect(shared(target)).toBeGreaterThanOrEqual(16 * RUN);
    });
  });

  on("'always' shares or is ENOTSUP, and verifies by reading both", () => {
    return withFiles(kind, async (source, target) => {
      const old = Buffer.alloc(5000, 'old');
      if (!shares) {
        await failure(() => copy(source, target, { reflink: 'always' }), 'ENOTSUP');
        expect(existsSync(target)).toBe(false);
        writeFileSync(target, old);
        for (const place of [{}, { targetPosition: 4096 }]) {
          const error = await failure(() => copy(source, target, { ...place, reflink: 'always' }), 'ENOTSUP');
          expect(error).toMatchObject({ path: target });
          expect(readFileSync(target).equals(old)).toBe(true);
        }
        return;
      }
      // Longer and shorter ones are replaced, and one that is changed in place keeps the rest.
      for (const size of [5000, SIZE + 100_000]) {
        writeFileSync(target, Buffer.alloc(size, 'old'));
        await copy(source, target, { reflink: 'always' });
        execFileSync('cmp', [source, target]);
      }
      writeFileSync(target, old);
      await copy(source, target, { reflink: 'always', targetPosition: 4096 });
      expect(digest(readFileSync(target))).toBe(digest(Buffer.concat([old.subarray(0, 4096), readFileSync(source)])));
      const result = await copy(source, target, { reflink: 'always', verify: true });
      expect(result).toMatchObject({ bytes: SIZE, verified: true });
      expect(result.bytesCloned).toBeGreaterThanOrEqual(16 * RUN);
      execFileSync('cmp', [source, target]);
    });
  });

  on("'never' shares nothing", () => {
    return withFiles(kind, async (source, target) => {
      expect(await copy(source, target, { reflink: 'never' })).toMatchObject({ bytesCloned: 0 });
      execFileSync('cmp', [source, target]);
      if (kind !== 'tmpfs') expect(shared(target)).toBe(0);
      expect(allocated(target)).toBeLessThanOrEqual(allocated(source) + MiB);
    });
  });

  on('onto a device what lay in the holes is gone, whatever the places are', () => {
    return withFiles(kind, async (source, target) => {
      const bytes = readFileSync(source);
      for (const [from, to, length] of [
        [0, 0, SIZE],
        [4096, 8192, 5 * MiB],
        [1000, 1000, 5 * MiB],
        [4096, 1, 5 * MiB],
        [RUN - 1, 12_345, 3 * MiB + 17],
      ] as const) {
        writeFileSync(target, Buffer.alloc(SIZE + 65_536, 0xee));
        const expected = readFileSync(target);
        bytes.copy(expected, to, from, from + length);
        const device = bench.keep(openSync(target, { mode: 'r+' }));
        await copy(source, device, { sourcePosition: from, targetPosition: to, length });
        await device.close();
        expect(readFileSync(target).equals(expected)).toBe(true);
      }
    });
  });

  // What btrfs compresses and tmpfs may have is more than the file system says.
  if (kind === 'ext4' || kind === 'xfs')
    on('a full file system is ENOSPC, and a file that was made for it is gone', () => {
      const { folder } = mount(kind);
      const source = path.join(folder, 'source');
      writeFileSync(source, Buffer.alloc(300 * MiB, 1));
      const target = path.join(folder, 'target');
      return failure(() => copy(source, target, { reflink: kind === 'xfs' ? 'never' : 'auto' }), 'ENOSPC').then((error) => {
        expect(error.message).toContain(target);
        expect(existsSync(target)).toBe(false);
      });
    });
});

async function withFiles(kind: Mounted, use: (source: string, target: string) => Promise<void>): Promise<void> {
  const { folder } = mount(kind);
  await use(holey(path.join(folder, 'source')), path.join(folder, 'target'));
}

describe('who asks the host', () => {
  const traced = testWith(...STRACE);
  const CALLS = ['copy_file_range', 'ioctl', 'pread64', 'preadv2', 'pwrite64'];
  const script = `
    const { copy } = require('rumpblk/copy');
    const { source, target, options } = args;
    mark('begin');
    copy(source, target, options).then(() => mark('end'));
  `;
  const callsOf = async (options: object): Promise<string[]> => {
    const source = holey(bench.path('source'));
    const { calls, code } = await strace(script, { args: { source, target: fresh(), options }, calls: CALLS, only: source });
    expect(code).toBe(0);
    return calls.map(({ name }) => name);
  };

  traced('a copy of files reads nothing into the process', async () => {
    const names = await callsOf({});
    expect(names).toContain('copy_file_range');
    expect(names.filter((name) => name.startsWith('pread'))).toEqual([]);
  });

  traced("one that is verified, detects zeros, writes all or is told 'never' does not", async () => {
    for (const options of [{ verify: true }, { sparse: 'detect' }, { sparse: 'off' }, { reflink: 'never' }]) {
      const names = await callsOf(options);
      expect(names).not.toContain('copy_file_range');
      expect(names.some((name) => name.startsWith('pread'))).toBe(true);
    }
  });
});

describe('between devices', () => {
  function pair(): { source: string; target: string } {
    return { source: holey(bench.path('source')), target: bench.sparse(SIZE) };
  }

  test('faults are met by a copy that the host would have made', async () => {
    const { source, target } = pair();
    const driver = bench.driver({ faults: { rate: 10_000, seed: 7 } });
    const device = bench.keep(await driver.open(await driver.register(target), { mode: 'r+' }));
    expect(await failure(() => copy(source, device), 'EIO')).toMatchObject({ injected: true });
  });

  test('counters, marks and guards are those of reads and writes', async () => {
    const { source, target } = pair();
    const [from, to] = [new BlockDriver(), new BlockDriver()];
    const origin = bench.keep(await from.open(await from.register(source)));
    const device = bench.keep(await to.open(await to.register(target), { mode: 'r+' }));
    const bitmap = device.track({ granularity: 4096 });
    const { bytes, bytesHoles } = await copy(origin, device);
    expect(to.counters()).toMatchObject({ bytesWritten: bytes - bytesHoles });
    expect(from.counters()).toMatchObject({ bytesRead: bytes - bytesHoles });
    expect(bitmap.count).toBe(SIZE);
    bitmap[Symbol.dispose]();
    await device.close();
    const guarded = bench.keep(await to.open(0, { mode: 'r+', protect: [[10 * MiB, 10 * MiB + 1]] }));
    await failure(() => copy(origin, guarded), 'EROFS');
  });

  test('targetIsZero is believed', async () => {
    const { source, target } = pair();
    const device = bench.keep(openSync(target, { mode: 'r+' }));
    device.writeSync(Buffer.from('left alone'), RUN + 8192);
    await copy(source, device, { targetIsZero: true });
    expect(readFileSync(target, 'latin1').slice(RUN + 8192, RUN + 8202)).toBe('left alone');
    for (const sparse of ['extents', 'detect'] as const) {
      await copy(source, device, { sparse });
      expect(digest(readFileSync(target))).toBe(digest(readFileSync(source)));
      device.writeSync(Buffer.from('again'), RUN + 8192);
    }
  });

  test('one that is called off stops, and the devices go on', async () => {
    const { source, target } = pair();
    const device = bench.keep(openSync(target, { mode: 'r+' }));
    const control = new AbortController();
    const copied = copy(source, device, { signal: control.signal });
    control.abort(new Error('enough'));
    await expect(copied).rejects.toThrow('enough');
    await copy(source, device, { verify: true });
  });

  test('a source that has become shorter is EIO, and not zeros', async () => {
    const { source, target } = pair();
    const device = bench.keep(openSync(source));
    truncateSync(source, 10 * MiB);
    await failure(() => copy(device, target), 'EIO');
    await failure(() => device.close(), 'EIO');
  });

  test('a source that says at its end that it has lost bytes leaves no file behind', async () => {
    const { source } = pair();
    const target = fresh();
    const cut = (): void => truncateSync(source, 10 * MiB);
    await failure(() => copy(source, target, { onProgress: cut }), 'EIO');
    expect(existsSync(target)).toBe(false);
  });

  test('nothing at all is shared, too', async () => {
    const { source } = pair();
    const target = fresh();
    expect(await copy(source, target, { reflink: 'always', length: 0 })).toMatchObject({ bytes: 0, bytesCloned: 0 });
    expect(readFileSync(target)).toHaveLength(0);
  });

  test('memory takes part by reads and writes', async () => {
    const { source } = pair();
    const disk = memory({ size: SIZE });
    await copy(source, disk, { verify: true });
    const back = fresh();
    const { bytesHoles } = await copy(disk, back);
    expect(bytesHoles).toBeGreaterThan(0);
    expect(digest(readFileSync(back))).toBe(digest(readFileSync(source)));
  });
});

describe('zeros in data', () => {
  const zeroed = (): string =>
    bench.image(Buffer.concat([pattern(MiB), Buffer.alloc(MiB), pattern(8192), Buffer.alloc(32 * KiB), pattern(4096)]));

  test("stay data under 'extents', and are holes under 'detect', from 64 KiB on", async () => {
    for (const [sparse, most] of [
      ['detect', MiB + 60 * KiB],
      [true, MiB + 60 * KiB],
    ] as const) {
      const [source, target] = [zeroed(), fresh()];
      await copy(source, target, { sparse });
      expect(allocated(target)).toBeLessThanOrEqual(most);
      expect(digest(readFileSync(target))).toBe(digest(readFileSync(source)));
    }
    const [source, target] = [zeroed(), fresh()];
    await copy(source, target);
    expect(allocated(target)).toBeGreaterThanOrEqual(2 * MiB);
  });

  test('progress counts holes as done', async () => {
    const told: CopyProgress[] = [];
    for (const reflink of ['auto', 'never'] as const) {
      const source = holey(bench.path(`source-${reflink}`));
      await copy(source, fresh(), { reflink, onProgress: (progress) => told.push(progress) });
      expect(told.at(-1)).toEqual({ phase: 'copy', bytes: SIZE, total: SIZE });
    }
  });

  test('options that mean nothing are refused', async () => {
    expect(await refusal(() => copy('a', 'b', { sparse: 'all' as 'off' }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => copy('a', 'b', { sparse: 1 as unknown as boolean }))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => copy('a', 'b', { reflink: true as unknown as 'auto' }))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => copy('a', 'b', { reflink: 'always', sparse: 'off' }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => copy('a', 'b', { targetIsZero: 1 as unknown as boolean }))).toBe('ERR_INVALID_ARG_TYPE');
  });
});
