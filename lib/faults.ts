// Fault injection of a driver: the options and the object behind `driver.faults`. Generator and plans themselves are native.
import { randomInt } from 'node:crypto';
import { inspect, type InspectOptions } from 'node:util';
import type { NativeDriver } from './native/binding.js';
import { fromFailure, invalidArgType } from './errors.js';
import { eventsOf, toJsonLines } from './faults/log.js';
import { checkedPlan, type CheckedPlan } from './faults/plan.js';
import type { FaultEvent, FaultPlan } from './faults/types.js';
import { keysOf } from './arguments/known-keys.js';
import { integer, oneOf, requireOptions } from './arguments/validate.js';
import { word } from './faults/match.js';

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
   *
   * @example
   * driver.faults.set({ rate: 500, seed: 7 }); // one request of twenty, the same ones each time
   */
  set(options: FaultOptions): void;
  /**
   * Turns the injector off, and ends the plan: what it holds completes.
   *
   * @throws {BlockDeviceError} EBADF driver closed
   *
   * @example
   * driver.faults.clear();
   */
  clear(): void;
  /**
   * Puts a plan into force for all devices of the driver, in the place of the one before, whose requests complete. Everything is decided in
   * the order of the calls, whatever the workers do: the same calls meet the same faults.
   *
   * @param plan rules, as an object or as JSON has them
   * @returns the same, with the seed that it draws from
   * @throws {TypeError} what the plan does not know, with its path: `plan.rules[2].match.secotrs`
   * @throws {BlockDeviceError} ENOMEM; EBADF driver closed
   *
   * @example
   * device.driver.faults.plan({ seed: 1, rules: [{ match: { op: 'write', every: 100 }, action: { errno: 'EIO' } }] });
   */
  plan(plan: FaultPlan): FaultPlan & { seed: number };
  /**
   * Tells what the plan has done so far, also when it is not in force any more.
   *
   * @returns events in their order
   *
   * @example
   * console.table(driver.faults.log());
   */
  log(): FaultEvent[];
  /**
   * Tells the same in JSON lines.
   *
   * @param format 'jsonl'
   * @returns a line for each event
   *
   * @example
   * process.stdout.write(driver.faults.log('jsonl'));
   */
  log(format: 'jsonl'): string;
  /**
   * Lets the requests complete that hang at a tag.
   *
   * @param tag as rules name it
   * @returns how many there were
   * @throws {BlockDeviceError} EBADF driver closed
   *
   * @example
   * driver.faults.plan({ rules: [{ match: { op: 'read' }, action: { hang: 'here' } }] });
   * const read = device.read(buffer, 0);
   * driver.faults.release('here');
   * await read;
   */
  release(tag: string): number;
  /**
   * Calls a function with each event of a plan, in a later turn of the event loop. It keeps no process alive.
   *
   * @param event 'fault'
   * @param listener gets the event
   * @returns this object
   * @throws {BlockDeviceError} EBADF driver closed
   *
   * @example
   * driver.faults.on('fault', ({ op, blkno, action }) => console.log(op, blkno, action));
   */
  on(event: 'fault', listener: (event: FaultEvent) => void): this;
  /**
   * Calls it no more.
   *
   * @param event 'fault'
   * @param listener as it was given
   * @returns this object
   *
   * @example
   * const listener = () => console.log('a fault');
   * driver.faults.on('fault', listener).off('fault', listener);
   */
  off(event: 'fault', listener: (event: FaultEvent) => void): this;
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

const planSeeds = new WeakMap<FaultInjector, () => number | undefined>();

/** Gives the seed that replays what an injector does: of its plan, undefined while there was none, or of its generator. */
export function seedOf(injector: FaultInjector, byPlan: boolean): number | undefined {
  return byPlan ? planSeeds.get(injector)?.() : injector.seed;
}

/** The plan of a driver, with what tells listeners of it. */
class PlanOfDriver {
  readonly #native: NativeDriver;
  readonly #listeners: ((event: FaultEvent) => void)[] = [];
  #plan: CheckedPlan | undefined;
  #told = 0;
  #rings = false;

  constructor(native: NativeDriver) {
    this.#native = native;
  }

  set(plan: FaultPlan): FaultPlan & { seed: number } {
    const checked = checkedPlan(plan);
    this.#tell();
    const outcome = this.#native.setPlan(checked.numbers, checked.clock);
    if (typeof outcome !== 'number') throw fromFailure(outcome, {});
    this.#plan = checked;
    this.#told = 0;
    return { ...plan, seed: checked.seed };
  }

  get seed(): number | undefined {
    return this.#plan?.seed;
  }

  log(from = 0): FaultEvent[] {
    return eventsOf(this.#native.faultLog(from), this.#plan?.names ?? []);
  }

  release(tag: string): number {
    const number = this.#plan?.names.indexOf(tag) ?? -1;
    return number < 0 ? 0 : this.#native.releaseFaults(number);
  }

  listen(listener: (event: FaultEvent) => void): void {
    // Of what comes from here on.
    if (this.#listeners.length === 0) this.#told = this.log().length;
    this.#listeners.push(listener);
    if (this.#rings) return;
    this.#rings = true;
    this.#wait();
  }

  /** Tells what there is, and again when more has come: what comes in between is seen by the look, or by what is waited for. */
  #wait(): void {
    const more = this.#native.awaitFault();
    // What a listener throws is nobody's rejection.
    void more.then(() => process.nextTick(() => this.#wait()));
    this.#tell();
  }

  unlisten(listener: (event: FaultEvent) => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  #tell(): void {
    if (this.#listeners.length === 0) return;
    const events = this.log(this.#told);
    this.#told += events.length;
    for (const event of events) {
      for (const listener of [...this.#listeners]) listener(event);
    }
  }
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
  const plans = new PlanOfDriver(native);
  const listenerOf = (event: unknown, listener: unknown): ((event: FaultEvent) => void) => {
    oneOf(event, 'event', { fault: 0 });
    if (typeof listener !== 'function') throw invalidArgType('listener', 'of type function', listener);
    return listener as (event: FaultEvent) => void;
  };
  const injector: ReturnType<typeof createFaultInjector> = {
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
      const outcome = native.setFaults(rate, seed);
      if (typeof outcome !== 'number') throw fromFailure(outcome, {});
    },
    clear() {
      usable('faults.clear');
      native.clearFaults();
    },
    plan(plan) {
      usable('faults.plan');
      return plans.set(plan);
    },
    log: ((format?: unknown) => {
      if (format === undefined) return plans.log();
      oneOf(format, 'format', { jsonl: 0 });
      return toJsonLines(plans.log());
    }) as FaultInjector['log'],
    release(tag) {
      usable('faults.release');
      return plans.release(word(tag, 'tag'));
    },
    on(event, listener) {
      usable('faults.on');
      plans.listen(listenerOf(event, listener));
      return this;
    },
    off(event, listener) {
      plans.unlisten(listenerOf(event, listener));
      return this;
    },
  };
  planSeeds.set(injector, () => plans.seed);
  return injector;
}
