// A progress bar on a terminal, a plain line a phase elsewhere; both on stderr.
import { setImmediate } from 'node:timers/promises';
import cliProgress from 'cli-progress';
import { printable } from '../../arguments/printable.js';

export interface Progress {
  /** Begins a phase of `total` steps. */
  start(phase: string, total: number): void;
  /** One step is done. Lets the event loop turn, so that signals are seen. */
  step(): Promise<void>;
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
    stop: () => undefined,
  };
}

class Bar implements Progress {
  #bar: cliProgress.SingleBar | undefined;

  start(phase: string, total: number): void {
    this.stop();
    this.#bar = new cliProgress.SingleBar(
      {
        format: `  {bar} {percentage}%  ${printable(phase)}`,
        barsize: 30,
        autopadding: true,
        hideCursor: true,
        clearOnComplete: true,
        stream: process.stderr,
      },
      cliProgress.Presets.shades_classic,
    );
    this.#bar.start(total, 0);
  }

  step(): Promise<void> {
    this.#bar?.increment();
    return setImmediate();
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
