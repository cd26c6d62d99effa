// Declares `rumpblk bench`: without a workload the demonstration of bench.ts, with one bench/workload.ts.
import { Option, type Command } from './bundled/commander.js';
import { benchCommand } from './demo/demo.js';
import type { Given } from './workload/job/file.js';
import { UsageError } from './support/failure.js';
import { explain } from './support/help.js';
import { partitionOption } from './support/image.js';
import { FILE_HELP, parseSource } from './support/source.js';
import { parseBytes, parsePath, parseUint32 } from './support/units.js';

interface Options {
  quick?: boolean;
  size?: string;
  directory?: string;
  randseed?: string;
  jobs?: string;
  engine?: string;
  access: 'auto' | 'mmap' | 'pio';
  overwrite?: boolean;
  partition?: string | number;
  lock: boolean;
  parseOnly?: boolean;
  html?: string;
  json?: boolean;
}

/** Keys of a job that are options of the command, with what they mean. The demonstration has the first three, too. */
const WORDS: readonly [flags: string, meaning: string][] = [
  ['--size <size>', 'bytes of the file to work on, or a share of it: 64m, 10%'],
  ['--dir, --directory <directory>', 'where files are made (default: the directory for temporary files)'],
  ['--seed, --randseed <number>', 'seed of the requests (default: 1)'],
  ['--rw <pattern>', 'read, write, randread, randwrite, rw, randrw'],
  ['--bs <size>', 'bytes of a request, or of a read and of a write: 4k,64k (default: 4k)'],
  ['--iodepth <n>', 'requests in flight (default: 1)'],
  ['--numjobs <n>', 'threads (default: 1)'],
  ['--runtime <time>', 'end after this time: 3, 500ms, 2m'],
  ['--time_based [switch]', 'go on until the runtime is over'],
  ['--loops <n>', 'passes over the file (default: 1)'],
  ['--io_size <size>', 'bytes to move in all, where that is not size times loops'],
  ['--offset <size>', 'where on the file to begin (default: 0)'],
  ['--rwmixread <percent>', 'share of reads in rw and randrw (default: 50)'],
  ['--norandommap [switch]', 'random positions may come twice in a pass'],
  ['--fsync <n>', 'a sync after every n writes'],
  ['--fdatasync <n>', 'the same by fdatasync'],
  ['--direct [switch]', 'past the page cache'],
  ['--invalidate [switch]', 'begin with the page cache of the file dropped (default: 1)'],
  ['--group_reporting [switch]', 'one report for all threads of a job'],
  ['--ioengine <name>', "fio's own engine, for --engine fio"],
];

const HELP = {
  notes: [
    'Without a workload: writes and verifies at random in every access mode, replays injected faults, compares with node:fs. FILE is an image that is only read; with --partition, that partition of it. memory:SIZE and null:SIZE are written, too.',
    'With --rw or --jobs: runs it over the engines, and shows throughput and latencies.\n  sync, batch, async                 readSync, Batch.runSync, read of a device\n  fs-sync, fs-callback, fs-promises  node:fs\n  fio                                fio itself, when it is installed',
    'FILE is what --rw works on; without one, a temporary file. Options beside --jobs replace those keys in every job. A workload of the command line that nothing bounds takes three seconds. With --partition, positions and shares are those of the partition, in every engine, and nothing outside it is touched. memory:SIZE and null:SIZE are for the engines of devices; each thread has a disk of its own, memory filled with noise. Files that the bench makes are removed. What a file or node holds is written over with --overwrite only.',
    "Sizes of a workload are fio's: k, m, g, t are powers of 1024. Job files have sections of key=value lines, [global] for all jobs below it; besides the keys above: filename, stonewall, rwmixwrite, buffered, and fio's other names for them. There is no verify=.",
  ],
  examples: [
    { what: 'Show and verify what a device does.', line: 'rumpblk bench' },
    {
      what: 'Run a workload over every engine, and make a page of it.',
      line: 'rumpblk bench --rw randread --size 256m --engine all --html bench.html',
    },
    { what: 'Run the jobs of fio.', line: 'rumpblk bench --jobs mix.fio' },
  ],
};

export function addBench(program: Command, version: string, done: (status: number) => void): void {
  const command = program
    .command('bench')
    .description('Run a workload over several engines, or show and verify what a device does.')
    .argument('[file]', FILE_HELP, parseSource)
    .option('--quick', 'the demonstration: take about a second')
    .option('--jobs <file>', 'a workload: a fio job file', parsePath)
    .option('--engine <names>', 'what does it: names with commas between, or all (default: sync, or async where iodepth is more than 1)')
    .addOption(new Option('--access <way>', 'how the engines of devices reach it').choices(['auto', 'mmap', 'pio']).default('auto'))
    .addOption(partitionOption())
    .option('--overwrite', 'write jobs may write over what a file or node holds')
    .option('--no-lock', 'work on a file even when another process has it locked')
    .option('--parse-only', 'say how the workload is understood, and end')
    .option('--html <file>', 'write a page with charts', parsePath)
    .option('--json', "print one JSON document on stdout; of a workload, in fio's shape");
  for (const [flags, meaning] of WORDS) command.option(flags, meaning);
  explain(command, HELP).action(async (file: string | undefined, options: Options) => done(await run(file, options, version)));
}

async function run(file: string | undefined, options: Options, version: string): Promise<number> {
  const words = wordsOf(options);
  const { rw, size, directory, randseed, ...others } = words;
  const { jobs, engine, overwrite, parseOnly, html, partition } = options;
  const workload = rw ?? jobs;
  if (workload === undefined) {
    const stray =
      Object.keys(others)[0] ??
      Object.entries({ engine, overwrite, 'parse-only': parseOnly, html }).find(([, value]) => value !== undefined)?.[0];
    if (stray !== undefined) throw new UsageError(`--${stray} belongs to a workload: give --rw or --jobs`);
    if (file?.endsWith('.fio') === true) throw new UsageError(`a fio job file is given with --jobs: rumpblk bench --jobs ${file}`);
    return benchCommand(file, {
      size: parse(parseBytes, 'size', size) ?? 64 << 20,
      seed: parse(parseUint32, 'seed', randseed) ?? 1,
      ...(partition === undefined ? {} : { partition }),
      ...(directory === undefined ? {} : { dir: directory }),
      ...(options.quick === undefined ? {} : { quick: options.quick }),
      ...(options.json === undefined ? {} : { json: options.json }),
    });
  }
  if (options.quick !== undefined) throw new UsageError('--quick is for the demonstration: a workload has --runtime and --size');
  // Loaded when it is needed: the other commands start without it.
  const { workloadCommand } = await import('./workload/workload.js');
  return workloadCommand({
    words: file === undefined ? words : { ...words, filename: file.replaceAll(':', '\\:') },
    ...(jobs === undefined ? {} : { jobs }),
    ...(engine === undefined ? {} : { engine }),
    ...(html === undefined ? {} : { html }),
    ...(partition === undefined ? {} : { partition }),
    access: options.access,
    overwrite: overwrite === true,
    lock: options.lock,
    parseOnly: parseOnly === true,
    json: options.json === true,
    version,
  });
}

/** The keys of a job among the options, as text; an option without its value is a switch. */
function wordsOf(options: Options): Given {
  const words: Given = {};
  for (const [flags] of WORDS) {
    const key = /--(\w+)(?: [<[]\w+[>\]])?$/.exec(flags)?.[1] ?? '';
    const value = (options as unknown as Record<string, unknown>)[key];
    if (value !== undefined) words[key] = typeof value === 'string' ? value : '1';
  }
  return words;
}

function parse<T>(parser: (text: string) => T, name: string, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return parser(text);
  } catch (error) {
    throw new UsageError(`--${name}: '${text}': ${error instanceof Error ? error.message : String(error)}`);
  }
}
