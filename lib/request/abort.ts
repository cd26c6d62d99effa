// AbortSignal: one listener per signal, however many requests it ends.
// A request that was aborted settles only when native has let go of its memory.
import type { Eventual, Failure } from '../native/binding.js';
import { ECANCELED, isFailure } from '../errors.js';

interface Watch {
  readonly cancels: Set<() => void>;
  readonly listener: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/** Throws the reason of `signal` when it is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason;
}

/**
 * Waits for a request that `signal` may end.
 *
 * @param begun the request, which native has taken
 * @param signal its reason is thrown when native cancelled the request
 * @param cancel asks native to end the request
 * @returns the outcome of native, also when the request succeeded in spite of the abort
 */
export async function untilAborted<T>(begun: Eventual<T | Failure>, signal: AbortSignal, cancel: () => void): Promise<T | Failure> {
  try {
    watch(signal, cancel);
    const outcome = await begun;
    if (isFailure(outcome) && outcome[0] === ECANCELED) throwIfAborted(signal);
    return outcome;
  } finally {
    // Only a signal that is no true AbortSignal throws before the request is done, or when it is let go of.
    await begun;
    unwatch(signal, cancel);
  }
}

/**
 * Waits for an open, which native cannot interrupt: the server of an export may be long in coming.
 *
 * @param opening what opens; it begins at once
 * @param signal its reason is thrown as soon as it is aborted; a device that comes too late is closed then
 * @returns the device
 */
export async function unlessAborted<T extends { close(): Promise<void> }>(
  opening: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  throwIfAborted(signal);
  const begun = opening();
  if (signal === undefined) return begun;
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  watch(signal, abort);
  try {
    return await Promise.race([begun, aborted]);
  } catch (error) {
    begun.then((device) => device.close()).catch(() => undefined);
    throw error;
  } finally {
    unwatch(signal, abort);
  }
}

function watch(signal: AbortSignal, cancel: () => void): void {
  const known = watches.get(signal);
  if (known !== undefined) {
    known.cancels.add(cancel);
    return;
  }
  const cancels = new Set([cancel]);
  const listener = (): void => {
    for (const each of cancels) each();
  };
  signal.addEventListener('abort', listener, { once: true });
  watches.set(signal, { cancels, listener });
}

function unwatch(signal: AbortSignal, cancel: () => void): void {
  const known = watches.get(signal);
  if (known === undefined) return;
  known.cancels.delete(cancel);
  if (known.cancels.size > 0) return;
  watches.delete(signal);
  signal.removeEventListener('abort', known.listener);
}
