// The tester client of nbd's own sources, compiled from Debian's source package: seven tests of a server, of which integrityhuge
// reads and writes up to 47.6 MiB in one request.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { judged, lacking } from '../foreign/checks.mjs';
import { serve } from '../foreign/server.mjs';
import { sourcePackage } from './sources.mjs';

const NEEDS = { gcc: 'build-essential', 'pkg-config': 'pkg-config', 'apt-get': 'apt', xz: 'xz-utils' };
const EXPORT = 'export1';
const IMAGE = 52_428_800;

/** The tests of its simple_test that a server without configuration files can be given. */
const TESTS = {
  cfg1: [],
  cfgsize: ['-o'],
  write: ['-w'],
  flush: ['-w', '-f'],
  integrity: ['-i', '-t', 'integrity-test.tr'],
  integrityhuge: ['-i', '-t', 'integrityhuge-test.tr'],
  rowrite: ['-w', '-F'],
  handshake: ['-h'],
};

/** Compiles it. What its configure would have found out is said here. */
function compile(sources, place) {
  writeFileSync(place.path('config.h'), '');
  const sizes = { SHORT_INT: 2, INT: 4, LONG_INT: 8, LONG_LONG_INT: 8 };
  const found = Object.entries(sizes).map(([type, size]) => `-DSIZEOF_UNSIGNED_${type}=${size}`);
  const glib = execFileSync('pkg-config', ['--cflags', '--libs', 'glib-2.0'], { encoding: 'utf8', stdio: 'pipe' }).trim().split(/\s+/);
  const program = place.path('tester');
  const files = [path.join('tests', 'run', 'nbd-tester-client.c'), 'cliserv.c'];
  const options = ['-w', '-O1', `-I${place.folder}`, '-I.', ...found, '-DHAVE_FDATASYNC', '-DHAVE_MKSTEMP', '-DISSERVER'];
  execFileSync('gcc', [...options, ...files, '-o', program, ...glib], { cwd: sources, stdio: 'pipe' });
  return program;
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const tester = () =>
  judged("nbd's tester client", lacking(NEEDS) ?? lackingGlib(), async (checks, made) => {
    const sources = sourcePackage('nbd');
    const program = compile(sources, made);
    for (const [name, args] of Object.entries(TESTS)) {
      await checks.check(name, async (place) => {
        const image = place.image('disk', IMAGE);
        const writable = name === 'rowrite' ? [] : ['--writable'];
        const { socket } = await serve(place, ['--export', `${EXPORT}=${image}`, ...writable]);
        await place.run(program, ['-N', EXPORT, ...args, '-u', socket], { cwd: path.join(sources, 'tests', 'run') });
      });
    }
  });

function lackingGlib() {
  try {
    execFileSync('pkg-config', ['--exists', 'glib-2.0'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'glib-2.0 missing: apt-get install libglib2.0-dev';
  }
}
