// Ends tidily on a signal.

/** Cleans up on a signal, then dies of it as a shell expects. The handlers are there before the first file is. */
export function onSignals(cleanUp: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const die = (signal: NodeJS.Signals): void => {
    cleanUp();
    release();
    process.kill(process.pid, signal);
  };
  const release = (): void => signals.forEach((signal) => process.removeListener(signal, die));
  signals.forEach((signal) => process.on(signal, die));
  return release;
}
