// bare: `npm ci && npm test` on a Debian that has what README.md names and nothing else: Node.js, g++, make and Python 3. A new
// root made by debootstrap, a user without privileges, no HOME, and a folder whose name has spaces.
// RUMPBLK_BARE_SUITE: the release of Debian, bookworm unless told. RUMPBLK_BARE_TEST: what is run behind `npm ci`, `npm test` unless told.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ROOT, installed, run } from '../support/run.mjs';
import { sources } from '../support/sources.mjs';
import { failedTally, lackingTally } from '../support/tally.mjs';

const SUITE = process.env.RUMPBLK_BARE_SUITE ?? 'bookworm';
const TEST = process.env.RUMPBLK_BARE_TEST ?? 'npm test';
/** What README.md names beside Node.js, and what npm needs to trust its registry. */
const PACKAGES = ['g++', 'make', 'python3', 'ca-certificates'];
const USER = 1000;
const CHECKOUT = '/home/user/a folder with spaces/rumpblk';

/** Runs its arguments with what a booted system has mounted in the root $0: processes, terminals and shared memory. */
const MOUNTED = `
  mount -t proc proc "$0/proc"
  mount -t devpts -o ptmxmode=666 devpts "$0/dev/pts"
  mount -t tmpfs tmpfs "$0/dev/shm"
  exec "$@"`;

/** What is missing, in words. */
function lacking() {
  if (process.getuid?.() !== 0) return 'a root file system is made by root alone';
  const missing = ['debootstrap', 'unshare', 'chroot', 'mount'].filter((program) => !installed(program));
  return missing.length === 0 ? undefined : `${missing.join(', ')} missing: apt-get install debootstrap mount util-linux`;
}

/** Node.js as its tarball has it: the program, npm, and the headers that node-gyp builds against. */
function addNode(root) {
  const prefix = path.dirname(path.dirname(process.execPath));
  for (const part of [process.execPath, path.join(prefix, 'lib/node_modules/npm'), path.join(prefix, 'include/node')]) {
    if (existsSync(part))
      cpSync(part, path.join(root, 'usr/local', path.relative(prefix, part)), { recursive: true, verbatimSymlinks: true });
  }
  const npm = path.join(root, 'usr/local/bin/npm');
  writeFileSync(npm, '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n', { mode: 0o755 });
  writeFileSync(path.join(root, 'usr/local/bin/npx'), '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npx-cli.js "$@"\n', {
    mode: 0o755,
  });
}

/** The files of this checkout, the user who owns them, and the way to the network. */
function addCheckout(root) {
  for (const file of sources(/./)) cpSync(path.join(ROOT, file), path.join(root, CHECKOUT, file), { recursive: true });
  writeFileSync(path.join(root, 'etc/passwd'), `user:x:${USER}:${USER}::/home/user:/bin/sh\n`, { flag: 'a' });
  writeFileSync(path.join(root, 'etc/group'), `user:x:${USER}:\n`, { flag: 'a' });
  for (const file of ['/etc/resolv.conf', '/etc/hosts', '/etc/ssl/certs/ca-certificates.crt']) {
    if (existsSync(file)) cpSync(file, path.join(root, file), { dereference: true });
  }
  mkdirSync(path.join(root, 'tmp'), { recursive: true });
}

/** The environment of the user: none of this one but what leads to the network. */
async function environment() {
  const { output } = await run('npm', ['config', 'get', 'registry']);
  const passed = Object.entries(process.env).filter(([name]) => /^(https?_proxy|no_proxy|node_extra_ca_certs)$/i.test(name));
  const own = [
    ['PATH', '/usr/local/bin:/usr/bin:/bin'],
    ['npm_config_registry', output.trim().split('\n').at(-1)],
    ['npm_config_nodedir', '/usr/local'],
    ['npm_config_cache', '/home/user/.npm'],
    ['JOBS', String(os.availableParallelism())],
  ];
  return [...passed, ...own].map(([name, value]) => `${name}=${value}`);
}

/** What `npm test` printed, as its tally: the number of its last line, and its lines about each test that failed or was skipped. */
function tallyOf({ ok, output, why }) {
  const [, passed] = [...output.matchAll(/^(\d+) passed, \d+ failed, \d+ skipped$/gm)].at(-1) ?? [];
  if (passed === undefined) return failedTally('npm ci && npm test', `${output.slice(-20_000)}\n${why}`);
  const failed = [...output.matchAll(/^FAILED (.*)\n((?: {2}.*\n)*)/gm)].map(([, name, detail]) => ({ name, detail }));
  const skipped = [...output.matchAll(/^SKIPPED (.*): (.*?)$/gm)].map(([, name, reason]) => ({ name, why: reason }));
  if (!ok && failed.length === 0) failed.push({ name: 'npm ci && npm test', detail: `${output.slice(-20_000)}\n${why}` });
  return { passed: Number(passed), failed, skipped };
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export async function bare() {
  const lacks = lacking();
  if (lacks !== undefined) return lackingTally('bare', lacks);
  const root = mkdtempSync(path.join(os.tmpdir(), 'rumpblk-bare-'));
  try {
    const made = await run('debootstrap', ['--variant=minbase', `--include=${PACKAGES.join(',')}`, SUITE, root], { minutes: 30 });
    if (!made.ok) return failedTally('debootstrap', `${made.output.slice(-5000)}\n${made.why}`);
    addNode(root);
    addCheckout(root);
    await run('chown', ['-R', `${USER}:${USER}`, path.join(root, 'home/user')]);
    await run('chmod', ['755', root]);
    const script = `cd ${JSON.stringify(CHECKOUT)} && npm ci --no-progress --loglevel=error && npm_config_loglevel=silent ${TEST}`;
    const isolated = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', MOUNTED, root];
    const command = ['chroot', `--userspec=${USER}:${USER}`, root, 'env', '-i', ...(await environment()), 'sh', '-c', script];
    return tallyOf(await run('unshare', [...isolated, ...command], { minutes: 120 }));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
