// Every block of code in README.md and docs/ is run, those of a page one after the other in one folder, which is empty at first, where
// the package has its name: as a reader does who follows the page. Nothing is there that the page has not made.
// js: a whole ES module, or a part of one of around/. ts: a whole module, checked strictly. sh: line by line. ini: a job file of the bench.
// Not run: examples of docs/api.md, which are a line or two and only checked against the types; figures; and what npm does, which
// CI and test/package/install.test.ts do.
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { ROOT } from '../support/child';
import { TOOL } from '../support/cli';
import { blocksOf, pages, type Block } from '../support/documents';
import { peer, testWith, type Need } from '../support/peers';
import { MiB, rig } from '../support/rig';

jest.setTimeout(120_000);
const bench = rig();
const blocks = pages()
  .filter((page) => page !== 'docs/api.md')
  .flatMap(blocksOf);
const of = (language: string) => blocks.filter((block) => block.language === language);

/** Commands that other tests run, or that need what a test has not: each has to exist. */
const NPM = /^npm (?:run (?<script>[\w:]+)|(?<command>ci|start|test|install|pack|explore|rebuild)\b)/;

const run = promisify(execFile);

beforeAll(() => {
  // Packages of the examples are found by going up: the package itself, and those it works with.
  mkdirSync(bench.path('node_modules'));
  for (const name of readdirSync(path.join(ROOT, 'node_modules')).filter((entry) => !entry.startsWith('.'))) {
    symlinkSync(path.join(ROOT, 'node_modules', name), bench.path(`node_modules/${name}`));
  }
  symlinkSync(ROOT, bench.path('node_modules/rumpblk'));
});

function folder(): string {
  return mkdtempSync(bench.path('example-'));
}

test('each language of a block is one that is run', () => {
  const languages = new Set(blocks.map(({ language }) => language));
  expect([...languages].filter((language) => !['js', 'ts', 'sh', 'ini', 'text'].includes(language))).toEqual([]);
  // text: a figure, with no line that looks like code.
  expect(of('text').filter(({ source }) => /^\s*(import|const|npx?|await)\b/m.test(source))).toEqual([]);
  for (const language of ['js', 'ts', 'sh']) expect(of(language).length).toBeGreaterThan(1);
});

test('no block of README.md or a guide is wider than its column', () => {
  const wide = blocks
    .filter(({ where }) => /^README|guides\//.test(where))
    .flatMap(({ where, source }) => source.split('\n').map((line) => ({ where, line })))
    .filter(({ line }) => line.length > 72);
  expect(wide).toEqual([]);
});

/** The commands of a `sh` block: lines, of which one that ends in a backslash, or in a pipe, goes on in the next. */
function commandsOf(source: string): string[] {
  const lines = source.replaceAll(/(\\|\|)\n\s*/g, (_, end: string) => (end === '|' ? '| ' : '')).split('\n');
  return lines.filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

/** The module that a `js` block is, or is a part of. */
function moduleOf({ source, inside }: Block): string {
  if (inside === undefined) return source;
  const [before, after, ...more] = readFileSync(path.join(ROOT, 'test', 'documents', 'around', `${inside}.mjs`), 'utf8').split(
    '// THE BLOCK\n',
  );
  if (before === undefined || after === undefined || more.length > 0) throw new Error(`${inside}.mjs has to say once where the block goes`);
  return `${before}${source}\n${after}`;
}

/** Programs that examples call and that a machine with Node.js and a compiler lacks, and the Debian packages that have them. */
const PROGRAMS = {
  e2fsck: 'e2fsprogs',
  jq: 'jq',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.vfat': 'dosfstools',
  mtype: 'mtools',
  nbdcopy: 'libnbd-bin',
  nbdinfo: 'libnbd-bin',
  nbdkit: 'nbdkit',
  psktool: 'gnutls-bin',
  'qemu-img': 'qemu-utils',
  'qemu-io': 'qemu-utils',
  'qemu-nbd': 'qemu-utils',
  sfdisk: 'fdisk',
};

/** Those that every machine has, that come with Node.js, or that the tests put into the PATH. */
const THERE = ['cat', 'cp', 'echo', 'esbuild', 'kill', 'mkdir', 'node', 'npm', 'npx', 'printf', 'rumpblk', 'sha256sum', 'true', 'truncate'];

/** What an example needs of the machine: programs that it calls by name, from a shell or from JavaScript. */
function needsOf(source: string): Need[] {
  const called = Object.entries(PROGRAMS).filter(([name]) =>
    new RegExp(`(?:^|[|;&/'"] ?)${name.replace('.', '[.]')}(?=['" ]|$)`, 'm').test(source),
  );
  return called.map(([name, debianPackage]) => peer(name, debianPackage));
}

/** The names of the programs that an example calls: those that begin a command, or that JavaScript runs. */
function calledBy({ language, source }: Block): string[] {
  if (language === 'js')
    return Array.from(source.matchAll(/\b(?:exec|spawn)\w*\('([^']+)'/g), ([, program]) => path.basename(program ?? ''));
  const commands = commandsOf(source.replaceAll(/"[^"]*"|'[^']*'|\s#.*$/gm, ''))
    .join('\n')
    .split(/[|;&\n]+/);
  return commands.map((command) => command.trim().split(/\s/)[0] ?? '').filter((word) => word !== '');
}

test('every program that an example calls is there, or is asked for', () => {
  const examples = [...of('js'), ...of('sh')];
  const called = new Set(examples.flatMap(calledBy));
  expect(Object.keys(PROGRAMS).filter((name) => !called.has(name))).toEqual([]);
  for (const block of examples) {
    const asked = needsOf(block.language === 'sh' ? commandsOf(block.source).join('\n') : block.source).map(({ why }) => why);
    for (const program of calledBy(block).filter((name) => !THERE.includes(name))) {
      expect([block.where, asked]).toEqual([block.where, expect.arrayContaining([expect.stringContaining(`${program} is missing`)])]);
    }
  }
});

/** What tsc says of the files, if anything. */
function complaints(cwd: string, files: readonly string[], ...more: string[]): Promise<string> {
  const settings = ['--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,esnext.disposable', '--types', 'node'];
  return run(process.execPath, [path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), ...settings, ...more, ...files], { cwd }).then(
    () => '',
    (error: unknown) => (error as { stdout: string }).stdout,
  );
}

describe('types', () => {
  /** Writes the blocks of a language into one folder, and checks them in one go. */
  async function check(language: string, extension: string, ...more: string[]): Promise<{ cwd: string; files: string[] }> {
    const cwd = folder();
    const files = of(language).map(({ where }) => `${where.replaceAll(/[/:.]/g, '-')}.${extension}`);
    of(language).forEach((block, index) => writeFileSync(path.join(cwd, files[index] ?? ''), moduleOf(block)));
    expect(await complaints(cwd, files, ...more)).toBe('');
    return { cwd, files };
  }

  test('every ts block passes a strict check, and runs', async () => {
    const { cwd, files } = await check('ts', 'mts', '--strict');
    for (const file of files) await run(process.execPath, [file.replace(/mts$/, 'mjs')], { cwd });
  });

  test('every js block names only what is there', async () => {
    await check('js', 'mjs', '--noEmit', '--allowJs', '--checkJs', '--strict', 'false', '--noImplicitAny', 'false');
  });
});

describe('docs/api.md', () => {
  /** What the examples take for granted: a name, and what it is. */
  const GIVEN: Readonly<Record<string, string>> = {
    device: "import('rumpblk').BlockDevice",
    driver: "import('rumpblk').BlockDriver",
    changes: "import('rumpblk').DirtyBitmap",
    trace: "import('rumpblk/trace').Trace",
    histogram: "import('rumpblk/trace').LatencyHistogram",
    clock: "import('rumpblk/lab').VirtualClock",
    handle: "import('rumpblk/fs').DeviceFileHandle",
    server: "import('rumpblk/nbd').NbdServer",
    overlay: "import('rumpblk/overlay').OverlayDevice",
    storage: "import('rumpblk/random-access-storage').RandomAccessDevice",
    sector: 'Buffer',
    label: "import('rumpblk').DiskLabel",
    buffer: 'Buffer',
    position: 'number',
    retry: '() => void',
    promisify: "typeof import('node:util').promisify",
    pipeline: "typeof import('node:stream/promises').pipeline",
    fatfs: 'any',
    ext2fs: 'any',
    recorder: "import('rumpblk/lab').Recorder",
    token: 'string',
    fc: "typeof import('fast-check')",
    // What the caller of the laboratory has: a workload, a recovery, a judgement, a test runner.
    save: "(device: import('rumpblk').BlockDevice) => Promise<void>",
    recover: "(device: import('rumpblk').BlockDevice) => { count: number }",
    acknowledged: "(marks: readonly import('rumpblk/lab').Mark[]) => number",
    contentOf: "(device: import('rumpblk').BlockDevice) => string",
    isWhole: "(device: import('rumpblk').BlockDevice) => boolean",
    check: "(state: import('rumpblk/lab').CrashState) => boolean",
    assert: "typeof import('node:assert/strict')",
    test: '(name: string, body: () => Promise<unknown>) => void',
  };
  const { exports } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, { require?: { types: string; default: string } }>;
  };

  /** The lines that an example needs in front of it. */
  function preamble(source: string): string[] {
    const uses = (name: string): boolean => new RegExp(`(?<![.\\w])${name}\\b`).test(source);
    const own = (name: string): boolean => new RegExp(`(?:const|using) ${name}\\b|[{,] ${name}[ ,][^;]*\\} = `).test(source);
    const imported = Object.entries(exports).flatMap(([subpath, { require: face }]) => {
      if (face === undefined) return [];
      const names = Object.keys(jest.requireActual<object>(path.join(ROOT, face.default))).filter(uses);
      return names.length > 0 ? [`import { ${names.join(', ')} } from '${subpath.replace('.', 'rumpblk')}';`] : [];
    });
    const given = Object.entries(GIVEN).filter(([name]) => uses(name) && !own(name));
    return [...imported, ...given.map(([name, type]) => `declare const ${name}: ${type};`), 'export {};'];
  }

  test('each example fits the types', async () => {
    const cwd = folder();
    const examples = blocksOf('docs/api.md').filter(({ language }) => language === 'js');
    expect(examples.length).toBeGreaterThan(8);
    const files = examples.map(({ where }) => `${where.replaceAll(/[/:.]/g, '-')}.mts`);
    examples.forEach(({ source }, index) => {
      writeFileSync(path.join(cwd, files[index] ?? ''), [...preamble(source), source].join('\n'));
    });
    expect(await complaints(cwd, files, '--noEmit', '--strict', 'false')).toBe('');
  });
});

/** Every page that has something to run. */
const followed = [
  ...new Set(blocks.filter(({ language }) => ['js', 'sh'].includes(language)).map(({ where }) => where.split(':')[0] ?? '')),
];

describe.each(followed)('%s, followed in an empty folder,', (page) => {
  let cwd = '';
  let env: NodeJS.ProcessEnv = {};
  const said = new Map<string, string>();

  /** A program in the folder that comes first in the PATH. */
  const program = (name: string, text: string): void => {
    writeFileSync(path.join(cwd, 'bin', name), `#!/bin/sh\n${text}\n`);
    chmodSync(path.join(cwd, 'bin', name), 0o755);
  };

  beforeAll(() => {
    cwd = folder();
    mkdirSync(path.join(cwd, 'bin'));
    env = { ...process.env, PATH: [path.join(cwd, 'bin'), process.env['PATH']].join(path.delimiter) };
    // A workload takes seconds unless it is told to be short.
    program(
      'rumpblk',
      `case "$*" in bench*--rw*|bench*--jobs*) set -- "$@" --runtime 100ms --size 4m;; esac
      exec "${process.execPath}" "${TOOL}" "$@"`,
    );
    program('esbuild', `exec "${ROOT}/node_modules/esbuild/bin/esbuild" --log-level=error "$@"`);
    program('npx', 'exec "$@"');
    // As an installed package has it: prebuilds are there, for the guide that copies them.
    if (page.endsWith('install.md')) {
      const installed = path.join(cwd, 'node_modules', 'rumpblk');
      const prebuilds = path.join(installed, 'prebuilds', `${process.platform}-${process.arch}`);
      mkdirSync(prebuilds, { recursive: true });
      for (const part of ['dist', 'package.json']) cpSync(path.join(ROOT, part), path.join(installed, part), { recursive: true });
      cpSync(path.join(ROOT, 'build', 'Release', 'rumpblk.node'), path.join(prebuilds, 'rumpblk.node'));
    }
  });

  const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

  for (const block of blocks.filter(({ where }) => where.startsWith(`${page}:`))) {
    const { where, language, source } = block;
    if (language === 'js') {
      testWith(...needsOf(moduleOf(block)))(`${where} runs`, async () => {
        writeFileSync(path.join(cwd, 'example.mjs'), moduleOf(block));
        const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd, env });
        expect(stderr).toBe('');
        if (block.inside !== undefined) said.set(block.inside, stdout);
      });
    } else if (language === 'sh') {
      testWith(...needsOf(commandsOf(source).join('\n')))(`${where} runs`, async () => {
        for (const line of commandsOf(source)) {
          const npm = NPM.exec(line)?.groups;
          if (npm?.['script'] !== undefined) expect(scripts).toHaveProperty([npm['script']]);
          else if (npm === undefined)
            await run('bash', ['-o', 'pipefail', '-ec', line], { cwd, env, maxBuffer: 64 * MiB, encoding: 'buffer' });
        }
      });
    } else if (language === 'ini') {
      test(`${where} is a job file`, async () => {
        writeFileSync(path.join(cwd, 'mix.fio'), source);
        await run(process.execPath, [TOOL, 'bench', '--jobs', 'mix.fio', '--parse-only'], { cwd });
      });
    } else if (block.printedBy !== undefined) {
      const name = block.printedBy;
      test(`${where} is printed`, () => {
        expect(said.get(name)).toContain(source);
      });
    }
  }
});
