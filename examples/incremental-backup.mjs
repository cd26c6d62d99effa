// Backs up a qcow2 image, and from the second time on only what was changed since the last time. The image itself keeps the marks (a
// dirty bitmap, as QEMU has it), so each backup is a run of this program, whatever wrote to the image meanwhile.
//
//   qemu-img create -f qcow2 guest.qcow2 1G
//   node incremental-backup.mjs guest.qcow2 guest.backup
import { truncate, writeFile } from 'node:fs/promises';
import { open } from 'rumpblk';

const NAME = 'backup';
const CHUNK = 1024 * 1024;
const [path, target] = process.argv.slice(2);
if (target === undefined) {
  console.error('usage: node incremental-backup.mjs IMAGE.qcow2 BACKUP');
  process.exit(2);
}

/** Copies a range, a chunk at a time. */
async function copyRange(from, to, { position, length }) {
  for (let at = position; at < position + length; at += CHUNK) {
    const { buffer } = await from.read(Buffer.alloc(Math.min(CHUNK, position + length - at)), at);
    await to.write(buffer, at);
  }
  return length;
}

const source = await open(path, { format: 'qcow2', mode: 'r+' }); // writing, since the image keeps the marks
try {
  const before = source.bitmaps().find(({ name }) => name === NAME);
  const changes = source.track({ name: NAME });
  const changed = changes.take(); // in one step: what is written from here on belongs to the next backup
  const isFull = !before?.isConsistent; // the first time, or the image was not closed properly
  let copied = 0;
  try {
    if (isFull) {
      await writeFile(target, '');
      await truncate(target, source.size);
    }
    const backup = await open(target, { mode: 'r+' });
    try {
      if (isFull) {
        for await (const extent of source.extents()) {
          if (extent.type === 'data') copied += await copyRange(source, backup, extent);
        }
      } else {
        for await (const extent of changed.extents()) copied += await copyRange(source, backup, extent);
      }
      await backup.flush();
    } finally {
      await backup.close();
    }
  } catch (error) {
    if (isFull)
      source.removeBitmap(NAME); // so that the next one is full again
    else changes.merge(changed); // so that the next one has these, too
    throw error;
  }
  console.log(`${isFull ? 'full' : 'incremental'} backup: ${copied / 1024} KiB of ${source.size / 1024} KiB`);
} finally {
  await source.close();
}
