// Our server under its judges: `rumpblk serve`, or what RUMPBLK_SERVE names: a program that takes the same options. With
// RUMPBLK_SERVE=scripts/interop/stand-in.sh nbdkit answers, which shows whether a judge is right at all.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../support/run.mjs';
import { listening, until } from './checks.mjs';

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

let made;

/** One program that is `rumpblk serve`. @returns {string} its path */
export function serveProgram() {
  if (made === undefined) {
    const folder = mkdtempSync(path.join(tmpdir(), 'rumpblk-serve-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    const told = process.env.RUMPBLK_SERVE;
    const words = told === undefined ? [process.execPath, path.join(ROOT, 'dist', 'cli', 'bin.js'), 'serve'] : [path.resolve(ROOT, told)];
    made = path.join(folder, 'serve');
    writeFileSync(made, `#!/bin/sh\nexec ${words.map(quoted).join(' ')} "$@"\n`);
    chmodSync(made, 0o755);
  }
  return made;
}

/** A port of 127.0.0.1 that was free a moment ago. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * Serves images on a unix socket of the place, or on a port, until the place ends.
 * @returns {Promise<{ socket: string, uri: string, process: object }>} uri: of the export with the empty name
 */
export async function serve(place, args, { port, name = 's' } = {}) {
  const socket = place.path(name);
  const where = port === undefined ? ['--socket', socket] : ['--listen', `127.0.0.1:${port}`];
  const server = place.start(serveProgram(), [...args, ...where]);
  const ended = () => (server.ended === undefined ? undefined : `ended with ${server.ended}\n${server.text}`);
  await until(() => listening(port ?? socket), 'serve', ended);
  const uri = port === undefined ? `nbd+unix:///?socket=${socket}` : `nbd://127.0.0.1:${port}`;
  return { socket, uri, process: server };
}

/** Whether somebody listens there, found out without connecting: some servers answer one connection only. */
export function isBound(socket) {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
  // The fourth field: __SO_ACCEPTCON, which is there from listen() on.
  return lines.some((line) => line.endsWith(` ${socket}`) && line.split(/\s+/)[3] === '00010000');
}

/** A server of somebody else's on a unix socket of the place. `args(socket)`: its arguments. */
export async function serveBy(place, program, args, { name = 'peer', env } = {}) {
  const socket = place.path(name);
  const server = place.start(program, args(socket), { env });
  const ended = () => (server.ended === undefined ? undefined : `ended with ${server.ended}\n${server.text}`);
  await until(() => isBound(socket), program, ended);
  return { socket, uri: `nbd+unix:///?socket=${socket}`, process: server };
}
