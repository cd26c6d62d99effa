// Fault injection of a driver: the options and the object behind `driver.faults`. The generator itself is native.
import { randomInt } from 'node:crypto';
import { inspect, type InspectOptions } from 'node:util';
import type { NativeDriver } from './native/binding.js';
import { keysOf } from './arguments/known-keys.js';
import { integer, requireOptions } from './arguments/validate.js';

/** `rate` that fails every request; RUMP_BLKFAIL counts in parts of it. */
export const BLKFAIL_MAX = 10000;
const SEED_MAX = 2 ** 32 - 1;

/** Options of the fault injector. */
export interface FaultOptions {
  /** Requests that fail, of 10000; 0 turns the injector off. */
  rate: number;
  /** Start of the random sequence, unsigned 32 bit; default: random. */
  seed?: number;
}

/**
 * Fails requests of a driver at random, in a sequence that its seed repeats.
 *
 * @example
 * const driver = new BlockDriver({ faults: { rate: 100, seed: 1 } });
 * driver.faults.injected; // requests failed so far
 */
export interface FaultInjector {
  /** Gives the requests that fail, of 10000; 0 when off. */
  readonly rate: number;
  /** Gives the seed that the present sequence began with. */
  readonly seed: number;
  /** Counts the requests that the injector failed. */
  readonly injected: number;
  /**
   * Begins a new sequence.
   *
   * @param options rate, and the seed; default seed: random
   * @throws {BlockDeviceError} EBADF driver closed
   */
  set(options: FaultOptions): void;
  /**
   * Turns the injector off.
   *
   * @throws {BlockDeviceError} EBADF driver closed
   */
  clear(): void;
}

const FAULT_KEYS = keysOf<FaultOptions>({ rate: true, seed: true });

/** Accepts fault options and fills in the seed. */
export function faultOptions(options: unknown, name: string): Required<FaultOptions> {
  requireOptions(options, name, FAULT_KEYS);
  const { rate, seed } = options as Partial<FaultOptions>;
  return {
    rate: integer(rate, `${name}.rate`, 0, BLKFAIL_MAX),
    seed: seed === undefined ? randomInt(SEED_MAX + 1) : integer(seed, `${name}.seed`, 0, SEED_MAX),
  };
}

/**
 * Makes the injector of one driver.
 *
 * @param native answers the getters, also after the driver is closed
 * @param usable throws when the driver is closed
 */
export function createFaultInjector(
  native: NativeDriver,
  usable: (method: string) => void,
): FaultInjector & { [inspect.custom](depth: number, options: InspectOptions): string } {
  return {
    get rate() {
      return native.faults()[0];
    },
    get seed() {
      return native.faults()[1];
    },
    get injected() {
      return native.faults()[2];
    },
    [inspect.custom](_depth: number, options: InspectOptions): string {
      const [rate, seed, injected] = native.faults();
      return `FaultInjector ${inspect({ rate, seed, injected }, options)}`;
    },
    set(options) {
      usable('faults.set');
      const { rate, seed } = faultOptions(options, 'options');
      native.setFaults(rate, seed);
    },
    clear() {
      usable('faults.clear');
      native.clearFaults();
    },
  };
}
