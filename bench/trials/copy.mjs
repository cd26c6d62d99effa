// Copies of sparse images: files on the file system of the image and, where this machine can mount them, on xfs and btrfs, against
// cp and qemu-img; onto a device that holds zeros; and how long it takes to compare two of them.
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/support/run.mjs';

const KIB = 1024;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const RUN = 64 * KIB;
/** Data is 5 % of an image. */
const EVERY = 20 * RUN;

const hasProgram = (name) => (process.env.PATH ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, name)));

function sparseImage(file, size) {
  const data = Buffer.alloc(RUN, 'holes and data');
  const fd = openSync(file, 'w');
  ftruncateSync(fd, size);
  for (let at = 0; at < size; at += EVERY) writeSync(fd, data, 0, RUN, at);
  closeSync(fd);
  // What is dirty would be written while others are measured.
  execFileSync('sync', ['-f', file]);
  return file;
}

/** A folder on a file system of its own; undefined where that cannot be. */
function mounted(context, kind) {
  const [folder, image] = [path.join(context.folder, kind), path.join(context.folder, `${kind}.img`)];
  try {
    const fd = openSync(image, 'w');
    ftruncateSync(fd, 4 * GIB);
    closeSync(fd);
    mkdirSync(folder, { recursive: true });
    execFileSync(`mkfs.${kind}`, ['-q', '-f', image], { stdio: 'ignore' });
    execFileSync('mount', ['-o', 'loop', image, folder], { stdio: 'ignore' });
  } catch {
    rmSync(image, { force: true });
    return undefined;
  }
  context.closers.push(() => {
    execFileSync('umount', [folder]);
    rmSync(image);
  });
  return folder;
}

/** One copy of `source` to a file that is not there yet. */
function copying(source, target, make) {
  return {
    ops: 1,
    before: () => rmSync(target, { force: true }),
    run: () => make(source, target),
    after: () =>
      statSync(target).blocks * 512 <= statSync(source).blocks * 512 + MIB && statSync(target).size === statSync(source).size ? 0 : 1,
    extra: () => ({ mib: (statSync(target).blocks * 512) / MIB }),
  };
}

function contendersIn(context, folder, size) {
  const { copy } = context.load('rumpblk/copy');
  const source = sparseImage(path.join(folder, 'source'), size);
  const target = path.join(folder, 'target');
  context.closers.push(() => [source, target].forEach((file) => rmSync(file, { force: true })));
  const quiet = { stdio: 'ignore' };
  return {
    cp: copying(source, target, (from, to) => execFileSync('cp', [from, to], quiet)),
    ...(hasProgram('qemu-img') && {
      'qemu-img convert': copying(source, target, (from, to) =>
        execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', '-o', 'extent_size_hint=0', from, to], quiet),
      ),
    }),
    copy: copying(source, target, (from, to) => copy(from, to, { flush: false })),
    'copy, read and written': copying(source, target, (from, to) => copy(from, to, { flush: false, reflink: 'never' })),
  };
}

const BASE = { places: ['disk'], files: [], short: false, rounds: 3, passes: 1, ops: 1 };
const against = (to, of, max) => ({ label: `time of ${to}, ${of}`, kind: 'time', of, to, ...(max !== undefined && { max }) });

const here = {
  ...BASE,
  id: 'copy-sparse',
  title: 'copy of a file of 10 GiB with 5 % data in 64 KiB, in memory, to a new file',
  checks: [against('cp', 'copy', 2), against('qemu-img convert', 'copy'), against('cp', 'copy, read and written')],
  contenders: (context) => contendersIn(context, context.folder, 10 * GIB),
};

const elsewhere = ['xfs', 'btrfs'].map((kind) => ({
  ...BASE,
  id: `copy-sparse-${kind}`,
  title: `the same on ${kind}, which shares blocks`,
  checks: [against('cp', 'copy', 1.5), against('cp', 'copy, read and written')],
  skip: () => (process.getuid() === 0 && hasProgram('mount') ? undefined : 'no right to mount'),
  contenders: (context) => {
    const folder = mounted(context, kind);
    return folder === undefined ? {} : contendersIn(context, folder, 10 * GIB);
  },
}));

const device = {
  ...BASE,
  id: 'copy-onto-zeros',
  title: 'copy of 4 GiB with 5 % data onto an open device that holds zeros, s',
  checks: [{ label: 's', kind: 'value', of: 'copy', metric: 's', max: 0.6 }],
  contenders: (context) => {
    const { copy } = context.load('rumpblk/copy');
    const source = sparseImage(path.join(context.folder, 'source'), 4 * GIB);
    const target = path.join(context.folder, 'target');
    context.closers.push(() => [source, target].forEach((file) => rmSync(file, { force: true })));
    const figures = async () => {
      const fd = openSync(target, 'w');
      ftruncateSync(fd, 4 * GIB);
      closeSync(fd);
      const opened = context.blk.openSync(target, { mode: 'r+', cache: 'unsafe' });
      const start = process.hrtime.bigint();
      await copy(source, opened, { flush: false });
      const s = Number(process.hrtime.bigint() - start) / 1e9;
      await opened.close();
      return { s };
    };
    return { copy: { figures } };
  },
};

const comparing = {
  ...BASE,
  id: 'compare-sparse',
  title: 'two files of 10 GiB with 5 % data compared, as whole commands',
  checks: [against('qemu-img compare', 'rumpblk compare', 1.5)],
  skip: () => (hasProgram('qemu-img') ? undefined : 'no qemu-img'),
  contenders: (context) => {
    const [one, other] = ['one', 'other'].map((name) => sparseImage(path.join(context.folder, name), 10 * GIB));
    context.closers.push(() => [one, other].forEach((file) => rmSync(file, { force: true })));
    const command = path.join(context.packageRoot ?? ROOT, 'dist', 'cli', 'bin.js');
    const comparison = (program, ...words) => ({
      ops: 1,
      run: () => execFileSync(program, [...words, one, other], { stdio: 'ignore' }),
    });
    return {
      'qemu-img compare': comparison('qemu-img', 'compare', '-f', 'raw', '-F', 'raw'),
      'rumpblk compare': comparison(process.execPath, command, 'compare'),
    };
  },
};

export default [here, ...elsewhere, device, comparing];
