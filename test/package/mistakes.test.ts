// Mistakes of set-up that one message can solve: two copies of the package, a full table, addons that are not allowed, devices that nobody closes.
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import * as rumpblk from 'rumpblk';
import { copy } from 'rumpblk/copy';
import { openFileHandle } from 'rumpblk/fs';
import { ROOT, runChild } from '../support/child';
import { failure, thrownBy } from '../support/failure';
import { MiB, rig } from '../support/rig';

const bench = rig();

/** Another copy of the package, of another version, in this process. */
function otherCopy(): { folder: string; other: typeof rumpblk } {
  const folder = bench.path('other/node_modules/rumpblk');
  mkdirSync(folder, { recursive: true });
  cpSync(path.join(ROOT, 'dist'), path.join(folder, 'dist'), { recursive: true });
  cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
  for (const name of ['build', 'node_modules']) symlinkSync(path.join(ROOT, name), path.join(folder, name));
  return { folder, other: createRequire(path.join(folder, 'x.js'))(path.join(folder, 'dist/index.js')) as typeof rumpblk };
}

test('an object of another copy of the package is told from one of this', async () => {
  const { folder, other } = otherCopy();
  const file = bench.sparse(MiB);
  const device = other.openSync(file);
  const driver = new other.BlockDriver();
  const strange = device;
  const words = (name: string): string =>
    `Received an instance of ${name} of another copy of rumpblk: 0.1.0 in ${folder}, and this is 0.1.0 in ${ROOT}`;
  for (const call of [
    () => rumpblk.readPartitionsSync(strange),
    () => openFileHandle(strange),
    () => copy(strange, bench.path('copied')),
    () => copy(file, strange),
  ]) {
    expect(await thrownBy(call)).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining(words('BlockDevice')) });
  }
  const options = { driver: driver };
  expect(await thrownBy(() => rumpblk.open(file, options))).toMatchObject({ message: expect.stringContaining(words('BlockDriver')) });
  // One of this copy that is wrong in its place has no such words.
  const mine = bench.driver();
  expect(String(await thrownBy(() => openFileHandle(mine as never)))).toMatch(/Received an instance of BlockDriver$/);
  device.closeSync();
  driver.close();
});

test('a full table leads to the option that makes it longer', async () => {
  const file = bench.sparse(MiB);
  const driver = bench.driver({ minorCount: 1 });
  const disk = driver.registerSync(file);
  using device = driver.openSync(disk, { mode: 'r+' });
  await rumpblk.writePartitions(device, { scheme: 'mbr', partitions: [{ start: 65536, size: 65536, type: 0x83 }] });
  for (const call of [
    () => driver.registerSync(file, { offset: 512 }),
    () => driver.register(file, { offset: 512 }),
    () => driver.registerPartitionSync(disk, 's1'),
    () => driver.registerPartition(disk, 's1'),
    () => driver.registerPartitions(disk),
  ]) {
    expect((await failure(call, 'EBUSY')).message).toContain('(the table has 1 minors, and not enough of them are free: see minorCount,');
  }
});

test('addons that Node does not allow are named as the cause', async () => {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
  const script = `try { require(${JSON.stringify(ROOT)}); } catch (error) { console.log(error.code, error.message); }`;
  const { stdout } = await runChild(script, { plain: true, nodeFlags: [flag, '--allow-fs-read=*', '--no-warnings'] });
  expect(stdout).toContain('ERR_DLOPEN_FAILED');
  expect(stdout).toContain('Node runs with --permission: add --allow-addons');
});

test('many devices that nobody closed are one warning and a count', async () => {
  const script = `
    const { openSync } = require(${JSON.stringify(ROOT)});
    const seen = [];
    process.on('warning', ({ message }) => seen.push(message));
    for (let i = 0; i < 200; i += 1) openSync(args.file);
    gc();
    const wait = () => (seen.some((message) => message.startsWith('200 block devices')) ? report(seen) : setImmediate(wait));
    wait();
  `;
  const { reports } = await runChild(script, { args: { file: bench.sparse(MiB) }, nodeFlags: ['--expose-gc', '--no-warnings'] });
  const [seen] = reports as [string[]];
  expect(seen[0]).toMatch(/^Block device '.*' was garbage collected without being closed$/);
  expect(seen.at(-1)).toBe('200 block devices so far were garbage collected without being closed');
  expect(seen.length).toBeLessThan(10);
});
