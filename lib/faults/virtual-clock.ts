// A clock that a test drives, for the delays, hangs and stalls of fault plans.
import { setImmediate } from 'node:timers/promises';
import { binding, type NativeClock } from '../native/binding.js';
import { invalidArgType, invalidThis, markCopy, outOfRange } from '../errors.js';

const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/** Gives the native clock of a virtual one; undefined for anything else. */
export let clockOf: (value: unknown) => NativeClock | undefined;

/**
 * Stands until it is told to go on. What a fault plan delays completes in the order of time, and then of the requests, one after the
 * other: the next one only when all that came of the one before is done or waits for the clock itself. So one plan gives one order of
 * events. Sync forms move it on by themselves.
 *
 * @example
 * const clock = virtualClock();
 * device.driver.faults.plan({ clock, rules: [{ action: { delay: 10 } }] });
 * const read = device.read(buffer, 0);
 * await clock.advance(10_000_000); // ns
 * await read;
 */
export class VirtualClock {
  readonly #native: NativeClock;

  static {
    markCopy(VirtualClock);
    clockOf = (value) => (typeof value === 'object' && value !== null && #native in value ? value.#native : undefined);
  }

  /**
   * Makes a clock, as {@link virtualClock} does.
   *
   * @param start time in ns at which it stands first; default 0
   *
   * @example
   * const clock = virtualClock(); // the same
   */
  constructor(start = 0n) {
    this.#native = binding.makeClock(Number(nanoseconds(start, 'start')));
  }

  /** Gives its time, in ns. */
  get now(): bigint {
    return BigInt(this.#info()[0]);
  }

  /** Counts the requests that wait for it, or for their tag. */
  get waiting(): number {
    return this.#info()[2];
  }

  /**
   * Moves it on, and lets what is due on the way complete.
   *
   * @param ns nanoseconds to move it on
   * @returns when all of that has settled, and what came of it is done or waits for the clock itself
   *
   * @example
   * await clock.advance(10_000_000); // ns: what was to complete in these 10 ms has completed
   */
  async advance(ns: number | bigint): Promise<void> {
    const end = this.now + nanoseconds(ns, 'ns');
    if (end > MOST) throw outOfRange('ns', `<= ${MOST - this.now}`, ns);
    do await this.#settle();
    while (binding.advanceClock(this.#native, Number(end)));
  }

  /**
   * Moves it on from one request that waits to the next, until none has a time to wait for; those that hang do so still.
   *
   * @example
   * await clock.runUntilIdle();
   * console.log(clock.waiting); // 0
   */
  async runUntilIdle(): Promise<void> {
    for (;;) {
      await this.#settle();
      const next = this.#info()[1];
      if (next < 0) return;
      binding.advanceClock(this.#native, next);
    }
  }

  /** Waits until every request on this clock waits for it, and JavaScript has nothing left to do about one that does not. */
  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; quiet = this.#info()[3] ? quiet + 1 : 0) await setImmediate();
  }

  #info(): readonly [now: number, next: number, waiting: number, quiet: boolean] {
    if (!(#native in this)) throw invalidThis('VirtualClock');
    return binding.clockInfo(this.#native);
  }
}

/**
 * Makes a clock for `clock` of a fault plan.
 *
 * @param start time in ns at which it stands first; default 0
 * @throws {RangeError} ERR_OUT_OF_RANGE a time below 0 or above 2^53 - 1
 *
 * @example
 * const clock = virtualClock();
 * driver.faults.plan({ clock, rules: [{ action: { delay: 10 } }] });
 */
export function virtualClock(start = 0n): VirtualClock {
  return new VirtualClock(start);
}

function nanoseconds(value: unknown, name: string): bigint {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw invalidArgType(name, 'of type number or bigint', value);
  if (typeof value === 'number' && !Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < 0 || value > MOST) throw outOfRange(name, `>= 0 && <= ${MOST}`, value);
  return BigInt(value);
}
