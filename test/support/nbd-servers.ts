// NBD servers of others, each on a Unix socket of its own, which go when the test file is over.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll } from '@jest/globals';
import { NO_SANITIZER, peer, run } from './peers';
import type { Rig } from './rig';

export const NBDKIT = [peer('nbdkit', 'nbdkit'), NO_SANITIZER];
export const QEMU_NBD = [peer('qemu-nbd', 'qemu-utils'), NO_SANITIZER];
export const NBD_SERVER = [peer('nbd-server', 'nbd-server'), NO_SANITIZER];

export interface ForeignServer {
  readonly socket: string;
  /** Of an export; `''` is the server's default. */
  url(exportName?: string): URL;
  /** Kills it, as a power cut would. */
  kill(): Promise<void>;
}

const running = new Set<ChildProcess>();
/** Files with the numbers of processes. */
const daemons = new Set<string>();
afterAll(async () => {
  for (const pid of daemons) endDaemon(pid);
  await Promise.all([...running].map(end));
});

async function end(child: ChildProcess): Promise<void> {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

let count = 0;

/** A new socket's path in the folder of the test file. */
export const newSocket = (bench: Rig): string => bench.path(`nbd-${++count}.sock`);

/** Starts a program that listens on `socket`; it is there when this resolves. */
async function start(socket: string, program: string, args: readonly string[]): Promise<ForeignServer> {
  rmSync(socket, { force: true });
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  running.add(child);
  while (!existsSync(socket) || !(await answers(socket))) {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${said}`);
    await turn();
  }
  return { ...serverAt(socket), kill: () => end(child) };
}

function serverAt(socket: string): Omit<ForeignServer, 'kill'> {
  return {
    socket,
    url: (exportName = '') => new URL(`nbd+unix:///${encodeURIComponent(exportName)}?socket=${encodeURIComponent(socket)}`),
  };
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socket);
    probe.once('data', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

export function nbdkit(socket: string, ...args: string[]): Promise<ForeignServer> {
  return start(socket, 'nbdkit', ['-f', '-U', socket, ...args]);
}

/** Any number of clients; raw unless told otherwise. */
export function qemuNbd(socket: string, image: string, ...args: string[]): Promise<ForeignServer> {
  return start(socket, 'qemu-nbd', [
    '-t',
    '-e',
    '8',
    '--discard=unmap',
    '-k',
    socket,
    ...(args.includes('-f') ? [] : ['-f', 'raw']),
    ...args,
    image,
  ]);
}

/** Its export is `disk`. It leaves for the background, with a child for each connection. */
export async function nbdServer(socket: string, image: string): Promise<ForeignServer> {
  const [config, pid] = [`${socket}.conf`, `${socket}.pid`];
  writeFileSync(config, `[generic]\nunixsock=${socket}\n[disk]\nexportname=${image}\nflush=true\nfua=true\ntrim=true\n`);
  run('nbd-server', '-C', config, '-p', pid);
  daemons.add(pid);
  while (!existsSync(socket) || !existsSync(pid) || !(await answers(socket))) await turn();
  return { ...serverAt(socket), kill: () => Promise.resolve(endDaemon(pid)) };
}

function endDaemon(pid: string): void {
  if (daemons.delete(pid)) process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL');
}

/** A socket before a server: it hands on `most` bytes of what the server says and cuts each connection then. */
export async function cutBehind(bench: Rig, server: ForeignServer, most: () => number): Promise<{ url: URL; close(): void }> {
  const socket = newSocket(bench);
  const proxy = net.createServer((client) => {
    let left = most();
    const upstream = net.connect(server.socket);
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    client.pipe(upstream);
    client.on('error', cut).on('close', cut);
    upstream.on('error', cut).on('close', cut);
    upstream.on('data', (data: Buffer) => {
      client.write(data.subarray(0, left), () => {
        if (left <= 0) cut();
      });
      left -= data.length;
    });
  });
  proxy.listen(socket);
  await once(proxy, 'listening');
  return { url: new URL(`nbd+unix:///?socket=${encodeURIComponent(socket)}`), close: () => proxy.close() };
}
