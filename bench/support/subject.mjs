// A process that is to be profiled, seen from outside: it says a line wherever it is, and goes on when it is told to.
// bench/subject.mjs for a contender in JavaScript, floors with `steps=1` for one in C.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { floorsArgs, programPath } from './native.mjs';

const SCRIPT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'subject.mjs');

/** Requests of a pass in C: a hundredth of a second and more. */
const FLOOR_OPS = 100_000;

export class Subject {
  #child;
  #lines;
  #ended;

  constructor(program, args) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve, reject) => this.#child.on('error', reject).on('close', resolve));
  }

  /** One that will name the contenders of its row. */
  static ofRow(task, nodeFlags) {
    return new Subject(process.execPath, [...nodeFlags, SCRIPT, JSON.stringify(task)]);
  }

  static ofProgram({ test, file, options }) {
    return new Subject(programPath('floors'), floorsArgs(file, { ...options, tests: test, ops: FLOOR_OPS, passes: 1e6, steps: 1 }));
  }

  get pid() {
    return this.#child.pid;
  }

  /** Waits until it says `word`. @returns what it says behind that */
  async reaches(word) {
    const { value = 'its end' } = await this.#lines.next();
    if (!value.startsWith(word)) throw new Error(`the process to profile came to "${value}" instead of "${word}"`);
    return value.slice(word.length + 1);
  }

  tell(answer) {
    this.#child.stdin.write(`${answer}\n`);
  }

  /** One pass with `watcher` on; it then waits for 'more' or 'end'. @returns its requests, and ns of the clock and of processors */
  async pass(watcher) {
    await this.reaches('ready');
    await watcher.tell('enable');
    const start = process.hrtime.bigint();
    this.tell('go');
    const [requests, cpu] = (await this.reaches('done')).split(' ');
    const ns = Number(process.hrtime.bigint() - start);
    await watcher.tell('disable');
    return { requests: Number(requests || FLOOR_OPS), ns, cpu: Number(cpu ?? ns) };
  }

  async end() {
    this.tell('end');
    this.#child.stdin.end();
    const code = await this.#ended;
    if (code !== 0) throw new Error(`the profiled process ended with ${code}`);
  }

  /** For one that is not wanted any more, because something failed. */
  kill() {
    this.#child.kill('SIGKILL');
  }
}
