// Our client against servers of other people's: the tool's commands over their URIs, and a device on them.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { holes, partitions, withDevice, workload } from '../foreign/disk-checks.mjs';
import { openAt, tool } from '../foreign/package.mjs';
import { assert, judged, lacking } from '../foreign/checks.mjs';
import { ENDS, PEERS, SERVERS } from './peers.mjs';
import { serveBy } from '../foreign/server.mjs';

const MiB = 1024 * 1024;
const SIZE = 16 * MiB;

/** Serves a new image; the disk is looked at from outside by that file. */
function storeOf(start) {
  let image;
  return {
    bytes: SIZE,
    serve(place) {
      image = place.image('disk', SIZE);
      return start(place, image);
    },
    async exported(file) {
      await copyFile(image, file);
      return file;
    },
  };
}

/** copy, compare, map, read and write, over one server that is started once for each: some end behind their client. */
async function commands(place, start) {
  const content = randomBytes(SIZE);
  content.fill(0, 5 * MiB, 9 * MiB);
  writeFileSync(place.path('source'), content);
  const image = place.image('disk', SIZE);
  let servers = 0;
  const at = async () => {
    servers += 1;
    const { uri } = await start(placeIn(place, `n${servers}`), image);
    return uri;
  };
  await tool(place, ['copy', place.path('source'), await at()]);
  assert(readFileSync(image).equals(content), 'copied in other bytes');
  await tool(place, ['compare', place.path('source'), await at()]);
  await tool(place, ['copy', await at(), place.path('copy')]);
  assert(readFileSync(place.path('copy')).equals(content), 'copied out other bytes');
  const map = JSON.parse(await tool(place, ['map', '--json', await at()]));
  assert(map.reduce((sum, { length }) => sum + length, 0) === SIZE, JSON.stringify(map));
  // Not on sectors: the client makes whole blocks of it.
  writeFileSync(place.path('piece'), 'x'.repeat(1000));
  await tool(place, ['write', await at(), '--position', '3072', '--input', place.path('piece')]);
  content.fill('x', 3072, 4072);
  assert(readFileSync(image).equals(content), 'wrote other bytes');
  await tool(place, ['read', await at(), '--position', '2048', '--length', '2048', '--output', place.path('read')]);
  assert(readFileSync(place.path('read')).equals(content.subarray(2048, 4096)), 'read other bytes');
}

/** The place, with folders of its own for the files of one server. */
function placeIn(place, folder) {
  place.mkdir(folder);
  const own = ['start', 'run', 'endsToo'].map((name) => [name, place[name].bind(place)]);
  return { ...Object.fromEntries(own), path: (name) => place.path(`${folder}/${name}`) };
}

async function code(action) {
  try {
    await action();
  } catch (error) {
    return error.code;
  }
  return undefined;
}

/** nbdkit's error filter: what the server says is what the caller hears, and the next request is served. */
async function errors(place) {
  const image = place.image('disk', SIZE);
  const fails = place.path('fails');
  const args = (socket) => ['-f', '-U', socket, '--filter=error', 'file', image, `error-file=${fails}`];
  for (const [name, rule, action, expected] of [
    ['r', 'error-pread=EIO', (device) => device.read(Buffer.alloc(4096), 0), 'EIO'],
    ['w', 'error-pwrite=ENOSPC', (device) => device.write(Buffer.alloc(4096), 0), 'ENOSPC'],
    ['f', 'error-pwrite=EPERM', (device) => device.write(Buffer.alloc(4096), 0), 'EPERM'],
    ['z', 'error-zero=EIO', (device) => device.writeZeroes(0, MiB), 'EIO'],
  ]) {
    const { uri } = await serveBy(place, 'nbdkit', (socket) => [...args(socket), rule, `${rule.split('=')[0]}-rate=100%`], { name });
    await withDevice(uri, async (device) => {
      await action(device);
      writeFileSync(fails, '');
      const got = await code(() => action(device));
      assert(got === expected, `${rule}: ${got}`);
      await place.run('rm', [fails]);
      await action(device);
    });
  }
}

/** One that says no: no such export, read-only, nobody there. */
async function refusals(place) {
  const image = place.image('disk', SIZE);
  const named = await SERVERS['nbd-server'](place, image);
  assert((await code(() => openAt(named.uri.replace('/disk?', '/other?')))) !== undefined, 'opened an export that is not there');
  const { uri } = await serveBy(place, 'nbdkit', (socket) => ['-f', '-r', '-U', socket, 'file', image], { name: 'r' });
  assert((await code(() => openAt(uri, { mode: 'r+' }))) === 'EROFS', 'opened a read-only export to write');
  await withDevice(uri, (device) => device.read(Buffer.alloc(512), 0), { mode: 'r' });
  assert((await code(() => openAt(`nbd+unix:///?socket=${place.path('none')}`))) === 'ENOENT', 'nobody there');
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const client = () =>
  judged('our client', lacking(PEERS), async (checks) => {
    for (const [name, start] of Object.entries(SERVERS)) {
      await checks.check(`${name}: the tool's commands`, (place) => commands(place, start));
      await checks.check(`${name}: batches, verified`, (place) => workload(place, storeOf(start), { rounds: 20 }));
      if (!ENDS.has(name)) await checks.check(`${name}: partitions`, (place) => partitions(place, storeOf(start)));
      await checks.check(`${name}: discard, zeroes, extents`, (place) => holes(place, storeOf(start)));
    }
    await checks.check('errors of a server', errors);
    await checks.check('refusals', refusals);
  });
