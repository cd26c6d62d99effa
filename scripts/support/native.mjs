// The variants of the second build (native/CMakeLists.txt): what each is made with, where it lies, and how to make it.
import os from 'node:os';
import path from 'node:path';
import { ROOT, installed, node, run, tool } from './run.mjs';

const CLANG = 'clang++-14';

/** What takes longer hangs: on a machine with other work a build takes many times as long as on one without. */
export const BUILD_MINUTES = 75;

/**
 * `addon`: with the addon, so configured by cmake-js. `needs`: program -> Debian package.
 * @type {Record<string, { folder: string, addon: boolean, needs: Record<string, string>, define: Record<string, string> }>}
 */
export const VARIANTS = {
  debug: { folder: 'native/build', addon: false, needs: {}, define: {} },
  asan: { folder: 'native/build-asan', addon: true, needs: {}, define: { SAN: 'address,undefined' } },
  tsan: { folder: 'native/build-tsan', addon: true, needs: {}, define: { SAN: 'thread' } },
  bench: {
    folder: 'native/build-bench',
    addon: true,
    needs: {},
    define: { CMAKE_BUILD_TYPE: 'Release', BLK_BENCH: 'ON', BLK_TESTS: 'OFF' },
  },
  fuzz: {
    folder: 'native/build-fuzz',
    addon: false,
    needs: { [CLANG]: 'clang-14 libclang-rt-14-dev' },
    define: { CMAKE_CXX_COMPILER: CLANG, BLK_FUZZ: 'ON', BLK_TESTS: 'OFF', SAN: 'address,undefined' },
  },
  // For lint, which compiles nothing: the compile_commands.json that clang-tidy reads.
  clang: {
    folder: 'native/build-clang',
    addon: true,
    needs: { [CLANG]: 'clang-14', 'run-clang-tidy-14': 'clang-tidy-14' },
    define: { CMAKE_CXX_COMPILER: CLANG, CMAKE_DISABLE_PRECOMPILE_HEADERS: 'ON' },
  },
};

/** What the variant needs and this machine lacks, in words; undefined when nothing. */
export function missingFor(name) {
  const needs = { cmake: 'cmake', make: 'make', 'g++': 'g++', ...VARIANTS[name].needs };
  const missing = Object.entries(needs).filter(([program]) => !installed(program));
  if (missing.length === 0) return undefined;
  return `${missing.map(([program]) => program).join(', ')} missing: apt-get install ${missing.map(([, pkg]) => pkg).join(' ')}`;
}

/** Configures a variant. */
export function configure(name) {
  const { folder, addon, define } = VARIANTS[name];
  const settings = { CMAKE_BUILD_TYPE: 'Debug', ...define };
  if (!addon) {
    const defines = Object.entries(settings).map(([key, value]) => `-D${key}=${value}`);
    return run('cmake', ['-S', 'native', '-B', folder, ...defines]);
  }
  const { CMAKE_BUILD_TYPE: type, ...rest } = settings;
  const defines = Object.entries(rest).map(([key, value]) => `--CD${key}=${value}`);
  const cmakeJs = tool('cmake-js', 'bin', 'cmake-js');
  return node([cmakeJs, 'configure', '-d', 'native', '-O', path.join(ROOT, folder), '-B', type, ...defines]);
}

/** Configures and builds a variant, or targets of it; what is up to date stays. */
export async function build(name, ...targets) {
  const configured = await configure(name);
  if (!configured.ok) return configured;
  const jobs = String(os.availableParallelism());
  const chosen = targets.length > 0 ? targets : ['all'];
  return run('cmake', ['--build', VARIANTS[name].folder, '--parallel', jobs, '--target', ...chosen], { minutes: BUILD_MINUTES });
}
