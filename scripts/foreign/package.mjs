// The package as it is built here, as a program uses it, and its tool.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../support/run.mjs';

const entry = (name) => import(pathToFileURL(path.join(ROOT, 'dist', `${name}.mjs`)).href);

/** Loads `rumpblk` itself. It is loaded late: a suite that is skipped needs no build. */
export const rumpblk = () => entry('index');
/** Loads `rumpblk/nbd`. */
export const rumpblkNbd = () => entry('nbd');
/** Loads `rumpblk/file-disk`. */
export const rumpblkDisk = () => entry('adapters/file-disk');

/** Opens an export, or a path. `client`: options of the NBD client. `options`: of open(). */
export async function openAt(where, options = { mode: 'r+' }, client = undefined) {
  const { open } = await rumpblk();
  if (!where.startsWith('nbd')) return open(where, options);
  const { nbd } = await rumpblkNbd();
  return open(nbd(new URL(where), client), options);
}

/** Runs the tool in a place. @returns {Promise<string>} what it printed */
export function tool(place, args, options) {
  return place.run(process.execPath, [path.join(ROOT, 'dist', 'cli', 'bin.js'), ...args], options);
}
