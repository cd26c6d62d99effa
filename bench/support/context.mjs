// What a trial works with: its image, the package under test, rings of positions, memory of both kinds, and help for the
// contenders that most trials share. Everything that it opens is closed when the row is done.
import { closeSync, openSync } from 'node:fs';
import { open as openHandle } from 'node:fs/promises';
import { isRight } from './images.mjs';
import { bareCall, floors, hasFloors } from './native.mjs';
import { positions } from './patterns.mjs';

/** Requests in a ring of positions; a pass goes along it, the next one goes on. */
export const RING = 1 << 17;

/** `load` gives an entry of the package under test by its name. */
export function makeContext(task, load) {
  return { ...task, load, blk: load('rumpblk'), closers: [], file: task.files.big ?? Object.values(task.files)[0] };
}

export async function closeAll(context) {
  for (const close of context.closers.reverse()) await close();
}

/** A device of the package under test, with a driver of its own when tunables are given. */
export function openDevice(context, { file = context.file, driver, ...options } = {}) {
  const owner = driver === undefined ? undefined : new context.blk.BlockDriver(driver);
  const device = context.blk.openSync(file, { lock: false, ...options, ...(owner && { driver: owner }) });
  context.closers.push(() => device.close());
  return device;
}

export function openFd(context, { file = context.file, flags = 'r' } = {}) {
  const fd = openSync(file, flags);
  context.closers.push(() => closeSync(fd));
  return fd;
}

export async function openFileHandle(context, { file = context.file, flags = 'r' } = {}) {
  const handle = await openHandle(file, flags);
  context.closers.push(() => handle.close());
  return handle;
}

export function ring(context, pattern, { size = context.size, block = 4096, salt = 0, count = RING } = {}) {
  return positions(pattern, { size, block, count, seed: context.seed * 1000 + context.round * 10 + salt });
}

/** Memory that begins on a page, as a Batch's arena does. */
export function alignedBuffer(size) {
  const memory = new ArrayBuffer(size + 4096);
  // Only native code sees the address. Without it: a block as large as this is an mmap of the C library, 16 bytes in.
  const skew = hasFloors() ? bareCall().skew(Buffer.from(memory)) : 16;
  return Buffer.from(memory, (4096 - skew) % 4096, size);
}

/** Reads the whole range in order until nearly all of it is copied from the map, as a device looks after long use; 8 times at most. */
export function readThrough(device, size, block = 4096) {
  const memory = Buffer.alloc(block);
  for (let pass = 0, missed = Infinity; pass < 8 && missed > size / block / 50; pass += 1) {
    const before = device.driver.counters().windowHits;
    for (let at = 0; at < size; at += block) device.readSync(memory, at);
    missed = size / block - (device.driver.counters().windowHits - before);
  }
}

/** After a pass of reads: 1 when the memory does not hold what is at the last position. */
export function lastIsRight(memory, at) {
  return () => {
    const last = at();
    return last === undefined || isRight(memory, last) ? 0 : 1;
  };
}

/** What memory is read with by a native call that copies and checks nothing. */
export function bareCopy(context, at, { block = 4096 } = {}) {
  const copy = bareCall().open(context.file);
  const mask = at.length - 1;
  const memory = Buffer.alloc(block);
  for (let position = 0; position + block <= context.size; position += block) copy(memory, 0, block, position);
  return {
    run: (from, to) => {
      for (let i = from; i < to; i += 1) copy(memory, 0, block, at[i & mask]);
    },
  };
}

/**
 * Contenders out of floors: one run of the program a pass serves them all.
 * @param {string[]} names tests of the program
 */
export function floorContenders(context, names, { label = (name) => `C ${name}`, file = context.file, ...options }) {
  let at = -1;
  let figures;
  const entries = names.map((name) => [
    label(name),
    {
      program: { test: name, file, options: { stamps: 1, seed: context.seed, ...options } },
      figures: (pass) => {
        const seed = context.seed + context.round * 100 + pass;
        if (pass !== at) figures = floors(file, { tests: names.join(), passes: 1, stamps: 1, seed, ...options });
        at = pass;
        return { ns: figures[name][0].at(-1) };
      },
    },
  ]);
  return Object.fromEntries(entries);
}
