// Runs a script under strace: which system calls it made between two marks, and what it does when one of them fails.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Ended, runChild } from './child';
import { ability, peer, run } from './peers';

const tool = peer('strace', 'strace');
export const STRACE = [tool, ...(tool.met ? [ability('ptrace', () => run('strace', '-o', '/dev/null', 'true') === '')] : [])];

export interface Call {
  readonly name: string;
  readonly args: string;
  readonly result: string;
  readonly injected: boolean;
}

export interface Traced extends Ended {
  readonly calls: Call[];
  /** The calls that completed after the mark of this name and before the next one. */
  after(mark: string): Call[];
}

export interface StraceOptions {
  args?: unknown;
  /** System calls to record. */
  calls: string[];
  /** strace's own `inject=` expressions. */
  inject?: string[];
  /** Looks only at calls that touch this file; marks are then not seen. */
  only?: string;
}

function parse(text: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, pid, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (pid === undefined || rest === undefined) continue;
    // A call that another thread's interrupted in the trace is told in two halves.
    if (rest.endsWith('<unfinished ...>')) {
      unfinished.set(pid, rest.slice(0, -'<unfinished ...>'.length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const whole = resumed ? `${unfinished.get(pid) ?? ''}${resumed[1] ?? ''}` : rest;
    const [, name, args, result] = /^(\w+)\((.*)\)\s+= (.*)$/.exec(whole) ?? [];
    if (name === undefined || args === undefined || result === undefined) continue;
    calls.push({ name, args, result, injected: /INJECTED|DELAYED/.test(result) });
  }
  return calls;
}

/** Runs the script under strace to its end. */
export async function strace(script: string, options: StraceOptions): Promise<Traced> {
  const directory = mkdtempSync(path.join(tmpdir(), 'rumpblk-strace-'));
  try {
    const output = path.join(directory, 'trace');
    // The last three are those of marks, whichever of them this Node makes.
    const names = [...options.calls, 'access', 'faccessat', 'faccessat2'].join(',');
    const under = ['strace', '--seccomp-bpf', '-f', '-qq', '-y', '-o', output, '-e', 'signal=none', '-e', `trace=${names}`];
    for (const expression of options.inject ?? []) under.push('-e', `inject=${expression}`);
    if (options.only !== undefined) under.push('-P', options.only);
    const ended = await runChild(script, { args: options.args, under });
    const calls = parse(readFileSync(output, 'utf8'));
    const isMark = (call: Call): boolean => call.args.includes('/rumpblk-mark/');
    return {
      ...ended,
      calls,
      after(mark) {
        const start = calls.findIndex((call) => call.args.includes(`"/rumpblk-mark/${mark}"`));
        if (start < 0) throw new Error(`no mark ${mark} in the trace: ${ended.stderr}`);
        const length = calls.slice(start + 1).findIndex(isMark);
        return calls.slice(start + 1, length < 0 ? undefined : start + 1 + length);
      },
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export const SYNC_CALLS = ['fdatasync', 'fsync', 'msync', 'sync_file_range', 'sync', 'syncfs', 'pwritev2', 'pwrite64', 'pwritev'];

/** Whether this call puts data on the medium before it returns. */
export function isSync({ name, args }: Call): boolean {
  if (name === 'msync') return args.includes('MS_SYNC');
  if (name === 'pwritev2') return /RWF_D?SYNC/.test(args);
  return ['fdatasync', 'fsync', 'sync_file_range', 'sync', 'syncfs'].includes(name);
}
