// Which files are ours: what git knows or would add, less what has been deleted.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './run.mjs';

/** Paths from ROOT that match. @param {RegExp} pattern @returns {string[]} */
export function sources(pattern) {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  return [...new Set(listed.split('\n'))].filter((file) => pattern.test(file) && existsSync(path.join(ROOT, file)));
}

export const NATIVE_SOURCES = /^native\/.*\.(c|cc|h)$/;
