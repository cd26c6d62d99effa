// The advisory lock of a minor on its range: shared while all its opens are 'r', exclusive from the first 'r+'.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type BlockDevice, open, openSync } from 'rumpblk';
import { runChild, startChild } from '../support/child';
import { failure } from '../support/failure';
import { ability, peer, run, testWith } from '../support/peers';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * KiB;
const keep = (device: BlockDevice): BlockDevice => bench.keep(device);

describe('B29: in one process', () => {
  test("two private 'r+' opens are EBUSY, in every order", async () => {
    const file = bench.image(pattern(SIZE));
    const first = openSync(file, { mode: 'r+' });
    await failure(() => openSync(file, { mode: 'r+' }), 'EBUSY');
    await failure(() => open(file, { mode: 'r+' }), 'EBUSY');
    await failure(() => open(file), 'EBUSY');
    await first.close();
    const reader = openSync(file);
    await failure(() => open(file, { mode: 'r+' }), 'EBUSY');
    reader.closeSync();
    keep(await open(file, { mode: 'r+' }));
  });

  test("any number of 'r' opens are fine", async () => {
    const file = bench.image(pattern(SIZE));
    const readers = await Promise.all([1, 2, 3, 4].map(() => open(file)));
    const driver = bench.driver();
    readers.push(driver.openSync(driver.registerSync(file)));
    for (const reader of readers) expect(reader.readSync(Buffer.alloc(512), 0)).toBe(512);
    for (const reader of readers) await reader.close();
  });

  test('opens of one minor share its lock, which follows what is open', async () => {
    const file = bench.image(pattern(SIZE));
    const driver = bench.driver();
    driver.registerSync(file);
    const writer = driver.openSync(0, { mode: 'r+' });
    const second = driver.openSync(0, { mode: 'r+' });
    const reader = keep(driver.openSync(0));
    await failure(() => open(file), 'EBUSY');
    writer.closeSync();
    await failure(() => open(file), 'EBUSY');
    second.closeSync();
    // Only the reader is left: other readers may come, writers may not.
    keep(await open(file));
    await failure(() => open(file, { mode: 'r+' }), 'EBUSY');
    await failure(() => driver.open(0, { mode: 'r+' }), 'EBUSY');
    expect(reader.readSync(Buffer.alloc(512), 0)).toBe(512);
  });

  test("the first 'r+' of a minor that is open 'r' makes the lock exclusive", async () => {
    const file = bench.image(pattern(SIZE));
    const driver = bench.driver();
    driver.registerSync(file);
    const reader = keep(driver.openSync(0));
    const writer = keep(driver.openSync(0, { mode: 'r+' }));
    await failure(() => open(file), 'EBUSY');
    writer.writeSync(Buffer.alloc(512, 3), 0);
    const got = Buffer.alloc(512);
    reader.readSync(got, 0);
    expect(got[0]).toBe(3);
  });

  test('a failed open leaves the minor as it was', async () => {
    const file = bench.image(pattern(SIZE));
    const holder = openSync(file);
    const driver = bench.driver();
    driver.registerSync(file);
    await failure(() => driver.openSync(0, { mode: 'r+' }), 'EBUSY');
    expect(driver.minors()[0]?.openCount).toBe(0);
    keep(driver.openSync(0));
    holder.closeSync();
    keep(driver.openSync(0, { mode: 'r+' }));
  });

  test('ranges that overlap exclude each other, ranges that touch do not', async () => {
    const file = bench.image(pattern(SIZE));
    keep(openSync(file, { mode: 'r+', offset: 4096, size: 4096 }));
    keep(openSync(file, { mode: 'r+', offset: 0, size: 4096 }));
    keep(openSync(file, { mode: 'r+', offset: 8192 }));
    for (const range of [{}, { offset: 8191, size: 1 }, { offset: 4095, size: 2 }, { offset: 4096, size: 1 }, { size: 4097 }]) {
      await failure(() => openSync(file, range), 'EBUSY');
      await failure(() => open(file, { mode: 'r+', ...range }), 'EBUSY');
    }
  });

  test('two minors of one table that overlap are others too', async () => {
    const file = bench.image(pattern(SIZE));
    const driver = bench.driver();
    const whole = driver.registerSync(file);
    const part = driver.registerSync(file, { offset: 512, size: 512 });
    const device = driver.openSync(part, { mode: 'r+' });
    await failure(() => driver.openSync(whole), 'EBUSY');
    device.closeSync();
    keep(driver.openSync(whole, { mode: 'r+' }));
  });

  test('lock: false neither asks nor hinders', async () => {
    const file = bench.image(pattern(SIZE));
    keep(openSync(file, { mode: 'r+', lock: false }));
    const locked = keep(openSync(file, { mode: 'r+' }));
    keep(await open(file, { mode: 'r+', lock: false }));
    await failure(() => open(file), 'EBUSY');
    expect(locked.writeSync(Buffer.alloc(512), 0)).toBe(512);
  });

  test('another spelling of the file does not help', async () => {
    const file = bench.image(pattern(SIZE));
    const link = bench.path('hard-link');
    execFileSync('ln', [file, link]);
    keep(openSync(file, { mode: 'r+' }));
    await failure(() => openSync(link, { mode: 'r+' }), 'EBUSY');
  });
});

describe('B29: between processes', () => {
  const holder = `
    let device = openSync(args.file, { mode: args.mode, offset: args.offset ?? 0 });
    report('held');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    if (args.close) { await device.close(); report('closed'); await new Promise((resolve) => process.stdin.once('data', resolve)); }
    process.exit(0);`;

  test("'r+' elsewhere keeps everybody out until it is closed", async () => {
    const file = bench.image(pattern(SIZE));
    const child = startChild(holder, { args: { file, mode: 'r+', close: true } });
    expect(await child.next()).toBe('held');
    await failure(() => openSync(file), 'EBUSY');
    await failure(() => open(file, { mode: 'r+' }), 'EBUSY');
    keep(openSync(file, { lock: false }));
    child.tell('close');
    expect(await child.next()).toBe('closed');
    keep(openSync(file, { mode: 'r+' }));
    child.tell('end');
    expect(await child.ended).toMatchObject({ code: 0, signal: null });
  });

  test("'r' elsewhere keeps writers out, readers not", async () => {
    const file = bench.image(pattern(SIZE));
    const child = startChild(holder, { args: { file, mode: 'r' } });
    expect(await child.next()).toBe('held');
    keep(openSync(file));
    await failure(() => openSync(file, { mode: 'r+' }), 'EBUSY');
    child.tell('end');
    await child.ended;
  });

  test('EBUSY says who has it, to every form of open', async () => {
    const file = bench.image(pattern(SIZE));
    const child = startChild(`process.title = 'the holder'; ${holder}`, { args: { file, mode: 'r+' } });
    expect(await child.next()).toBe('held');
    const driver = bench.driver();
    const minor = driver.registerSync(file);
    for (const attempt of [
      () => openSync(file),
      () => open(file, { mode: 'r+' }),
      () => driver.openSync(minor),
      () => driver.open(minor, { mode: 'r+' }),
    ]) {
      const error = await failure(attempt, 'EBUSY');
      expect(error.holder).toEqual({ pid: child.pid, command: 'the holder' });
      expect(error.message).toMatch(new RegExp(`lock '${file}' \\(held by process ${child.pid}, the holder\\)$`));
    }
    child.tell('end');
    await child.ended;
  });

  test('EBUSY of a range that others have parts of names one who is in the way', async () => {
    const file = bench.image(pattern(SIZE));
    const far = startChild(holder, { args: { file, mode: 'r+', offset: 32 * KiB } });
    expect(await far.next()).toBe('held');
    // A reader of our own, which is not in the way of a reader.
    keep(openSync(file, { size: 16 * KiB }));
    expect((await failure(() => openSync(file), 'EBUSY')).holder?.pid).toBe(far.pid);
    const own = await failure(() => openSync(file, { size: 8 * KiB, mode: 'r+' }), 'EBUSY');
    expect(own.holder?.pid).toBe(process.pid);
    expect(own.message).toContain('(held by this process)');
    far.tell('end');
    await far.ended;
  });

  testWith(peer('python3', 'python3'))('EBUSY names the holder of a lock of the older kind', async () => {
    const file = bench.image(pattern(SIZE));
    const script = 'import fcntl,sys; f=open(sys.argv[1],"r+"); fcntl.lockf(f,fcntl.LOCK_EX); print("held",flush=True); sys.stdin.read()';
    const child = spawn('python3', ['-c', script, file], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const error = await failure(() => openSync(file), 'EBUSY');
    expect(error.holder).toEqual({ pid: child.pid, command: 'python3' });
    child.stdin.end();
    await once(child, 'exit');
  });

  testWith(ability('user nobody', () => run('id', '-u', 'nobody') !== '' && process.getuid?.() === 0))(
    'EBUSY without a name where the holder may not be looked at',
    async () => {
      const file = bench.image(pattern(SIZE));
      // So that the other user may open the image, and only /proc keeps the holder from it.
      chmodSync(path.dirname(file), 0o755);
      chmodSync(file, 0o666);
      keep(openSync(file, { mode: 'r+' }));
      const script = `
      process.setuid('nobody');
      report(await attempt(() => openSync(args)));`;
      const ended = await runChild(script, { args: file });
      expect(ended.reports).toEqual([expect.objectContaining({ code: 'EBUSY', brand: true })]);
      expect(ended.reports[0].holder).toBeUndefined();
      expect(ended.reports[0].message).toMatch(/, lock '[^']*'$/);
    },
  );

  test('only the range is taken', async () => {
    const file = bench.image(pattern(SIZE));
    const child = startChild(holder, { args: { file, mode: 'r+', offset: 32 * KiB } });
    expect(await child.next()).toBe('held');
    keep(openSync(file, { mode: 'r+', size: 32 * KiB }));
    await failure(() => openSync(file, { offset: 32 * KiB }), 'EBUSY');
    child.tell('end');
    await child.ended;
  });

  test('the lock of a process that ended without closing is gone', async () => {
    const file = bench.image(pattern(SIZE));
    const child = startChild(holder, { args: { file, mode: 'r+' } });
    expect(await child.next()).toBe('held');
    child.tell('end');
    expect((await child.ended).code).toBe(0);
    keep(openSync(file, { mode: 'r+' }));
  });

  testWith(peer('qemu-img', 'qemu-utils'))("our 'r+' does not disturb programs that ask for no lock", () => {
    const file = bench.image(pattern(SIZE));
    keep(openSync(file, { mode: 'r+' }));
    expect(execFileSync('qemu-img', ['info', '-U', '-f', 'raw', file], { encoding: 'utf8' })).toContain('file format: raw');
  });
});
