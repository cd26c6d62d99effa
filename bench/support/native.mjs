// The programs of native/bench: built on first use by the second build, and run on the images of the trials.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { VARIANTS, build, missingFor } from '../../scripts/support/native.mjs';
import { ROOT } from '../../scripts/support/run.mjs';

const FOLDER = path.join(ROOT, VARIANTS.bench.folder);
const TARGETS = { floors: 'floors', pages: 'pages', nbd_reads: 'nbd_reads', lab: 'lab', bare_call: 'bare_call.node' };

/**
 * Builds what is missing or older than its sources.
 * @returns {Promise<string | undefined>} the tools that this machine lacks for it
 * @throws {Error} when they do not compile
 */
export async function buildFloors() {
  const lacks = missingFor('bench');
  if (lacks !== undefined) return lacks;
  for (const target of Object.keys(TARGETS)) {
    const built = await build('bench', target);
    if (!built.ok) throw new Error(`native/bench, ${target}: ${built.why}\n${built.output}`);
  }
  return undefined;
}

export function hasFloors() {
  return Object.values(TARGETS).every((file) => existsSync(path.join(FOLDER, file)));
}

/** The addon of native/bench/addon: `open(path)` and `nothing()`. */
export function bareCall() {
  return createRequire(import.meta.url)(path.join(FOLDER, TARGETS.bare_call));
}

export const programPath = (program) => path.join(FOLDER, program);

function runProgram(program, args) {
  const ran = spawnSync(programPath(program), args, { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${ran.stderr || ran.error?.message || `ended with ${ran.status}`}`);
  return ran.stdout.trim() === '' ? undefined : JSON.parse(ran.stdout);
}

/** The command line of floors, and of nbd_reads, whose file is a socket. */
export const floorsArgs = (file, options) => [file, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)];

/** @returns ns per request by test, a row a pass, a number a mark */
export function floors(file, options) {
  return runProgram('floors', floorsArgs(file, options)).tests;
}

/** @returns ns and CPU per request, and how many brought something wrong */
export function nbdReads(socket, options) {
  return runProgram('nbd_reads', floorsArgs(socket, options));
}

/** What the laboratory costs without Node: figures of native/bench/lab.cc. */
export function lab(file, options) {
  return runProgram('lab', floorsArgs(file, options));
}

export function pages(verb, file, ...options) {
  return runProgram('pages', [verb, file, ...options]);
}
