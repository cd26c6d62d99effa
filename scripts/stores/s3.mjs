// An S3 of this machine alone: npm's s3rver, and nbdkit's S3 plugin before it, which keeps a disk as objects of 64 KiB.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { tmpdir } from 'node:os';
import { listening, until } from '../foreign/checks.mjs';
import { freePort, serveBy } from '../foreign/server.mjs';

/** The programs, and Debian's packages. */
export const S3 = {
  nbdkit: 'nbdkit',
  '/usr/lib/x86_64-linux-gnu/nbdkit/plugins/nbdkit-S3-plugin': 'nbdkit-plugin-python',
  '/usr/lib/python3/dist-packages/boto3': 'python3-boto3',
};
const S3RVER = 's3rver@3.7.1';
const BUCKET = 'disks';
/** s3rver's own, of every installation. */
const KEYS = ['access-key=S3RVER', 'secret-key=S3RVER'];

/** Installs s3rver by npm into a folder of its own, once a boot. @returns {string} its program */
function install() {
  const folder = path.join(tmpdir(), `rumpblk-s3rver-${process.getuid()}`);
  const program = path.join(folder, 'node_modules', 's3rver', 'bin', 's3rver.js');
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', S3RVER], { cwd: folder, stdio: 'pipe' });
  }
  return program;
}

/** Starts s3rver with an empty bucket. @returns {Promise<number>} its port */
export async function startS3(place) {
  const port = await freePort();
  const args = [install(), '--address', '127.0.0.1', '--port', String(port), '--directory', place.mkdir('objects'), '--silent'];
  const server = place.start(process.execPath, [...args, '--configure-bucket', BUCKET]);
  await until(
    () => listening(port),
    's3rver',
    () => (server.ended === undefined ? undefined : server.text),
  );
  return port;
}

/** Serves a disk of the bucket. @returns {Promise<{ uri: string, process: object }>} */
export function serveS3(place, port, mebibytes, { name = 's3', key = 'disk' } = {}) {
  const where = [`endpoint-url=http://127.0.0.1:${port}`, `bucket=${BUCKET}`, `key=${key}`, ...KEYS];
  // s3rver ends an answer a byte early now and then, as networks do worse: nbdkit asks again.
  const retry = ['--filter=retry', 'retry-delay=1'];
  const args = (socket) => ['-f', '-U', socket, retry[0], 'S3', retry[1], ...where, `size=${mebibytes}M`, 'object-size=64k'];
  // Debian's Python, which has boto3, goes before any other.
  return serveBy(place, 'nbdkit', args, { name, env: { PATH: `/usr/bin:${process.env.PATH}` } });
}
