// Issue 13, item 20: copy() from and to a partition of a disk that a path names.
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { open, openSync, type PartitionEntry, readPartitions, writePartitions } from 'rumpblk';
import { copy, type CopyOptions, type CopySource, type CopyTarget } from 'rumpblk/copy';
import { media } from '../support/copying';
import { failure, refusal, thrownBy } from '../support/failure';
import { LINUX } from '../support/disks';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const { fresh } = media(bench);
const SIZE = 8 * MiB;

/** A disk of noise with two partitions, of one and two MiB. */
async function divided(): Promise<{ file: string; entry: PartitionEntry; before: Buffer }> {
  const file = bench.image(pattern(SIZE));
  await using disk = await open(file, { mode: 'r+' });
  await writePartitions(disk, {
    scheme: 'gpt',
    partitions: [
      { start: MiB, size: MiB, type: LINUX, label: 'boot' },
      { start: 2 * MiB, size: 2 * MiB, type: LINUX, label: 'root' },
    ],
  });
  const entry = (await readPartitions(disk))?.partitions[1] as PartitionEntry;
  await disk.flush();
  return { file, entry, before: readFileSync(file) };
}

async function refusedFor(source: CopySource, target: CopyTarget, options: CopyOptions): Promise<string> {
  expect(await refusal(() => copy(source, target, options))).toBe('ERR_INVALID_ARG_VALUE');
  return ((await thrownBy(() => copy(source, target, options))) as Error).message;
}

describe('from a partition', () => {
  test('by name, number, label, GUID and entry', async () => {
    const { file, entry, before } = await divided();
    for (const sourcePartition of ['p2', 2, 'root', entry.uuid as string, entry]) {
      const out = fresh();
      expect(await copy(file, out, { sourcePartition })).toMatchObject({ bytes: 2 * MiB, verified: false });
      expect(readFileSync(out).equals(before.subarray(2 * MiB, 4 * MiB))).toBe(true);
    }
  });

  test('positions count from its start, and its end is the end', async () => {
    const { file, before } = await divided();
    const out = fresh();
    await copy(file, out, { sourcePartition: 'boot', sourcePosition: MiB - 1000, length: 5000 });
    expect(readFileSync(out).equals(before.subarray(2 * MiB - 1000, 2 * MiB))).toBe(true);
    await failure(() => copy(file, fresh(), { sourcePartition: 'boot', sourcePosition: MiB + 1 }), 'EINVAL');
  });
});

describe('to a partition', () => {
  test('changes that partition and nothing else', async () => {
    const { file, before } = await divided();
    const [content, input] = [pattern(MiB + 700).map((byte) => byte ^ 0xff), fresh()];
    writeFileSync(input, content);
    expect(await copy(input, file, { targetPartition: 'root', targetPosition: 300, verify: true })).toMatchObject({
      bytes: content.length,
      verified: true,
    });
    content.forEach((byte, at) => (before[2 * MiB + 300 + at] = byte));
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('what does not fit changes nothing', async () => {
    const { file, before } = await divided();
    const input = bench.image(pattern(MiB + 1));
    expect((await failure(() => copy(input, file, { targetPartition: 1 }))).code).toBe('ENOSPC');
    await failure(() => copy(Readable.from([pattern(MiB), Buffer.alloc(1)]), file, { targetPartition: 1 }), 'ENOSPC');
    const after = readFileSync(file);
    expect(after.subarray(2 * MiB).equals(before.subarray(2 * MiB))).toBe(true);
  });

  test('one partition to the other of the same disk, and not to itself', async () => {
    const { file, before } = await divided();
    expect(await copy(file, file, { sourcePartition: 'boot', targetPartition: 'root', verify: true })).toMatchObject({
      bytes: MiB,
      verified: true,
    });
    before.copy(before, 2 * MiB, MiB, 2 * MiB);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(await refusedFor(file, file, { sourcePartition: 'p1', targetPartition: 'boot' })).toMatch(/must not overlap the source/);
    expect(await refusedFor(file, file, { targetPartition: 'boot' })).toMatch(/must not overlap the source/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('locks it, and respects the lock of others, unless that of another partition', async () => {
    const { file } = await divided();
    const input = bench.image(pattern(MiB));
    await using device = await open(file, { partition: 'root', mode: 'r+' });
    expect(device.size).toBe(2 * MiB);
    await failure(() => copy(input, file, { targetPartition: 'root' }), 'EBUSY');
    await copy(input, file, { targetPartition: 'boot' });
  });
});

describe('what is not there', () => {
  test('is named, with what is', async () => {
    const { file, before } = await divided();
    const asked = `ENXIO: no partition 'swap' in '${file}' (GPT): p1 boot, p2 root`;
    const out = fresh();
    for (const call of [() => copy(file, out, { sourcePartition: 'swap' }), () => copy(out, file, { targetPartition: 'swap' })]) {
      const { message } = await failure(call, 'ENXIO');
      expect(message.startsWith(asked)).toBe(true);
      writeFileSync(out, 'input');
    }
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('no target is made for it, and a moved entry is refused', async () => {
    const { file, entry } = await divided();
    const out = fresh();
    await failure(() => copy(file, out, { sourcePartition: { ...entry, start: MiB } }), 'ENXIO');
    await failure(() => copy(file, out, { targetPartition: 'boot' }), 'ENOENT');
    expect(existsSync(out)).toBe(false);
    writeFileSync(out, '');
    truncateSync(out, MiB);
    expect((await failure(() => copy(out, fresh(), { sourcePartition: 1 }), 'ENXIO')).message).toContain('(not divided)');
  });
});

describe('refused', () => {
  test('for ends that are no path, with what to do', async () => {
    const { file } = await divided();
    using device = openSync(file);
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    const advice = /must be left out unless the (source|target) is a path: give the device of open\(path, \{ partition \}\)/;
    expect(await refusedFor(device, fresh(), { sourcePartition: 1 })).toMatch(advice);
    expect(await refusedFor(Readable.from([]), fresh(), { sourcePartition: 1 })).toMatch(advice);
    expect(await refusedFor(fresh(), device, { targetPartition: 1 })).toMatch(advice);
    expect(await refusedFor(file, sink, { targetPartition: 1 })).toMatch(advice);
    expect(await refusedFor(file, new WritableStream(), { targetPartition: 1 })).toMatch(advice);
    sink.destroy();
  });

  test('of a wrong kind, and an entry in place of the options', async () => {
    const { file, entry } = await divided();
    expect(await refusal(() => copy(file, fresh(), { sourcePartition: true as never }))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => copy(file, fresh(), { targetPartition: 0 }))).toBe('ERR_OUT_OF_RANGE');
    expect(await refusedFor(file, fresh(), entry as object)).toBe(
      "unknown option 'name': this is a PartitionEntry, and no options: give it as { sourcePartition: entry } or { targetPartition: entry }",
    );
  });
});
