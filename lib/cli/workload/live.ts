// The progress of a workload: a bar with live figures on a terminal, a plain line a phase elsewhere; both on stderr.
import { Presets, SingleBar } from '../bundled/cli-progress.js';
import { printable } from '../../arguments/printable.js';

export interface LiveProgress {
  start(phase: string): void;
  /** `fraction` from 0 to 1; `figures` is what stands behind the bar. */
  update(fraction: number, figures: string): void;
  /** Ends the phase; harmless without one. */
  stop(): void;
}

const STEPS = 1000;

/** `quiet` leaves out the plain lines, not the bar. */
export function createLiveProgress(quiet: boolean): LiveProgress {
  if (process.stderr.isTTY) return new LiveBar();
  return {
    start: (phase) => {
      if (!quiet) process.stderr.write(`${printable(phase)} ...\n`);
    },
    update: () => undefined,
    stop: () => undefined,
  };
}

class LiveBar implements LiveProgress {
  #bar: SingleBar | undefined;

  start(phase: string): void {
    this.stop();
    const format = `  {bar} {percentage}%  ${printable(phase).replace(/[{}]/g, '')}  {figures}`;
    this.#bar = new SingleBar(
      { format, barsize: 24, autopadding: true, hideCursor: true, clearOnComplete: true, stream: process.stderr },
      Presets.shades_classic,
    );
    this.#bar.start(STEPS, 0, { figures: '' });
  }

  update(fraction: number, figures: string): void {
    this.#bar?.update(Math.round(Math.min(1, fraction) * STEPS), { figures });
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
