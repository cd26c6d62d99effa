// The disks of the virtual machine: two ext4 with an image for each writer that has one there, and a bare one. Each is served by
// an nbdkit that keeps what is written until the guest flushes it, as a disk does with its write cache; killed, it forgets. The
// slow one takes a while for each block that leaves its cache, so that the power mostly goes in the middle of that.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, ftruncateSync, readFileSync, writeFileSync } from 'node:fs';
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

function makeFileSystem(folder, disk, fill) {
  const content = path.join(folder, `${disk}-content`);
  mkdirSync(content, { recursive: true });
  for (const [name, writer] of Object.entries(WRITERS)) if (writer.disk === disk) fill(path.join(content, name));
  const file = path.join(folder, disk);
  makeFile(file, FILE_SYSTEM_BYTES);
  execFileSync('mkfs.ext4', ['-q', '-F', '-d', content, file], { env: ENV, stdio: 'pipe' });
  return file;
}

/**
 * Fresh disks in `folder`, in the order in which the machine has them. The images of the quick one are holes, so that to make a write
 * durable takes the file system's own bookkeeping too; those of the slow one have their places, in order.
 */
export function makeDisks(folder) {
  mkdirSync(folder, { recursive: true });
  const bare = path.join(folder, 'bare');
  makeFile(bare, IMAGE_BYTES);
  const quick = makeFileSystem(folder, 'quick', (file) => makeFile(file, IMAGE_BYTES));
  const slow = makeFileSystem(folder, 'slow', (file) => writeFileSync(file, Buffer.alloc(IMAGE_BYTES, 1)));
  return { quick, bare, slow };
}

/** Serves a disk. `delay`: what each block takes that leaves the cache, in ms. @returns {Promise<{ socket: string, cut(): Promise<void> }>} */
export async function serve(disk, delay = 0) {
  const socket = `${disk}.socket`;
  const filters = delay > 0 ? ['--filter=cache', '--filter=delay'] : ['--filter=cache'];
  const args = ['-f', '-U', socket, ...filters, 'file', disk, 'cache=writeback', 'cache-min-block-size=4k'];
  if (delay > 0) args.push(`delay-write=${delay}ms`);
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
export function readImages(disks, folder) {
  for (const fileSystem of [disks.quick, disks.slow]) {
    try {
      execFileSync('e2fsck', ['-fy', fileSystem], { env: ENV, stdio: 'pipe' });
    } catch (error) {
      if (error.status !== 1) throw error; // 1: it had something to mend, the journal for one
    }
  }
  const images = new Map();
  for (const [name, { disk }] of Object.entries(WRITERS)) {
    const out = path.join(folder, `found-${name}`);
    if (disk !== 'bare') execFileSync('debugfs', ['-R', `dump /${name} ${out}`, disks[disk]], { env: ENV, stdio: 'pipe' });
    const found = readFileSync(disk === 'bare' ? disks.bare : out);
    images.set(name, Buffer.concat([found, Buffer.alloc(Math.max(0, IMAGE_BYTES - found.length))]));
  }
  return images;
}
