// A fio job file: sections of `key=value` lines. [global] gives defaults to the sections below it.
import { UsageError } from '../../support/failure.js';
import { DEFAULTS, type Job, type JobWords } from './job.js';
import { canonical, takeKey } from './keys.js';
import { BadValue } from './units.js';

/** Keys as given, first name of each: a later line replaces an earlier one. */
export type Given = Record<string, string>;

export interface JobFile {
  jobs: Job[];
  /** What the [global] sections say in all. */
  global: Given;
  /** Lines for the user: keys that change nothing here. */
  remarks: string[];
}

interface Section {
  words: JobWords;
  given: Given;
}

/** Reads the text of a job file. `overrides` replace the same keys in every job. */
export function parseJobFile(text: string, file: string, overrides: Given, env: NodeJS.ProcessEnv): JobFile {
  const global: Section = { words: { ...DEFAULTS }, given: {} };
  const result: JobFile = { jobs: [], global: global.given, remarks: [] };
  let section: Section | undefined;
  let title = '';
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.replace(/[;#].*$/, '').trim();
    if (line === '') continue;
    const where = (rest: string): string => `'${file}', line ${index + 1}: ${rest}`;
    const heading = /^\[(.*)\]$/.exec(line);
    if (heading !== null) {
      title = heading[1]?.trim() ?? '';
      if (title === '') throw new UsageError(where('a section needs a name'));
      section = title === 'global' ? global : addJob(result, global, title);
      continue;
    }
    if (section === undefined) throw new UsageError(where(`'${line}' is in no section: a job begins with its [name]`));
    const [, key = '', value = ''] = /^([^=\s]+)\s*(?:=\s*(.*))?$/.exec(line) ?? [];
    if (key === '') throw new UsageError(where(`'${line}' is no key=value`));
    const outcome = take(section, key, expand(value, env, where), (why) => where(`${key} in [${title}]: ${why}`));
    if (outcome === 'ignored') result.remarks.push(where(`${key} in [${title}] changes nothing here`));
  }
  if (result.jobs.length === 0) throw new UsageError(`'${file}' has no job: a section beside [global]`);
  for (const job of result.jobs) applyKeys(job, overrides);
  return result;
}

/** One job out of keys that were options on the command line. */
export function jobOfOptions(name: string, options: Given): Job {
  const job: Job = { ...DEFAULTS, name, given: {} };
  applyKeys(job, options);
  return job;
}

function applyKeys(job: Job, options: Given): void {
  const given: Given = { ...job.given };
  for (const [key, value] of Object.entries(options)) take({ words: job, given }, key, value, (why) => `--${key}: ${why}`);
  job.given = given;
}

/** A job with what [global] says so far. */
function addJob(file: JobFile, global: Section, name: string): Section {
  const given: Given = {};
  const job: Job = { ...structuredClone(global.words), name, given };
  file.jobs.push(job);
  return { words: job, given };
}

function take(section: Section, key: string, value: string, say: (why: string) => string): 'taken' | 'ignored' {
  try {
    const outcome = takeKey(key, value, section.words);
    if (outcome === 'taken') section.given[canonical(key)] = value;
    return outcome;
  } catch (error) {
    throw error instanceof BadValue ? new UsageError(say(value === '' ? error.message : `'${value}': ${error.message}`)) : error;
  }
}

/** Puts in the environment variables that are written `${NAME}`. */
function expand(value: string, env: NodeJS.ProcessEnv, where: (rest: string) => string): string {
  return value.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const found = env[name];
    if (found === undefined) throw new UsageError(where(`the environment has no ${name}`));
    return found;
  });
}
