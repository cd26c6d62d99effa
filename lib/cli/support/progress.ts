// A progress bar on a terminal, a plain line a phase elsewhere; both on stderr.
import { setImmediate } from 'node:timers/promises';
import { Presets, SingleBar } from '../bundled/cli-progress.js';
import { printable } from '../../arguments/printable.js';
import { formatBytes } from './units.js';

export interface Progress {
  /** Begins a phase of `total` steps. */
  start(phase: string, total: number): void;
  /** One step is done. Lets the event loop turn, so that signals are seen. */
  step(): Promise<void>;
  /** So many steps of the phase are done; they are bytes. */
  reach(bytes: number): void;
  /** Ends the phase; harmless without one. */
  stop(): void;
}

/** `quiet` leaves out the plain lines, not the bar. */
export function createProgress(quiet: boolean): Progress {
  if (process.stderr.isTTY) return new Bar();
  return {
    start: (phase) => {
      if (!quiet) process.stderr.write(`${printable(phase)} ...\n`);
    },
    step: () => setImmediate(),
    reach: () => undefined,
    stop: () => undefined,
  };
}

class Bar implements Progress {
  #bar: SingleBar | undefined;
  #total = 0;

  start(phase: string, total: number): void {
    this.stop();
    this.#total = total;
    this.#bar = new SingleBar(
      {
        format: `  {bar} {percentage}%  ${printable(phase)}{bytes}`,
        barsize: 30,
        autopadding: true,
        hideCursor: true,
        clearOnComplete: true,
        stream: process.stderr,
      },
      Presets.shades_classic,
    );
    this.#bar.start(total, 0, { bytes: '' });
  }

  step(): Promise<void> {
    this.#bar?.increment();
    return setImmediate();
  }

  reach(bytes: number): void {
    this.#bar?.update(bytes, { bytes: `  ${formatBytes(bytes)} of ${formatBytes(this.#total)}` });
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
