// What a judge says: named checks, each in a folder of its own with the processes that it started, which end with it.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installed } from '../support/run.mjs';
import { emptyTally, lackingTally } from '../support/tally.mjs';

const MINUTES = 5;
const TAIL = 4000;

export function assert(truth, what) {
  if (!truth) throw new Error(what);
}

/** Where a check keeps its files, and what ends the processes that it started. */
export class Place {
  #children = [];
  #pidFiles = [];
  constructor() {
    // Short: a socket's path has 107 characters at most.
    this.folder = mkdtempSync(path.join(tmpdir(), 'rumpblk-i-'));
  }

  path(name) {
    return path.join(this.folder, name);
  }

  /** A file of zeros. @returns {string} its path */
  image(name, size) {
    const file = this.path(name);
    const fd = openSync(file, 'w');
    ftruncateSync(fd, size);
    closeSync(fd);
    return file;
  }

  mkdir(name) {
    mkdirSync(this.path(name), { recursive: true });
    return this.path(name);
  }

  /** Starts a program that runs until it is stopped. `text`: what it has printed. `ended`: its exit status, or its signal. */
  start(program, args, { env = {}, cwd = this.folder, minutes } = {}) {
    const end = minutes === undefined ? {} : { timeout: minutes * 60_000, killSignal: 'SIGKILL' };
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], ...end });
    const started = { child, text: '', ended: undefined, stop: undefined };
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (started.text += text));
    const closed = new Promise((resolve) => {
      child.on('error', (error) => resolve((started.ended = error.message)));
      child.on('close', (code, signal) => resolve((started.ended = signal ?? code)));
    });
    started.closed = closed;
    started.stop = (signal = 'SIGTERM') => {
      if (started.ended === undefined) child.kill(signal);
      return closed;
    };
    this.#children.push(started);
    return started;
  }

  /** Runs a program to its end. Throws unless it ends with `status`. @returns {Promise<string>} what it printed */
  async run(program, args, { status = 0, minutes = MINUTES, ...options } = {}) {
    const started = this.start(program, args, { minutes, ...options });
    const ended = await started.closed;
    if (ended !== status) {
      const command = [path.basename(program), ...args].join(' ').slice(0, 400);
      throw new Error(`${command}: ended with ${ended}, not ${status}\n${started.text.slice(-TAIL)}`);
    }
    return started.text;
  }

  /** The last lines of those that it started, where they said something. */
  said() {
    return this.#children
      .filter(({ text }) => text !== '')
      .map(({ child, text }) => `${path.basename(child.spawnfile)}: ${text.slice(-300)}`);
  }

  /** A process that went into the background and left its number in this file: it ends with the place, too. */
  endsToo(pidFile) {
    this.#pidFiles.push(pidFile);
  }

  async end() {
    await Promise.all(this.#children.map((child) => child.stop('SIGKILL')));
    for (const file of this.#pidFiles) if (existsSync(file)) process.kill(Number(readFileSync(file, 'utf8')), 'SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until `condition` holds, at most a minute. `failed` ends it before, with a reason. */
export async function until(condition, what, failed = () => undefined) {
  for (let i = 0; i < 3000; i += 1) {
    if (await condition()) return;
    const why = failed();
    if (why !== undefined) throw new Error(`${what}: ${why}`);
    await sleep(20);
  }
  throw new Error(`${what}: not within a minute`);
}

/** Whether somebody listens. @param {string | number} at a path, or a port of 127.0.0.1 */
export function listening(at) {
  return new Promise((resolve) => {
    if (typeof at === 'string' && !existsSync(at)) return resolve(false);
    const socket = typeof at === 'string' ? connect(at) : connect(at, '127.0.0.1');
    socket.on('connect', () => resolve(true) || socket.destroy());
    socket.on('error', () => resolve(false));
  });
}

/** The checks of one judge. */
export class Checks {
  tally = emptyTally();
  constructor(judge) {
    this.judge = judge;
  }

  /** Runs `action(place)`, and passes unless it throws. */
  async check(name, action) {
    const place = new Place();
    try {
      await action(place);
      this.passed();
    } catch (error) {
      const [, where = ''] = error.stack.split('\n    at ');
      this.failed(name, [error.message, where, ...place.said()].join('\n'));
    } finally {
      await place.end();
    }
  }

  passed() {
    this.tally.passed += 1;
  }

  failed(name, detail) {
    this.tally.failed.push({ name: `${this.judge}: ${name}`, detail });
  }

  skipped(name, why) {
    const { failed, skipped } = lackingTally(`${this.judge}: ${name}`, why);
    this.tally.failed.push(...failed);
    this.tally.skipped.push(...skipped);
  }

  /** Skipped by the judge's own word, also in CI. */
  leftOut(name, why) {
    this.tally.skipped.push({ name: `${this.judge}: ${name}`, why });
  }
}

/** Those of `programs` (each with the Debian package that has it) that are missing, in words; undefined when all are there. */
export function lacking(programs) {
  process.env.PATH = [...new Set([...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin'])].join(path.delimiter);
  const missing = Object.entries(programs).filter(([program]) => !installed(program) && !(path.isAbsolute(program) && existsSync(program)));
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map(([, debian]) => debian))];
  return `${missing.map(([program]) => program).join(', ')} missing: apt-get install ${packages.join(' ')}`;
}

/**
 * Runs the checks of one judge: `body(checks, place)`, whose place is theirs in common; they are skipped where the machine lacks
 * something.
 * @param {string | undefined} lacks as lacking() says
 * @returns {Promise<import('../support/tally.mjs').Tally>}
 */
export async function judged(judge, lacks, body) {
  const checks = new Checks(judge);
  if (lacks !== undefined) {
    checks.skipped('all', lacks);
    return checks.tally;
  }
  const place = new Place();
  try {
    await body(checks, place);
  } catch (error) {
    checks.failed('all', `${error.stack}\n${error.stderr ?? ''}`);
  } finally {
    await place.end();
  }
  return checks.tally;
}
