// fio beside our readers: one job of random reads of the image, with the engine that is its best.
import { spawnSync } from 'node:child_process';

/** Why there is no fio, in words. */
export function lacksFio() {
  return spawnSync('fio', ['--version']).status === 0 ? undefined : 'fio missing: apt-get install fio';
}

/**
 * @param {{ file: string, size: number, ops: number, depth: number, direct?: boolean, seed: number }} job
 * @returns {{ ns: number }} nanoseconds a read, of all that were under way together
 */
export function fioReads({ file, size, ops, depth, direct = false, seed }) {
  const options = {
    name: 'reads',
    filename: file,
    rw: 'randread',
    bs: 4096,
    size,
    io_size: ops * 4096,
    ioengine: 'io_uring',
    iodepth: depth,
    direct: direct ? 1 : 0,
    // The page cache is emptied before, for every contender alike.
    invalidate: 0,
    norandommap: 1,
    randseed: seed,
    'output-format': 'json',
  };
  const ran = spawnSync('fio', ['--readonly', ...Object.entries(options).map(([key, value]) => `--${key}=${value}`)], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`fio: ${ran.stderr || ran.error?.message || `ended with ${ran.status}`}`);
  const [job] = JSON.parse(ran.stdout.slice(ran.stdout.indexOf('{'))).jobs;
  return { ns: 1e9 / job.read.iops };
}
