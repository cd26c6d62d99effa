// The command line of the bench, and how much work each form of it does.
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

export const USAGE = `usage: npm run bench -- [options]
  --short            a minute instead of a quarter of an hour: fewer rounds, a smaller image, no side rows
  --only PATTERN     rows whose name matches the regular expression, as sync or promise-4k@tmpfs
  --rounds N         rounds, each of which measures every row once
  --json FILE        writes all figures to FILE, - for standard output (the table then goes to standard error)
  --compare FILE     prints what moved beyond noise since FILE was written by --json
  --docs FILE        rewrites the tables of FILE (docs/performance.md) with the figures of this run
  --profile          where the time of some rows goes instead, by perf, and their system calls; takes --only, --json, --docs
  --package DIR      measures the build in DIR instead of this one
  --dir DIR          where the images go; default $RUMPBLK_BENCH_DIR, then the folder for temporary files
  --list             names the rows and ends
  --help             prints this and ends`;

const MIB = 1 << 20;

/**
 * Sizes in bytes, times in milliseconds. `passes` of `passMs` each per contender, round and row. A round that would end
 * after `budgetMs` is not begun: on a slow or busy machine there are fewer of them.
 */
const FULL = { rounds: 5, budgetMs: 14 * 60_000, passes: 3, passMs: 25, bigSize: 1024 * MIB, scratchSize: 256 * MIB };
const SHORT = { rounds: 1, budgetMs: 55_000, passes: 3, passMs: 8, bigSize: 256 * MIB, scratchSize: 64 * MIB };

/** @returns the options, or `{ help }` with what to print and the exit code */
export function parseOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        short: { type: 'boolean', default: false },
        only: { type: 'string' },
        rounds: { type: 'string' },
        json: { type: 'string' },
        compare: { type: 'string' },
        docs: { type: 'string' },
        profile: { type: 'boolean', default: false },
        package: { type: 'string' },
        dir: { type: 'string' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }));
    if (values.rounds !== undefined && !/^[1-9]\d*$/.test(values.rounds)) throw new Error('--rounds is a whole number from 1 up');
    if (values.only !== undefined) new RegExp(values.only);
  } catch (error) {
    return { help: `${error.message}\n${USAGE}`, code: 2 };
  }
  if (values.help) return { help: USAGE, code: 0 };
  const effort = { ...(values.short ? SHORT : FULL) };
  if (values.rounds !== undefined) effort.rounds = Number(values.rounds);
  return {
    short: values.short,
    list: values.list,
    only: values.only === undefined ? undefined : new RegExp(values.only),
    json: values.json,
    compare: values.compare,
    docs: values.docs,
    profile: values.profile,
    packageRoot: values.package === undefined ? undefined : path.resolve(values.package),
    folder: path.resolve(values.dir ?? process.env.RUMPBLK_BENCH_DIR ?? os.tmpdir()),
    effort,
  };
}
