// What a fault plan is made of, and what it leaves behind. Plain data, as it stands in JSON.
import type { Bytes } from '../request/transfer.js';
import type { VirtualClock } from './virtual-clock.js';

/** What a rule can be about. `'open'` is the opening of a device of the driver, `'map'` a {@link BlockDevice.mapSync}. */
export type FaultOp = 'read' | 'write' | 'flush' | 'discard' | 'zeroes' | 'open' | 'map';

/**
 * Which requests a rule is about. A raw transfer is matched piece by piece, of 64 KiB each, any other request as a whole; what mode or
 * bounds refuse is not matched. All that is given has to fit.
 */
export interface FaultMatch {
  /** Operations; default all that the action can do something to. */
  op?: FaultOp | FaultOp[];
  /** Sectors of 512 bytes, first and last, or several such ranges; what meets one of them is taken. Of flushes and opens it says nothing. Default: all. */
  sectors?: [first: number, last: number] | [first: number, last: number][];
  /** Minor, -1 for devices that were opened by path; default: any. */
  minor?: number;
  /** Part of those that is hit, 0 to 1; default 1. Drawn by seed, rule, minor, operation and count, so that nothing else moves it. */
  probability?: number;
  /** Hits each n-th of those that the rest of the match takes; default 1. */
  every?: number;
  /** Leaves the first n of those alone; default 0. */
  after?: number;
  /** Hits at most n; default: any number. */
  times?: number;
  /**
   * Takes the n-th request of its minor and operation since the plan is in force, as `n` of a {@link FaultEvent} counts them: also those
   * that `allow` or other rules let pass, and those that mode or bounds refuse. Default: any.
   */
  n?: number;
  /** Takes requests while the plan is in this state; it begins in `'start'`. Default: in any. */
  state?: string;
}

/** How long a request is held, in ms of the plan's clock. */
export interface FaultDelay {
  /** Mean of the distribution, in ms. */
  mean: number;
  /** Least, in ms; default 0. */
  min?: number;
  /** Most, in ms; default none for `'exponential'`, twice the mean for `'uniform'`. */
  max?: number;
  /** How delays are spread; default `'exponential'`. */
  distribution?: 'exponential' | 'uniform';
}

/** What happens to a request that a rule hits: one of these. */
export type FaultAction =
  | {
      /** Fails with this code, `'EIO'`, and does nothing. A flush that fails loses what it would have covered, and its error sticks as a real one does. */
      errno: string;
      /** Of a flush that fails: true has the next one cover what this would have covered; default false, that is lost. */
      keep?: boolean;
    }
  | {
      /** Is done, and completes so many ms later. */
      delay: number | FaultDelay;
    }
  | {
      /** Is done, and completes when {@link FaultInjector.release} is called with this tag; a Sync form fails with EDEADLK. */
      hang: string;
    }
  | {
      /** In the last `for` ms of every `every` ms of the clock: completes at their end. */
      stall: {
        /** Ms from the end of one stall to the end of the next. */
        every: number;
        /** Ms of each stall. */
        for: number;
      };
    }
  | {
      /** A transfer moves so many bytes, and is no failure. */
      short: Bytes;
    }
  | {
      /** A write of several sectors is answered, and of them the first ones, the last ones, or any are there. */
      tear: 'prefix' | 'suffix' | 'subset';
      /** How many sectors a prefix or a suffix has; default: drawn. */
      sectors?: number;
      /** What is damaged, by 16 hexadecimal digits, as `planFromLog` has them; default: drawn. */
      key?: string;
    }
  | {
      /**
       * A write leaves damage, or a read sees it: bits of one sector that are flipped, or stuck; the same ones for each request there.
       * `'misdirect'`: all of it goes to another place, or comes from there.
       */
      corrupt: 'flip' | 'stuck' | 'misdirect';
      /** How many bits; default 1, of `'stuck'` 8. */
      bits?: number;
      /** First sector of the other place; default: drawn. */
      to?: number;
      /** What is damaged, by 16 hexadecimal digits, as `planFromLog` has them; default: drawn. */
      key?: string;
    }
  | {
      /** A write, zeros or a discard is answered and does not happen. */
      drop: true;
    }
  | {
      /** A flush is answered and does not happen. */
      ignoreFlush: true;
    }
  | {
      /** So many bytes can be written by all that the match takes; then ENOSPC. */
      budget: Bytes;
    }
  | {
      /** A read fails with EIO, and so do all others of its sectors, until those are written as a whole. */
      badUntilWritten: true;
    }
  | {
      /** Puts the plan into the state of this name, and does nothing to the request. */
      enter: string;
    }
  | {
      /** Fails as {@link FaultInjector.set} has it fail with this rate and the seed of the plan. */
      generator: 'rumpblk-1.31';
      /** Of 10000 requests, so many fail. */
      rate: number;
    };

/** One rule of a plan. */
export interface FaultRule {
  /** Default: everything that the action can do something to. */
  match?: FaultMatch;
  /** What happens to what it hits. */
  action: FaultAction;
}

/**
 * Says which requests of a driver meet which faults. Rules are looked at in their order; of those that decide what becomes of a request the first
 * that hits does, delays add up.
 */
export interface FaultPlan {
  /** Start of all draws, unsigned 32 bit; default: random. */
  seed?: number;
  /** In their order. */
  rules: FaultRule[];
  /** Ranges of sectors that are never hit, each by its first and its last one; default none. */
  allow?: [first: number, last: number][];
  /** What delays, hangs and stalls go by; default 'real'. */
  clock?: 'real' | VirtualClock;
}

/** Something that a plan did. */
export interface FaultEvent {
  /** Which request it was: the n-th of its minor and operation since the plan is in force. */
  n: number;
  /** Index of the rule. */
  rule: number;
  /** What it was. */
  op: FaultOp;
  /** Minor, -1 for devices that were opened by path. */
  minor: number;
  /** First sector. */
  blkno: number;
  /** Bytes; 0 of a flush and an open. */
  bcount: Bytes;
  /** What was done, with all that repeats it: `'errno EIO'`, `'tear prefix 3'`, ... */
  action: string;
}
