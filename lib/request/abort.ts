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
 * Waits for an open, which native cannot interrupt.
 *
 * @param opening what opens; it begins at once
 * @param signal its reason is thrown instead of a device, which is closed then
 * @param mayTakeLong whether it waits for a server: then the reason is thrown as soon as there is one, and a device that comes too late is
 *   closed; otherwise nothing is open any more, or being opened, when it is thrown
 * @returns the device
 */
export async function unlessAborted<T extends { close(): Promise<void> }>(
  opening: () => Promise<T>,
  signal: AbortSignal | undefined,
  mayTakeLong: boolean,
): Promise<T> {
  throwIfAborted(signal);
  if (signal === undefined) return opening();
  if (mayTakeLong) return firstOf(opening(), signal);
  const device = await opening();
  if (!signal.aborted) return device;
  await device.close().catch(() => undefined); // nothing was done with it
  throw signal.reason;
}

/** Gives what comes first: the device, or the reason of the signal. */
async function firstOf<T extends { close(): Promise<void> }>(begun: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  // Whichever of the two comes second is nobody's error.
  aborted.catch(() => undefined);
  try {
    watch(signal, abort);
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
