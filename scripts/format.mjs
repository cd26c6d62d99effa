// Lays out everything as lint wants it: prettier for JavaScript, TypeScript and JSON, clang-format for C++.
import { node, run, tool } from './support/run.mjs';
import { NATIVE_SOURCES, sources } from './support/sources.mjs';

const results = [
  await node([tool('prettier', 'bin', 'prettier.cjs'), '--write', '--log-level=warn', '.']),
  await run('clang-format-14', ['-i', ...sources(NATIVE_SOURCES)]),
];
for (const { ok, output, why } of results) {
  if (!ok) console.error(`${output}${why}`);
}
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
