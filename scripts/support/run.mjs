// Runs programs for the other scripts: output is kept, and shown only when something failed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the package. */
export const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Runs a program in ROOT, or in `cwd`, to its end. Resolves in every case.
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, minutes?: number, cwd?: string }} [options] `env` is added to this process's; `minutes` until it is killed, 15.
 * @returns {Promise<{ ok: boolean, output: string, why: string }>} `output`: stdout and stderr as they came
 */
export function run(program, args, { env = {}, minutes = 15, cwd = ROOT } = {}) {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: minutes * 60_000,
      killSignal: 'SIGKILL',
    });
    const take = (text) => (output += text);
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (error) => resolve({ ok: false, output, why: error.message }));
    child.on('close', (code, signal) => {
      const why = signal === 'SIGKILL' && child.killed ? `took more than ${minutes} minutes` : `ended with ${signal ?? code}`;
      resolve({ ok: code === 0, output, why: code === 0 ? '' : `${path.basename(program)} ${why}` });
    });
  });
}

/** The script of a development dependency, to be run by `node`. */
export function tool(...parts) {
  return path.join(ROOT, 'node_modules', ...parts);
}

/** Runs node with these arguments. */
export function node(args, options) {
  return run(process.execPath, args, options);
}

/** Whether the program is on the PATH. */
export function installed(program) {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, program)));
}

/** Calls `action` with each item in turn, as many at a time as there are processors, and waits for all. */
export async function each(items, action) {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await action(item);
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
}

/** `action`, and how long it took, as `1.2 s`. */
export async function timed(action) {
  const start = process.hrtime.bigint();
  const value = await action();
  return { value, time: `${(Number(process.hrtime.bigint() - start) / 1e9).toFixed(1)} s` };
}

/** Every line of `text` behind two spaces. */
export function indent(text) {
  return text.trimEnd().replace(/^/gm, '  ');
}
