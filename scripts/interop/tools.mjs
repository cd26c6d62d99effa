// The clients that people have, against our server: nbdcopy, nbdinfo, qemu-img, qemu-io, fio, nbd-client.
import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { assert, judged, lacking, until } from '../foreign/checks.mjs';
import { freePort, serve, serveProgram } from '../foreign/server.mjs';

const NEEDS = { nbdcopy: 'libnbd-bin', nbdinfo: 'libnbd-bin', 'qemu-img': 'qemu-utils', 'qemu-io': 'qemu-utils', fio: 'fio' };
const MiB = 1024 * 1024;
const SIZE = 64 * MiB;

/** Random bytes at 0 for 1 MiB, at 17 MiB for 3 MiB and 77 bytes, and in the last 4 KiB; holes between. @returns all of it */
function fill(file) {
  const pieces = [
    [0, MiB],
    [17 * MiB, 3 * MiB + 77],
    [SIZE - 4096, 4096],
  ];
  const bytes = Buffer.alloc(SIZE);
  const fd = openSync(file, 'r+');
  for (const [from, length] of pieces) {
    randomFillSync(bytes, from, length);
    writeSync(fd, bytes, from, length, from);
  }
  closeSync(fd);
  return bytes;
}

const same = (file, bytes) => assert(readFileSync(file).equals(bytes), `${file} has other bytes`);

const io = (uri, ...commands) => ['-t', 'none', '-f', 'raw', ...commands.flatMap((command) => ['-c', command]), uri];

const CHECKS = {
  'nbdcopy out, four connections': async (place) => {
    const image = place.image('disk', SIZE);
    const bytes = fill(image);
    const { uri } = await serve(place, [image]);
    await place.run('nbdcopy', ['--connections=4', uri, place.path('copy')]);
    same(place.path('copy'), bytes);
  },
  'nbdcopy in, and durable': async (place) => {
    const source = place.image('source', SIZE);
    const bytes = fill(source);
    const image = place.image('disk', SIZE);
    const { uri } = await serve(place, ['--writable', image]);
    await place.run('nbdcopy', ['--flush', source, uri]);
    same(image, bytes);
  },
  'nbdcopy over TCP': async (place) => {
    const image = place.image('disk', SIZE);
    const bytes = fill(image);
    const { uri } = await serve(place, [image], { port: await freePort() });
    await place.run('nbdcopy', [uri, place.path('copy')]);
    same(place.path('copy'), bytes);
  },
  'nbdcopy starts it by socket activation': async (place) => {
    const image = place.image('disk', SIZE);
    const bytes = fill(image);
    await place.run('nbdcopy', ['--', '[', serveProgram(), image, ']', place.path('copy')]);
    same(place.path('copy'), bytes);
  },
  'nbdinfo tells size, abilities, read-only': async (place) => {
    const { uri } = await serve(place, [place.image('disk', SIZE)]);
    const { exports } = JSON.parse(await place.run('nbdinfo', ['--json', uri]));
    assert(exports.length === 1 && exports[0]['export-size'] === SIZE, JSON.stringify(exports));
    for (const ability of ['flush', 'multi-conn', 'df', 'cache']) await place.run('nbdinfo', ['--can', ability, uri]);
    await place.run('nbdinfo', ['--is', 'read-only', uri]);
    await place.run('nbdinfo', ['--can', 'write', uri], { status: 2 });
    await place.run('nbdinfo', ['--can', 'trim', uri], { status: 2 });
    const writable = await serve(place, ['--writable', place.image('other', SIZE)], { name: 'w' });
    for (const ability of ['write', 'trim', 'zero', 'flush', 'fua']) await place.run('nbdinfo', ['--can', ability, writable.uri]);
    await place.run('nbdinfo', ['--is', 'read-only', writable.uri], { status: 2 });
  },
  'nbdinfo lists exports, and no other is there': async (place) => {
    const { socket } = await serve(place, ['--export', `one=${place.image('1', SIZE)}`, '--export', `two=${place.image('2', MiB)}`]);
    const { exports } = JSON.parse(await place.run('nbdinfo', ['--list', '--json', `nbd+unix:///?socket=${socket}`]));
    const sizes = exports.map((each) => `${each['export-name']} ${each['export-size']}`).sort();
    assert(sizes.join() === `one ${SIZE},two ${MiB}`, sizes.join());
    await place.run('nbdinfo', [`nbd+unix:///three?socket=${socket}`], { status: 1 });
    await place.run('nbdinfo', [`nbd+unix:///..%2F1?socket=${socket}`], { status: 1 });
  },
  'nbdinfo --map tells the holes': async (place) => {
    const image = place.image('disk', SIZE);
    fill(image);
    const { uri } = await serve(place, [image]);
    const map = JSON.parse(await place.run('nbdinfo', ['--map', '--json', uri]));
    const holes = map.filter(({ type }) => type === 3).reduce((sum, { length }) => sum + length, 0);
    assert(map.reduce((sum, { length }) => sum + length, 0) === SIZE, 'the map has gaps');
    assert(holes >= SIZE - 6 * MiB && holes < SIZE - 4 * MiB, `${holes} bytes of holes`);
  },
  'qemu-img compare, map, convert both ways': async (place) => {
    const image = place.image('disk', SIZE);
    const bytes = fill(image);
    const { uri } = await serve(place, [image]);
    await place.run('qemu-img', ['compare', '-U', '-f', 'raw', '-F', 'raw', image, uri]);
    const map = JSON.parse(await place.run('qemu-img', ['map', '--output=json', '-f', 'raw', uri]));
    assert(map.some(({ zero, data }) => zero && !data) && map.some(({ data }) => data), JSON.stringify(map));
    await place.run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', uri, place.path('copy.qcow2')]);
    const back = place.image('back', SIZE);
    const writable = await serve(place, ['--writable', back], { name: 'w' });
    await place.run('qemu-img', ['convert', '-n', '-f', 'qcow2', '-O', 'raw', place.path('copy.qcow2'), writable.uri]);
    same(back, bytes);
  },
  'qemu-img bench, reads and writes': async (place) => {
    const { uri } = await serve(place, ['--writable', place.image('disk', SIZE)]);
    await place.run('qemu-img', ['bench', '-f', 'raw', '-c', '20000', '-d', '64', '-s', '4096', uri]);
    await place.run('qemu-img', ['bench', '-f', 'raw', '-w', '-c', '5000', '-d', '32', '-s', '4096', '--flush-interval=100', uri]);
  },
  'qemu-io write zeroes, discard, FUA, flush, aio': async (place) => {
    const image = place.image('disk', SIZE);
    writeFileSync(image, Buffer.alloc(SIZE, 1));
    const { uri } = await serve(place, ['--writable', image]);
    const commands = ['write -z -u 0 4M', 'write -z 4M 64k', 'write -z 4259841 511', 'discard 8M 4M', 'write -f -P 7 20M 1M', 'flush'];
    const aio = ['aio_write -P 9 30M 64k', 'aio_write -P 10 31M 64k', 'aio_read -P 7 20M 1M', 'aio_flush'];
    const output = await place.run('qemu-io', io(uri, ...commands, ...aio, 'read -P 0 0 4M', 'read -P 9 30M 64k', 'read -P 1 40M 1M'));
    assert(!/verification failed|rror/.test(output), output);
    const bytes = readFileSync(image);
    const all = (from, length, value) =>
      assert(
        bytes.subarray(from, from + length).every((byte) => byte === value),
        `at ${from}`,
      );
    all(0, 4 * MiB + 64 * 1024, 0);
    all(4_259_841, 511, 0);
    all(4_259_841 + 511, 1000, 1);
    all(20 * MiB, MiB, 7);
    all(31 * MiB, 65_536, 10);
    all(60 * MiB, 4 * MiB, 1);
  },
  'qemu-io cannot write what is read-only': async (place) => {
    const image = place.image('disk', SIZE);
    const { uri } = await serve(place, [image]);
    await place.run('qemu-io', io(uri, 'write 0 4k'), { status: 1 });
    same(image, Buffer.alloc(SIZE));
  },
  'fio, random writes verified by crc32c': async (place) => {
    const { uri } = await serve(place, ['--writable', place.image('disk', SIZE)]);
    const job = ['--name=verify', '--ioengine=nbd', `--uri=${uri}`, '--rw=randwrite', '--bs=4k', '--iodepth=32', `--size=${SIZE}`];
    await place.run('fio', [...job, '--verify=crc32c', '--verify_fatal=1', '--output=fio.txt']);
    assert(/err= 0/.test(readFileSync(place.path('fio.txt'), 'utf8')), readFileSync(place.path('fio.txt'), 'utf8'));
  },
  'fio, a mix of sizes on four connections': async (place) => {
    const { uri } = await serve(place, ['--writable', place.image('disk', SIZE)]);
    const job = ['--name=mix', '--ioengine=nbd', `--uri=${uri}`, '--rw=randrw', '--bsrange=512-256k', '--iodepth=16', '--numjobs=4'];
    const own = [`--size=${SIZE / 4}`, '--offset_increment=16M', '--fsync=32', '--verify=crc32c', '--verify_fatal=1', '--output=fio.txt'];
    await place.run('fio', [...job, ...own, '--thread']);
  },
  '--fork and --pid-file, and SIGTERM ends it': async (place) => {
    const image = place.image('disk', SIZE);
    await place.run(serveProgram(), ['--fork', '--pid-file', place.path('pid'), '--socket', place.path('s'), image]);
    const told = () => (existsSync(place.path('pid')) ? readFileSync(place.path('pid'), 'utf8') : '');
    await until(() => told().endsWith('\n'), 'its number');
    const pid = Number(told());
    try {
      await place.run('nbdinfo', ['--size', `nbd+unix:///?socket=${place.path('s')}`]);
    } finally {
      process.kill(pid, 'SIGTERM');
    }
    await until(() => !alive(pid), 'its end');
  },
  'SIGTERM: exit 0': async (place) => {
    const { process: server } = await serve(place, [place.image('disk', SIZE)]);
    const ended = await server.stop('SIGTERM');
    assert(ended === 0, `ended with ${ended}\n${server.text}`);
  },
};

function alive(pid) {
  try {
    // A zombie has ended too.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const tools = () =>
  judged('clients', lacking(NEEDS), async (checks) => {
    for (const [name, action] of Object.entries(CHECKS)) await checks.check(name, action);
  });
