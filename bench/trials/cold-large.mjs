// Large reads and whole images from the disk: promises of 16 MiB, a stream over the image, and a copy of it to another file, against
// what reads and copies files in C.
import { createReadStream as createFileStream, rmSync, statSync } from 'node:fs';
import { execFileSync, spawnSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { floors, pages } from '../support/native.mjs';
import { ring } from '../support/context.mjs';
import { promiseLanes } from '../support/lanes.mjs';
import { checked } from './promise.mjs';

const MIB = 1 << 20;
const LARGE = 16 * MIB;
const READS = 12;

const DISK = {
  places: ['disk'],
  files: ['big'],
  native: true,
  skip: ({ fileSystem }) => (fileSystem === 'tmpfs' ? 'tmpfs has no disk' : undefined),
};
const hasProgram = (name, ...words) => spawnSync(name, words).status === 0;
const against = (of, to, max) => ({ label: `${of}, time of ${to}`, kind: 'time', of, to, ...(max !== undefined && { max }) });

/** Put back when the row is done: other rows want the image in memory. */
function refillAtTheEnd(context) {
  context.closers.push(() => pages('fill', context.file));
}

/** Reads of 16 MiB, one after the other. */
function coldReads(context, at, begin) {
  const target = {};
  const lanes = promiseLanes(
    at,
    1,
    (memory, position) => target.read(memory, position),
    () => Buffer.alloc(LARGE),
  );
  const { after } = checked(lanes);
  return {
    ops: READS,
    before: async () => {
      pages('drop', context.file);
      Object.assign(target, await begin());
    },
    run: lanes.run,
    after: async () => {
      const wrong = after();
      await target.close();
      return wrong;
    },
  };
}

const reads = {
  ...DISK,
  id: 'cold-16m',
  title: 'promise read, 16 MiB, from the disk, one after the other',
  short: false,
  checks: [against('read', 'C pread', 1.05), against('read', 'fs.promises')],
  contenders: (context) => {
    refillAtTheEnd(context);
    const at = ring(context, 'sequential', { block: LARGE, count: 64 });
    return {
      'C pread': {
        figures: (pass) => {
          pages('drop', context.file);
          const options = { tests: 'pread', passes: 1, stamps: 1, cold: 1, pattern: 'sequential', block: LARGE, ops: READS, seed: pass };
          return { ns: floors(context.file, options).pread[0].at(-1) };
        },
      },
      'fs.promises': coldReads(context, at, async () => {
        const handle = await open(context.file);
        return { read: (memory, position) => handle.read(memory, 0, LARGE, position), close: () => handle.close() };
      }),
      read: coldReads(context, at, async () => {
        const device = await context.blk.open(context.file, { lock: false });
        return { read: (memory, position) => device.read(memory, position), close: () => device.close() };
      }),
    };
  },
};

/** The whole image as a stream. */
function streamed(context, begin) {
  let opened;
  let seen = 0;
  return {
    ops: 1,
    before: async () => {
      pages('drop', context.file);
      opened = await begin();
      seen = 0;
    },
    run: async () => {
      for await (const chunk of opened.stream) seen += chunk.length;
    },
    after: async () => {
      await opened.close?.();
      return seen === context.size ? 0 : 1;
    },
  };
}

const streams = {
  ...DISK,
  id: 'cold-stream',
  title: 'a stream over the whole image, from the disk',
  short: false,
  passes: 2,
  checks: [against('createReadStream', 'fs.createReadStream'), against('createReadStream', 'fs.createReadStream, chunks of 1 MiB')],
  contenders: (context) => {
    refillAtTheEnd(context);
    const { createReadStream } = context.load('rumpblk/fs');
    const ours = async (options) => {
      const device = await context.blk.open(context.file, { lock: false });
      return { stream: createReadStream(device, options), close: () => device.close() };
    };
    const theirs = (options) => ({ stream: createFileStream(context.file, options) });
    return {
      'fs.createReadStream': streamed(context, () => theirs()),
      'fs.createReadStream, chunks of 1 MiB': streamed(context, () => theirs({ highWaterMark: MIB })),
      createReadStream: streamed(context, () => ours()),
      'createReadStream, chunks of 1 MiB': streamed(context, () => ours({ highWaterMark: MIB })),
    };
  },
};

/** Copies the whole image to a file that is not there yet; written back by the kernel when it likes. */
function copied(context, make) {
  const target = path.join(context.folder, 'copied');
  return {
    ops: 1,
    before: () => {
      rmSync(target, { force: true });
      execFileSync('sync', ['-f', context.folder]);
      pages('drop', context.file);
    },
    run: () => make(context.file, target),
    after: () => {
      const whole = statSync(target).size === context.size;
      rmSync(target);
      return whole ? 0 : 1;
    },
  };
}

const copies = {
  ...DISK,
  id: 'cold-copy',
  title: 'copy of the whole image, all data, from the disk to a new file',
  short: false,
  rounds: 3,
  passes: 1,
  checks: [
    against('copy', 'cp --sparse=never', 1),
    against('copy', 'qemu-img convert -W', 1),
    against('copy, read and written', 'cp --sparse=never'),
    against('copy, read and written', 'qemu-img convert -W', 1),
  ],
  contenders: (context) => {
    refillAtTheEnd(context);
    const { copy } = context.load('rumpblk/copy');
    const quiet = { stdio: 'ignore' };
    return {
      'cp --sparse=never': copied(context, (from, to) => execFileSync('cp', ['--sparse=never', from, to], quiet)),
      ...(hasProgram('qemu-img', '--version') && {
        'qemu-img convert -W': copied(context, (from, to) =>
          execFileSync('qemu-img', ['convert', '-W', '-f', 'raw', '-O', 'raw', from, to], quiet),
        ),
      }),
      copy: copied(context, (from, to) => copy(from, to, { flush: false })),
      'copy, read and written': copied(context, (from, to) => copy(from, to, { flush: false, reflink: 'never' })),
    };
  },
};

export default [reads, streams, copies];
