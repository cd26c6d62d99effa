// npm run bench: this package against node:fs and against C, in ratios. docs/performance.md says how to read it.
import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { ROOT } from '../scripts/support/run.mjs';
import { compare, duration } from './support/compare.mjs';
import { NO_PLACE, Place, fileSystemOf } from './support/images.mjs';
import { describe, machine } from './support/machine.mjs';
import { buildFloors } from './support/native.mjs';
import { fillTables } from './support/markdown.mjs';
import { parseOptions } from './support/options.mjs';
import { cannotProfile, stopPerf } from './support/perf.mjs';
import { PROFILED, runProfile } from './support/profile.mjs';
import { fillProfile, renderProfile } from './support/profile-table.mjs';
import { render, renderTargets } from './support/report.mjs';
import { allRows } from './support/rows.mjs';
import { planOf, runPlan, stopChild } from './support/run.mjs';

const SHM = '/dev/shm';

/** A folder on the disk and one in memory; the latter only where /dev/shm is a tmpfs with room. */
function makePlaces(options) {
  const places = { disk: new Place(options.folder), none: NO_PLACE };
  const room = () => {
    const { bavail, bsize } = statfsSync(SHM);
    return bavail * bsize;
  };
  try {
    if (fileSystemOf(SHM) === 'tmpfs' && room() > 2 * options.effort.bigSize) places.memory = new Place(SHM);
  } catch {
    // No /dev/shm here.
  }
  return places;
}

/** Cleans up on a signal and dies of it. */
function onSignals(cleanUp) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      stopChild();
      stopPerf();
      cleanUp();
      process.kill(process.pid, signal);
    });
  }
}

/** Why the package under test cannot be loaded, said once and not by every row. */
function cannotLoad(root) {
  try {
    createRequire(path.join(root, 'package.json'))('rumpblk');
    return undefined;
  } catch (error) {
    return error.message;
  }
}

function showProgress(line) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}

/** The images that the rows need, gone at the end whatever ends it, and what is to be done with them. */
function prepare(rows, options) {
  const places = makePlaces(options);
  const cleanUp = () => Object.values(places).forEach((place) => place.remove());
  onSignals(cleanUp);
  process.once('exit', cleanUp);
  const sizes = { big: options.effort.bigSize, hot: 16 << 20, scratch: options.effort.scratchSize };
  const plan = planOf(rows, places, options);
  if (plan.length === 0) throw new Error(`no row matches --only ${options.only?.source}; --list names them`);
  for (const { row, place } of plan) for (const name of row.files) place.provide(name, sizes[name]);
  return { plan, sizes };
}

async function measure(rows, options, keep) {
  const { plan, sizes } = prepare(rows, options);
  const noFloors = await buildFloors();
  if (noFloors !== undefined) process.stderr.write(`the C floors are left out: ${noFloors}\n`);
  const results = await runPlan(plan, { ...options, sizes, noFloors }, showProgress, keep);
  showProgress('');
  return results;
}

/** Looks where the time of the rows goes, prints and writes that. Says nothing about targets. */
async function profile(rows, options) {
  const lacking = cannotProfile() ?? (await buildFloors());
  if (lacking !== undefined) {
    process.stderr.write(`${lacking}\n`);
    return 1;
  }
  const host = machine();
  process.stdout.write(`${describe(host)}\n\n`);
  const { plan, sizes } = prepare(rows, { ...options, only: options.only ?? PROFILED });
  const report = { version: 1, machine: host, effort: options.effort, rows: await runProfile(plan, { ...options, sizes }, showProgress) };
  showProgress('');
  process.stdout.write(`${renderProfile(report.rows)}\n`);
  if (options.json !== undefined) writeFileSync(options.json, textOf(report));
  if (options.docs !== undefined) writeFileSync(options.docs, fillProfile(readFileSync(options.docs, 'utf8'), report));
  return report.rows.some((row) => row.failed !== undefined) ? 1 : 0;
}

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options.help !== undefined) {
    (options.code === 0 ? process.stdout : process.stderr).write(`${options.help}\n`);
    return options.code;
  }
  const rows = allRows().filter((row) => !options.short || row.short !== false);
  if (options.list) {
    process.stdout.write(`${rows.map(({ id, places, title }) => `${id}  (${places.join(', ')})  ${title}`).join('\n')}\n`);
    return 0;
  }
  const broken = cannotLoad(options.packageRoot ?? ROOT);
  if (broken !== undefined) {
    process.stderr.write(`${broken}\n`);
    return 1;
  }
  return options.profile ? profile(rows, options) : run(rows, options);
}

/** Measures, prints and writes. Ratios never fail a run: the machine is not ours. Wrong content and a row that cannot run do. */
async function run(rows, options) {
  const baseline = options.compare === undefined ? undefined : JSON.parse(readFileSync(options.compare, 'utf8'));
  const table = options.json === '-' ? process.stderr : process.stdout;
  const host = machine();
  const { bigSize, rounds } = options.effort;
  table.write(`${describe(host)}\nimage ${bigSize >> 20} MiB, ${rounds} rounds at most; median [quartiles]\n\n`);
  const start = performance.now();
  const reportOf = (result) => ({
    version: 1,
    machine: host,
    short: options.short,
    effort: options.effort,
    seconds: Math.round((performance.now() - start) / 1e3),
    ...result,
  });
  const write = (report) => {
    if (options.json !== undefined && options.json !== '-') writeFileSync(options.json, textOf(report));
  };
  const report = reportOf(await measure(rows, options, (result) => write(reportOf(result))));
  write(report);
  table.write(`${render(report.rows)}\n\n${renderTargets(report.rows)}\n${report.rounds} rounds, ${duration(report.seconds * 1e3)}\n`);
  if (options.json === '-') process.stdout.write(textOf(report));
  if (options.docs !== undefined) writeFileSync(options.docs, fillTables(readFileSync(options.docs, 'utf8'), report));
  if (baseline !== undefined) table.write(`\nagainst ${options.compare}: ${compare(baseline, report)}\n`);
  return report.rows.some((row) => row.failed !== undefined || row.wrong > 0) ? 1 : 0;
}

const textOf = (report) => `${JSON.stringify(report, undefined, 1)}\n`;

process.exitCode = await main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  return 1;
});
