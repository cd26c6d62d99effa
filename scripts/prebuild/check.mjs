// What a prebuilt binary asks of the process that loads it, and what it shows of itself, by readelf.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { MUSL } from './platforms.mjs';

/** The version of Node-API that binding.gyp asks for; every Node.js that package.json allows has it. */
const NODE_API = 'v8';
/** Of glibc 2: what Node.js 20 itself needs. */
const GLIBC_MINOR = 28;
/** What Node.js calls. The version script of binding.gyp says the same. */
const ENTRIES = new Set(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
/**
 * Asked weakly, so that nobody has to have it: by the start files of every shared library, for transactional memory by libstdc++,
 * and by tables of virtual functions in the places of those that nobody calls.
 */
const WEAK = /^(__cxa_finalize|__cxa_pure_virtual|__gmon_start__|_ITM_\w+|_ZGTt\w+)$/;
/** Libraries that the process has: of glibc those that node itself is linked with, of musl the one. */
const LIBRARIES = {
  glibc: /^(libc\.so\.6|libm\.so\.6|libgcc_s\.so\.1|libpthread\.so\.0|libdl\.so\.2|ld-linux-(x86-64|aarch64)\.so\.[12])$/,
  musl: /^libc(\.musl-\w+)?\.so(\.1)?$/,
};
const MACHINE = { x64: /X86-64/, arm64: /AArch64/ };

function readelf(...args) {
  return execFileSync('readelf', ['--wide', ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
}

/** The dynamic symbols of a file. @returns {{ bind: string, defined: boolean, name: string, version: string }[]} */
function dynamicSymbols(file) {
  const rows = readelf('--dyn-syms', file).matchAll(/^ *\d+: \w+ +\w+ \w+ +(\w+) +\w+ +(\w+) ([^\s@]+)(?:@+(\S+))?/gm);
  return Array.from(rows, ([, bind, section, name, version = '']) => ({ bind, defined: section !== 'UND', name, version }));
}

function nodeApi() {
  const { js_native_api_symbols: language, node_api_symbols: node } = createRequire(import.meta.url)('node-api-headers').symbols[NODE_API];
  return new Set([...language, ...node]);
}

/** @returns {(symbol: { name: string, version: string }) => boolean} whether the C library of every such process has it */
function libraryOf(libc) {
  if (libc === 'musl') {
    const there = new Set(
      dynamicSymbols(MUSL)
        .filter(({ defined }) => defined)
        .map(({ name }) => name),
    );
    return ({ name, version }) => version === '' && there.has(name);
  }
  return ({ version }) => {
    const minor = /^GLIBC_2\.(\d+)(\.\d+)?$/.exec(version)?.[1];
    return minor === undefined ? /^GCC_[34]\.\d(\.\d)?$/.test(version) : Number(minor) <= GLIBC_MINOR;
  };
}

/**
 * What is wrong with a binary, a line each.
 * @param {string} file @param {Pick<import('./platforms.mjs').Platform, 'arch' | 'libc'>} platform
 * @returns {string[]}
 */
export function wrongWith(file, { arch, libc }) {
  const wrong = [];
  const machine = /Machine: +(.*)/.exec(readelf('--file-header', file))?.[1] ?? '';
  if (!MACHINE[arch].test(machine)) wrong.push(`is for ${machine}`);
  for (const [, name] of readelf('--dynamic', file).matchAll(/\(NEEDED\).*\[(.*)\]/g)) {
    if (!LIBRARIES[libc].test(name)) wrong.push(`needs the library ${name}`);
  }
  const [asked, has] = [nodeApi(), libraryOf(libc)];
  for (const symbol of dynamicSymbols(file)) {
    const { name, version, bind, defined } = symbol;
    const full = version === '' ? name : `${name}@${version}`;
    if (defined ? !ENTRIES.has(name) && bind !== 'LOCAL' : false) wrong.push(`shows ${full}`);
    if (!defined && !asked.has(name) && !has(symbol) && !(bind === 'WEAK' && WEAK.test(name))) wrong.push(`asks for ${full}`);
  }
  return wrong;
}
