// Servers that go away in the middle: what callers are told, and what ends cleanly.
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import net from 'node:net';
import { expect, test } from '@jest/globals';
import { BlockDriver, open } from 'rumpblk';
import { nbd, type NbdState } from 'rumpblk/nbd';
import { reportsFrom, runChild, startChild } from '../support/child';
import { failure } from '../support/failure';
import { cutBehind, NBDKIT, nbdkit, newSocket, type ForeignServer } from '../support/nbd-servers';
import { testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';
import { until } from '../support/serving';

const bench = rig();
const when = testWith(...NBDKIT);
const SIZE = 4 * MiB;

when('a server that is killed: writes under way are uncertain, reads are not, and a new open connects again', async () => {
  const socket = newSocket(bench);
  const slow = ['--filter=delay', 'memory', String(SIZE), 'rdelay=100', 'wdelay=100'];
  const server = await nbdkit(socket, ...slow);
  const medium = nbd(server.url());
  const states: [NbdState, string | undefined][] = [];
  medium.on('state', (state, reason) => states.push([state, reason?.code]));
  const device = await open(medium, { mode: 'r+' });
  const write = device.write(Buffer.alloc(4096, 1), 0);
  const read = device.read(Buffer.alloc(4096), 8192);
  // Both have been sent when a flush behind them has begun to wait; what the server has of them does not matter.
  const [lostWrite, lostRead] = [failure(() => write, 'ENOTCONN'), failure(() => read, 'ENOTCONN')];
  while (medium.stats().connections === 0) await new Promise(setImmediate);
  await new Promise(setImmediate);
  await server.kill();
  expect((await lostWrite).uncertain ?? true).toBe(true);
  expect((await lostRead).uncertain).toBeUndefined();
  expect((await failure(() => device.write(Buffer.alloc(512), 0), 'ENOTCONN')).uncertain).toBeUndefined();
  await device.close();
  const again = await nbdkit(socket, 'memory', String(SIZE));
  const other = await open(medium, { mode: 'r+' });
  await other.write(Buffer.alloc(512), 0);
  await other.close();
  await again.kill();
  expect(states.map(([state]) => state)).toEqual(['connected', 'lost', 'closed', 'connected', 'closed']);
});

when('with reconnect a server may be killed and come back: reads and writes go on, and one flush tells of it', async () => {
  const socket = newSocket(bench);
  let server = await nbdkit(socket, 'memory', String(SIZE));
  const medium = nbd(server.url(), { reconnect: 60_000 });
  const device = await open(medium, { mode: 'r+', cache: 'writeback' });
  await device.write(Buffer.alloc(4096, 1), 0);
  await server.kill();
  const held = [device.read(Buffer.alloc(4096), 0), device.write(Buffer.alloc(4096, 2), 4096)];
  server = await nbdkit(socket, 'memory', String(SIZE));
  await Promise.all(held);
  expect(medium.stats()).toMatchObject({ state: 'connected', losses: 1, reconnects: 1 });
  const error = await failure(() => device.flush(), 'EIO');
  expect(error.message).toContain('may be missing');
  await device.flush();
  await device.write(Buffer.alloc(512), 0);
  await device.flush();
  await device.close();
  await server.kill();
});

when('a connection that is cut at any byte is an error or a success, and never anything else', async () => {
  const server = await nbdkit(newSocket(bench), 'memory', String(SIZE));
  const direct = await open(server.url(), { mode: 'r+' });
  const content = pattern(64 * 1024);
  await direct.write(content, 0);
  await direct.close();
  let most = 0;
  const proxy = await cutBehind(bench, server, () => most);
  let opened = 0;
  let whole = 0;
  for (most = 0; most < 66_200; most += most < 400 ? 7 : 4999) {
    const device = await open(proxy.url).catch((error: unknown) => error as NodeJS.ErrnoException);
    if (device instanceof Error) continue;
    opened += 1;
    const back = Buffer.alloc(content.length);
    const read = await device.read(back, 0).catch((error: unknown) => error as NodeJS.ErrnoException);
    if (read instanceof Error) expect(read.code).toBe('ENOTCONN');
    else {
      whole += 1;
      expect(back.equals(content)).toBe(true);
    }
    await device.close();
  }
  expect(opened).toBeGreaterThan(0);
  expect(whole).toBeLessThan(opened);
  proxy.close();
  await server.kill();
});

/** A server that takes connections and says nothing. */
async function silent(): Promise<{ socket: string; close(): void }> {
  const socket = newSocket(bench);
  const server = net.createServer(() => undefined);
  server.listen(socket);
  await once(server, 'listening');
  return { socket, close: () => server.close() };
}

test('connecting to a server that says nothing ends in time, and does not hold up the event loop', async () => {
  const { socket, close } = await silent();
  const url = new URL(`nbd+unix:///?socket=${socket}`);
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  await failure(() => open(nbd(url, { connectTimeout: 50 })), 'ETIMEDOUT');
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
  close();
});

test('an open of a URL whose server says nothing ends with its signal at once', async () => {
  const { socket, close } = await silent();
  const url = new URL(`nbd+unix:///?socket=${socket}`);
  const control = new AbortController();
  const opening = open(nbd(url, { connectTimeout: 30_000 }), { signal: control.signal });
  setImmediate(() => control.abort(new Error('enough')));
  await expect(opening).rejects.toThrow('enough');
  close();
});

when('an open of a minor whose server is gone ends with its signal at once', async () => {
  const socket = newSocket(bench);
  const first = await nbdkit(socket, 'memory', String(SIZE));
  // Not closed: when native hears of the end of the connection is the system's affair.
  const driver = new BlockDriver();
  const medium = nbd(first.url(), { connectTimeout: 30_000 });
  const minor = await driver.register(medium);
  await first.kill();
  // An open that comes before would go by the connection that there was.
  await until(() => medium.state !== 'connected');
  rmSync(socket, { force: true });
  // Takes the connection, and says nothing.
  const sockets: net.Socket[] = [];
  const mute = net.createServer((taken) => void sockets.push(taken));
  mute.listen(socket);
  await once(mute, 'listening');
  const control = new AbortController();
  const opening = driver.open(minor, { signal: control.signal });
  await until(() => sockets.length > 0);
  control.abort(new Error('enough'));
  await expect(opening).rejects.toThrow('enough');
  for (const taken of sockets) taken.destroy();
  mute.close();
});

test('a process may end while it connects', async () => {
  const { socket, close } = await silent();
  const script = `
    const { open } = require('rumpblk');
    open(new URL('nbd+unix:///?socket=${socket}')).catch(() => {});
    setTimeout(() => process.exit(7), 50);`;
  expect(await runChild(script)).toMatchObject({ code: 7 });
  close();
});

// Requests that nobody answers, then `end`. A server for each of these: nbdkit 1.32 aborts (raw_send_socket) when a client
// that it makes wait goes away.
const unanswered = (server: ForeignServer, end: string): string => `
  const { open } = require('rumpblk');
  const { nbd } = require('rumpblk/nbd');
  (async () => {
    const device = await open(nbd('${server.url().href}'), { mode: 'r+' });
    for (let i = 0; i < 50; i += 1) {
      device.read(Buffer.alloc(4096), i * 4096).catch(() => {});
      device.write(Buffer.alloc(4096), i * 4096).catch(() => {});
    }
    device.flush().catch(() => {});
    ${end}
  })();`;
const slowServer = (): Promise<ForeignServer> =>
  nbdkit(newSocket(bench), '--filter=delay', 'memory', String(SIZE), 'rdelay=600', 'wdelay=600');

when('a process may end with requests under way that nobody answers', async () => {
  const server = await slowServer();
  expect(await runChild(unanswered(server, 'setTimeout(() => process.exit(7), 50);'))).toMatchObject({ code: 7 });
  await server.kill();
});

when('a thread may be terminated with requests under way that nobody answers', async () => {
  const server = await slowServer();
  const going = unanswered(server, "require('node:worker_threads').parentPort.postMessage('going');");
  const script = `
    const { Worker } = require('node:worker_threads');
    const worker = new Worker(${JSON.stringify(going)}, { eval: true });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    report('over');`;
  expect(await reportsFrom(script)).toEqual(['over']);
  await server.kill();
});

test('a thread may be terminated while it connects to a server that never says hello', async () => {
  const socket = newSocket(bench);
  let came: () => void = () => undefined;
  const connects = new Promise<void>((resolve) => (came = resolve));
  const server = net.createServer(() => came());
  server.listen(socket);
  await once(server, 'listening');
  const child = startChild(`
    const { Worker } = require('node:worker_threads');
    const worker = new Worker(\`
      const { open } = require('rumpblk');
      const { nbd } = require('rumpblk/nbd');
      const medium = nbd('nbd+unix:///?socket=${socket}');
      for (let i = 0; i < 3; i += 1) open(medium).catch(() => {});\`, { eval: true });
    worker.on('error', (error) => report(error.message));
    await new Promise((resolve) => process.stdin.once('data', resolve));
    process.stdin.destroy();
    await worker.terminate();
    report('over');`);
  // The server has it, and it waits for a word.
  await connects;
  child.tell('terminate');
  expect(await child.ended).toMatchObject({ code: 0, reports: ['over'] });
  server.close();
});

when('a device closes behind a read that was aborted and that nobody answers', async () => {
  const server = await nbdkit(newSocket(bench), '--filter=delay', 'memory', String(SIZE), 'rdelay=600');
  const device = await open(server.url(), { mode: 'r+' });
  const control = new AbortController();
  const read = device.read(Buffer.alloc(4096), 0, { signal: control.signal });
  control.abort();
  await expect(read).rejects.toMatchObject({ name: 'AbortError' });
  await device.close();
  await server.kill();
});

when('an abort ends a read that is not answered', async () => {
  const server = await nbdkit(newSocket(bench), '--filter=delay', 'memory', String(SIZE), 'rdelay=600');
  const device = await open(server.url());
  const control = new AbortController();
  const read = device.read(Buffer.alloc(4096), 0, { signal: control.signal });
  control.abort();
  await expect(read).rejects.toMatchObject({ name: 'AbortError' });
  await server.kill();
  await device.close();
});
