// jest: the tests of the public surface, over dist/ and the addon.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run, tool } from '../support/run.mjs';
import { emptyTally, failedTally } from '../support/tally.mjs';

/** What takes longer hangs: on a machine with other work the tests take three times as long as on one without. */
const MINUTES = 75;

/** Why the test of this title was skipped: support/peers.ts prints a line for each. Titles and reasons may have colons. */
function reasonOf(title, output) {
  const line = `\nSKIPPED ${title}: `;
  const at = `\n${output}`.indexOf(line);
  return at < 0 ? 'by its own word' : `\n${output}`.slice(at + line.length).split('\n', 1)[0];
}

function tallyOf(report, output) {
  const tally = emptyTally();
  for (const file of report.testResults) {
    const where = path.relative(process.cwd(), file.name);
    for (const { status, title, fullName, failureMessages } of file.assertionResults) {
      const name = `${where}: ${fullName}`;
      if (status === 'passed') tally.passed += 1;
      else if (status === 'failed') tally.failed.push({ name, detail: failureMessages.join('\n') });
      else tally.skipped.push({ name, why: reasonOf(title, output) });
    }
    // A file that does not load, or that fails outside its tests, has a message but no failed test.
    const failed = file.assertionResults.some(({ status }) => status === 'failed');
    if (file.status === 'failed' && !failed) tally.failed.push({ name: where, detail: file.message });
  }
  return tally;
}

/**
 * @param {{ program?: string[], nodeArgs?: string[], args?: string[], env?: NodeJS.ProcessEnv, tell?: RegExp, minutes?: number }} [options]
 *   another node than this one, or what starts it, with its arguments; arguments for node and for jest; lines of the output that are
 *   shown; minutes until it is ended, 75
 * @returns {Promise<import('../support/tally.mjs').Tally>}
 */
export async function jest({ program = [process.execPath], nodeArgs = [], args = [], env = {}, tell, minutes = MINUTES } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'rumpblk-jest-'));
  try {
    const report = path.join(folder, 'report.json');
    const command = [...nodeArgs, tool('jest', 'bin', 'jest.js'), '--json', `--outputFile=${report}`, ...args];
    const [file, ...before] = program;
    const { ok, output, why } = await run(file, [...before, ...command], { env, minutes });
    for (const [line] of tell === undefined ? [] : output.matchAll(tell)) console.log(line);
    if (!existsSync(report)) return failedTally('jest', `${output}\n${why}`);
    const tally = tallyOf(JSON.parse(readFileSync(report, 'utf8')), output);
    if (!ok && tally.failed.length === 0) tally.failed.push({ name: 'jest', detail: `${output}\n${why}` });
    return tally;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
