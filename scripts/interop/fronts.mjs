// nbdkit in front of our server: filters that ask in other sizes, again, or for more; and TLS, which ours leaves to a front.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { assert, judged, lacking, listening, until } from '../foreign/checks.mjs';
import { freePort, serve, serveBy } from '../foreign/server.mjs';
import { makeCertificates, makeKeys } from './tls.mjs';

const NEEDS = {
  nbdkit: 'nbdkit',
  nbdcopy: 'libnbd-bin',
  'qemu-io': 'qemu-utils',
  psktool: 'gnutls-bin',
  certtool: 'gnutls-bin',
};
const SIZE = 32 * 1024 * 1024;
const sum = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Our server over an image of random bytes, and nbdkit with these filters before it. */
async function behind(place, filters, { options = [], args = [] } = {}) {
  const image = place.path('disk');
  writeFileSync(image, randomBytes(SIZE));
  const { socket } = await serve(place, ['--writable', image]);
  const kit = (unix) => [
    '-f',
    '-U',
    unix,
    ...options,
    ...filters.map((filter) => `--filter=${filter}`),
    'nbd',
    `socket=${socket}`,
    ...args,
  ];
  const { uri } = await serveBy(place, 'nbdkit', kit, { name: 'front' });
  return { image, uri };
}

/** Copies through the front, both ways, and compares. */
async function throughFront(place, { image, uri }) {
  await place.run('nbdcopy', [uri, place.path('copy')]);
  assert(sum(readFileSync(place.path('copy'))) === sum(readFileSync(image)), 'read other bytes');
  const fresh = randomBytes(SIZE);
  writeFileSync(place.path('fresh'), fresh);
  await place.run('nbdcopy', ['--flush', place.path('fresh'), uri]);
  assert(sum(readFileSync(image)) === sum(fresh), 'wrote other bytes');
}

const FILTERS = {
  'no filter, one connection a client': [[], []],
  'shared: one connection for all clients': [[], ['shared=true']],
  'retry, blocksize, cache': [['retry', 'blocksize', 'cache'], ['shared=true']],
  'blocksize of 64 KiB, no larger than 128 KiB': [['blocksize'], ['minblock=64k', 'maxdata=128k']],
  'without extents and zeroes': [['noextents', 'nozero'], []],
  readahead: [['readahead'], []],
  'multi-conn, a flush to all connections': [['multi-conn'], ['multi-conn-mode=emulate']],
};

async function tlsFront(place, options, uriOf) {
  const image = place.path('disk');
  writeFileSync(image, randomBytes(SIZE));
  const { socket } = await serve(place, ['--writable', image]);
  const port = await freePort();
  place.start('nbdkit', ['-f', '-i', '127.0.0.1', '-p', String(port), '--tls=require', ...options, 'nbd', `socket=${socket}`]);
  const uri = uriOf(port);
  await until(() => listening(port), 'nbdkit');
  await throughFront(place, { image, uri });
  // Without TLS nobody gets in.
  await place.run('nbdinfo', ['--size', `nbd://127.0.0.1:${port}`], { status: 1 });
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const fronts = () =>
  judged('nbdkit in front', lacking(NEEDS), async (checks) => {
    for (const [name, [filters, args]] of Object.entries(FILTERS)) {
      await checks.check(name, async (place) => throughFront(place, await behind(place, filters, { args })));
    }
    await checks.check('TLS by keys', async (place) => {
      const keys = await makeKeys(place, 'alice');
      await tlsFront(place, [`--tls-psk=${keys}`], (port) => `nbds://alice@127.0.0.1:${port}/?tls-psk-file=${keys}`);
    });
    await checks.check('TLS by certificates', async (place) => {
      const folder = await makeCertificates(place);
      await tlsFront(place, [`--tls-certificates=${folder}`], (port) => `nbds://localhost:${port}/?tls-certificates=${folder}`);
    });
  });
