// Servers of NBD over one image, each on a Unix socket of its own, for as long as a trial runs.
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { ROOT } from '../../scripts/support/run.mjs';

const PATIENCE_MS = 10_000;

/** Whether a program is on the path. */
export const hasProgram = (name) => (process.env.PATH ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, name)));

/** Servers by name: the command line that serves `file` on `socket`, and what it needs. */
const SERVERS = {
  'our server': {
    program: process.execPath,
    args: (file, socket, context) => [path.join(context.packageRoot ?? ROOT, 'dist/cli/bin.js'), 'serve', file, '--socket', socket],
  },
  nbdkit: { program: 'nbdkit', args: (file, socket) => ['--foreground', '--readonly', '--unix', socket, 'file', file] },
  'qemu-nbd': {
    program: 'qemu-nbd',
    args: (file, socket) => ['--persistent', '--read-only', '--format=raw', '--shared=8', `--socket=${socket}`, file],
  },
};

function connects(socket) {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.once('connect', () => resolve(connection.destroy()));
    connection.once('error', () => resolve(undefined));
  });
}

async function ready(child, socket, told) {
  const until = Date.now() + PATIENCE_MS;
  while ((await connects(socket)) === undefined) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`${child.spawnfile} does not serve: ${told.join('')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Serves the context's image. -> the socket; undefined where the program is not there. */
export async function serving(context, name) {
  const { program, args } = SERVERS[name];
  if (!path.isAbsolute(program) && !hasProgram(program)) return undefined;
  // Paths of sockets are short.
  const socket = path.join(context.folder, `${name.replace(/\W/g, '')}.sock`);
  // nbdkit leaves it behind.
  rmSync(socket, { force: true });
  const child = spawn(program, args(context.file, socket, context), { stdio: ['ignore', 'ignore', 'pipe'] });
  const told = [];
  child.stderr.on('data', (chunk) => told.push(String(chunk)));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  context.closers.push(() => (child.kill(), ended));
  await ready(child, socket, told);
  return socket;
}
