// What async_hooks show of the addon, and `jest --detectOpenHandles`, which reports what they show.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { ROOT, reportsFrom } from '../support/child';
import { userEnv } from '../support/installed';
import { NO_SANITIZER, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

const bench = rig();

test('the handles of the addon hold the process while a request is under way, and say so', async () => {
  const script = `
    const resources = [];
    const init = (asyncId, type, trigger, resource) => { if (type === 'rumpblk') resources.push(resource); };
    require('node:async_hooks').createHook({ init }).enable();
    const { open } = require('rumpblk');
    const show = () => console.log(JSON.stringify(resources.map((resource) => resource.hasRef())));
    (async () => {
      show();
      const device = await open(JSON.parse(process.env.RUMPBLK_TEST_ARGS), { mode: 'r+' });
      show();
      const flushes = [device.flush(), device.flush()];
      show();
      await Promise.all(flushes);
      show();
      await device.close();
      show();
    })();`;
  const idle = [false, false];
  const reports = await reportsFrom(script, { plain: true, args: bench.sparse(MiB) });
  expect(reports).toEqual([idle, idle, [false, true], idle, idle]);
});

/** A test file that uses every kind of request, closes what it opened, and leaves a timer running. */
const USES = `
  const { BATCH_READ, BlockDriver } = require(${JSON.stringify(ROOT)});
  const { copy } = require(${JSON.stringify(path.join(ROOT, 'dist', 'adapters', 'copy.js'))});
  test('requests', async () => {
    setInterval(() => undefined, 1000);
    const driver = new BlockDriver();
    const device = await driver.open(await driver.register('disk.img'), { mode: 'r+' });
    const reads = Array.from({ length: 200 }, (_, i) => device.read(Buffer.alloc(512), i * 512));
    await Promise.all([...reads, device.write(Buffer.alloc(1 << 19), 0, { fua: true }), device.flush()]);
    const batch = device.createBatch({ depth: 2, arena: new Uint8Array(1024) });
    batch.op.set([BATCH_READ, BATCH_READ]);
    batch.bcount.set([512, 512]);
    batch.offset.set([0, 512]);
    expect(await batch.run(2)).toBe(2);
    await copy(device, 'copy.img');
    await device.close();
    driver.close();
  });`;

testWith(NO_SANITIZER)(
  'jest --detectOpenHandles reports what a test leaves behind, and nothing of the package',
  async () => {
    const folder = bench.path('project');
    mkdirSync(path.join(folder, 'test'), { recursive: true });
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
    writeFileSync(path.join(folder, 'disk.img'), Buffer.alloc(MiB));
    writeFileSync(path.join(folder, 'test', 'uses.test.js'), USES);
    const jest = [path.join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), '--detectOpenHandles', '--forceExit'];
    const options = { cwd: folder, env: userEnv(process.env['PATH'] ?? '') };
    const { stderr } = await promisify(execFile)(process.execPath, jest, options);
    expect(stderr).toContain('1 passed, 1 total');
    expect(stderr).toContain('Jest has detected the following 1 open handle ');
    expect(stderr.match(/●.*/g)).toEqual(['●  Timeout']);
  },
  120_000,
);
