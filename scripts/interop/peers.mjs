// Servers of other people's for our client: each is started over an image, by a way of its own.
import { existsSync, writeFileSync } from 'node:fs';
import { listening, until } from '../foreign/checks.mjs';
import { freePort, serveBy } from '../foreign/server.mjs';

/** The programs, and Debian's packages. */
export const PEERS = { nbdkit: 'nbdkit', 'qemu-nbd': 'qemu-utils', 'nbd-server': 'nbd-server' };

const kit = (place, args) => serveBy(place, 'nbdkit', (socket) => ['-f', '-U', socket, ...args]);

/** nbd-server 3.24 has simple replies only, no block status, and no export without a name. */
async function nbdServer(place, image) {
  const port = await freePort();
  const socket = place.path('peer');
  const lines = ['[generic]', `unixsock = ${socket}`, 'listenaddr = 127.0.0.1', `port = ${port}`, 'allowlist = true'];
  const own = ['[disk]', `exportname = ${image}`, 'flush = true', 'fua = true', 'trim = true'];
  writeFileSync(place.path('config'), [...lines, ...own, ''].join('\n'));
  // In the foreground it would serve one client only.
  const pidFile = place.path('pid');
  place.endsToo(pidFile);
  await place.run('nbd-server', ['-C', place.path('config'), '-p', pidFile]);
  await until(() => existsSync(pidFile) && listening(socket), 'nbd-server');
  return { uri: `nbd+unix:///disk?socket=${socket}` };
}

async function overTcp(place, image) {
  const port = await freePort();
  const server = place.start('nbdkit', ['-f', '-i', '127.0.0.1', '-p', String(port), 'file', image]);
  await until(() => listening(port), 'nbdkit');
  return { uri: `nbd://127.0.0.1:${port}`, process: server };
}

const qemu = (place, image, ...args) =>
  serveBy(place, 'qemu-nbd', (socket) => [
    '-f',
    'raw',
    '--persistent',
    '--socket',
    socket,
    '--discard=unmap',
    '--shared=8',
    ...args,
    image,
  ]);

/** What starts each: `(place, image) => { uri, process }`. */
export const SERVERS = {
  'qemu-nbd': (place, image) => qemu(place, image, '-x', ''),
  'qemu-nbd, io_uring, an export with a name': async (place, image) => {
    const served = await qemu(place, image, '--aio=io_uring', '--cache=none', '-x', 'a disk/é');
    return { ...served, uri: served.uri.replace('?', `${encodeURIComponent('a disk/é')}?`) };
  },
  'nbdkit file': (place, image) => kit(place, ['file', image]),
  'nbdkit file over TCP': overTcp,
  'nbdkit file, no block status, no zeroes': (place, image) =>
    kit(place, ['--filter=noextents', '--filter=nozero', '--filter=nocache', 'file', image]),
  'nbdkit file, simple replies': (place, image) => kit(place, ['--no-sr', 'file', image]),
  'nbdkit file, FUA made of flushes': (place, image) => kit(place, ['--filter=fua', 'file', image, 'fuamode=emulate']),
  'nbdkit file, one connection, one request at a time': (place, image) =>
    kit(place, ['--filter=noparallel', '--filter=limit', 'file', image, 'serialize=requests', 'limit=1']),
  'nbdkit file, blocks of 64 KiB and no other': (place, image) =>
    kit(place, [
      '--filter=blocksize-policy',
      'file',
      image,
      'blocksize-minimum=64k',
      'blocksize-preferred=64k',
      'blocksize-maximum=256k',
      'blocksize-error-policy=error',
    ]),
  'nbdkit file, blocks of 4 KiB, up to 64 KiB': (place, image) =>
    kit(place, [
      '--filter=blocksize-policy',
      'file',
      image,
      'blocksize-minimum=4k',
      'blocksize-preferred=4k',
      'blocksize-maximum=64k',
      'blocksize-error-policy=error',
    ]),
  'nbdkit file, slow': (place, image) => kit(place, ['--filter=delay', 'file', image, 'rdelay=2ms', 'wdelay=3ms']),
  'nbdkit file, ends behind its last client': (place, image) => kit(place, ['--filter=exitlast', 'file', image]),
  'nbd-server': nbdServer,
};

/** Those that end when a client has gone. */
export const ENDS = new Set(['nbdkit file, ends behind its last client']);
