// Tests a store on a disk that fails and on one that loses power. The store is kv-store.mjs; put your own in its place.
//
//   node --test kv-store.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockDriver } from 'rumpblk';
import { crashCheck, flushMutations } from 'rumpblk/lab';
import { memory } from 'rumpblk/media';
import { Store } from './kv-store.mjs';

const SIZE = 65536;

/** What is saved: longer than a sector, so that a power cut can leave a part of it. */
const valueOf = (number) => String(number).repeat(800);

/** Saves six values, and says after each that it was acknowledged. */
async function save(device, mark) {
  const store = await Store.open(device);
  for (let number = 1; number <= 6; number += 1) {
    await store.set('value', valueOf(number));
    mark('acknowledged', number);
  }
}

/** What has to hold after a cut: all that was acknowledged is there, and at most the save that was under way besides. */
async function check({ device, marks }) {
  const value = (await Store.open(device)).get('value') ?? '';
  const number = Number(value[0] ?? 0);
  assert.equal(value, number === 0 ? '' : valueOf(number));
  assert.ok(number === marks.length || number === marks.length + 1, `acknowledged ${marks.length}, found ${number}`);
}

test('an acknowledged save survives a power cut', async () => {
  const { distinct, complete } = await crashCheck({ size: SIZE, run: save, check }, { seed: 1 });
  console.log(`${distinct} states of the disk, ${complete ? 'all there are' : 'a sample'}`);
});

test('the test above would see a flush that is missing', async () => {
  for (const { flush, seen } of await flushMutations({ size: SIZE, run: save, check }, { seed: 1 })) {
    assert.ok(seen, `nobody misses flush ${flush}`);
  }
});

test('a save that fails leaves the store as it was, on the disk too', async () => {
  const driver = new BlockDriver({ faults: { rate: 3000, seed: 7 } }); // 3 requests of 10 fail with EIO
  const disk = memory({ size: SIZE });
  const device = await driver.open(await driver.register(disk), { mode: 'r+' });
  driver.faults.clear();
  const store = await Store.open(device);
  driver.faults.set({ rate: 3000, seed: 7 });
  let [saved, failed] = [0, 0];
  for (let number = 1; number <= 100; number += 1) {
    await store.set('count', number).then(
      () => (saved = number),
      (error) => {
        assert.equal(error.code, 'EIO');
        failed += 1;
      },
    );
    assert.equal(store.get('count') ?? 0, saved);
  }
  driver.faults.clear();
  assert.ok(failed > 0 && saved > 0);
  assert.equal((await Store.open(device)).get('count'), saved);
  await device.close();
  driver.close();
});

test('a write that the disk answers and tears is noticed: the older slot counts', async () => {
  const driver = new BlockDriver();
  const device = await driver.open(await driver.register(memory({ size: SIZE })), { mode: 'r+' });
  const store = await Store.open(device);
  await store.set('name', 'x'.repeat(1000));
  driver.faults.plan({ rules: [{ match: { op: 'write' }, action: { tear: 'prefix', sectors: 1 } }] });
  await store.set('name', 'y'.repeat(1000));
  driver.faults.clear();
  assert.equal((await Store.open(device)).get('name'), 'x'.repeat(1000));
  await device.close();
  driver.close();
});
