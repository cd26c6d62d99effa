// QEMU's iotests, raw images over nbd: its clients (qemu-io, qemu-img) talk to our server, and what they print is compared with
// what QEMU's developers keep beside each test.
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../support/run.mjs';
import { judged, lacking } from '../foreign/checks.mjs';
import { serveProgram } from '../foreign/server.mjs';
import { sourcePackage } from './sources.mjs';

const TESTS = '001 002 003 004 008 009 010 011 021 032 033 077 083 104 123 197 215'.split(' ');
/** 241 starts its server with --fork; 259 makes qcow2 inside of the export. */
const MORE = ['241', '259'];
/** 241 looks at how qemu-nbd rounds an image of 1000 bytes up, which a server need not do: lines of sizes may differ. */
const OWN_WAYS = {
  241: /^[-+](?: {2}size:| {2}min block:|\[?\{ "start":|1 KiB|\d+ bytes |WARNING: Image format| {9}(?:Automatically|Specify))/,
};
const NEEDS = {
  'qemu-img': 'qemu-utils',
  'qemu-io': 'qemu-utils',
  'qemu-nbd': 'qemu-utils',
  python3: 'python3',
  'apt-get': 'apt',
  xz: 'xz-utils',
};
const MINUTES = 20;

/** What the tests ask of QEMU itself before they start: the name of a machine. None of these tests runs one. */
const STUB = '#!/bin/sh\necho "none (default)"\n';

/** They give a server `sleep 1` to come up. On a busy machine that is not enough: it ends when the socket is there. */
const SLEEP = `#!/bin/sh
if [ "$*" != 1 ]; then exec /bin/sleep "$@"; fi
for _ in $(seq 600); do
  if [ -S "$SOCK_DIR/nbd" ]; then exit 0; fi
  /bin/sleep 0.1
done
`;

/** Makes a program of text. @returns {string} its path */
function program(file, text) {
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const iotests = () =>
  judged("QEMU's iotests", lacking(NEEDS), async (checks, place) => {
    const folder = path.join(sourcePackage('qemu'), 'tests', 'qemu-iotests');
    const stub = program(place.path('stub'), STUB);
    const bin = place.mkdir('bin');
    program(path.join(bin, 'sleep'), SLEEP);
    const env = {
      PATH: `${bin}:${process.env.PATH}`,
      QEMU_PROG: stub,
      QSD_PROG: stub,
      QEMU_IMG_PROG: '/usr/bin/qemu-img',
      QEMU_IO_PROG: '/usr/bin/qemu-io',
      QEMU_NBD_PROG: path.join(ROOT, 'scripts', 'interop', 'as-qemu-nbd.sh'),
      RUMPBLK_SERVE_PROGRAM: serveProgram(),
      RUMPBLK_SERVE_LOG: place.path('log'),
      TEST_DIR: place.mkdir('images'),
      SOCK_DIR: place.mkdir('s'),
    };
    const check = place.start('./check', ['-tap', '-raw', '-nbd', ...TESTS, ...MORE], { cwd: folder, env, minutes: MINUTES });
    await check.closed;
    record(checks, check.text);
  });

/** Reads TAP: `ok raw 001`, `not ok raw 001`, `ok raw 001 # SKIP`; a test's differences are printed beside it. */
function record(checks, text) {
  for (const name of [...TESTS, ...MORE]) {
    const line = new RegExp(`^(not )?ok raw ${name}\\b(.*)$`, 'm').exec(text);
    if (line === null) checks.failed(name, `did not run\n${text.slice(-1000)}`);
    else if (line[2].includes('# SKIP')) checks.leftOut(name, 'by its own word');
    else if (line[1] === undefined || onlyOwnWays(name, text)) checks.passed();
    else checks.failed(name, differences(text, name));
  }
}

/** Whether all that differs is what this test may find differently. */
function onlyOwnWays(name, text) {
  const lines = differences(text, name).split('\n').slice(2);
  const differing = lines.filter((line) => /^[-+]/.test(line));
  return OWN_WAYS[name] !== undefined && differing.length > 0 && differing.every((line) => OWN_WAYS[name].test(line));
}

/** What check printed of a test: a unified diff. */
function differences(text, name) {
  const from = text.indexOf(`/${name}.out\n+++`);
  if (from < 0) return text.slice(-2000);
  const end = text.slice(from).search(/^(?:not )?ok raw |^--- .*\.out$/m);
  return text.slice(from, end < 0 ? undefined : from + end).slice(0, 3000);
}
