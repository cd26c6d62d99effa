// Exports of foreign NBD servers as disks: what works on a file works on them, and other clients see the same bytes.
import { describe, expect, test } from '@jest/globals';
import { BATCH_FLUSH, BATCH_READ, BATCH_WRITE, BATCH_ZEROES, open, openSync } from 'rumpblk';
import { copy } from 'rumpblk/copy';
import { memory } from 'rumpblk/media';
import { nbd } from 'rumpblk/nbd';
import { openOverlay } from 'rumpblk/overlay';
import { cli } from '../support/cli';
import { failure, refusal } from '../support/failure';
import { lateDisk } from '../support/late';
import { NBD_SERVER, NBDKIT, nbdkit, nbdServer, newSocket, QEMU_NBD, qemuNbd, type ForeignServer } from '../support/nbd-servers';
import { testWith } from '../support/peers';
import { img } from '../support/qemu-img';
import { all } from '../support/overlays';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { serving, until } from '../support/serving';

const bench = rig();
const serve = serving(bench);
const SIZE = 4 * MiB;
const kit = (...args: string[]): Promise<ForeignServer> => nbdkit(newSocket(bench), ...args);
const COARSE = ['blocksize-minimum=65536', 'blocksize-preferred=65536', 'blocksize-maximum=131072', 'blocksize-error-policy=error'];

const SERVERS: [name: string, needs: typeof NBDKIT, exportName: string, start: () => Promise<ForeignServer>][] = [
  ['nbdkit in memory', NBDKIT, '', () => kit('memory', String(SIZE))],
  ['nbdkit with blocks of 64 KiB', NBDKIT, '', () => kit('--filter=blocksize-policy', 'memory', String(SIZE), ...COARSE)],
  ['nbdkit that answers late', NBDKIT, '', () => kit('--filter=delay', 'memory', String(SIZE), 'rdelay=5ms', 'wdelay=2ms')],
  ['nbdkit without structured replies', NBDKIT, '', () => kit('--no-sr', 'memory', String(SIZE))],
  ['qemu-nbd', QEMU_NBD, 'disk', () => qemuNbd(newSocket(bench), bench.sparse(SIZE), '-x', 'disk')],
  ['nbd-server', NBD_SERVER, 'disk', () => nbdServer(newSocket(bench), bench.sparse(SIZE))],
];

describe.each(SERVERS)('%s', (_, needs, exportName, start) => {
  const when = testWith(...needs);

  when('bytes written are read, at every alignment, and seen by another device', async () => {
    const server = await start();
    const url = server.url(exportName);
    const model = Buffer.alloc(SIZE);
    const device = await open(url, { mode: 'r+' });
    expect(device.size).toBe(SIZE);
    const steps = [
      [0, 1],
      [511, 4098],
      [65_535, 2],
      [100_000, 300_000],
      [SIZE - 1, 1],
      [MiB, MiB],
    ] as const;
    for (const [i, [position, length]] of steps.entries()) {
      const bytes = pattern(length, i + 1);
      await device.write(bytes, position, { fua: i % 2 === 0 });
      bytes.copy(model, position);
    }
    expect(await device.writeZeroes(150_001, 70_000)).toEqual({ bytesWritten: 70_000 });
    model.fill(0, 150_001, 220_001);
    await device.flush();
    const back = Buffer.alloc(SIZE);
    device.readSync(back, 0);
    expect(back.equals(model)).toBe(true);
    for await (const { position, length, type } of device.extents()) {
      if (type !== 'data') expect(model.subarray(position, position + length).every((byte) => byte === 0)).toBe(true);
    }
    await device.discard(2 * MiB, MiB);
    device.prefetch(0, MiB);
    await device.close();
    const other = await open(nbd(url));
    await other.read(back, 0);
    expect(back.subarray(0, 2 * MiB).equals(model.subarray(0, 2 * MiB))).toBe(true);
    await other.close();
    await server.kill();
  });

  when('sixty-four promises, a batch, and one minor for what is registered twice', async () => {
    const server = await start();
    const medium = nbd(server.url(exportName), { connections: 4 });
    const driver = bench.driver();
    const minor = await driver.register(medium);
    expect(await driver.register(server.url(exportName))).toBe(minor);
    expect(driver.minors()[0]).toMatchObject({ source: 'nbd', type: 'block', size: SIZE });
    const device = await driver.open(minor, { mode: 'r+' });
    const data = pattern(64 * 4 * KiB);
    await Promise.all(Array.from({ length: 64 }, (_x, i) => device.write(data.subarray(i * 4096, (i + 1) * 4096), i * 4096)));
    const batch = device.createBatch({ depth: 64, arena: 64 * 4 * KiB });
    for (let i = 0; i < 64; i += 1) {
      batch.op[i] = BATCH_READ;
      batch.blkno[i] = i * 8;
      batch.bcount[i] = 4096;
      batch.offset[i] = i * 4096;
    }
    await batch.run(64);
    expect(Buffer.from(batch.arena).equals(data)).toBe(true);
    await device.close();
    driver.close();
    await server.kill();
  });
});

testWith(...QEMU_NBD)('the command takes a URL wherever it takes a file, and QEMU sees what it has copied', async () => {
  const image = bench.image(pattern(SIZE, 5));
  const server = await qemuNbd(newSocket(bench), bench.sparse(SIZE));
  const url = server.url().href;
  const lines = [
    ['copy', image, url],
    ['compare', image, url],
    ['map', url],
    ['info', url],
    ['write', url, '-i', image, '--length', '4096'],
    ['read', url, '--position', '4096', '--length', '8192', '-o', bench.path('part')],
    ['copy', url, bench.path('back.img')],
  ];
  for (const line of lines) expect(await cli(line)).toMatchObject({ status: 0 });
  img('compare', '-f', 'raw', '-F', 'raw', image, `nbd+unix:///?socket=${server.socket}`);
  img('compare', '-f', 'raw', '-F', 'raw', image, bench.path('back.img'));
  await server.kill();
});

testWith(...QEMU_NBD)('images, overlays, tracks and copies lie on an export as on a file', async () => {
  const raw = bench.image(pattern(SIZE, 6));
  const qcow2 = bench.path('inner.qcow2');
  img('convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2);
  const server = await qemuNbd(newSocket(bench), qcow2);
  const inner = await open(server.url(), { format: 'qcow2', mode: 'r+' });
  const back = Buffer.alloc(SIZE);
  await inner.read(back, 0);
  expect(back.equals(pattern(SIZE, 6))).toBe(true);
  await inner.write(pattern(4096, 7), 8192);
  await inner.close();
  const overlay = await openOverlay(server.url(), { changes: 'memory' });
  const changes = overlay.track();
  await overlay.write(Buffer.from('changed'), 4096);
  expect(changes.count).toBeGreaterThan(0);
  await overlay.close();
  const whole = await open(server.url());
  const { size } = whole;
  await whole.close();
  expect(await copy(server.url(), memory({ size }), { verify: true })).toMatchObject({ verified: true });
  await server.kill();
  img('check', '-f', 'qcow2', qcow2);
});

testWith(...NBDKIT)('a server that lets nobody write is read; writing is EROFS', async () => {
  const server = await kit('-r', 'memory', String(SIZE));
  expect((await failure(() => open(server.url(), { mode: 'r+' }), 'EROFS')).message).toContain('offers the export to be read alone');
  const device = openSync(server.url());
  expect(device.readSync(Buffer.alloc(512), 0)).toBe(512);
  device.closeSync();
  await server.kill();
});

testWith(...NBDKIT)('errors of a server are those of the request', async () => {
  const server = await kit('--filter=error', 'memory', String(SIZE), 'error-pwrite=ENOSPC', 'error-pread=EIO', 'error-rate=100%');
  const device = await open(server.url(), { mode: 'r+' });
  await failure(() => device.read(Buffer.alloc(512), 0), 'EIO');
  await failure(() => device.write(Buffer.alloc(512), 0), 'EIO', 'ENOSPC');
  await device.close();
  await server.kill();
});

// Each of them took a worker until the server had answered: with the server's requests on the same two, for ever.
test('a hundred changes, durable writes and flushes at once, with server and client on two workers of one driver', async () => {
  const driver = bench.driver({ workers: 2 });
  const late = lateDisk(SIZE);
  const minor = await driver.register(late.medium);
  const served = await driver.open(minor, { mode: 'r+' });
  const { server, uri } = await serve(served);
  const model = pattern(SIZE, 3);
  const device = await driver.open(await driver.register(new URL(uri)), { mode: 'r+' });
  await device.write(model, 0);
  late.hold();
  const running: Promise<unknown>[] = [];
  for (let i = 0; i < 100; i += 1) {
    const at = i * 20_000;
    const data = pattern(4000, i);
    running.push(
      device.write(data, at, { fua: true }),
      device.writeZeroes(at + 5000, 3000, { fua: i % 2 === 0 }),
      device.discard(at + 8192, 8192),
    );
    running.push(device.flush());
    data.copy(model, at);
    model.fill(0, at + 5000, at + 8000);
  }
  const batch = device.createBatch({ depth: 64, arena: 64 * 512 });
  batch.arena.fill(9);
  for (let i = 0; i < 64; i += 1) {
    batch.op[i] = i % 8 === 7 ? BATCH_FLUSH : i % 8 === 3 ? BATCH_ZEROES : BATCH_WRITE;
    batch.blkno[i] = 6144 + i;
    batch.bcount[i] = 512;
    batch.offset[i] = i * 512;
    batch.fua[i] = i % 5 === 0 ? 1 : 0;
    if (i % 8 !== 7) model.fill(i % 8 === 3 ? 0 : 9, (6144 + i) * 512, (6145 + i) * 512);
  }
  running.push(batch.run(64).then((count) => expect(count).toBe(64)));
  // As many as our server takes from one connection at once; more than there are workers in any case.
  await until(() => late.underWay > 100);
  late.release();
  await Promise.all(running);
  const got = Buffer.alloc(SIZE);
  await device.read(got, 0);
  for (let i = 0; i < 100; i += 1) {
    const [at, upto] = [Math.ceil((i * 20_000 + 8192) / 4096) * 4096, Math.floor((i * 20_000 + 16_384) / 4096) * 4096];
    // Discarded: as before or zeros.
    got.copy(model, at, at, upto);
  }
  expect(got.equals(model)).toBe(true);
  await device.close();
  await server.close();
  await served.close();
});

test('a server that is not there', async () => {
  await failure(() => open(new URL(`nbd+unix:///?socket=${newSocket(bench)}`)), 'ENOENT');
  await failure(() => openSync(new URL('nbd://127.0.0.1:1/')), 'ECONNREFUSED');
});

testWith(...QEMU_NBD)('an export that a server does not have is ENOENT', async () => {
  const server = await qemuNbd(newSocket(bench), bench.sparse(SIZE), '-x', 'disk');
  const error = await failure(() => open(server.url('other')), 'ENOENT');
  expect(error.message).toContain('no export of that name');
  await server.kill();
});

test('URLs that say too much or too little', async () => {
  const refused = [
    'nbds://host/',
    'nbds+unix:///?socket=/s',
    'nbd+vsock://2/',
    'nbd://user@host/',
    'nbd://host/#x',
    'nbd://host/?size=1',
    'nbd://host/?tls-certificates=/x',
    'nbd://host/?socket=/s',
    'nbd+unix:///',
    'nbd+unix://host/?socket=/s',
    'nbd+unix:///?socket=/s&socket=/t',
    `nbd+unix:///?socket=/${'x'.repeat(200)}`,
    'nbd://host/%ff',
    'http://host/',
    'disk.img',
  ];
  for (const url of refused) expect([url, await refusal(() => nbd(url))]).toEqual([url, 'ERR_INVALID_ARG_VALUE']);
  expect(nbd('nbd://[::1]/').name).toBe('nbd://[::1]:10809/');
  expect(nbd('nbd+unix:///a%20b?socket=/run/s')).toMatchObject({ kind: 'nbd', size: 0, state: 'closed' });
  expect(() => nbd('nbd://host/', { connections: 0 })).toThrow('options.connections');
  expect(() => nbd('nbd://host/', { timeout: 1 } as object)).toThrow('requestTimeout');
  await expect(open(new URL('nbds://host/'))).rejects.toThrow('TLS');
});

testWith(...NBDKIT)('a closed device leaves no connection; a minor keeps one', async () => {
  const server = await kit('memory', String(SIZE));
  const medium = nbd(server.url());
  const seen: string[] = [];
  medium.on('state', (state) => seen.push(state));
  const device = await open(medium);
  expect(medium).toMatchObject({ size: SIZE, state: 'connected' });
  await device.close();
  expect(medium.state).toBe('closed');
  const driver = bench.driver();
  const minor = await driver.register(medium);
  expect(medium.state).toBe('connected');
  driver.deregister(minor);
  expect(medium.stats()).toMatchObject({ state: 'closed', losses: 0, reconnects: 0 });
  await server.kill();
  expect(seen).toEqual(['connected', 'closed', 'connected', 'closed']);
});

testWith(...NBDKIT)('rumpblk bench writes over an export with --overwrite only', async () => {
  const server = await kit('memory', String(SIZE));
  const words = ['bench', server.url('').href, '--rw', 'write', '--loops', '1', '--bs', '64k', '--json'];
  expect(await cli(words)).toMatchObject({ status: 2, stderr: expect.stringMatching(/would write over 'nbd\+unix:.*--overwrite allows/) });
  const seen = await open(server.url(''));
  expect(all(seen).equals(Buffer.alloc(SIZE))).toBe(true);
  await seen.close();
  expect(await cli([...words, '--overwrite'])).toMatchObject({ status: 0 });
});
