// Ends tidily on a signal.
import { note } from './report.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Cleans up on a signal, then dies of it as a shell expects. The handlers are there before the first file is. */
export function onSignals(cleanUp: () => void): () => void {
  const die = (signal: NodeJS.Signals): void => {
    cleanUp();
    release();
    process.kill(process.pid, signal);
  };
  const release = (): void => SIGNALS.forEach((signal) => process.removeListener(signal, die));
  SIGNALS.forEach((signal) => process.on(signal, die));
  return release;
}

/** Runs `use`, and dies of a signal at once, with what `tell` says of it. For work that leaves nothing to put away. */
export async function endedBySignals<T>(use: () => Promise<T>, progress: { stop(): void }, tell: () => string): Promise<T> {
  const release = onSignals(() => {
    progress.stop();
    note(tell());
  });
  try {
    return await use();
  } finally {
    release();
  }
}

/** Waits for a signal that ends a command which works until then; a second one kills at once. */
export function untilSignal(): { readonly came: Promise<void>; release(): void } {
  let stop: () => void = () => undefined;
  const release = (): void => SIGNALS.forEach((signal) => process.removeListener(signal, stop));
  const came = new Promise<void>((resolve) => {
    stop = () => {
      release();
      resolve();
    };
  });
  SIGNALS.forEach((signal) => process.on(signal, stop));
  return { came, release };
}

/**
 * Aborts `use` on a signal, waits until it has put away what it made, says so with `tell`, then dies of the signal. A second one kills at once.
 */
export async function abortedBySignals<T>(use: (signal: AbortSignal) => Promise<T>, tell?: () => string): Promise<T> {
  const control = new AbortController();
  let came: NodeJS.Signals | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    release();
    came = signal;
    control.abort();
  };
  const release = (): void => SIGNALS.forEach((signal) => process.removeListener(signal, stop));
  SIGNALS.forEach((signal) => process.on(signal, stop));
  try {
    return await use(control.signal);
  } finally {
    release();
    if (came !== undefined) {
      if (tell !== undefined) note(tell());
      process.kill(process.pid, came);
    }
  }
}
