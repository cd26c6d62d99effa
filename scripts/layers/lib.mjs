// Rules over lib/, test/ and bench/: which module may import which, who loads the addon, and which packages lib takes.
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { ROOT } from '../support/run.mjs';

/** The modules of lib by floor, lowest first: a module imports its own floor and those below. */
const FLOORS = [
  [
    'native/binding',
    'native/node-gyp-build',
    'media/nbd-limits',
    'arguments/misuse',
    'label/disk-label',
    'label/gpt-types',
    'label/mbr-types',
    'label/types',
    'label/verdicts',
    'arguments/iterable',
    'arguments/printable',
    'request/windows',
  ],
  ['errors', 'arguments/iterables', 'arguments/known-keys', 'media/medium'],
  ['arguments/validate', 'request/abort', 'request/zeros'],
  [
    'request/transfer',
    'media/source',
    'media/nbd',
    'media/nbd-url',
    'faults/virtual-clock',
    'faults/types',
    'faults/match',
    'faults/action',
    'faults/plan',
    'faults/plan-file',
    'faults/log',
    'faults',
    'counters',
    'engine',
    'options',
    'request/handle',
    'label/choice',
    'label/type-argument',
    'label/table-rows',
    'label/written',
  ],
  [
    'label/ioctl',
    'request/range',
    'request/copy-range',
    'request/extents',
    'request/features',
    'request/dirty-bitmap',
    'trace/event',
    'trace/log-error',
    'trace/byte-reader',
    'trace/dm-log-writes',
    'trace/fio-iolog',
    'trace/json-lines',
    'trace/perfetto',
    'trace/log-file',
    'trace/histogram',
    'trace/stats',
    'trace/waiting-iterator',
    'trace/trace',
    'label/codec',
    'label/partition-minor',
    'media/volatile',
    'minors',
  ],
  ['device', 'driver', 'request/batch', 'request/window-view'],
  [
    'images',
    'open',
    'overlay/snapshot',
    'overlay/overlay-info',
    'partitions',
    'device-content',
    'serve/serve-options',
    'serve/nbd-server',
    'changes/free-ranges',
    'changes/table-changes',
    'changes/change-arguments',
    'changes/partition-changes',
    'trace/metrics',
    'trace/replay',
    'trace/start-trace',
  ],
  ['overlay/image-overlay', 'serve/serve'],
  ['overlay/overlay-device'],
  ['overlay/open-overlay'],
  ['index', 'require-index', 'loads', 'media', 'nbd', 'overlay', 'trace'],
];

/**
 * The folders of lib that are clients of all of the above: its own modules, and those named here. `copy`, the one engine of copies,
 * and `adapters` refuse arguments as every call of the package does, so they share its checks; what moves bytes they reach
 * through the device alone.
 */
const FOLDERS = new Map([
  [
    'copy',
    [
      'index',
      'open',
      'device',
      'errors',
      'arguments/iterables',
      'arguments/validate',
      'arguments/known-keys',
      'label/choice',
      'media/medium',
      'media/nbd',
      'media/nbd-url',
      'media/source',
      'request/transfer',
      'request/abort',
      'request/copy-range',
      'request/zeros',
      'request/extents',
    ],
  ],
  [
    'adapters',
    [
      'copy/copy',
      'copy/extent',
      'copy/kinds',
      'copy/options',
      'copy/place',
      'index',
      'loads',
      'device',
      'errors',
      'arguments/validate',
      'arguments/known-keys',
      'request/transfer',
      'request/abort',
    ],
  ],
  [
    'lab',
    [
      'lab',
      'copy/copy',
      'open',
      'device',
      'driver',
      'errors',
      'loads',
      'arguments/validate',
      'arguments/known-keys',
      'media/medium',
      'media/volatile',
      'faults/virtual-clock',
      'native/binding',
      'request/batch',
      'request/transfer',
      'trace/event',
      'trace/log-file',
    ],
  ],
  [
    'cli',
    [
      'index',
      'lab',
      'lab/inspection',
      'media',
      'nbd',
      'overlay',
      'trace',
      'arguments/printable',
      'copy/compare',
      'copy/copy',
      'copy/kinds',
      'copy/options',
      'device-content',
    ],
  ],
]);

const LOADS_ADDON = /\bprocess\.dlopen\b|(?:require|import)\s*\(?\s*['"][^'"]*\.node['"]|['"]node-gyp-build['"]|['"]bindings['"]/;

/** What whoever installs the package has, or brings: lib imports nothing else, but for what scripts/bundle.mjs puts into dist/. */
const { name: SELF, dependencies, peerDependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
const PACKAGES = [SELF, ...Object.keys({ ...dependencies, ...peerDependencies })];
/** Of `a`, `@a/b`, `a/c/d.js` and `@a/b/c` the package. */
const PACKAGE = /^(@[^/]+\/)?[^/]+/;
const BUNDLED = 'cli/bundled/';

/** Floor of a module of lib: its place above, or above all of them when it lies in a client's folder. */
function floorOf(module) {
  if (FOLDERS.has(module.split('/')[0])) return FLOORS.length;
  const floor = FLOORS.findIndex((names) => names.includes(module));
  return floor < 0 ? undefined : floor;
}

function checkImport(file, target) {
  const module = file.replace(/^lib\//, '').replace(/\.m?ts$|\.d\.ts$/, '');
  if (!target.startsWith('.')) {
    const allowed = isBuiltin(target) || PACKAGES.includes(PACKAGE.exec(target)?.[0]) || module.startsWith(BUNDLED);
    return allowed ? undefined : `${target} is no dependency; lib/${BUNDLED} has the packages that are packed`;
  }
  const imported = path.posix.join(path.posix.dirname(module), target).replace(/\.m?js$|\.m?ts$/, '');
  const [folder] = module.split('/');
  const below = FOLDERS.get(folder);
  if (below !== undefined) {
    if (imported.startsWith(`${folder}/`) || below.includes(imported)) return undefined;
    return `${target}: lib/${folder} imports ${below.map((name) => `${name}.js`).join(', ')} alone`;
  }
  const [from, to] = [floorOf(module), floorOf(imported)];
  if (from === undefined || to === undefined) return `${from === undefined ? module : imported} is on no floor of scripts/layers/lib.mjs`;
  return to > from ? `${module} imports ${imported}, which is above it` : undefined;
}

/** @param {string} file @param {string} raw */
export function libRules(file, raw) {
  const breaches = [];
  if (file !== 'lib/native/binding.ts' && !file.endsWith('.d.ts') && LOADS_ADDON.test(raw))
    breaches.push('loads the addon; lib/native/binding.ts alone does');
  const imports = raw.matchAll(/\bfrom\s+['"]([^'"]+)['"](?=;)|\bimport\s*\(?\s*['"]([^'"]+)['"]|\brequire\(\s*['"]([^'"]+)['"]\s*\)/g);
  for (const [, ...names] of imports) {
    const target = names.find((name) => name !== undefined);
    if (file.startsWith('lib/')) breaches.push(checkImport(file, target));
    else if (/\/lib\/|\/dist\//.test(`/${target}`)) breaches.push(`${target}: tests and benches import 'rumpblk'`);
  }
  return breaches.filter((breach) => breach !== undefined);
}
