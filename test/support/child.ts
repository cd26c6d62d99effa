// Runs a script in a Node process of its own, with the package resolvable by its name.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { afterEach } from '@jest/globals';

export const ROOT = path.join(__dirname, '..', '..');

const PRELUDE = `
const fs = require('node:fs');
const rumpblk = require('rumpblk');
const { BlockDriver, BlockDevice, BlockDeviceError, open, openSync } = rumpblk;
const args = JSON.parse(process.env.RUMPBLK_TEST_ARGS);
const report = (value) => fs.writeSync(1, JSON.stringify(value) + '\\n');
// A system call that strace records, on a path that does not exist: tells the phases of a script apart.
const mark = (name) => { try { fs.accessSync('/rumpblk-mark/' + name); } catch {} };
const attempt = async (action) => {
  try { return { value: await action() }; } catch (e) {
    return { code: e.code, errno: e.errno, syscall: e.syscall, bytesTransferred: e.bytesTransferred, lost: e.lost, holder: e.holder, message: e.message, brand: e instanceof BlockDeviceError };
  }
};
`;

export interface ChildOptions {
  /** Handed to the script as `args`. */
  args?: unknown;
  nodeFlags?: string[];
  /** A program that starts node, with its arguments: strace and the like. */
  under?: string[];
  /** An ES module instead of a CommonJS body; without the prelude. */
  module?: boolean;
  /** Without the prelude, and not inside an async function. */
  plain?: boolean;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** What the script gave to `report`, in order. */
  reports: any[];
}

export interface Running {
  readonly pid: number | undefined;
  /** The next value given to `report`. */
  next(): Promise<any>;
  /** Writes a line to the script's standard input. */
  tell(line: string): void;
  ended: Promise<Ended>;
}

const running = new Set<number>();

// A test that fails half-way leaves its children waiting: they end with it, and what they started.
afterEach(() => {
  for (const group of running) {
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // ended by itself a moment ago
    }
  }
});

function reportsOf(stdout: string): unknown[] {
  const values: unknown[] = [];
  for (const line of stdout.split('\n')) {
    try {
      if (line) values.push(JSON.parse(line));
    } catch {
      // other output of the script
    }
  }
  return values;
}

/** Starts the script and lets the test talk to it. */
export function startChild(script: string, options: ChildOptions = {}): Running {
  const source = options.module || options.plain ? script : `${PRELUDE}(async () => {${script}\n})();`;
  const flags = [...(options.nodeFlags ?? []), ...(options.module ? ['--input-type=module'] : [])];
  const [program, ...before] = [...(options.under ?? []), process.execPath];
  const child = spawn(program, [...before, ...flags, '-e', source], {
    cwd: ROOT,
    env: { ...process.env, RUMPBLK_TEST_ARGS: JSON.stringify(options.args ?? null) },
    stdio: 'pipe',
    // In a process group of its own, so that what a child started can be ended with it.
    detached: true,
  });
  const { pid } = child;
  if (pid !== undefined) running.add(pid);
  let stdout = '';
  let stderr = '';
  let taken = 0;
  let over = false;
  let wake: () => void = () => undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (pid !== undefined) running.delete(pid);
      over = true;
      wake();
      resolve({ code, signal, stdout, stderr, reports: reportsOf(stdout) });
    });
  });
  return {
    pid,
    ended,
    tell: (line) => child.stdin.write(`${line}\n`),
    async next() {
      for (;;) {
        // A chunk of output may end in the middle of a report.
        const complete = reportsOf(stdout.slice(0, stdout.lastIndexOf('\n') + 1));
        if (complete.length > taken) return complete[taken++];
        if (over) throw new Error(`the child ended first: ${stderr}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

/** Runs the script to its end. */
export function runChild(script: string, options: ChildOptions = {}): Promise<Ended> {
  const child = startChild(script, options);
  child.tell('');
  return child.ended;
}

/** Runs the script to its end, which has to be a good one, and returns what it reported. */
export async function reportsFrom(script: string, options: ChildOptions = {}): Promise<any[]> {
  const ended = await runChild(script, options);
  if (ended.code !== 0) throw new Error(`child ended with ${ended.signal ?? ended.code}: ${ended.stderr}`);
  return ended.reports;
}
