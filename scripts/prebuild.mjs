// npm run build:prebuilds (node scripts/prebuild.mjs [--remove]): makes prebuilds/ for the tarball, each binary in a copy of the sources, since prebuildify
// begins by emptying build/. `npm pack` calls it before and after: a checkout keeps no prebuilt binary, which might outlive its sources.
// RUMPBLK_PREBUILDS names the platforms, divided by commas, `host` for this machine's: all four unless told, and always to publish.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { wrongWith } from './prebuild/check.mjs';
import { PLATFORMS, chosenPlatforms, missingFor, toolsFor } from './prebuild/platforms.mjs';
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

/** Makes the binary of one platform. @returns {Promise<string | undefined>} why it could not be made */
async function prebuild(platform) {
  const lacks = missingFor(platform);
  if (lacks !== undefined) return lacks;
  const copy = mkdtempSync(path.join(tmpdir(), 'rumpblk-prebuild-'));
  try {
    for (const input of INPUTS) cpSync(path.join(ROOT, input), path.join(copy, input), { recursive: true, dereference: true });
    const { env, strip } = await toolsFor(platform, path.join(copy, 'tools'));
    const target = ['--arch', platform.arch, '--libc', platform.libc, '--strip', '--strip-bin', strip];
    const options = ['--napi', '--tag-libc', ...target, '--cwd', copy, '--out', ROOT];
    const { ok, output, why } = await node([tool('prebuildify', 'bin.js'), ...options], { env: { JOBS: 'max', ...env }, minutes: 120 });
    if (!ok) return `${output.slice(-20_000)}\n${why}`;
    const wrong = wrongWith(path.join(PREBUILDS, platform.file), platform);
    return wrong.length === 0 ? undefined : `the binary ${wrong.join('\n  ')}`;
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
  const chosen = chosenPlatforms();
  if (process.env.npm_command === 'publish' && chosen.length < PLATFORMS.length)
    throw new Error('RUMPBLK_PREBUILDS leaves platforms out: what is published has a binary for each');
  for (const platform of chosen) {
    const why = await prebuild(platform);
    if (why === undefined) continue;
    console.error(`${platform.name}: ${why}`);
    process.exitCode = 1;
    break;
  }
  if (process.exitCode === 1) rmSync(PREBUILDS, { recursive: true, force: true });
}
