// A failure made small: the fewest losses that are enough for it, the fewest survivors that it takes, the earliest cut where it is.
import { binding, type NativeChoice } from '../native/binding.js';
import type { Verdict } from './judge.js';
import { modelOf, type StateSettings } from './options.js';
import { answerOf, eventsOf, unitsOf, type Recording } from './recording.js';
import type { LostUnit } from './report.js';
import { minimalByGroups } from './shrink.js';

/** A failure as small as it got. */
export interface Smallest {
  /** The state with the fewest losses. */
  readonly choice: NativeChoice;
  readonly error: unknown;
  readonly lost: LostUnit[];
  readonly kept: LostUnit[];
  /** Checks that it took. */
  readonly tests: number;
}

/** A unit that is not what was written: lost, or torn. */
interface Damage {
  readonly unit: number;
  readonly tear?: readonly [kind: number, seed: number];
}

const UNIT_NUMBERS = 6;
const CUT_NUMBERS = 3;
const TEAR_NUMBERS = 3;
/** Earlier cuts that are tried. */
const CUTS_TRIED = 4;

/** The units of a cut: a row each, and which request and place each is. */
class Units {
  readonly cut: number;
  /** As of MODEL. */
  readonly model: number;
  readonly rows: Float64Array;

  /** Of the end of a process, only what was on its way: nothing else can be lost. */
  constructor({ native }: Recording, cut: number, model: number) {
    this.cut = cut;
    this.model = model;
    this.rows = answerOf(binding.cutUnits(native, cut, model));
  }

  get count(): number {
    return this.rows.length / UNIT_NUMBERS;
  }

  request(unit: number): number {
    return this.rows[unit * UNIT_NUMBERS] as number;
  }

  /** Names a unit in whatever cut. */
  name(unit: number): string {
    const row = this.rows.subarray(unit * UNIT_NUMBERS, (unit + 1) * UNIT_NUMBERS);
    return [...row.subarray(0, 3), row[UNIT_NUMBERS - 1]].join();
  }
}

/** A state: what is lost or torn at a cut, all else being kept. */
interface Damaged {
  readonly units: Units;
  readonly damages: readonly Damage[];
}

/**
 * Makes a failure small.
 *
 * @param failing a choice that fails
 * @param error what the check said of it
 * @param verdictOf asks the check
 * @param settings `shrink`: checks that may be spent
 */
export async function makeSmall(
  recording: Recording,
  failing: NativeChoice,
  error: unknown,
  verdictOf: (choice: NativeChoice) => Promise<Verdict>,
  settings: ShrinkSettings,
): Promise<Smallest> {
  const search = new Search(recording, verdictOf, settings);
  if (settings.shrink === 0) {
    return { choice: failing, error, lost: unitsOf(recording, failing, false), kept: [], tests: 0 };
  }
  const few = await search.fewestLost(failing);
  // At the end of a recording all else may be durable: where it is not yet, more of what has to be kept is seen.
  const first = (await search.earlier(few)) ?? few;
  const kept = await search.fewestKept(first);
  const choice = search.choiceOf(first);
  return { choice, error: search.errorOf(first) ?? error, lost: unitsOf(recording, choice, false), kept, tests: search.tests };
}

type ShrinkSettings = Pick<StateSettings, 'tear' | 'crash' | 'discard' | 'collateral'> & { readonly shrink: number };

/** Asks a check about smaller and smaller failures, about none twice. */
class Search {
  /** Checks so far. */
  tests = 0;
  readonly #recording: Recording;
  readonly #verdictOf: (choice: NativeChoice) => Promise<Verdict>;
  readonly #settings: ShrinkSettings;
  readonly #asked = new Map<string, Verdict>();

  constructor(recording: Recording, verdictOf: (choice: NativeChoice) => Promise<Verdict>, settings: ShrinkSettings) {
    this.#recording = recording;
    this.#verdictOf = verdictOf;
    this.#settings = settings;
  }

  choiceOf({ units, damages }: Damaged): NativeChoice {
    const kept = new Uint8Array(units.count).fill(1);
    const tears: number[] = [];
    for (const { unit, tear } of damages) {
      if (tear === undefined) kept[unit] = 0;
      else tears.push(unit, ...tear);
    }
    return answerOf(binding.choiceOf(this.#recording.native, units.cut, kept, Float64Array.from(tears), units.model));
  }

  /** What the check said of a state that it was asked about. */
  errorOf(state: Damaged): unknown {
    return this.#asked.get(keyOf(state))?.error;
  }

  /** The fewest losses, at the same cut. */
  async fewestLost(failing: NativeChoice): Promise<Damaged> {
    const units = new Units(this.#recording, binding.choiceCut(failing)[0] as number, modelOf(this.#settings));
    const damages = await this.#minimal(units, damagesOf(units, failing), (some) => this.#fails({ units, damages: some }));
    return { units, damages };
  }

  /** The same losses at the earliest cut where they still fail. */
  async earlier({ units, damages }: Damaged): Promise<Damaged | undefined> {
    const wanted = new Set(damages.map(({ unit }) => units.request(unit)));
    let begun = 0;
    for (const { index, begin } of eventsOf(this.#recording.native)) if (wanted.has(index)) begun = Math.max(begun, begin);
    const rows = answerOf(binding.cuts(this.#recording.native, begun + 1, units.cut - 1, false, units.model));
    for (let i = 0; i < Math.min(rows.length, CUTS_TRIED * CUT_NUMBERS); i += CUT_NUMBERS) {
      const before = new Units(this.#recording, rows[i] as number, units.model);
      const places = new Map(Array.from({ length: before.count }, (_, unit) => [before.name(unit), unit]));
      const moved = damages.map((damage) => ({ ...damage, unit: places.get(units.name(damage.unit)) ?? -1 }));
      if (moved.some(({ unit }) => unit < 0)) continue;
      const state = { units: before, damages: inOrder(moved) };
      if (await this.#fails(state)) return state;
    }
    return undefined;
  }

  /** The fewest units that have to be kept, when all others are lost. */
  async fewestKept({ units, damages }: Damaged): Promise<LostUnit[]> {
    const isLost = new Set(damages.map(({ unit }) => unit));
    const others: Damage[] = [];
    for (let unit = 0; unit < units.count; unit += 1) if (!isLost.has(unit)) others.push({ unit });
    const without = (kept: readonly Damage[]): Damaged => {
      const stays = new Set(kept.map(({ unit }) => unit));
      return { units, damages: inOrder([...damages, ...others.filter(({ unit }) => !stays.has(unit))]) };
    };
    const kept = await this.#minimal(units, others, (some) => this.#fails(without(some)));
    const requests = new Set(kept.map(({ unit }) => units.request(unit)));
    return unitsOf(this.#recording, this.choiceOf(without(kept)), true).filter(({ request }) => requests.has(request));
  }

  #minimal(units: Units, all: readonly Damage[], fails: (some: readonly Damage[]) => Promise<boolean>): Promise<Damage[]> {
    return minimalByGroups(all, ({ unit }) => units.request(unit), this.#settings.tear === 'none', fails);
  }

  async #fails(state: Damaged): Promise<boolean> {
    const key = keyOf(state);
    const known = this.#asked.get(key);
    if (known !== undefined) return known.failed;
    if (this.tests >= this.#settings.shrink) return false;
    this.tests += 1;
    const verdict = await this.#verdictOf(this.choiceOf(state));
    this.#asked.set(key, verdict);
    return verdict.failed;
  }
}

/** Tells one state from another. */
function keyOf({ units, damages }: Damaged): string {
  const words = damages.map(({ unit, tear }) => (tear === undefined ? String(unit) : `${unit}~${tear.join()}`));
  return `${units.cut}:${words.join(' ')}`;
}

function inOrder(damages: readonly Damage[]): Damage[] {
  return [...damages].sort((a, b) => a.unit - b.unit);
}

function damagesOf(units: Units, choice: NativeChoice): Damage[] {
  const kept = binding.choiceKept(choice);
  const damages: Damage[] = [];
  for (let unit = 0; unit < units.count; unit += 1) if (kept[unit] === 0) damages.push({ unit });
  const tears = binding.choiceTears(choice);
  for (let i = 0; i < tears.length; i += TEAR_NUMBERS) {
    damages.push({ unit: tears[i] as number, tear: [tears[i + 1] as number, tears[i + 2] as number] });
  }
  return inOrder(damages);
}
