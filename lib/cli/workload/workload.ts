// rumpblk bench with a workload: jobs in fio's words, over one or more engines; a table, fio's JSON, a page.
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { OpenOptions, PartitionChoice } from '../../index.js';
import { EXIT, UsageError, withPath } from '../support/failure.js';
import { emit, emitJson, note, section, table } from '../support/report.js';
import { formatBytes, formatExact } from '../support/units.js';
import { fileSystemOf } from '../support/file-system.js';
import { jobOfOptions, parseJobFile, type Given, type JobFile } from './job/file.js';
import type { Job } from './job/job.js';
import { createLiveProgress } from './live.js';
import { checkJob, isOnMedium } from './load/check.js';
import { DEVICE_ENGINES, ENGINES, type EngineName } from './engine.js';
import { findFio } from './load/fio.js';
import { runJobs } from './load/run.js';
import { Targets } from './load/targets.js';
import { machine } from '../support/machine.js';
import { refusePage, writePage } from './page/write.js';
import { fioReport } from './result/fio-json.js';
import type { JobResult } from './result/outcome.js';
import { renderResults } from './result/table.js';
import { onSignals } from '../support/signals.js';

export interface WorkloadOptions {
  /** Keys of a job, as given. */
  words: Given;
  /** A job file. */
  jobs?: string;
  engine?: string;
  access: NonNullable<OpenOptions['access']>;
  overwrite: boolean;
  lock: boolean;
  partition?: PartitionChoice;
  parseOnly: boolean;
  html?: string;
  json: boolean;
  version: string;
}

/** What an unbounded workload of the command line is: three seconds. */
const SHORT: Given = { runtime: '3', time_based: '1' };
const BOUNDS = ['size', 'io_size', 'loops', 'runtime', 'time_based'];

export async function workloadCommand(options: WorkloadOptions): Promise<number> {
  const { jobs, global, remarks } = await readJobs(options);
  for (const remark of remarks) note(remark);
  const engines = enginesOf(options.engine, jobs);
  for (const job of jobs) checkJob(job, engines.names);
  if (options.parseOnly) {
    await (options.json ? emitJson({ global, jobs, engines: engines.names }) : emit(section('Jobs', renderJobs(jobs))));
    return EXIT.ok;
  }
  const started = new Date();
  const { results, fileSystems } = await run(jobs, engines, options);
  try {
    if (options.json) await emitJson(fioReport(results, global, options.version, started));
    else await emit(`${section('Jobs', renderJobs(jobs))}${section('Results', renderResults(results))}`);
  } finally {
    // Also when the reader of stdout has left.
    if (options.html !== undefined)
      await writePage(options.html, { results, fileSystems, machine: machine(), started, version: options.version });
  }
  if (options.html !== undefined && !options.json) note(`the page is in '${options.html}'`);
  const failures = results.flatMap(({ job, engine, failures }) => failures.map((why) => `job ${job.name}, engine ${engine}: ${why}`));
  for (const failure of failures) note(failure);
  return failures.length === 0 ? EXIT.ok : EXIT.failed;
}

interface Run {
  results: JobResult[];
  /** Where the files are: ext4, tmpfs, ... */
  fileSystems: string;
}

async function run(jobs: readonly Job[], engines: Engines, options: WorkloadOptions): Promise<Run> {
  const progress = createLiveProgress(options.json);
  const targets = new Targets({ overwrite: options.overwrite, lock: options.lock, partition: options.partition });
  let child: ChildProcess | undefined;
  const release = onSignals(() => {
    progress.stop();
    child?.kill();
    targets.dispose();
  });
  try {
    if (options.html !== undefined) refusePage(options.html);
    const plan = {
      engines: engines.names,
      access: options.access,
      fio: engines.fio,
      progress,
      started: (process: ChildProcess) => (child = process),
    };
    const results = await runJobs(jobs, targets, plan);
    return { results, fileSystems: [...new Set(targets.paths.map(fileSystemOf))].join(', ') };
  } finally {
    progress.stop();
    targets.dispose();
    release();
  }
}

async function readJobs({ jobs: file, words }: WorkloadOptions): Promise<JobFile> {
  if (file !== undefined) return parseJobFile(await textOf(file), file, words, process.env);
  const bounded = BOUNDS.some((key) => words[key] !== undefined);
  const given = bounded ? words : { ...words, ...SHORT };
  return { jobs: [jobOfOptions(words['rw'] ?? 'read', given)], global: {}, remarks: [] };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw withPath(error, file);
  }
}

interface Engines {
  names: EngineName[];
  fio: string | undefined;
}

/** `all` is every engine that is there; without a word it is `sync`, or `async` where a job has more than one request in flight. */
function enginesOf(list: string | undefined, jobs: readonly Job[]): Engines {
  const fio = findFio();
  if (list === undefined) return { names: [jobs.some(({ iodepth }) => iodepth > 1) ? 'async' : 'sync'], fio };
  if (list === 'all') {
    if (jobs.some(isOnMedium)) {
      note('a disk without a file: the engines of devices alone');
      return { names: [...DEVICE_ENGINES], fio };
    }
    if (fio === undefined) note('fio is not installed: the other engines run without it');
    return { names: ENGINES.filter((name) => name !== 'fio' || fio !== undefined), fio };
  }
  const names = new Set<EngineName>();
  for (const text of list.split(',')) {
    const name = ENGINES.find((engine) => engine === text);
    if (name === undefined) throw new UsageError(`--engine: '${text}' is none of ${ENGINES.join(', ')}, all`);
    if (name === 'fio' && fio === undefined) throw new UsageError('--engine: fio is not installed, or not on the PATH');
    names.add(name);
  }
  return { names: [...names], fio };
}

function renderJobs(jobs: readonly Job[]): string {
  const rows = jobs.map((job) => [job.name, ...Object.values(wordsOf(job))]);
  return table(['job', 'rw', '>bs', '>iodepth', '>numjobs', '>size', '>runtime', ''], rows);
}

/** A job in a line. */
function wordsOf(job: Job): Record<string, string> {
  const { bs, size } = job;
  const further = [
    ...(job.direct ? ['direct'] : []),
    ...(job.fsync > 0 ? [`fsync=${job.fsync}`] : []),
    ...(job.fdatasync > 0 ? [`fdatasync=${job.fdatasync}`] : []),
    ...(job.stonewall ? ['stonewall'] : []),
    ...(job.filename === undefined ? [] : [job.filename]),
  ];
  return {
    rw: job.rw.endsWith('rw') ? `${job.rw}, ${job.rwmixread} % reads` : job.rw,
    bs: bs.read === bs.write ? formatBytes(bs.read) : `${formatBytes(bs.read)}, ${formatBytes(bs.write)}`,
    iodepth: String(job.iodepth),
    numjobs: String(job.numjobs),
    size: size === undefined ? '' : 'bytes' in size ? formatExact(size.bytes) : `${size.percent} %`,
    runtime: job.runtime === undefined ? '' : `${job.runtime} s`,
    further: further.join(' '),
  };
}
