// Images in formats that the package does not read itself, through qemu-nbd before them: read, and written where qemu-nbd writes
// them; qemu-img judges.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { withDevice } from '../foreign/disk-checks.mjs';
import { tool } from '../foreign/package.mjs';
import { judged, lacking } from '../foreign/checks.mjs';
import { serveBy } from '../foreign/server.mjs';

const NEEDS = { 'qemu-nbd': 'qemu-utils', 'qemu-img': 'qemu-utils' };
const MiB = 1024 * 1024;
const SIZE = 16 * MiB;
/** What qemu calls each, and how it is made. */
const FORMATS = {
  VDI: ['vdi'],
  VHDX: ['vhdx'],
  'VHDX, fixed': ['vhdx', '-o', 'subformat=fixed'],
  'VHD, dynamic': ['vpc', '-o', 'subformat=dynamic,force_size=on'],
  VMDK: ['vmdk'],
  'VMDK, split': ['vmdk', '-o', 'subformat=twoGbMaxExtentSparse'],
  'VMDK, flat': ['vmdk', '-o', 'subformat=monolithicFlat'],
};
/** Those of which every cluster is compressed: for reading. */
const READ_ONLY = {
  'VMDK, streamOptimized': ['vmdk', '-o', 'subformat=streamOptimized'],
  'qcow2, compressed': ['qcow2', '-c'],
};

/** An image of this format, and the raw one that it was made of. */
async function made(place, [format, ...options]) {
  const content = randomBytes(SIZE);
  content.fill(0, 3 * MiB, 9 * MiB);
  const raw = place.path('raw');
  writeFileSync(raw, content);
  const image = place.path(`disk.${format}`);
  await place.run('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, image]);
  return { format, raw, image };
}

const served = (place, { format, image }, ...args) =>
  serveBy(place, 'qemu-nbd', (socket) => ['--format', format, '--persistent', '--socket', socket, ...args, image]);

async function reads(place, how) {
  const own = await made(place, how);
  const { uri, process: server } = await served(place, own, '--read-only');
  await tool(place, ['compare', '--strict', own.raw, uri]);
  await server.stop();
  return own;
}

async function writes(place, how) {
  const own = await made(place, how);
  const { uri, process: server } = await served(place, own);
  await tool(place, ['compare', '--strict', own.raw, uri]);
  for (const where of [uri, own.raw]) {
    await withDevice(where, async (device) => {
      await device.write(Buffer.alloc(MiB, 7), 5 * MiB);
      await device.writeZeroes(10 * MiB, MiB);
      await device.flush();
    });
  }
  await server.stop();
  await place.run('qemu-img', ['compare', '-f', 'raw', '-F', own.format, own.raw, own.image]);
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const formats = () =>
  judged('formats by qemu-nbd', lacking(NEEDS), async (checks) => {
    for (const [name, how] of Object.entries(FORMATS)) await checks.check(`${name} read and written`, (place) => writes(place, how));
    for (const [name, how] of Object.entries(READ_ONLY)) await checks.check(`${name} read`, (place) => reads(place, how));
  });
