// What the addon asks of the runtime, and the smoke test that `npm run test:runtimes` runs under others than Node.js.
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT, runChild } from '../support/child';
import { NO_SANITIZER, run, testWith } from '../support/peers';
import { rig } from '../support/rig';

const bench = rig();

test('the smoke test passes under Node.js', async () => {
  const folder = bench.path('smoke');
  mkdirSync(folder);
  const script = `process.argv[1] = ${JSON.stringify(folder)}; process.argv.splice(1, 0, 'smoke.cjs');
    ${readFileSync(path.join(ROOT, 'test', 'runtimes', 'smoke.cjs'), 'utf8')}`;
  const ended = await runChild(script, { plain: true });
  const [, passed, all] = /^(\d+) of (\d+)$/m.exec(ended.stdout) ?? [];
  expect([ended.code, ended.stdout.match(/^FAILED .*/gm), passed]).toEqual([0, null, all]);
  expect(Number(all)).toBeGreaterThanOrEqual(26);
});

testWith(NO_SANITIZER)('the addon asks for nothing but Node-API and the libraries of C and C++', () => {
  const lines = run('nm', '--dynamic', '--undefined-only', path.join(ROOT, 'build', 'Release', 'rumpblk.node'))
    .trim()
    .split('\n');
  const symbols = lines.map((line) => /^\s*(?<kind>[A-Za-z]) (?<name>\S+)$/.exec(line)?.groups ?? { kind: '?', name: line });
  // A weak one may be absent.
  const others = symbols.filter(({ kind, name }) => kind !== 'w' && !/^napi_\w+$|@(GLIBC|GLIBCXX|CXXABI|GCC)_[\d.]+$/.test(name ?? ''));
  expect(others).toEqual([]);
  expect(symbols.filter(({ name }) => name?.startsWith('napi_')).length).toBeGreaterThan(40);
});
