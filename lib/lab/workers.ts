// Threads that run checks: each has the recording, from a file, and is asked about states by their tokens.
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { binding, type NativeChoice } from '../native/binding.js';
import type { Exploration } from './exploration.js';
import type { Judged, Verdict } from './judge.js';
import { labFolder, type CheckSettings } from './options.js';
import type { Recording } from './recording.js';
import { saveRecording } from './save.js';

/** What a worker is told at its start. */
export interface WorkerStart {
  readonly file: string;
  readonly module: string;
  readonly memo: boolean;
}

/** What a worker answers: of no token when it is ready. */
export interface WorkerAnswer {
  readonly verdict?: Verdict;
  readonly fromMemo: boolean;
  /** That it cannot go on. */
  readonly broken?: Error;
}

/** States that wait at each worker, so that none has nothing to do. */
const AHEAD = 4;

interface Waiting {
  readonly choice: NativeChoice;
  readonly answer: Promise<WorkerAnswer>;
}

/** Runs checks in worker threads. */
export class Workers {
  /** Checks that ran. */
  checked = 0;
  /** Answers that needed none. */
  fromMemo = 0;
  readonly #folder: string;
  readonly #threads: Thread[];

  private constructor(folder: string, threads: Thread[]) {
    this.#folder = folder;
    this.#threads = threads;
  }

  /** Starts the threads of a test. */
  static async start(recording: Recording, module: string, { workers, memo }: CheckSettings): Promise<Workers> {
    const folder = await mkdtemp(path.join(labFolder(), 'rumpblk-workers-'));
    const threads: Thread[] = [];
    const made = new Workers(folder, threads);
    try {
      const file = path.join(folder, 'recording.jsonl');
      await saveRecording(recording, file, undefined);
      for (let i = 0; i < workers; i += 1) threads.push(new Thread({ file, module, memo }));
      await Promise.all(threads.map((thread) => thread.ready));
      return made;
    } catch (error) {
      await made.end();
      throw error;
    }
  }

  /** Judges the states of a walk; gives them in its order, whichever thread is done first. */
  async *judge(walk: Exploration): AsyncGenerator<Judged, void> {
    const waiting: Waiting[] = [];
    let isMore = true;
    for (;;) {
      while (isMore && waiting.length < AHEAD * this.#threads.length) {
        const choice = walk.next();
        if (choice === undefined) isMore = false;
        else waiting.push({ choice, answer: this.#least().ask(binding.choiceToken(choice)) });
      }
      const first = waiting.shift();
      if (first === undefined) return;
      const { verdict = { failed: false }, fromMemo, broken } = await first.answer;
      if (broken !== undefined) throw broken;
      if (fromMemo) this.fromMemo += 1;
      else this.checked += 1;
      yield { choice: first.choice, verdict };
    }
  }

  /** Ends the threads. */
  async end(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.end()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #least(): Thread {
    return this.#threads.reduce((least, thread) => (thread.waiting < least.waiting ? thread : least));
  }
}

/** A worker thread, which answers in the order in which it is asked. */
class Thread {
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #takers: ((answer: WorkerAnswer) => void)[] = [];
  #broken: Error | undefined;

  constructor(start: WorkerStart) {
    this.#worker = new Worker(path.join(__dirname, 'check-worker.js'), { workerData: start });
    this.ready = this.#next().then(({ broken }) => {
      if (broken !== undefined) throw broken;
    });
    this.#worker.on('message', (answer: WorkerAnswer) => this.#takers.shift()?.(answer));
    this.#worker.on('error', (reason: unknown) => this.#break(asError(reason)));
    this.#worker.on('exit', () => this.#break(new TypeError('a worker ended before its checks were done')));
  }

  get waiting(): number {
    return this.#takers.length;
  }

  ask(token: string): Promise<WorkerAnswer> {
    this.#worker.postMessage(token);
    return this.#next();
  }

  async end(): Promise<void> {
    this.#takers.length = 0;
    await this.#worker.terminate();
  }

  #next(): Promise<WorkerAnswer> {
    if (this.#broken !== undefined) return Promise.resolve({ fromMemo: false, broken: this.#broken });
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  #break(reason: Error): void {
    this.#broken = reason;
    for (const take of this.#takers.splice(0)) take({ fromMemo: false, broken: reason });
  }
}

/** A worker may end by whatever was thrown in it. */
function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new TypeError(`a worker ended: ${String(reason)}`);
}
