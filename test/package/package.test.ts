// The package as its users load it: by name, as CommonJS and as ES module, with one copy of every class.
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import * as rumpblk from 'rumpblk';
import { ROOT, reportsFrom, runChild } from '../support/child';
import { pattern, rig } from '../support/rig';

const bench = rig();
const CORE = ['BlockDevice', 'BlockDeviceError', 'BlockDriver', 'open', 'openSync'];

test('import and require give the very same values', async () => {
  const script = `
    import { createRequire } from 'node:module';
    import * as esm from 'rumpblk';
    import { BlockDriver as named } from 'rumpblk';
    const cjs = createRequire(process.cwd() + '/')('rumpblk');
    const names = Object.keys(cjs).filter((name) => name !== '__esModule' && name !== 'default').sort();
    console.log(JSON.stringify({
      names,
      imported: Object.keys(esm).filter((name) => name !== 'default' && name !== 'module.exports').sort(),
      same: names.every((name) => esm[name] === cjs[name]) && named === cjs.BlockDriver,
    }));`;
  const [answer] = await reportsFrom(script, { module: true });
  expect(answer).toMatchObject({ same: true, imported: answer.names });
  expect(answer.names).toEqual(expect.arrayContaining(CORE));
});

test('what is imported works: open, read, fail', async () => {
  const script = `
    import { BlockDeviceError, BlockDriver, open } from 'rumpblk';
    const device = await open(JSON.parse(process.env.RUMPBLK_TEST_ARGS));
    const { bytesRead } = await device.read(new Uint8Array(512), 0);
    const error = await device.read(new Uint8Array(512), 1e6).catch((e) => e);
    await device.close();
    console.log(JSON.stringify([bytesRead, error instanceof BlockDeviceError, device.driver instanceof BlockDriver]));`;
  expect(await reportsFrom(script, { module: true, args: bench.image(pattern(4096)) })).toEqual([[512, true, true]]);
});

test('nothing but the documented names is exported', () => {
  const documented = new Set([
    ...CORE,
    ...[
      'Batch',
      'BATCH_READ',
      'BATCH_WRITE',
      'BATCH_FLUSH',
      'BATCH_DISCARD',
      'BATCH_ZEROES',
      'findDiskLabel',
      'findDiskLabelSync',
      'decodeDiskLabel',
      'encodeDiskLabel',
    ],
    ...['createQcow2', 'createQcow2Sync', 'planFromLog'],
    ...['readPartitions', 'readPartitionsSync', 'writePartitions', 'writePartitionsSync', 'freeRanges'],
    ...['changePartitions', 'addPartition', 'resizePartition', 'removePartition'].flatMap((name) => [name, `${name}Sync`]),
  ]);
  expect(Object.keys(rumpblk).filter((name) => !documented.has(name))).toEqual([]);
});

test('every file that package.json points to is there', () => {
  const { exports, bin, main, types } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;
  const files: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === 'string') files.push(value);
    else if (value !== null && typeof value === 'object') Object.values(value).forEach(collect);
  };
  [exports, bin, main, types].forEach(collect);
  expect(files.length).toBeGreaterThan(4);
  for (const file of files) expect(readFileSync(path.join(ROOT, file)).length).toBeGreaterThan(0);
});

test('without the addon, loading says how to build it', async () => {
  const folder = bench.path('unbuilt');
  cpSync(path.join(ROOT, 'dist'), path.join(folder, 'dist'), { recursive: true });
  cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  // A sanitizer run names the addon in the environment.
  const script = `delete process.env.RUMPBLK_PREBUILD; require(${JSON.stringify(folder)})`;
  const { code, stderr } = await runChild(script, { plain: true });
  expect(code).toBe(1);
  expect(stderr).toContain(`Error: rumpblk: the addon for ${process.platform}-${process.arch} cannot be loaded (`);
  expect(stderr).toContain('To build it: `npm explore rumpblk -- npm run install`');
});

test.each([
  ['a musl that node-gyp-build takes for glibc', '{}', 'undefined'],
  ['glibc', "{ glibcVersionRuntime: '2.36' }", expect.stringContaining('cannot be loaded')],
])('a binary for musl beside one for glibc that does not load: under %s', async (_, header, outcome) => {
  const folder = bench.path(`libc-${outcome === 'undefined' ? 'musl' : 'glibc'}`);
  const prebuilds = path.join(folder, 'prebuilds', `${process.platform}-${process.arch}`);
  cpSync(path.join(ROOT, 'dist'), path.join(folder, 'dist'), { recursive: true });
  cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  mkdirSync(prebuilds, { recursive: true });
  writeFileSync(path.join(prebuilds, 'rumpblk.glibc.node'), 'not an object file');
  const addon = path.join(process.env['RUMPBLK_PREBUILD'] ?? ROOT, 'build', 'Release', 'rumpblk.node');
  cpSync(addon, path.join(prebuilds, 'rumpblk.musl.node'));
  const script = `
    delete process.env.RUMPBLK_PREBUILD;
    delete process.env.LIBC;
    process.report.getReport = () => ({ header: ${header} });
    let thrown;
    try { require(${JSON.stringify(folder)}); } catch (error) { thrown = error.message; }
    console.log(JSON.stringify(String(thrown)));`;
  const { stdout } = await runChild(script, { plain: true });
  expect(JSON.parse(stdout)).toEqual(outcome);
});

test('loading it twice in one process gives two copies that both work', async () => {
  const script = `
    const before = require('rumpblk');
    for (const key of Object.keys(require.cache)) if (!key.endsWith('.node')) delete require.cache[key];
    const after = require('rumpblk');
    report(before.BlockDriver !== after.BlockDriver);
    const one = before.openSync(args);
    const two = after.openSync(args);
    report([one.readSync(Buffer.alloc(512), 0), two.readSync(Buffer.alloc(512), 0)]);
    const error = await attempt(() => two.readSync(Buffer.alloc(1), 1e6));
    report(error.brand);
    one.closeSync();
    two.closeSync();`;
  expect(await reportsFrom(script, { args: bench.image(pattern(4096)) })).toEqual([true, [512, 512], true]);
});
