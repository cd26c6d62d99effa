// Ceph behind our client: what every disk is good for, and what only a cluster can do: lose an OSD, or the server before it, in
// the middle of writes.
import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { assert, judged, lacking } from '../foreign/checks.mjs';
import { CEPH, Cluster } from './cluster.mjs';
import { fileSystem, holes, partitions, withDevice, workload } from '../foreign/disk-checks.mjs';
import { rumpblk, tool } from '../foreign/package.mjs';
import { Stamped } from '../foreign/stamped.mjs';

const NEEDS = { ...CEPH, nbdcopy: 'libnbd-bin', 'mkfs.ext4': 'e2fsprogs', sfdisk: 'fdisk', debugfs: 'e2fsprogs' };
const MEBIBYTES = 64;
/** librbd waits for half a minute before it takes a disk over from a server that was killed. */
const PATIENT = { reconnect: 120_000, requestTimeout: 120_000 };

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const cephChecks = () =>
  judged('Ceph', lacking(NEEDS), async (checks, home) => {
    const cluster = await Cluster.start(home);
    // A disk for each check, named for it.
    const check = (name, action) =>
      checks.check(name, async (place) => {
        const image = name.replaceAll(/\W+/g, '-');
        await cluster.image(image, MEBIBYTES);
        const store = {
          bytes: MEBIBYTES * 1024 * 1024,
          serve: (where) => cluster.serve(where, image),
          exported: (file) => cluster.exported(image, file),
        };
        await action(place, store, cluster);
      });
    await check('itself, by nbdcopy', itself);
    await check('an ext4 copied in, and ext2fs over it', fileSystem);
    await check('its holes, by map', mapped);
    await check('partitions', partitions);
    await check('batches, verified', workload);
    await check('discard, zeroes, extents', holes);
    await check('an OSD of three killed under writes', osdKilled);
    await check('flush across a kill of qemu-nbd', flushAcrossKill);
    await check('FUA across a kill of qemu-nbd', fuaAcrossKill);
  });

/** Without anything of ours: if this fails, the others say nothing. */
async function itself(place, store) {
  const { uri } = await store.serve(place);
  await place.run('qemu-io', ['-f', 'raw', '-c', 'write -P 7 1M 1M', '-c', 'flush', uri]);
  await place.run('nbdcopy', [uri, place.path('out')]);
  const [mine, theirs] = await Promise.all([readFile(place.path('out')), store.exported(place.path('own')).then((file) => readFile(file))]);
  assert(mine.equals(theirs) && mine[1024 * 1024] === 7, 'other bytes');
}

async function mapped(place, store) {
  const { uri } = await store.serve(place);
  await place.run('qemu-io', ['-f', 'raw', '-c', 'write -P 7 8M 4M', '-c', 'flush', uri]);
  const map = JSON.parse(await tool(place, ['map', '--json', uri]));
  const data = map.filter((extent) => extent.data).reduce((sum, { length }) => sum + length, 0);
  assert(map.reduce((sum, { length }) => sum + length, 0) === store.bytes, JSON.stringify(map));
  assert(data >= 4 * 1024 * 1024 && data < store.bytes / 2, `${data} bytes of data: ${JSON.stringify(map)}`);
}

/** Writes go on while an OSD is gone and when it is back; none fails, and all are there. */
async function osdKilled(place, store, cluster) {
  const { uri } = await store.serve(place);
  await withDevice(uri, async (device) => {
    const stamped = new Stamped(device, await rumpblk());
    const rounds = async (count) => {
      for (let round = 0; round < count; round += 1) {
        const failed = await stamped.writeSome({ fua: round % 4 === 0 });
        assert(failed.length === 0, `writes failed: ${failed}`);
      }
    };
    await rounds(20);
    const [, longest] = await Promise.all([cluster.killOsd(1), slowest(() => rounds(1), 40)]);
    await device.flush();
    cluster.startOsd(1);
    await rounds(20);
    await stamped.verify();
    await device.flush();
    stamped.verifyBytes(await readFile(await store.exported(place.path('after'))));
    console.log(
      `ceph: an OSD killed: the slowest batch of 32 writes took ${longest.toFixed(2)} s, ${stamped.acknowledged} acknowledged, none lost`,
    );
  });
}

/** The longest of `count` calls, in seconds. */
async function slowest(action, count) {
  let longest = 0;
  for (let i = 0; i < count; i += 1) {
    const start = performance.now();
    await action();
    longest = Math.max(longest, (performance.now() - start) / 1000);
  }
  return longest;
}

/** Kills a server without a word, and starts another on the same socket. */
async function restarted(place, store, server) {
  await server.process.stop('SIGKILL');
  rmSync(server.socket);
  return store.serve(place);
}

/** What was flushed is there. Writes that were acknowledged and not flushed before the kill make the next flush fail, once. */
async function flushAcrossKill(place, store) {
  let server = await store.serve(place);
  await withDevice(
    server.uri,
    async (device) => {
      const stamped = new Stamped(device, await rumpblk());
      for (let round = 0; round < 20; round += 1) await stamped.writeSome();
      await device.flush();
      stamped.flushed();
      server = await restarted(place, store, server);
      await stamped.verify();
      await device.flush();
      for (let round = 0; round < 20; round += 1) await stamped.writeSome();
      server = await restarted(place, store, server);
      stamped.crashed();
      const refused = await device.flush().then(
        () => undefined,
        (error) => error,
      );
      assert(refused !== undefined, 'a flush after unflushed writes were lost succeeded');
      await device.flush();
      await stamped.verify();
    },
    { client: PATIENT },
  );
}

/** Writes with FUA that were acknowledged are there, and no flush fails for them. */
async function fuaAcrossKill(place, store) {
  let server = await store.serve(place);
  await withDevice(
    server.uri,
    async (device) => {
      const stamped = new Stamped(device, await rumpblk());
      for (let round = 0; round < 20; round += 1) await stamped.writeSome({ fua: true });
      server = await restarted(place, store, server);
      await stamped.verify();
      await device.flush();
    },
    { client: PATIENT },
  );
}
