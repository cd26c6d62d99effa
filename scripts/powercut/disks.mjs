// The disks of the virtual machine: an ext4 with an image for each writer that has one, and a bare one. Each is served by an
// nbdkit that keeps what is written until the guest flushes it, as a disk does with its write cache; killed, it forgets.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, ftruncateSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import records from './records.cjs';

const { IMAGE_BYTES, WRITERS } = records;
const FILE_SYSTEM_BYTES = 64 * 1024 * 1024;
const ENV = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

function makeFile(file, size) {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, size);
  closeSync(fd);
}

/** Fresh disks in `folder`; the images are holes, so that to make a write durable takes the file system's own bookkeeping too. */
export function makeDisks(folder) {
  const content = path.join(folder, 'content');
  mkdirSync(content, { recursive: true });
  for (const [name, { file }] of Object.entries(WRITERS)) if (file) makeFile(path.join(content, name), IMAGE_BYTES);
  const disks = { fileSystem: path.join(folder, 'ext4'), bare: path.join(folder, 'bare') };
  makeFile(disks.fileSystem, FILE_SYSTEM_BYTES);
  makeFile(disks.bare, IMAGE_BYTES);
  execFileSync('mkfs.ext4', ['-q', '-F', '-d', content, disks.fileSystem], { env: ENV, stdio: 'pipe' });
  return disks;
}

/** Serves a disk. @returns {Promise<{ socket: string, cut(): Promise<void> }>} */
export async function serve(disk) {
  const socket = `${disk}.socket`;
  const args = ['-f', '-U', socket, '--filter=cache', 'file', disk, 'cache=writeback', 'cache-min-block-size=4k'];
  const server = spawn('nbdkit', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let why = '';
  server.stderr.setEncoding('utf8').on('data', (text) => (why += text));
  const gone = new Promise((resolve) => server.on('close', resolve));
  for (let i = 0; !existsSync(socket); i += 1) {
    if (server.exitCode !== null || i > 500) throw new Error(`nbdkit: ${why}`);
    await sleep(20);
  }
  return {
    socket,
    cut() {
      server.kill('SIGKILL');
      return gone;
    },
  };
}

/** What the disks hold for a writer. The journal is replayed first, as the next boot would. */
export function readImages({ fileSystem, bare }, folder) {
  try {
    execFileSync('e2fsck', ['-fy', fileSystem], { env: ENV, stdio: 'pipe' });
  } catch (error) {
    if (error.status !== 1) throw error; // 1: it had something to mend, the journal for one
  }
  const images = new Map();
  for (const [name, { file }] of Object.entries(WRITERS)) {
    const out = path.join(folder, `found-${name}`);
    if (file) execFileSync('debugfs', ['-R', `dump /${name} ${out}`, fileSystem], { env: ENV, stdio: 'pipe' });
    const found = readFileSync(file ? out : bare);
    images.set(name, Buffer.concat([found, Buffer.alloc(Math.max(0, IMAGE_BYTES - found.length))]));
  }
  return images;
}
