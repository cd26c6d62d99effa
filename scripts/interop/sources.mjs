// Debian's source packages, for the suites that only they have. They are fetched once, by apt-get with lists of its own, into a
// folder of the user's cache: neither the lists of the machine nor the repository change.
// RUMPBLK_SOURCES: that folder; ~/.cache/rumpblk/sources unless told.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

const CACHE = process.env.RUMPBLK_SOURCES ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'rumpblk', 'sources');

/** Releases that are asked next when an archive has dropped a file of this machine's. */
const LATER = ['trixie'];

/** The lines of a sources.list: those that this machine has for packages, asked for sources. */
function sourceLists() {
  const format = 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const text = execFileSync('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], { encoding: 'utf8' });
  return [...new Set(text.trim().split('\n'))].filter((line) => /^deb-src \S+\/debian(?:-security)?\/? /.test(line));
}

/** apt-get with a sources.list of its own that has these lines. @returns a function that runs it */
function aptGet(folder, lines) {
  const lists = path.join(folder, 'lists');
  mkdirSync(path.join(lists, 'partial'), { recursive: true });
  writeFileSync(path.join(folder, 'sources.list'), lines.map((line) => `${line}\n`).join(''));
  const own = {
    'Dir::Etc::SourceList': path.join(folder, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': lists,
  };
  const options = Object.entries(own).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  return (args, cwd) => execFileSync('apt-get', [...options, '-o', 'APT::Sandbox::User=root', '-qq', ...args], { cwd, stdio: 'pipe' });
}

/** Downloads a source package into `folder`, from the first of the releases that has it whole. */
function download(name, folder) {
  const own = sourceLists();
  if (own.length === 0) throw new Error('apt knows no archive of Debian: apt-get update');
  const main = own.find((line) => /\/debian\/? \S+ main$/.test(line)) ?? own[0];
  const later = LATER.map((release) => [main.replace(/^(\S+ \S+) \S+ /, `$1 ${release} `)]);
  const refusals = [];
  for (const [index, lines] of [own, ...later].entries()) {
    const lists = path.join(CACHE, `apt-${index}`);
    try {
      const run = aptGet(lists, lines);
      run(['update']);
      run(['source', '--download-only', name], folder);
      return;
    } catch (error) {
      refusals.push(String(error.stderr ?? error));
    }
  }
  throw new Error(`apt-get source ${name}: ${refusals.join('\n')}`);
}

/** The upstream sources of a Debian source package, unpacked. @returns {string} their folder */
export function sourcePackage(name) {
  const done = path.join(CACHE, name);
  if (!existsSync(done)) {
    const folder = path.join(CACHE, `${name}.part`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    download(name, folder);
    const archive = readdirSync(folder).find((file) => /\.orig\.tar\.\w+$/.test(file));
    if (archive === undefined) throw new Error(`${name}: no upstream archive`);
    execFileSync('tar', ['xf', archive], { cwd: folder, stdio: 'pipe' });
    renameSync(folder, done);
  }
  const [inner] = readdirSync(done, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return path.join(done, inner.name);
}

/** The version of a source package that is there, as its description says. */
export function sourceVersion(name) {
  const folder = path.join(CACHE, name);
  const dsc = readdirSync(folder).find((file) => file.endsWith('.dsc'));
  return /^Version: (?:\d+:)?(\S+)/m.exec(readFileSync(path.join(folder, dsc), 'utf8'))[1];
}
