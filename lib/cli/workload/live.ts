// The progress of a workload: a bar with live figures on a terminal, a plain line a phase elsewhere; both on stderr.
import { createProgress } from '../support/progress.js';

export interface LiveProgress {
  start(phase: string): void;
  /** `fraction` from 0 to 1; `figures` is what stands behind the bar. */
  update(fraction: number, figures: string): void;
  /** Ends the phase; harmless without one. */
  stop(): void;
}

/** `quiet` leaves out the plain lines, not the bar. */
export function createLiveProgress(quiet: boolean): LiveProgress {
  const progress = createProgress({}, { delay: 0, plain: !quiet });
  return {
    start: (phase) => progress.start(phase, 1, 'steps'),
    update: (fraction, figures) => progress.reach(fraction, figures),
    stop: () => progress.stop(),
  };
}
