// A walk over the crash states of a recording, and how far it is.
import { hrtime } from 'node:process';
import { invalidArgValue } from '../errors.js';
import { binding, TEAR, type NativeChoice, type NativeExplorer } from '../native/binding.js';
import { modelOf, type StateSettings } from './options.js';
import { answerOf, infoOf, type Recording } from './recording.js';

/** How far a walk is. */
export interface Walked {
  readonly cuts: number;
  readonly generated: number;
  readonly distinct: number;
  /** Whether every legal state of every cut was made. */
  readonly complete: boolean;
}

/** Cuts from `from` to `to`, both included; exact: that one alone, whether it counts or not. */
export type CutRange = readonly [from: number, to: number, exact: boolean];

/** The cuts that settings ask for. */
export function cutRange(recording: Recording, at: StateSettings['at']): CutRange {
  const { end } = infoOf(recording);
  if (typeof at === 'number') {
    if (at > end) throw invalidArgValue('options.at', at, `must be at most ${end}, the end of the recording`);
    return [at, at, true];
  }
  if (at === undefined) return [0, end, false];
  const from = at.after === undefined ? 0 : markAt(recording, at.after, 0, 'after') + 1;
  const to = at.before === undefined ? end : markAt(recording, at.before, from, 'before');
  return [from, to, false];
}

/** Event number of the first mark of that name from an event on. */
function markAt({ marks, markEvents, inherited }: Recording, name: string, from: number, option: string): number {
  const index = markEvents.findIndex((event, i) => event >= from && marks[inherited + i]?.name === name);
  const event = markEvents[index];
  if (event === undefined)
    throw invalidArgValue(`options.at.${option}`, name, `must be the name of a mark${from > 0 ? ` after '${from}'` : ''}`);
  return event;
}

/** How a recording is walked over. */
export interface WalkSettings extends StateSettings {
  /** Of a recording with an event left out: only states that it would not have with the event; default false. */
  readonly beyond?: boolean;
}

/** Walks over the states that settings ask for, until `limit` or `budget` ends it. */
export class Exploration {
  readonly #native: NativeExplorer;
  readonly #told = new Float64Array(6);
  readonly #until: bigint | undefined;
  #left: number;
  #ended = false;

  constructor(recording: Recording, settings: WalkSettings) {
    const { tear, seed, samples, exhaustive, strength, run, limit, budget, beyond = false } = settings;
    const range = cutRange(recording, settings.at);
    const most = exhaustive === Infinity ? -1 : exhaustive;
    const { native } = recording;
    this.#native = answerOf(binding.explore(native, ...range, TEAR[tear], modelOf(settings), seed, samples, most, strength, run, beyond));
    this.#left = limit;
    this.#until = budget === Number.MAX_SAFE_INTEGER ? undefined : hrtime.bigint() + BigInt(budget);
  }

  /** Gives the next state; undefined at the end. */
  next(): NativeChoice | undefined {
    if (this.#ended || this.#left === 0 || (this.#until !== undefined && hrtime.bigint() >= this.#until)) return undefined;
    const choice = answerOf(binding.exploreNext(this.#native, this.#told));
    if (choice === undefined) this.#ended = true;
    else this.#left -= 1;
    return choice;
  }

  /** Tells how far it is. */
  get walked(): Walked {
    const [, , generated = 0, distinct = 0, cuts = 0, complete = 0] = this.#told;
    return { cuts, generated, distinct, complete: this.#ended && complete === 1 };
  }
}
