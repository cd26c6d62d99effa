// Overlays: a read and a first write through one against a plain file, and what it costs to make one.
import { closeSync, ftruncateSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { lastIsRight, openDevice, ring } from '../support/context.mjs';
import { expectedAt } from '../support/images.mjs';

const BLOCK = 4096;
const FIRST_WRITES = 8192;
/** Half of the image: states change from block to block, and half of the reads go to either file. */
const WRITTEN = 1 << 17;

function overlayOf({ load }) {
  try {
    return load('rumpblk/overlay');
  } catch {
    return undefined; // a build from before there were any
  }
}

const skip = (context) => (overlayOf(context) === undefined ? 'this build has no rumpblk/overlay' : undefined);

/** An overlay over the image, with its changes where the image lies. */
async function openOver(context, changes) {
  process.env.TMPDIR = context.folder;
  const device = await overlayOf(context).openOverlay(context.file, { changes });
  context.closers.push(() => device.close());
  return device;
}

const BASE = { places: ['disk', 'memory'], files: ['big'], skip };
const against = (of, max) => ({
  label: `time of a plain file, ${of}`,
  kind: 'time',
  of,
  to: 'plain file',
  ...(max !== undefined && { max }),
});

function reads(context, device, at) {
  const memory = Buffer.alloc(BLOCK);
  const mask = at.length - 1;
  const last = {};
  return {
    run: (from, to) => {
      for (let i = from; i < to; i += 1) device.readSync(memory, at[i & mask]);
      last.position = at[(to - 1) & mask];
    },
    after: lastIsRight(memory, () => last.position),
  };
}

const read = {
  ...BASE,
  id: 'overlay-read',
  title: 'overlay, half of it written, sync read of 4 KiB at random, against a plain file by pread',
  checks: [against('temporary', 1.15), against('memory')],
  contenders: async (context) => {
    const at = ring(context, 'uniform', { block: BLOCK });
    const written = ring(context, 'uniform', { block: BLOCK, salt: 1 });
    const contenders = { 'plain file': reads(context, openDevice(context, { access: 'pio' }), at) };
    for (const changes of ['temporary', 'memory']) {
      const device = await openOver(context, changes);
      for (let i = 0; i < (context.short ? WRITTEN / 8 : WRITTEN); i += 1) device.writeSync(expectedAt(written[i], BLOCK), written[i]);
      contenders[changes] = reads(context, device, at);
    }
    return contenders;
  },
};

/** First writes along the ring: `fresh(pass)` gives a device that nothing was written to. */
function writes(at, fresh) {
  const memory = Buffer.alloc(BLOCK, 'first');
  const mask = at.length - 1;
  const now = {};
  return {
    ops: FIRST_WRITES,
    before: async () => {
      now.device = await fresh();
    },
    run: (from, to) => {
      for (let i = from; i < to; i += 1) now.device.writeSync(memory, at[i & mask]);
      now.position = at[(to - 1) & mask];
    },
    after: () => {
      const found = Buffer.alloc(BLOCK);
      now.device.readSync(found, now.position);
      return found.equals(memory) ? 0 : 1;
    },
  };
}

/** A sparse file of the size of the image, new for each pass. */
function sparseFiles(context) {
  const file = path.join(context.folder, 'overlay-plain');
  let device;
  context.closers.push(async () => {
    await device?.close();
    rmSync(file, { force: true });
  });
  return async () => {
    await device?.close();
    const fd = openSync(file, 'w');
    ftruncateSync(fd, context.size);
    closeSync(fd);
    device = context.blk.openSync(file, { mode: 'r+', access: 'pio' });
    return device;
  };
}

const firstWrite = {
  ...BASE,
  id: 'overlay-first-write',
  title: 'overlay, first write of 4 KiB at random, sync, against a sparse file by pwrite',
  checks: [against('temporary', 1.4), against('memory')],
  contenders: async (context) => {
    const at = ring(context, 'uniform', { block: BLOCK });
    const contenders = { 'plain file': writes(at, sparseFiles(context)) };
    for (const changes of ['temporary', 'memory']) {
      const device = await openOver(context, changes);
      contenders[changes] = writes(at, async () => {
        await device.reset();
        return device;
      });
    }
    return contenders;
  },
};

const make = {
  ...BASE,
  id: 'overlay-open',
  title: 'overlay made and closed again, over a gigabyte',
  checks: ['temporary', 'memory'].map((of) => ({ label: `ns of one, ${of}`, kind: 'value', of, max: 1e6 })),
  contenders: (context) => {
    process.env.TMPDIR = context.folder;
    const { openOverlay } = overlayOf(context);
    const making = (changes) => ({
      run: async (from, to) => {
        for (let i = from; i < to; i += 1) await (await openOverlay(context.file, { changes })).close();
      },
    });
    return { temporary: making('temporary'), memory: making('memory') };
  },
};

export default [read, firstWrite, make];
