// libnbd's own tests, compiled from Debian's source package against the library that is installed. Those that start nbdkit for
// themselves find ours under that name first in their PATH; those that start any server are told of ours when they are compiled.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, judged, lacking } from '../foreign/checks.mjs';
import { serve, serveProgram } from '../foreign/server.mjs';
import { sourcePackage } from './sources.mjs';

const NEEDS = { gcc: 'build-essential', '/usr/include/libnbd.h': 'libnbd-dev', 'apt-get': 'apt', xz: 'xz-utils' };
const MiB = 1024 * 1024;

/** `nbdkit -s -v --exit-with-parent memory 1048576` of these tests: an image of that size, on standard input. */
const ERRORS = { 'errors-server-invalid-offset': MiB, 'errors-server-unknown-flags': MiB, 'errors-server-zerosize': MiB };
/** These ask for abilities of nbdkit's plugins that a disk of ours has not: no flush, a least block of 512. */
const LEFT_OUT = {
  'errors-server-unadvertised-cmd': 'needs a server without flush, and ours always has it',
  'errors-server-unaligned': 'needs a least block of 512 bytes, and ours takes any',
};
/** Arguments of our server in the tests that start it: as text of C. TMPFILE is what they call their image. */
const STARTED = [
  ['interop.c', 'by --stdio', '-DSERVER_PARAMS="--stdio","--writable",TMPFILE', '-DEXPORT_NAME=""'],
  ['interop.c', 'by socket activation', '-DSOCKET_ACTIVATION=1', '-DSERVER_PARAMS="--writable",TMPFILE', '-DEXPORT_NAME=""'],
  ['interop.c', 'an export with a name', '-DSERVER_PARAMS="--stdio","--export","disk one=/tmp/disk1"', '-DEXPORT_NAME="disk one"'],
  ['list-exports.c', 'by --stdio', '-DSERVER_PARAMS="--stdio","--export","disk1=/tmp/disk1","--export","disk2=/tmp/disk2"'],
  ['socket-activation.c', 'alone', '-DSERVER_PARAMS=tmpfile'],
];

class Compiler {
  constructor(sources, place) {
    Object.assign(this, { sources, place });
    writeFileSync(place.path('config.h'), '#define _GNU_SOURCE 1\n#define HAVE_LIBXML2 1\n');
  }

  /** @returns {string} the program of a test */
  make(file, name, defines = []) {
    const program = this.place.path(name);
    const includes = [this.place.folder, path.join(this.sources, 'common', 'include'), path.join(this.sources, 'tests')];
    const requires = path.join(this.sources, 'tests', 'requires.c');
    const options = ['-w', '-O1', '-pthread', ...includes.map((folder) => `-I${folder}`), ...defines];
    execFileSync('gcc', [...options, path.join(this.sources, file), requires, '-o', program, '-lnbd'], { stdio: 'pipe' });
    return program;
  }
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const libnbd = () =>
  judged("libnbd's tests", lacking(NEEDS), async (checks, made) => {
    const compiler = new Compiler(sourcePackage('libnbd'), made);
    for (const [name, size] of Object.entries(ERRORS)) await errorTest(checks, compiler, name, size);
    for (const [name, why] of Object.entries(LEFT_OUT)) checks.leftOut(name, why);
    for (const [file, how, ...defines] of STARTED) await startedTest(checks, compiler, file, how, defines);
    await parallel(checks, compiler, 'aio-parallel', 64 * MiB);
    await parallel(checks, compiler, 'synch-parallel', 8 * MiB);
    await parallel(checks, compiler, 'aio-parallel-load', 64 * MiB);
  });

function errorTest(checks, compiler, name, size) {
  return checks.check(name, async (place) => {
    const program = compiler.make(`tests/${name}.c`, name);
    const image = place.image('disk', size);
    const bin = place.mkdir('bin');
    writeFileSync(path.join(bin, 'nbdkit'), `#!/bin/sh\nexec '${serveProgram()}' --stdio --writable '${image}'\n`);
    chmodSync(path.join(bin, 'nbdkit'), 0o755);
    // The stand-in calls the real one.
    const env = { PATH: `${bin}:${process.env.PATH}`, NBDKIT: '/usr/bin/nbdkit' };
    await place.run(program, [], { env, minutes: 1 });
  });
}

function startedTest(checks, compiler, file, how, defines) {
  return checks.check(`${file}, ${how}`, async (place) => {
    // Their images are /tmp/nbdXXXXXX; ours lie in the place.
    const own = defines.map((define) => define.replaceAll('/tmp/disk', `${place.folder}/disk`));
    place.image('disk1', MiB);
    place.image('disk2', MiB);
    const more = file === 'list-exports.c' ? ['-DEXPORTS="disk1","disk2"', '-DDESCRIPTIONS="",""'] : ['-DNEEDS_TMPFILE=1'];
    const name = `${file}-${how}`.replaceAll(/\W/g, '-');
    const program = compiler.make(`interop/${file}`, name, [`-DSERVER="${serveProgram()}"`, ...more, ...own]);
    await place.run(program, [], { minutes: 1 });
  });
}

function parallel(checks, compiler, name, size) {
  return checks.check(name, async (place) => {
    const program = compiler.make(`tests/${name}.c`, name);
    const image = place.image('disk', size);
    // What they expect to find: at each eighth byte its position.
    const words = new BigUint64Array(size / 8).map((_, index) => BigInt(8 * index));
    writeFileSync(image, Buffer.from(words.buffer).swap64());
    const { socket } = await serve(place, ['--writable', image]);
    await place.run(program, [socket], { minutes: 3 });
    assert(existsSync(socket), 'the server ended');
  });
}
