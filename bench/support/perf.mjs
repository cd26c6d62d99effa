// perf on a process that runs already, switched on and off around what is to be looked at.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { installed } from '../../scripts/support/run.mjs';

/** Samples a second of processor time. Software, since a virtual machine may have no other: time, not cycles. */
export const FREQUENCY = 1999;

const ANY_CALL = 'raw_syscalls:sys_enter';
/** Few, since each makes a switch of thread slower; the others are in the total. */
const SYSTEM_CALLS = [
  ...['read', 'write', 'pread64', 'preadv2', 'pwrite64', 'pwritev2', 'fdatasync', 'mmap', 'munmap', 'madvise', 'mincore'],
  ...['futex', 'epoll_pwait', 'getrusage', 'prlimit64'],
].map((name) => `syscalls:sys_enter_${name}`);
const EVENTS = ['page-faults', 'context-switches', ANY_CALL, ...SYSTEM_CALLS];

/** Why this machine cannot profile, in words; undefined when it can. */
export function cannotProfile() {
  if (!installed('perf')) return 'perf is missing: apt-get install linux-perf';
  const probe = spawnSync('perf', ['stat', '-a', '-x,', '-e', `cpu-clock:k,${EVENTS.join()}`, 'true'], { encoding: 'utf8' });
  if (probe.status === 0 && !/<not (supported|counted)>|unknown tracepoint/.test(probe.stderr)) return undefined;
  return `perf sees no system calls or nothing of the kernel; it does for root: ${probe.stderr.trim().split('\n', 1)[0]}`;
}

/** The perf that runs now, so that a signal can end it. */
let running;

export function stopPerf() {
  running?.kill('SIGKILL');
}

/** A perf process that waits to be switched on. */
class Watcher {
  #child;
  #answers;
  #ended;
  #errors = '';

  constructor(args) {
    const control = ['--control=fd:3,4', '--delay=-1'];
    this.#child = spawn('perf', [...args, ...control], { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
    running = this.#child;
    this.#child.stderr.setEncoding('utf8').on('data', (text) => (this.#errors += text));
    this.#child.stdio[3].on('error', () => undefined);
    this.#answers = this.#child.stdio[4].setEncoding('utf8')[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve, reject) => this.#child.on('error', reject).on('close', resolve));
  }

  /** `enable` or `disable`; when it resolves perf has done so. */
  async tell(command) {
    this.#child.stdio[3].write(`${command}\n`);
    const { done } = await this.#answers.next();
    if (done) throw new Error(`perf: ${this.#errors.trim()}`);
  }

  async end() {
    this.#child.kill('SIGINT');
    await this.#ended;
  }
}

/** Samples of where the process is. All processors are watched: samples of one process make each of its switches twice as dear. */
export function watchSamples(pid, file) {
  const what = ['--event=cpu-clock', `--freq=${FREQUENCY}`, '--call-graph=fp', '--all-cpus'];
  const watcher = new Watcher(['record', '--quiet', ...what, `--output=${file}`]);
  return {
    tell: (command) => watcher.tell(command),
    /** @returns the text of `perf script` */
    async end() {
      await watcher.end();
      const script = spawnSync('perf', ['script', `--pid=${pid}`, '--fields=ip,sym,dso', `--input=${file}`], {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
      });
      if (script.status !== 0) throw new Error(`perf script: ${script.stderr}`);
      return script.stdout;
    },
  };
}

/** Counts of its system calls, page faults and switches, by the kernel: nothing stops the process, as a tracer would. */
export function watchCounts(pid, file) {
  const what = [`--event=${EVENTS.join()}`, `--pid=${pid}`];
  const watcher = new Watcher(['stat', '--field-separator=,', ...what, `--output=${file}`]);
  return {
    tell: (command) => watcher.tell(command),
    async end() {
      await watcher.end();
      return countsOf(readFileSync(file, 'utf8'));
    },
  };
}

/** `perf stat -x,` as `{ calls, faults, switches, byName }`. */
export function countsOf(text) {
  const counts = {};
  for (const [, count, event] of text.matchAll(/^(\d+),[^,]*,([^,]+),/gm)) counts[event] = Number(count);
  const byName = {};
  for (const event of SYSTEM_CALLS) if (counts[event] > 0) byName[event.replace('syscalls:sys_enter_', '')] = counts[event];
  return { calls: counts[ANY_CALL], faults: counts['page-faults'], switches: counts['context-switches'], byName };
}
