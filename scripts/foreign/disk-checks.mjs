// What a store's disk has to be good for, through our client: each takes a place, and a store: how to serve its disk, and how
// its own program reads it.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { assert } from './checks.mjs';
import { ext4Image, judgeFiles, readFiles, writeFiles } from './files.mjs';
import { openAt, rumpblk, tool } from './package.mjs';
import { Stamped } from './stamped.mjs';

const MiB = 1024 * 1024;

/** Uses a device and closes it. */
export async function withDevice(where, use, { client, ...options } = {}) {
  const device = await openAt(where, { mode: 'r+', ...options }, client);
  try {
    return await use(device);
  } finally {
    await device.close();
  }
}

/** An ext4 image copied in by the tool, compared, copied out again; then files read and written in it through ext2fs. */
export async function fileSystem(place, store) {
  const { uri } = await store.serve(place);
  const { image, contents } = await ext4Image(place, store.bytes);
  await tool(place, ['copy', image, uri, '--verify']);
  await tool(place, ['compare', image, uri]);
  assert(readFileSync(await store.exported(place.path('in'))).equals(readFileSync(image)), 'the store has other bytes');
  await tool(place, ['copy', uri, place.path('out')]);
  assert(readFileSync(place.path('out')).equals(readFileSync(image)), 'copied out other bytes');
  const written = await withDevice(uri, async (device) => {
    await readFiles(device, contents);
    return writeFiles(device, store.bytes / 32);
  });
  await judgeFiles(place, await store.exported(place.path('after')), new Map([...contents, ...written]));
}

/** A table of two partitions, written through the client; each is a device with bytes of its own. */
export async function partitions(place, store) {
  const { uri } = await store.serve(place);
  const { writePartitions } = await rumpblk();
  const size = store.bytes / 4;
  const wanted = [
    { start: MiB, size, type: 'linux', label: 'one' },
    { start: 2 * MiB + size, size, type: 'linux', label: 'two' },
  ];
  await withDevice(uri, async (device) => {
    await writePartitions(device, { scheme: 'gpt', partitions: wanted });
    await device.flush();
  });
  const bytes = { one: randomBytes(size), two: randomBytes(size) };
  for (const [partition, content] of Object.entries(bytes)) {
    await withDevice(uri, (device) => device.write(content, 0, { fua: true }), { partition });
  }
  for (const [partition, content] of Object.entries(bytes)) {
    const read = Buffer.alloc(size);
    await withDevice(uri, (device) => device.read(read, 0), { partition });
    assert(read.equals(content), `partition ${partition} reads as something else`);
  }
  const file = await store.exported(place.path('parted'));
  const { partitiontable: table } = JSON.parse(await place.run('sfdisk', ['--json', file]));
  assert(table.label === 'gpt' && table.partitions.map(({ name }) => name).join() === 'one,two', JSON.stringify(table));
  const raw = readFileSync(file);
  for (const { name, start } of table.partitions)
    assert(raw.subarray(start * 512, start * 512 + size).equals(bytes[name]), `${name} lies elsewhere`);
}

/** Batches of random writes, verified through the client and by the store's own program. */
export async function workload(place, store, { rounds = 40 } = {}) {
  const { uri } = await store.serve(place);
  await withDevice(uri, async (device) => {
    const stamped = new Stamped(device, await rumpblk());
    for (let round = 0; round < rounds; round += 1) {
      const failed = await stamped.writeSome({ fua: round % 8 === 0 });
      assert(failed.length === 0, `writes failed: ${failed}`);
      if (round % 10 === 0) await device.flush();
    }
    await stamped.verify();
    await device.flush();
    stamped.verifyBytes(readFileSync(await store.exported(place.path('written'))));
  });
}

/** Discard, zeroes and extents, by the rules of devices. */
export async function holes(place, store) {
  const { uri } = await store.serve(place);
  await withDevice(uri, async (device) => {
    const { size } = device;
    const content = randomBytes(size);
    await device.write(content, 0);
    await device.writeZeroes(size / 4, size / 4);
    await device.writeZeroes(size / 2 + 512, 1024);
    await device.discard((size / 4) * 3, size / 8);
    await device.flush();
    content.fill(0, size / 4, size / 2).fill(0, size / 2 + 512, size / 2 + 1536);
    const read = Buffer.alloc(size);
    await device.read(read, 0);
    const dropped = [(size / 4) * 3, (size / 8) * 7];
    const same = (from, to) => read.subarray(from, to).equals(content.subarray(from, to));
    assert(same(0, dropped[0]) && same(dropped[1], size), 'reads as something else');
    let at = 0;
    for await (const { position, length, type } of device.extents()) {
      assert(position === at, `extents: ${position} after ${at}`);
      if (type !== 'data')
        assert(!read.subarray(position, position + length).some((byte) => byte !== 0), `${type} at ${position} has data`);
      at += length;
    }
    assert(at === size, `extents end at ${at}`);
  });
}
