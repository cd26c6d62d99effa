// Runs the command line tool in a process of its own.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { ROOT } from './child';

export const TOOL = path.join(ROOT, 'dist', 'cli', 'bin.js');

export interface Finished {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
}

export interface CliOptions {
  /** All of the tool's standard input; none when absent. */
  input?: Uint8Array;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Called with the process and each piece of its stderr. */
  watch?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

export function cli(args: readonly string[], options: CliOptions = {}): Promise<Finished> {
  return start(process.execPath, [TOOL, ...args], options);
}

/** Runs command lines of its standard input, and prints what became of each; what they print is taken on its way out. */
const MANY = `
  const { main } = require(process.argv[1]);
  const taken = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    process[name].write = (data, done) => {
      taken[name] += data;
      done?.();
      return true;
    };
  }
  (async () => {
    const ended = [];
    for (const line of JSON.parse(require('node:fs').readFileSync(0, 'utf8'))) {
      Object.assign(taken, { stdout: '', stderr: '' });
      ended.push({ status: await main(line), ...taken });
    }
    require('node:fs').writeSync(1, JSON.stringify(ended));
  })();`;

/** Runs several command lines, one after the other, in one process: for those that look at their words and no further. */
export async function cliMany(lines: readonly (readonly string[])[]): Promise<{ status: number; stdout: string; stderr: string }[]> {
  const args = ['-e', MANY, path.join(path.dirname(TOOL), 'main.js')];
  const { status, stdout, stderr } = await start(process.execPath, args, { input: Buffer.from(JSON.stringify(lines)) });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout.toString()) as { status: number; stdout: string; stderr: string }[];
}

/** A line of sh; `$RUMPBLK` in it is the tool, `$1`, `$2`, ... are `args`. */
export function shell(line: string, ...args: string[]): Promise<Finished> {
  const text = line.replaceAll('$RUMPBLK', '"$NODE" "$TOOL"');
  return start('sh', ['-c', text, 'sh', ...args], { env: { NODE: process.execPath, TOOL } });
}

/** Runs a program to its end. */
export function start(program: string, args: readonly string[], { input, env, cwd, watch }: CliOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: 'pipe', ...(cwd === undefined ? {} : { cwd }) });
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => stdout.push(data));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      watch?.(text, (signal) => child.kill(signal));
    });
    child.stdin.on('error', () => undefined); // the tool may end before it has read all of it
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, stdout: Buffer.concat(stdout), stderr }));
  });
}

/** The one JSON document of a `--json` run; anything else on stdout fails the test. */
export function documentOf(finished: Finished): any {
  return JSON.parse(finished.stdout.toString());
}
