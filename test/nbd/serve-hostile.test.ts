// Clients that a server must bear: that never read, that leave in the middle, that are too many; and what ends under it.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { open } from 'rumpblk';
import { memory, nullMedium } from 'rumpblk/media';
import { reportsFrom, startChild } from '../support/child';
import { lateDisk } from '../support/late';
import { COMMAND, ERROR, request, WireClient } from '../support/nbd-wire';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { serving, until } from '../support/serving';

const bench = rig();
const serve = serving(bench);
const content = pattern(4 * MiB);

/** Threads and descriptors of this process. */
const held = (): [threads: number, descriptors: number] => [
  readdirSync('/proc/self/task').length,
  readdirSync('/proc/self/fd').filter((fd) => !fd.startsWith('.')).length,
];
const residentKiB = (): number => Number(/^VmRSS:\s+([0-9]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
const reads = (count: number, length: number): Buffer =>
  Buffer.concat(
    Array.from({ length: count }, (_, cookie) => request({ command: COMMAND.read, cookie, offset: (cookie * 4096) % MiB, length })),
  );

test.each([64 * KiB, MiB, 4 * MiB])('one that never reads %i bytes each keeps a bounded memory, and others go on', async (length) => {
  const { server, socket } = await serve(bench.keep(await open(memory({ size: 256 * MiB }), { mode: 'r+' })));
  const deaf: WireClient[] = [];
  for (let i = 0; i < 8; i += 1) {
    const client = await WireClient.ready(socket);
    client.socket.pause();
    deaf.push(client);
  }
  const before = residentKiB();
  for (const client of deaf) client.send(reads(20_000, length));
  const good = await WireClient.ready(socket);
  for (let i = 0; i < 2000; i += 1) expect((await good.do({ command: COMMAND.read, offset: 512 * i, length: 512 })).error).toBe(0);
  expect(server.connections).toBe(9);
  // 8 clients at less than 8 MiB each and one payload, and what this process itself has queued for its sockets.
  expect(residentKiB() - before).toBeLessThan((8 * (8 * MiB + length)) / KiB + (8 * 20_000 * 28 * 2) / KiB + 32 * KiB);
  for (const client of deaf) client.close();
  await until(() => server.connections === 1);
  good.close();
});

test('payloads of 64 MiB that never come whole cost nothing but what has come', async () => {
  const { server, socket } = await serve(bench.keep(await open(nullMedium({ size: 256 * MiB }), { mode: 'r+' })));
  const before = residentKiB();
  const clients: WireClient[] = [];
  for (let i = 0; i < 16; i += 1) {
    const client = await WireClient.ready(socket);
    client.send(request({ command: COMMAND.write, length: 64 * MiB }), Buffer.alloc(70_000));
    clients.push(client);
  }
  const good = await WireClient.ready(socket);
  expect((await good.do({ command: COMMAND.write, data: Buffer.alloc(2 * MiB) })).error).toBe(0);
  expect(residentKiB() - before).toBeLessThan(64 * KiB);
  for (const client of [...clients, good]) client.close();
  await until(() => server.connections === 0);
});

test('half-closed: all that was asked is answered, then the connection ends', async () => {
  const { socket } = await serve(bench.device(bench.image(content), { mode: 'r+' }));
  const client = await WireClient.ready(socket);
  client.send(reads(500, 4096), request({ command: COMMAND.flush, cookie: 500 }), request({ command: COMMAND.read }).subarray(0, 10));
  client.socket.end();
  const sizes = new Map(Array.from({ length: 500 }, (_, cookie) => [cookie, 4096]));
  for (let i = 0; i <= 500; i += 1) expect((await client.reply(sizes)).error).toBe(0);
  expect(await client.end()).toHaveLength(0);
});

test('a hundred connections: as many as there may be are served, the others cut off, and places are given again', async () => {
  const { server, socket } = await serve(bench.device(bench.image(content)), { maxConnections: 64, writable: false });
  const before = held();
  const all = await Promise.all(Array.from({ length: 100 }, () => WireClient.connect(socket)));
  const greeted = await Promise.all(all.map(async (client) => (await client.take(18)).length === 18));
  expect(greeted.filter(Boolean)).toHaveLength(64);
  expect(server.connections).toBe(64);
  for (const client of all) client.close();
  await until(() => server.connections === 0);
  const late = await WireClient.ready(socket);
  expect((await late.do({ command: COMMAND.read, length: 4 })).data).toEqual(content.subarray(0, 4));
  late.close();
  await until(() => server.connections === 0 && held()[0] <= before[0] + 1 && held()[1] <= before[1]);
});

test('a flood of connections that leave at each step leaves nothing behind', async () => {
  const { server, socket } = await serve(bench.device(bench.image(content), { mode: 'r+' }));
  const before = held();
  for (let round = 0; round < 40; round += 1) {
    const some = await Promise.all([
      WireClient.connect(socket),
      WireClient.greeted(socket),
      WireClient.ready(socket),
      WireClient.ready(socket),
      WireClient.ready(socket),
    ]);
    some[3].send(reads(200, 64 * KiB));
    some[4].send(request({ command: COMMAND.write, length: 3 * MiB }), Buffer.alloc(MiB));
    await new Promise(setImmediate);
    for (const client of some) client.close();
  }
  await until(() => server.connections === 0 && held()[0] <= before[0] && held()[1] <= before[1]);
});

test('one that leaves with requests under way: they end, the device stays well, and another client reads it', async () => {
  const late = lateDisk(4 * MiB, { held: true });
  const device = bench.keep(await open(late.medium, { mode: 'r+' }));
  const { server, socket } = await serve(device);
  const client = await WireClient.ready(socket);
  client.send(reads(50, 4096), request({ command: COMMAND.write, data: pattern(300_000) }));
  await until(() => late.underWay === 51);
  client.close();
  const other = await WireClient.ready(socket);
  expect(server.connections).toBe(2);
  late.release();
  await until(() => server.connections === 1);
  expect((await other.do({ command: COMMAND.read, length: 4096 })).error).toBe(0);
  other.close();
});

test('a device that is closed while it is served: what is under way ends, then it is ESHUTDOWN; closeSync() is EBUSY', async () => {
  const late = lateDisk(4 * MiB, { held: true });
  const device = await open(late.medium, { mode: 'r+' });
  const { server, socket } = await serve(device);
  const client = await WireClient.ready(socket);
  expect(() => device.closeSync()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  client.send(reads(3, 4096));
  await until(() => late.underWay === 3);
  const closing = device.close();
  expect((await client.do({ command: COMMAND.read, cookie: 9, offset: 0, length: 0 })).cookie).toBe(9);
  expect((await client.do({ command: COMMAND.flush, cookie: 10 })).error).toBe(ERROR.shutdown);
  late.release();
  const sizes = new Map([0, 1, 2].map((cookie) => [cookie, 4096]));
  for (let i = 0; i < 3; i += 1) expect((await client.reply(sizes)).error).toBe(0);
  await closing;
  expect(device.closed).toBe(true);
  expect((await client.do({ command: COMMAND.read, length: 4096 })).error).toBe(ERROR.shutdown);
  expect(server.connections).toBe(1);
  client.close();
});

test('one that never reads keeps neither a device nor the server from closing', async () => {
  const device = await open(memory({ size: 4 * MiB }), { mode: 'r+' });
  const { server, socket } = await serve(device);
  const client = await WireClient.ready(socket);
  client.socket.pause();
  // Zeros and flushes go through the queue: their answers have no room in the end, and they are over all the same.
  client.send(reads(400, 64 * KiB), ...Array.from({ length: 50 }, () => request({ command: COMMAND.flush })));
  await until(() => server.stats().requests > 0);
  await device.close();
  await server.close();
  client.close();
});

test('close: what is under way is answered, the path is gone, and a drain lets clients go by themselves', async () => {
  const late = lateDisk(4 * MiB, { held: true });
  const device = bench.keep(await open(late.medium, { mode: 'r+' }));
  const { server, socket } = await serve(device);
  const [one, two] = [await WireClient.ready(socket), await WireClient.ready(socket)];
  one.send(reads(3, 4096));
  await until(() => late.underWay === 3);
  const closed = server.close({ drain: 60_000 });
  await until(() => !readdirSync(bench.path('.')).includes(socket.split('/').pop()!));
  expect((await two.do({ command: COMMAND.read, length: 4096 })).error).toBe(ERROR.shutdown);
  late.release();
  const sizes = new Map([0, 1, 2].map((cookie) => [cookie, 4096]));
  for (let i = 0; i < 3; i += 1) expect((await one.reply(sizes)).error).toBe(0);
  one.close();
  two.send(request({ command: COMMAND.disconnect }));
  await closed;
  expect(server.stats()).toMatchObject({ requests: 4, errors: 1 });
  expect(() => statSync(socket)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  await server.close();
  // Open still, and free to be closed at once.
  device.readSync(Buffer.alloc(512), 0);
  device.closeSync();
});

test('an event loop that is blocked holds up no client: it counts on', async () => {
  const child = startChild(
    `const { serve } = require('rumpblk/nbd');
     const device = await open(args.image);
     const server = await serve({ exports: { '': device }, socket: args.socket });
     report('ready');
     await new Promise((resolve) => process.stdin.once('data', resolve));
     const before = server.stats().requests;
     // Nothing of JavaScript runs until a thousand requests more were answered.
     while (server.stats().requests < before + 1000) ;
     report(server.stats().requests - before >= 1000);
     await server.close();
     process.stdin.destroy();`,
    { args: { image: bench.image(content), socket: bench.path('blocked') } },
  );
  expect(await child.next()).toBe('ready');
  const client = await WireClient.ready(bench.path('blocked'));
  child.tell('go');
  const answered = child.next();
  const asking = (async () => {
    for (let i = 0; ; i += 1) await client.do({ command: COMMAND.read, offset: (i * 512) % MiB, length: 512 });
  })();
  expect(await answered).toBe(true);
  // It has closed.
  await expect(asking).rejects.toThrow('no simple reply');
  client.close();
  expect((await child.ended).code).toBe(0);
});

test('a process that exits, and a worker thread that ends, with clients connected and requests under way', async () => {
  const script = `
    const { Worker } = require('node:worker_threads');
    const net = require('node:net');
    const worker = new Worker(\`
      const { parentPort, workerData } = require('node:worker_threads');
      const { open } = require('rumpblk');
      const { serve } = require('rumpblk/nbd');
      (async () => {
        const device = await open(workerData.image, { mode: 'r+' });
        await serve({ exports: { '': { device, writable: true } }, socket: workerData.socket });
        parentPort.postMessage('ready');
      })();\`, { eval: true, workerData: { image: args.image, socket: args.inWorker } });
    await new Promise((resolve) => worker.once('message', resolve));
    const { serve } = require('rumpblk/nbd');
    const device = await open(args.other, { mode: 'r+' });
    await serve({ exports: { '': { device, writable: true } }, socket: args.socket });
    report('ready');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    report(await worker.terminate());
    await new Promise((resolve) => process.stdin.once('data', resolve));
    process.exit(7);`;
  const paths = { image: bench.image(content), other: bench.image(content), inWorker: bench.path('worker'), socket: bench.path('main') };
  const child = startChild(script, { args: paths });
  expect(await child.next()).toBe('ready');
  const flooded = async (at: string): Promise<WireClient> => {
    const client = await WireClient.ready(at);
    client.send(reads(1000, 64 * KiB), request({ command: COMMAND.write, data: pattern(2 * MiB) }));
    await client.take(1);
    return client;
  };
  const first = await flooded(paths.inWorker);
  child.tell('end the worker');
  expect(await child.next()).toBe(1);
  await first.end();
  const second = await flooded(paths.socket);
  child.tell('exit');
  await second.end();
  expect((await child.ended).code).toBe(7);
});

test('an open server keeps the process alive, as one of net does, and a closed one does not', async () => {
  const script = `
    const { serve } = require('rumpblk/nbd');
    const device = await open(args.image);
    const server = await serve({ exports: { disk: device }, port: 0 });
    setTimeout(() => void server.close().then(() => report('closed')), 20).unref();`;
  // The timer alone would not be waited for.
  expect(await reportsFrom(script, { args: { image: bench.image(content) } })).toEqual(['closed']);
});
