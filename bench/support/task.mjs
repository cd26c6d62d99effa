// What a child process of the bench was told to do: its row, and the context that the contenders of that row work with.
import { createRequire } from 'node:module';
import path from 'node:path';
import { ROOT } from '../../scripts/support/run.mjs';
import { makeContext } from './context.mjs';
import { allRows } from './rows.mjs';

export function takeUp(task) {
  const row = allRows().find(({ id }) => id === task.row);
  const load = createRequire(path.join(task.packageRoot ?? ROOT, 'package.json'));
  return { row, context: makeContext(task, load) };
}
