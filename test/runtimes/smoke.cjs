// What a program does with the package, in 28 checks, for any runtime that has Node-API: node, bun, deno. Each prints
// `ok NAME` or `FAILED NAME: why`, the last line `N of N`. Run with a folder to write into; scripts/suites/runtimes.mjs does.
'use strict';
const assert = require('node:assert/strict');
const { readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { clearInterval, setInterval } = require('node:timers');
const { setTimeout: sleep } = require('node:timers/promises');
const { Worker } = require('node:worker_threads');
const { pathToFileURL } = require('node:url');
const rumpblk = require('rumpblk');
const { BATCH_FLUSH, BATCH_READ, BATCH_WRITE, BlockDeviceError, BlockDriver, open, openSync } = rumpblk;

const [folder] = process.argv.slice(2);
const SIZE = 4 << 20;
const content = Buffer.alloc(SIZE, 'the content of a disk, ');
const image = (name) => {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
};
const failed = (action, code) =>
  assert.rejects(
    async () => action(),
    (error) => error instanceof BlockDeviceError && error.code === code && error.errno < 0,
  );

const checks = {
  async 'a device opens and closes in the sync form'() {
    const device = openSync(image('a'));
    assert.equal(device.size, SIZE);
    device.closeSync();
    device.closeSync();
  },
  async 'a device opens and closes in the promise form'() {
    const device = await open(image('a'));
    assert.equal(device.size, SIZE);
    await device.close();
    await device.close();
  },
  async 'a sync read'({ device }) {
    const got = Buffer.alloc(1000);
    assert.equal(device.readSync(got, 100), 1000);
    assert.ok(got.equals(content.subarray(100, 1100)));
  },
  async 'a read by promise'({ device }) {
    const got = Buffer.alloc(1 << 20);
    assert.equal((await device.read(got, 512)).bytesRead, 1 << 20);
    assert.ok(got.equals(content.subarray(512, 512 + (1 << 20))));
  },
  async 'a thousand reads at once'({ device }) {
    const all = Array.from({ length: 1000 }, (_, i) => device.read(Buffer.alloc(512), i * 512));
    for (const [i, { buffer }] of (await Promise.all(all)).entries())
      assert.ok(Buffer.from(buffer).equals(content.subarray(i * 512, i * 512 + 512)));
  },
  async 'a loop of awaited reads lets timers run'({ device }) {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    const got = Buffer.alloc(4096);
    for (let calls = 0; turns < 5; calls += 1) {
      assert.ok(calls < 10_000_000, 'no timer ran');
      await device.read(got, (calls % 1000) * 4096);
    }
    clearInterval(timer);
  },
  async 'a sync write'({ device, file }) {
    assert.equal(device.writeSync(Buffer.from('sync'), 512), 4);
    device.flushSync();
    assert.equal(readFileSync(file).toString('latin1', 512, 516), 'sync');
  },
  async 'a write by promise, durable'({ device, file }) {
    await device.write(Buffer.from('promise'), 1024, { fua: true });
    assert.equal(readFileSync(file).toString('latin1', 1024, 1031), 'promise');
  },
  async 'a flush by promise'({ device }) {
    await device.write(Buffer.alloc(512), 2048);
    await device.flush();
  },
  async 'a strategy request, sync and by promise'({ device }) {
    const data = Buffer.alloc(512);
    assert.deepEqual(device.strategySync({ op: 'read', blkno: 9, data }), { bcount: 512, resid: 0 });
    assert.deepEqual(await device.strategy({ op: 'read', blkno: SIZE / 512 - 1, data: Buffer.alloc(1024) }), { bcount: 1024, resid: 512 });
  },
  async 'an error of the device, sync and by promise'({ device }) {
    await failed(() => device.writeSync(Buffer.alloc(1), SIZE + 512), 'EINVAL');
    await failed(() => device.write(Buffer.alloc(1), SIZE + 512), 'EINVAL');
  },
  async 'an error of the host'() {
    await failed(() => open(path.join(folder, 'none')), 'ENOENT');
    await failed(() => openSync(path.join(folder, 'none')), 'ENOENT');
  },
  async 'a wrong argument'({ device }) {
    assert.throws(() => device.readSync(Buffer.alloc(1), -1), { code: 'ERR_OUT_OF_RANGE' });
    await assert.rejects(device.read('text', 0), { code: 'ERR_INVALID_ARG_TYPE' });
  },
  async 'a read-only open refuses writes'() {
    const device = openSync(image('a'));
    await failed(() => device.writeSync(Buffer.alloc(512), 0), 'EACCES');
    device.closeSync();
  },
  async 'a lock keeps another open out'({ file }) {
    await failed(() => open(file, { mode: 'r+' }), 'EBUSY');
  },
  async 'a closed device'() {
    const device = await open(image('a'));
    await device.close();
    await failed(() => device.read(Buffer.alloc(1), 0), 'EBADF');
  },
  async 'a batch, sync'({ device }) {
    const batch = device.createBatch({ depth: 4, arena: new Uint8Array(4096) });
    batch.op.set([BATCH_WRITE, BATCH_FLUSH, BATCH_READ]);
    batch.blkno.set([20, 0, 20]);
    batch.bcount.set([512, 0, 512]);
    batch.offset.set([0, 0, 1024]);
    batch.arena.fill(7, 0, 512);
    assert.equal(batch.runSync(3), 3);
    assert.ok(batch.arena.subarray(1024, 1536).every((byte) => byte === 7));
  },
  async 'a batch by promise'({ device }) {
    const batch = device.createBatch({ depth: 4, arena: new Uint8Array(4096) });
    batch.op.set([BATCH_READ, BATCH_READ]);
    batch.blkno.set([20, 21]);
    batch.bcount.set([512, 512]);
    batch.offset.set([0, 512]);
    assert.equal(await batch.run(2), 2);
    assert.ok(batch.arena.subarray(0, 512).every((byte) => byte === 7));
  },
  async 'an abort'({ device }) {
    const controller = new globalThis.AbortController();
    controller.abort(new Error('no more'));
    await assert.rejects(device.read(Buffer.alloc(512), 0, { signal: controller.signal }), /no more/);
  },
  async 'lent memory, or a word that this runtime lends none'({ device }) {
    try {
      const view = device.mapSync(0, 4096);
      const got = Buffer.alloc(4096);
      device.readSync(got, 0);
      assert.ok(got.equals(view.bytes));
      view.release();
    } catch (error) {
      assert.equal(error.code, 'ENOTSUP');
    }
  },
  async 'a driver with minors, faults and counters'() {
    const driver = new BlockDriver({ faults: { rate: 10_000, seed: 1 } });
    const minor = await driver.register(image('b'), { offset: 512, size: 4096 });
    const device = await driver.open(minor);
    await failed(() => device.read(Buffer.alloc(512), 0), 'EIO');
    driver.faults.clear();
    assert.equal((await device.read(Buffer.alloc(5000), 0)).bytesRead, 4096);
    assert.equal(driver.counters().faultsInjected, 1);
    await device.close();
    driver.close();
  },
  async 'partitions are written and read'() {
    const device = await open(image('c'), { mode: 'r+' });
    await rumpblk.writePartitions(device, { scheme: 'mbr', partitions: [{ start: 1 << 20, size: 1 << 20, type: 0x83 }] });
    const table = await rumpblk.readPartitions(device);
    assert.deepEqual([table.scheme, table.partitions.length, table.partitions[0].start], ['mbr', 1, 1 << 20]);
    await device.close();
  },
  async 'an ioctl'({ device }) {
    assert.equal(device.ioctl('DIOCGMEDIASIZE'), SIZE);
  },
  async 'copy() of a device to a file'({ device }) {
    const { copy } = require('rumpblk/copy');
    const target = path.join(folder, 'copied');
    assert.equal((await copy(device, target)).bytes, SIZE);
    const got = Buffer.alloc(SIZE);
    device.readSync(got, 0);
    assert.ok(readFileSync(target).equals(got));
  },
  async 'a stream of a device'({ device }) {
    const { openFileHandle } = require('rumpblk/fs');
    let length = 0;
    for await (const chunk of openFileHandle(device).createReadStream()) length += chunk.length;
    assert.equal(length, SIZE);
  },
  async 'import and require give the same'() {
    const esm = await import(pathToFileURL(require.resolve('rumpblk').replace(/\.js$/, '.mjs')).href);
    assert.equal(esm.BlockDevice, rumpblk.BlockDevice);
  },
  async 'a worker thread'({ file }) {
    const source = `const { workerData, parentPort } = require('node:worker_threads');
      const { open } = require(workerData.entry);
      open(workerData.file, { lock: false }).then(async (device) => {
        const { bytesRead } = await device.read(new Uint8Array(5000), 0);
        await device.close();
        parentPort.postMessage(bytesRead);
      });`;
    const script = path.join(folder, 'worker.cjs');
    writeFileSync(script, source);
    const worker = new Worker(script, { workerData: { file, entry: require.resolve('rumpblk') } });
    assert.equal(await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject)), 5000);
    await worker.terminate();
  },
  async 'a forgotten device keeps no process alive'() {
    openSync(image('d'));
    await sleep(1);
  },
};

(async () => {
  const file = image('disk');
  const device = await open(file, { mode: 'r+', cache: 'writeback' });
  let passed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check({ device, file });
      passed += 1;
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`FAILED ${name}: ${error.stack}`);
    }
  }
  await device.close();
  console.log(`${passed} of ${Object.keys(checks).length}`);
})();
