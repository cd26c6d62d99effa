// rumpblk label, rumpblk partitions, and --partition of read and write.
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { findDiskLabelSync, writePartitionsSync } from 'rumpblk';
import { cli, documentOf } from '../support/cli';
import { SECTORS, label } from '../support/disklabel';
import { FDISK, LINUX, PARTED, SFDISK, SGDISK, nestedLabel, parted, sfdisk, sfdiskRows } from '../support/disks';
import { peer, run, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = SECTORS * 512;
const MKFS_EXT4 = peer('mkfs.ext4', 'e2fsprogs');

describe('rumpblk label', () => {
  test('prints the default label of an undivided image, and says so', async () => {
    const shown = await cli(['label', bench.sparse(SIZE)]);
    expect(shown.status).toBe(0);
    expect(shown.stderr).toBe('rumpblk: no valid label on the medium: this is the default one\n');
    expect(shown.stdout.toString()).toMatch(/^type: rumpd\ndisk: fictitious$/m);
    expect(shown.stdout.toString()).toMatch(/^ a: +131072 +0 +unused/m);
  });

  testWith(SFDISK, FDISK)('prints the label of fdisk as disklabel(8) does, and as JSON', async () => {
    const file = bench.sparse(SIZE);
    nestedLabel(file);
    const shown = (await cli(['label', file])).stdout.toString();
    expect(shown).toMatch(/^bytes\/sector: 512$/m);
    expect(shown).toMatch(
      /^3 partitions:\n# +size +offset +fstype \[fsize bsize cpg\/sgs\]\n a: +16384 +4096 +4\.2BSD +0 +0 +0\n c: +65536 +2048 +unused/m,
    );
    expect(documentOf(await cli(['label', file, '--json']))).toMatchObject({
      source: 'medium',
      position: 2049 * 512,
      byteOrder: 'little',
      label: { partitions: [{ offset: 4096, size: 16384, fstype: 7 }, {}, {}] },
    });
    expect(documentOf(await cli(['label', file, '--json', '--default']))).toMatchObject({
      source: 'default',
      label: { typename: 'rumpd' },
    });
  });

  testWith(PARTED)('says what is wrong with a label that it does not take', async () => {
    const file = bench.sparse(SIZE);
    parted(file, 'mklabel bsd');
    const shown = await cli(['label', file]);
    expect(shown).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/no valid label on the medium \(at byte 64: bad checksum, off by 0x\w+\)/),
    });
  });

  test('--write writes the label that --json prints, --edit changes fields of it', async () => {
    const file = bench.sparse(SIZE);
    const json = bench.path('label.json');
    writeFileSync(json, JSON.stringify({ label: label() }));
    expect(await cli(['label', file, '--write', json])).toMatchObject({ status: 0, stderr: '' });
    const change = { packname: 'changed', partitions: [null, { offset: 10000, size: 512, fstype: 1 }] };
    const edited = await cli(['label', file, '--edit', '-', '--json'], { input: Buffer.from(JSON.stringify(change)) });
    expect(documentOf(edited)).toMatchObject({ source: 'medium', position: 512 });
    const found = findDiskLabelSync(bench.device(file));
    expect(found?.label).toMatchObject({
      packname: 'changed',
      partitions: [{ offset: 2048 }, { offset: 10000, size: 512, fstype: 1 }, {}, {}],
    });
  });

  test('what cannot be is refused with a reason, and nothing is written', async () => {
    const file = bench.sparse(SIZE);
    const write = (text: string, option = '--write'): ReturnType<typeof cli> =>
      cli(['label', file, option, '-'], { input: Buffer.from(text) });
    expect(await write('{')).toMatchObject({ status: 2, stderr: expect.stringContaining('is not JSON') });
    expect(await write('[]')).toMatchObject({ status: 2, stderr: expect.stringContaining('JSON object') });
    expect(await write('{"partitions":5}', '--edit')).toMatchObject({ status: 2 });
    expect(await write('{}')).toMatchObject({ status: 2, stderr: expect.stringContaining('label.partitions') });
    expect(await write('{"secpercyl":0}', '--edit')).toMatchObject({ status: 1, stderr: expect.stringContaining('EINVAL') });
    expect(await cli(['label', file, '--write', 'a', '--edit', 'b'])).toMatchObject({ status: 2 });
    expect(await cli(['label', file, '--write', bench.path('none')])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ENOENT'),
    });
    expect(readFileSync(file).equals(Buffer.alloc(SIZE))).toBe(true);
  });
});

describe('rumpblk partitions', () => {
  testWith(SFDISK)('shows the tree, and writes it elsewhere from its own JSON', async () => {
    const file = bench.sparse(SIZE);
    sfdisk(
      file,
      'label: dos',
      'label-id: 0x12345678',
      'start=2048,size=2048,bootable',
      'start=8192,size=40960,type=5',
      'start=10240,size=2048,type=82',
    );
    const shown = (await cli(['partitions', file])).stdout.toString();
    expect(shown).toContain('MBR at byte 0, 0x12345678');
    expect(shown).toMatch(/^ {2}s1\* +2048 +2048 +1 MiB +0x83 +Linux$/m);
    expect(shown).toMatch(/^ {4}s5 +10240 +2048 +1 MiB +0x82 +Linux swap$/m);
    const { stdout } = await cli(['partitions', file, '--json']);
    const copy = bench.sparse(SIZE);
    expect(await cli(['partitions', copy, '--write', '-'], { input: stdout })).toMatchObject({ status: 0 });
    expect(readFileSync(copy).equals(readFileSync(file))).toBe(true);
    expect(sfdiskRows(copy)).toHaveLength(3);
  });

  testWith(SGDISK)('a GPT with attributes survives its JSON, and --repair gives it back its headers', async () => {
    const file = bench.sparse(SIZE);
    run('sgdisk', '-n', '2:2048:+1M', '-A', '2:set:63', '-c', '2:name', file);
    const whole = readFileSync(file);
    const { stdout } = await cli(['partitions', file, '--json']);
    expect(JSON.parse(stdout.toString())).toMatchObject({ table: { partitions: [{ attributes: '0x8000000000000000', type: LINUX }] } });
    expect(await cli(['partitions', file, '--write', '-'], { input: stdout })).toMatchObject({ status: 0 });
    expect(readFileSync(file).equals(whole)).toBe(true);
    writeFileSync(file, Buffer.concat([whole.subarray(0, 512), Buffer.alloc(512), whole.subarray(1024)]));
    expect((await cli(['partitions', file])).stdout.toString()).toContain('! the primary header is damaged, the backup is used');
    expect(await cli(['partitions', file, '--repair'])).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(file).equals(whole)).toBe(true);
    expect(await cli(['partitions', file, '--repair'])).toMatchObject({ status: 0, stderr: 'rumpblk: nothing to repair\n' });
  });

  testWith(SFDISK)('--repair does not write what it does not know: two damaged headers, a chain that breaks off', async () => {
    const file = bench.sparse(SIZE);
    const damage = (position: number): void => {
      writeFileSync(
        file,
        Buffer.concat([readFileSync(file).subarray(0, position), pattern(64), readFileSync(file).subarray(position + 64)]),
      );
    };
    sfdisk(file, 'label: gpt', 'size=8M');
    damage(512);
    damage(SIZE - 512);
    const before = readFileSync(file);
    const refused = await cli(['partitions', file, '--repair']);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/EINVAL.* \(both headers are damaged\)\n$/) });
    expect(readFileSync(file).equals(before)).toBe(true);

    sfdisk(file, 'label: dos', 'start=2048,type=5', 'start=4096,size=2048', 'start=8192,size=2048');
    damage(6144 * 512 + 448);
    const chain = readFileSync(file);
    expect(await cli(['partitions', file, '--repair'])).toMatchObject({ status: 2, stderr: expect.stringContaining('no second copy') });
    expect(readFileSync(file).equals(chain)).toBe(true);
  });

  testWith(MKFS_EXT4)('12: --probe shows what lies in the partitions', async () => {
    const file = bench.sparse(SIZE);
    const device = bench.device(file, { mode: 'r+' });
    writePartitionsSync(device, { scheme: 'gpt', partitions: [{ start: MiB, size: 8 * MiB, type: 'linux', label: 'one' }] });
    const content = bench.sparse(8 * MiB);
    run('mkfs.ext4', '-qF', '-L', 'root \u001b[1m', '-U', '11111111-2222-3333-4444-555555555555', content);
    device.writeSync(readFileSync(content), MiB);
    await device.close();
    const shown = (await cli(['partitions', file, '--probe'])).stdout.toString();
    expect(shown).toMatch(/label +content +label of it +UUID of it$/m);
    expect(shown).toMatch(/one +ext4 +root \\x1b\[1m +11111111-2222-3333-4444-555555555555$/m);
    const asked = await cli(['partitions', file, '--probe', '--resize', 'p1=16M', '--json']);
    expect(documentOf(asked)).toMatchObject({ table: { partitions: [{ size: 16 * MiB, content: { type: 'ext4' } }] } });
    expect((await cli(['partitions', file])).stdout.toString()).not.toContain('ext4');
    expect(await cli(['partitions', file, '--probe', '--remove', 'p1', '--dry-run'])).toMatchObject({ status: 2 });
  });

  test('12: what is refused is told in options of the command line; --overwrite writes all the same', async () => {
    const file = bench.sparse(SIZE);
    const table = bench.path('empty.json');
    writeFileSync(table, '{ "scheme": "gpt", "partitions": [] }');
    const undivided = await cli(['partitions', file, '--add', 'type=linux']);
    expect(undivided).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\(the device is not divided: --write makes a table\)\n$/),
    });
    writeFileSync(file, Buffer.alloc(SIZE).fill('QFI\xfb\0\0\0\x03', 0, 8, 'latin1'));
    const refused = await cli(['partitions', file, '--write', table]);
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\(the device holds something \(qcow2?\), and is written over only with --overwrite\)\n$/),
    });
    expect(await cli(['partitions', file, '--write', table, '--overwrite'])).toMatchObject({ status: 0, stderr: '' });
    expect(documentOf(await cli(['partitions', file, '--json'])).table).toMatchObject({ scheme: 'gpt', problems: [] });
  });

  testWith(SFDISK)('12: --add, --resize and --remove, in their order, all or none; --dry-run writes nothing', async () => {
    const file = bench.sparse(SIZE);
    sfdisk(file, 'label: gpt', 'start=2048,size=2048', 'start=4096,size=2048');
    const before = readFileSync(file);
    const asked = ['--remove', 'p1', '--resize', 'p2=2M', '--add', 'type=esp,size=4M,label="a, b",attributes=0x1', '--add', 'type=linux'];
    const dry = await cli(['partitions', file, ...asked, '--dry-run', '--json', '--free']);
    expect(dry.stderr).toBe('rumpblk: nothing was written\n');
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(documentOf(dry)).toMatchObject({
      table: { partitions: [{ start: 4 * MiB, label: 'a, b', attributes: '0x1' }, { name: 'p2', size: 2 * MiB }, { start: 8 * MiB }] },
      free: [{ inside: '', start: MiB, size: MiB }],
    });
    expect(await cli(['partitions', file, ...asked])).toMatchObject({ status: 0, stderr: '' });
    expect(sfdiskRows(file).map(({ start, size }) => [start / MiB, size / MiB])).toEqual([
      [4, 4],
      [2, 2],
      [8, 55],
    ]);
    const free = await cli(['partitions', file, '--free', '--alignment', '512']);
    expect(free.stdout.toString()).toMatch(
      /^ +free in +first byte +bytes +size\n +1048576 +1048576 +1 MiB\n +66060288 +1031680 +1007.5 KiB$/m,
    );
    const now = readFileSync(file);
    for (const [wrong, status, words] of [
      [['--remove', 'p2', '--remove', 'p9'], 1, /ENXIO.*no partition 'p9'/],
      [['--add', 'type=linux,size=8M'], 1, /ENOSPC.*no free range/],
      [['--add', 'size=8M'], 2, /Say what it is for/],
      [['--add', 'type=linux,sise=8M'], 2, /Give words/],
      [['--add', 'type=linux,"'], 2, /Give words/],
      [['--resize', 'p2'], 2, /p2=64M/],
      [['--remove', 'p2', '--repair'], 2, /exclude each other/],
      [['--dry-run'], 2, /is for --add/],
      [['--alignment', '4k'], 2, /is for --add, --resize and --free/],
      [['--alignment', '4k', '--repair'], 2, /is for --add, --resize and --free/],
      [['--add', 'type=linux,size=8M,size=9M'], 2, /Give 'size' once/],
      [['--add', 'type=linux,size=1M,bootable'], 2, /bootable.* is for partitions of an MBR/],
    ] as const) {
      const refused = await cli(['partitions', file, ...wrong]);
      expect([wrong, refused.status, refused.stderr]).toEqual([wrong, status, expect.stringMatching(words)]);
    }
    expect(readFileSync(file).equals(now)).toBe(true);
  });

  test('an undivided image, and a table that cannot be', async () => {
    const file = bench.sparse(SIZE);
    expect((await cli(['partitions', file])).stdout.toString()).toBe(`${file}: not divided\n`);
    expect(documentOf(await cli(['partitions', file, '--json']))).toEqual({ file, table: null });
    expect(await cli(['partitions', file, '--repair'])).toMatchObject({ status: 2 });
    const entry = { index: 0, start: 1048576, size: 512, type: 131 };
    const overlapping = { scheme: 'mbr', partitions: [entry, { ...entry, index: 1 }] };
    const refused = await cli(['partitions', file, '--write', '-'], { input: Buffer.from(JSON.stringify(overlapping)) });
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^rumpblk: EINVAL.* \(s2 overlaps s1\)\n$/);
  });
});

testWith(SFDISK, FDISK)('read and write with --partition work on that partition alone', async () => {
  const file = bench.image(pattern(SIZE));
  writeFileSync(file, Buffer.alloc(MiB), { flag: 'r+' });
  nestedLabel(file);
  const before = readFileSync(file);
  const read = await cli(['read', file, '--partition', 's1a']);
  expect(read.status).toBe(0);
  expect(read.stdout.equals(before.subarray(2 * MiB, 10 * MiB))).toBe(true);
  expect(await cli(['write', file, '--partition', 's1a', '-p', '512'], { input: Buffer.alloc(1024, 0xee) })).toMatchObject({ status: 0 });
  before.fill(0xee, 2 * MiB + 512, 2 * MiB + 1536);
  expect(readFileSync(file).equals(before)).toBe(true);
  expect(await cli(['read', file, '--partition', 'p9'])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^rumpblk: ENXIO: no partition 'p9' in .* \(MBR\): s1, s1a/),
  });
  const full = await cli(['write', file, '--partition', 's1a', '-p', '8M'], { input: Buffer.alloc(1) });
  expect(full).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOSPC') });
});

test('an image in use: --json names the process that holds the lock', async () => {
  const file = bench.image(pattern(1024));
  bench.device(file, { mode: 'r+' });
  const { status, stdout } = await cli(['partitions', file, '--json']);
  expect(status).toBe(1);
  expect(JSON.parse(stdout.toString())).toMatchObject({ error: { code: 'EBUSY', syscall: 'lock', holder: { pid: process.pid } } });
});
