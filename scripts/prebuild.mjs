// node scripts/prebuild.mjs [--remove]: makes prebuilds/ for the tarball, in a copy of the sources, since prebuildify begins by
// emptying build/. `npm pack` calls it before and after: a checkout keeps no prebuilt binary, which might outlive its sources.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT, node, tool } from './support/run.mjs';

const PREBUILDS = path.join(ROOT, 'prebuilds');

/** What binding.gyp reads. All of it: a link to headers elsewhere fails when their path has spaces, which make takes for ends of words. */
const INPUTS = [
  'binding.gyp',
  'package.json',
  'native/addon',
  'native/core',
  'native/prebuild',
  'native/lab',
  'native/serve',
  'native/sources.txt',
  'node_modules/node-addon-api',
];

async function prebuild() {
  const copy = mkdtempSync(path.join(tmpdir(), 'rumpblk-prebuild-'));
  try {
    for (const input of INPUTS) cpSync(path.join(ROOT, input), path.join(copy, input), { recursive: true, dereference: true });
    const options = ['--napi', '--strip', '--tag-libc', '--cwd', copy, '--out', ROOT];
    return await node([tool('prebuildify', 'bin.js'), ...options], { env: { JOBS: 'max' } });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== '--remove')) {
  console.error('usage: prebuild.mjs [--remove]');
  process.exit(2);
}
rmSync(PREBUILDS, { recursive: true, force: true });
if (option === undefined) {
  const { ok, output, why } = await prebuild();
  if (!ok) console.error(`${output}\n${why}`);
  process.exitCode = ok ? 0 : 1;
}
