// node scripts/bundle.mjs: puts the packages of the command line tool into dist/, so that whoever installs the library installs
// none of them. Each module of lib/cli/bundled becomes one file with all that it imports, and the licenses of what is inside lie beside.
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './support/run.mjs';

const FROM = path.join(ROOT, 'lib', 'cli', 'bundled');
const TO = path.join(ROOT, 'dist', 'cli', 'bundled');

/** The folders of the packages that files of node_modules belong to. */
function packagesOf(files) {
  const folders = files.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

/** Name, version and license of a package with the text of its license, as the license itself asks. */
function licenseOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8'));
  const files = readdirSync(path.join(ROOT, folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  if (files.length === 0) throw new Error(`${folder} has no text of its license (${license})`);
  const texts = files.map((file) => readFileSync(path.join(ROOT, folder, file), 'utf8').trim());
  return [`${name} ${version}, ${license}`, ...texts].join('\n\n');
}

const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: readdirSync(FROM).map((file) => path.join(FROM, file)),
  outdir: TO,
  bundle: true,
  platform: 'node',
  target: 'node20.17',
  format: 'cjs',
  metafile: true,
  logLevel: 'warning',
  // hdr-histogram-js asks for zlib by `eval`, and takes pako where there is none: in a browser, never here.
  logOverride: { 'direct-eval': 'silent' },
  alias: { pako: 'node:zlib' },
});
// Those of tsc, of the modules that were there before.
for (const file of readdirSync(TO).filter((name) => name.endsWith('.map'))) rmSync(path.join(TO, file));
const licenses = packagesOf(Object.keys(metafile.inputs)).map(licenseOf);
writeFileSync(path.join(TO, 'LICENSES.txt'), `${licenses.join(`\n\n${'-'.repeat(72)}\n\n`)}\n`);
