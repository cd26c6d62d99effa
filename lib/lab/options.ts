// The options of the laboratory: what they are, and their checks.
import { tmpdir } from 'node:os';
import { keysOf } from '../arguments/known-keys.js';
import { bytes, flag, integer, oneOf, requireOptions, sectorSizeOf, text } from '../arguments/validate.js';
import { invalidArgType } from '../errors.js';
import { MODEL } from '../native/binding.js';
import type { Bytes } from '../request/transfer.js';

/**
 * What a power cut may leave of data that is not durable. `'none'`: whole requests, each is there or not. `'atom'`: each atomic unit by itself holds
 * any version that no durable one superseded. `'shorn'`: also units that hold a prefix or a suffix of the new version over the old
 * one. `'garbage'`: also units that hold pseudo-random bytes, or fail reads with EIO until they are written; of units with a version that was not durable alone. Each includes those before it.
 */
export type Tear = 'none' | 'atom' | 'shorn' | 'garbage';

/** Options of {@link recordWrites}. */
export interface RecordOptions {
  /** Bytes that the medium writes as one, a power of two from 512 to 65536; default 512. Most disks of today, and what ext4 relies on: 4096. */
  atomicUnit?: Bytes;
  /** What a lease (`mapSync`) does: `'refuse'`, the default: ENOTSUP. `'diff'`: stores are found by comparing at release, flush and mark. */
  leases?: 'refuse' | 'diff';
  /** Keeps the call site of each request, for reports; default false. */
  stacks?: boolean;
  /** Bytes of recorded data in memory; what is beyond goes to a file in `directory`. Default 256 MiB. */
  memory?: Bytes;
  /** Folder of recorded data, and of the recordings of failures; default: that of RUMPBLK_LAB_DIR, or the one for temporary files. */
  directory?: string;
}

/** Options of `Recorder.crashStates()`. */
export interface StateOptions {
  /** At which cuts: all that count, the default; the one before this event; or those after the mark `after` and up to the mark `before`. */
  at?:
    | number
    | {
        /** Name of a mark: cuts up to the first one of that name, behind `after`; default: up to the end. */
        readonly before?: string;
        /** Name of a mark: cuts behind the first one of that name; default: from the beginning. */
        readonly after?: string;
      };
  /** What becomes of what was not durable; default `'atom'`. */
  tear?: Tear;
  /** `'power'`, the default. `'process'`: requests that were acknowledged are all there, those on their way in parts. */
  crash?: 'power' | 'process';
  /** What was discarded reads as before or as zeros, the default, or as anything: `'any'`, also when the discard is durable. */
  discard?: 'zero' | 'any';
  /** Lets a write of a part of an atomic unit destroy the units beside that one while it is not durable; default false. */
  collateral?: boolean;
  /** Bytes that are lost or kept as one in some of the random states, of a disk that loses whole blocks; default none. */
  run?: Bytes;
  /** Start of the random choices, unsigned 32 bit; default random, and told by every report. */
  seed?: number;
  /** Random states of a cut, after those that a rule makes; default 16. */
  samples?: number;
  /** A cut with at most so many legal states gives each of them; true: every cut does. Default 1024. */
  exhaustive?: number | boolean;
  /** 1: single losses. 2, the default: each pair of requests, the one lost and the other one kept. 3: each triple. */
  strength?: 1 | 2 | 3;
  /** Ends after so many states; default: no limit. */
  limit?: number;
  /** Ends after so many nanoseconds; default: no limit. */
  budget?: number;
}

/** Options of {@link crashTest}. */
export interface CheckOptions extends StateOptions {
  /** Checks that run at once, each in a thread of its own; default 1, in this one. With more the check is the path of a module whose default export it is. */
  workers?: number;
  /** Answers from what earlier checks read, where the check is deterministic and reads through `state.devices` alone; default true. */
  memo?: boolean;
  /** Cuts the power again while the check writes: so many states of each such check; default 0. */
  again?: number;
  /** Ends when so many failures are found; default 1. */
  failures?: number;
  /** Checks that are spent on making a failure smaller; default 500. */
  shrink?: number;
}

/** What is recorded, and how, with every default filled in. */
export type RecordSettings = Required<RecordOptions>;
/** Which states, with every default filled in but for what ends them. */
export interface StateSettings {
  readonly at: number | { readonly before: string | undefined; readonly after: string | undefined } | undefined;
  readonly tear: Tear;
  readonly crash: 'power' | 'process';
  readonly discard: 'zero' | 'any';
  readonly collateral: boolean;
  /** 0: none. */
  readonly run: number;
  readonly seed: number;
  readonly samples: number;
  /** 0: no cut; Infinity: every cut. */
  readonly exhaustive: number;
  readonly strength: 1 | 2 | 3;
  readonly limit: number;
  readonly budget: number;
}
export type CheckSettings = StateSettings & Required<Omit<CheckOptions, keyof StateOptions>>;

const UINT32_MAX = 2 ** 32 - 1;
const MOST = Number.MAX_SAFE_INTEGER;
const LEASES = { refuse: 0, diff: 1 } as const;
const CRASHES = { power: 0, process: 1 } as const;
const DISCARDS = { zero: 0, any: 1 } as const;
/** In the order in which each includes those before it. */
export const TEARS = { none: 0, atom: 1, shorn: 2, garbage: 3 } as const;

const RECORD_NAMES = { atomicUnit: true, leases: true, stacks: true, memory: true, directory: true } as const;
const STATE_NAMES = {
  at: true,
  tear: true,
  crash: true,
  discard: true,
  collateral: true,
  run: true,
  seed: true,
  samples: true,
  exhaustive: true,
  strength: true,
  limit: true,
  budget: true,
} as const;
const CHECK_NAMES = { ...STATE_NAMES, workers: true, memo: true, again: true, failures: true, shrink: true } as const;
const RECORD_WORDS = { sectorSize: "'atomicUnit'", blockSize: "'atomicUnit'", dir: "'directory'" } as const;
const STATE_WORDS = { max: "'limit'", timeout: "'budget'", time: "'budget'", cut: "'at'" } as const;
const RECORD_KEYS = keysOf<RecordOptions>(RECORD_NAMES, RECORD_WORDS);
const STATE_KEYS = keysOf<StateOptions>(STATE_NAMES, STATE_WORDS);
const COUNT_KEYS = keysOf<Pick<StateOptions, 'tear' | 'at'>>({ tear: true, at: true }, STATE_WORDS);
const CHECK_KEYS = keysOf<CheckOptions>(CHECK_NAMES, STATE_WORDS);
const BOTH_KEYS = keysOf<CheckOptions & RecordOptions>({ ...CHECK_NAMES, ...RECORD_NAMES }, { ...STATE_WORDS, ...RECORD_WORDS });
const BETWEEN_KEYS = keysOf<{ before?: string; after?: string }>({ before: true, after: true });

/** Accepts options of a recording, and fills in the defaults. */
export function recordSettings(options: unknown, known = RECORD_KEYS): RecordSettings {
  if (options !== undefined) requireOptions(options, 'options', known);
  const { atomicUnit = 512, leases = 'refuse', stacks, memory = 2 ** 28, directory } = (options ?? {}) as RecordOptions;
  return {
    atomicUnit: sectorSizeOf(atomicUnit, 'options.atomicUnit'),
    leases: oneOf(leases, 'options.leases', LEASES),
    stacks: flag(stacks, 'options.stacks', false),
    memory: bytes(memory, 'options.memory'),
    directory: directory === undefined ? labFolder() : text(directory, 'options.directory'),
  };
}

/** The folder where recordings go that nobody named a place for. */
export function labFolder(): string {
  return process.env['RUMPBLK_LAB_DIR'] || tmpdir();
}

/** Accepts options of crash states, and fills in the defaults. */
export function stateSettings(options: unknown, known = STATE_KEYS): StateSettings {
  if (options !== undefined) requireOptions(options, 'options', known);
  const {
    at,
    tear = 'atom',
    crash = 'power',
    discard = 'zero',
    collateral,
    run = 0,
    seed,
    samples = 16,
    exhaustive = 1024,
    strength = 2,
    limit,
    budget,
  } = (options ?? {}) as StateOptions;
  return {
    at: cutsOf(at),
    tear: oneOf(tear, 'options.tear', TEARS),
    crash: oneOf(crash, 'options.crash', CRASHES),
    discard: oneOf(discard, 'options.discard', DISCARDS),
    collateral: flag(collateral, 'options.collateral', false),
    run: integer(run, 'options.run', 0, MOST),
    seed: seed === undefined ? Math.floor(Math.random() * (UINT32_MAX + 1)) : integer(seed, 'options.seed', 0, UINT32_MAX),
    samples: integer(samples, 'options.samples', 0, UINT32_MAX),
    exhaustive: exhaustiveOf(exhaustive),
    strength: integer(strength, 'options.strength', 1, 3) as 1 | 2 | 3,
    limit: limit === undefined ? MOST : integer(limit, 'options.limit', 0, MOST),
    budget: budget === undefined ? MOST : integer(budget, 'options.budget', 0, MOST),
  };
}

/** What the model of states is like, by the numbers of MODEL. */
export function modelOf({ crash, discard, collateral }: Pick<StateSettings, 'crash' | 'discard' | 'collateral'>): number {
  return (crash === 'process' ? MODEL.process : 0) + (discard === 'any' ? MODEL.discardsAny : 0) + (collateral ? MODEL.collateral : 0);
}

/** Accepts the options of `count`. */
export function countSettings(options: unknown): Pick<StateSettings, 'tear' | 'at'> {
  const { tear, at } = stateSettings(options, COUNT_KEYS);
  return { tear, at };
}

/** Accepts options of a test, and fills in the defaults. */
export function checkSettings(options: unknown, known = CHECK_KEYS): CheckSettings {
  const states = stateSettings(options, known);
  const { workers = 1, memo, again = 0, failures = 1, shrink = 500 } = (options ?? {}) as CheckOptions;
  return {
    ...states,
    workers: integer(workers, 'options.workers', 1, 64),
    memo: flag(memo, 'options.memo', true),
    again: integer(again, 'options.again', 0, UINT32_MAX),
    failures: integer(failures, 'options.failures', 1, UINT32_MAX),
    shrink: integer(shrink, 'options.shrink', 0, UINT32_MAX),
  };
}

/** Accepts options of a test that records, too, and fills in the defaults. */
export function workloadSettings(options: unknown): { readonly record: RecordSettings; readonly check: CheckSettings } {
  return { record: recordSettings(options, BOTH_KEYS), check: checkSettings(options, BOTH_KEYS) };
}

function exhaustiveOf(value: unknown): number {
  if (typeof value === 'boolean') return value ? Infinity : 0;
  if (typeof value !== 'number') throw invalidArgType('options.exhaustive', 'of type number or boolean', value);
  return integer(value, 'options.exhaustive', 0, UINT32_MAX);
}

function cutsOf(at: unknown): StateSettings['at'] {
  if (at === undefined) return undefined;
  if (typeof at === 'number') return integer(at, 'options.at', 0, MOST);
  if (typeof at !== 'object' || at === null) throw invalidArgType('options.at', 'of type number or object', at);
  requireOptions(at, 'options.at', BETWEEN_KEYS);
  const { before, after } = at as { before?: unknown; after?: unknown };
  return {
    before: before === undefined ? undefined : text(before, 'options.at.before'),
    after: after === undefined ? undefined : text(after, 'options.at.after'),
  };
}
