// npm run bench: what its command line says of a mistake.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT } from '../support/child';

test('a pattern that no row matches is an error, and not a run of nothing', () => {
  const ended = spawnSync(process.execPath, [path.join(ROOT, 'bench', 'main.mjs'), '--only', 'nosuchrow'], { encoding: 'utf8' });
  expect(ended.stderr).toContain('no row matches --only nosuchrow; --list names them');
  expect(ended.status).toBe(1);
});
