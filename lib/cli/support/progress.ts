// How far a command has come, on stderr: a bar on a terminal, from the first second on; a line a second with --progress elsewhere. A summary
// when the command is done, if that took a while.
import { setImmediate } from 'node:timers/promises';
import { Option, type Command } from '../bundled/commander.js';
import { printable } from '../../arguments/printable.js';
import { UsageError } from './failure.js';
import { clearStatus, hasStatusLine, note, showStatus, statusWidth } from './report.js';
import { barStatus, plainStatus, type Status } from './status-text.js';
import { formatBytes, formatCount, formatDuration, formatPercent } from './units.js';

/** What `addProgressOptions` declares. */
export interface ProgressOptions {
  progress?: boolean;
  quiet?: boolean;
}

/** What a phase counts: `'steps'` are of no interest by themselves. */
export type ProgressUnit = 'bytes' | 'requests' | 'states' | 'steps';

/** What a command has done. */
export interface Summary {
  /** Bytes that it has gone through. */
  readonly bytes: number;
  /** Bytes of them that were holes, and not read. */
  readonly holes?: number;
  /** Something else that it has done, in place of the bytes. */
  readonly text?: string;
}

export interface Progress {
  /** Begins a phase. `total` is what it will have done at its end, undefined where nobody knows. */
  start(phase: string, total?: number, unit?: ProgressUnit): void;
  /** So much of the phase is done. `figures` stand in place of amount, rate and time left. */
  reach(done: number, figures?: string): void;
  /** Asks how much of the phase is done, whenever it is shown. */
  follow(ask: () => number): void;
  /** One more step is done. Lets the event loop turn, so that signals are seen. */
  step(): Promise<void>;
  /** Gives how much of the phase is done, of how much, and that in words: '' of steps. */
  reached(): { readonly done: number; readonly total: number | undefined; readonly text: string };
  /** Ends the phase; harmless without one. */
  stop(): void;
  /** Ends the phase, and says what was done if that took more than two seconds, or --progress was given. */
  finish(summary: Summary): void;
}

/** How progress is shown. */
export interface ProgressStyle {
  /** Milliseconds from the beginning to the first sight of a bar. */
  readonly delay: number;
  /** Whether each phase is a plain line where there is no terminal. */
  readonly plain: boolean;
}

const DELAY = 1000;
const FRAME = 200;
const LINE = 1000;
/** Milliseconds from which on a summary is of interest. */
const LONG = 2000;
/** The rate is that of so many milliseconds. */
const RECENT = 5000;

/** Declares --progress and --quiet. */
export function addProgressOptions(command: Command, quiet = 'show no progress, and no summary at the end'): Command {
  return command
    .addOption(new Option('--progress', 'show progress from the start, also where stderr is no terminal'))
    .option('-q, --quiet', quiet);
}

export function createProgress(options: ProgressOptions = {}, style: Partial<ProgressStyle> = {}): Progress {
  if (options.progress === true && options.quiet === true) throw new UsageError('--progress and --quiet exclude each other');
  return new Meter(options, { delay: DELAY, plain: false, ...style });
}

class Meter implements Progress {
  readonly #kind: 'bar' | 'lines' | 'none';
  readonly #isForced: boolean;
  readonly #isQuiet: boolean;
  readonly #style: ProgressStyle;
  readonly #begun = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #phase = '';
  #unit: ProgressUnit = 'bytes';
  #total: number | undefined;
  #done = 0;
  #figures: string | undefined;
  #shown = 0;
  #ask: (() => number) | undefined;
  #samples: { readonly at: number; readonly done: number }[] = [];

  constructor({ progress = false, quiet = false }: ProgressOptions, style: ProgressStyle) {
    this.#isForced = progress;
    this.#isQuiet = quiet;
    this.#kind = quiet ? 'none' : hasStatusLine() ? 'bar' : progress ? 'lines' : 'none';
    this.#style = style;
  }

  start(phase: string, total?: number, unit: ProgressUnit = 'bytes'): void {
    this.stop();
    [this.#phase, this.#total, this.#unit, this.#done, this.#figures] = [phase, total, unit, 0, undefined];
    this.#ask = undefined;
    this.#samples = [{ at: performance.now(), done: 0 }];
    if (this.#kind === 'none') {
      if (this.#style.plain && !this.#isQuiet) process.stderr.write(`${printable(phase)} ...\n`);
      return;
    }
    this.#show(performance.now());
    this.#timer = setInterval(() => this.#show(performance.now()), this.#pace).unref();
  }

  reach(done: number, figures?: string): void {
    this.#done = done;
    this.#figures = figures;
    this.#look();
  }

  follow(ask: () => number): void {
    this.#ask = ask;
    this.#done = ask();
  }

  step(): Promise<void> {
    this.#done += 1;
    this.#look();
    return setImmediate();
  }

  reached(): { readonly done: number; readonly total: number | undefined; readonly text: string } {
    return { done: this.#done, total: this.#total, text: this.#amount() };
  }

  stop(): void {
    this.#done = this.#ask?.() ?? this.#done;
    this.#ask = undefined;
    clearInterval(this.#timer);
    this.#timer = undefined;
    clearStatus();
  }

  finish({ bytes, holes = 0, text }: Summary): void {
    this.stop();
    const took = performance.now() - this.#begun;
    if (this.#kind === 'none' || (took < LONG && !this.#isForced)) return;
    const rate = text !== undefined || holes > 0 || bytes === 0 ? '' : `, ${formatBytes(Math.round((bytes / took) * 1000))}/s`;
    const share = holes > 0 ? `, ${formatPercent(holes / bytes)} holes` : '';
    note(`${text ?? formatBytes(bytes)} in ${formatDuration(took)}${rate}${share}`);
  }

  get #pace(): number {
    return this.#kind === 'bar' ? FRAME : LINE;
  }

  /** Shows where it is if it is time to, also while the work leaves the timer no turn. */
  #look(): void {
    if (this.#timer === undefined) return;
    const now = performance.now();
    if (now - this.#shown >= this.#pace) this.#show(now);
  }

  #show(now: number): void {
    if (this.#kind === 'bar' && !this.#isForced && now - this.#begun < this.#style.delay) return;
    this.#shown = now;
    this.#done = this.#ask?.() ?? this.#done;
    this.#samples.push({ at: now, done: this.#done });
    while (this.#samples.length > 2 && now - (this.#samples[1]?.at ?? now) > RECENT) this.#samples.shift();
    if (this.#kind === 'bar') showStatus(barStatus(this.#state(now), statusWidth()));
    else note(plainStatus(this.#state(now)));
  }

  #state(now: number): Status {
    const [done, total] = [this.#done, this.#total];
    const isEndless = total === undefined || total === Infinity;
    const figures = this.#words(now);
    return { phase: this.#phase, figures, ...(!isEndless && { share: total === 0 ? 1 : Math.min(1, done / total) }) };
  }

  #inUnits(count: number): string {
    return this.#unit === 'bytes' ? formatBytes(Math.round(count)) : formatCount(Math.round(count));
  }

  /** So much of so much. */
  #amount(): string {
    const [done, total] = [this.#done, this.#total];
    if (this.#unit === 'steps') return '';
    const unit = this.#unit === 'bytes' ? '' : ` ${this.#unit}`;
    const whole = total === undefined || total === Infinity ? '' : ` of ${this.#inUnits(total)}`;
    return `${this.#inUnits(done)}${whole}${unit}`;
  }

  /** Amount, rate and time left, the most important first. */
  #words(now: number): string[] {
    if (this.#figures !== undefined) return [this.#figures];
    if (this.#unit === 'steps') return this.#total === undefined ? [formatDuration(now - this.#begun)] : [];
    const [done, total, first] = [this.#done, this.#total, this.#samples[0]];
    const amount = this.#amount();
    const time = first === undefined ? 0 : now - first.at;
    const rate = time === 0 ? 0 : ((done - (first?.done ?? 0)) / time) * 1000;
    if (rate <= 0) return [amount];
    const left = total === undefined || total === Infinity ? undefined : ((total - done) / rate) * 1000;
    return [amount, ...(left === undefined ? [] : [`${formatDuration(left)} left`]), `${this.#inUnits(rate)}/s`];
  }
}
