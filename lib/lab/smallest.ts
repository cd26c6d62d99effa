// A failure made small: the fewest losses that are enough for it, the fewest survivors that it takes, the earliest cut where it is.
import { binding, type NativeChoice } from '../native/binding.js';
import type { Verdict } from './judge.js';
import type { StateSettings } from './options.js';
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

const UNIT_NUMBERS = 5;
const CUT_NUMBERS = 3;
const TEAR_NUMBERS = 3;
/** Earlier cuts that are tried. */
const CUTS_TRIED = 4;

/** The units of a cut: a row each, and which request and place each is. */
class Units {
  readonly cut: number;
  readonly isProcess: boolean;
  readonly rows: Float64Array;

  /** Of the end of a process, only what was on its way: nothing else can be lost. */
  constructor({ native }: Recording, cut: number, isProcess: boolean) {
    this.cut = cut;
    this.isProcess = isProcess;
    this.rows = answerOf(binding.cutUnits(native, cut, isProcess));
  }

  get count(): number {
    return this.rows.length / UNIT_NUMBERS;
  }

  request(unit: number): number {
    return this.rows[unit * UNIT_NUMBERS] as number;
  }

  /** Names a unit in whatever cut. */
  name(unit: number): string {
    return this.rows.subarray(unit * UNIT_NUMBERS, unit * UNIT_NUMBERS + 3).join();
  }
}

/**
 * Makes a failure small.
 *
 * @param failing a choice that fails
 * @param error what the check said of it
 * @param verdictOf asks the check
 * @param most checks that may be spent
 */
export async function makeSmall(
  recording: Recording,
  failing: NativeChoice,
  error: unknown,
  verdictOf: (choice: NativeChoice) => Promise<Verdict>,
  { tear, crash, shrink: most }: Pick<StateSettings, 'tear' | 'crash'> & { readonly shrink: number },
): Promise<Smallest> {
  const isWhole = tear === 'none';
  const asked = new Map<string, Verdict>();
  let tests = 0;
  const ask = async (units: Units, damages: readonly Damage[]): Promise<boolean> => {
    const key = keyOf(units, damages);
    const known = asked.get(key);
    if (known !== undefined) return known.failed;
    if (tests >= most) return false;
    tests += 1;
    const verdict = await verdictOf(choiceWith(recording, units, damages));
    asked.set(key, verdict);
    return verdict.failed;
  };
  const units = new Units(recording, binding.choiceCut(failing)[0] as number, crash === 'process');
  const all = damagesOf(units, failing);
  const groupOf = ({ unit }: Damage): number => units.request(unit);
  if (most === 0)
    return { choice: failing, error, lost: unitsOf(recording, failing, false), kept: unitsOf(recording, failing, true), tests };
  const damages = await minimalByGroups(all, groupOf, isWhole, (some) => ask(units, some));

  const isLost = new Set(damages.map(({ unit }) => unit));
  const others = Array.from({ length: units.count }, (_, unit) => ({ unit })).filter(({ unit }) => !isLost.has(unit));
  const without = (kept: readonly Damage[]): Damage[] => {
    const stays = new Set(kept.map(({ unit }) => unit));
    return [...damages, ...others.filter(({ unit }) => !stays.has(unit))].sort((a, b) => a.unit - b.unit);
  };
  const kept = await minimalByGroups(others, groupOf, isWhole, (some) => ask(units, without(some)));
  const survivors = unitsOf(recording, choiceWith(recording, units, without(kept)), true).filter(({ request }) =>
    kept.some(({ unit }) => units.request(unit) === request),
  );
  const needed = [...damages, ...kept].map(({ unit }) => units.request(unit));
  const earlier = await earliest(recording, units, damages, needed, ask);
  const chosen = earlier ?? { choice: choiceWith(recording, units, damages), key: keyOf(units, damages) };
  return {
    choice: chosen.choice,
    error: asked.get(chosen.key)?.error ?? error,
    lost: unitsOf(recording, chosen.choice, false),
    kept: survivors,
    tests,
  };
}

/** Tells one question from another. */
function keyOf(units: Units, damages: readonly Damage[]): string {
  const words = damages.map(({ unit, tear }) => (tear === undefined ? String(unit) : `${unit}~${tear.join()}`));
  return `${units.cut}:${words.join(' ')}`;
}

/** The same losses at an earlier cut, where they still fail. */
async function earliest(
  recording: Recording,
  units: Units,
  damages: readonly Damage[],
  requests: readonly number[],
  ask: (units: Units, damages: readonly Damage[]) => Promise<boolean>,
): Promise<{ readonly choice: NativeChoice; readonly key: string } | undefined> {
  const wanted = new Set(requests);
  let begun = 0;
  for (const { index, begin } of eventsOf(recording.native)) if (wanted.has(index)) begun = Math.max(begun, begin);
  const rows = answerOf(binding.cuts(recording.native, begun + 1, units.cut - 1, false, units.isProcess));
  for (let i = 0; i < Math.min(rows.length, CUTS_TRIED * CUT_NUMBERS); i += CUT_NUMBERS) {
    const before = new Units(recording, rows[i] as number, units.isProcess);
    const places = new Map(Array.from({ length: before.count }, (_, unit) => [before.name(unit), unit]));
    const moved = damages.map((damage) => ({ ...damage, unit: places.get(units.name(damage.unit)) ?? -1 }));
    if (moved.some(({ unit }) => unit < 0)) continue;
    moved.sort((a, b) => a.unit - b.unit);
    if (await ask(before, moved)) return { choice: choiceWith(recording, before, moved), key: keyOf(before, moved) };
  }
  return undefined;
}

function damagesOf(units: Units, choice: NativeChoice): Damage[] {
  const kept = binding.choiceKept(choice);
  const damages: Damage[] = [];
  for (let unit = 0; unit < units.count; unit += 1) if (kept[unit] === 0) damages.push({ unit });
  const tears = binding.choiceTears(choice);
  for (let i = 0; i < tears.length; i += TEAR_NUMBERS) {
    damages.push({ unit: tears[i] as number, tear: [tears[i + 1] as number, tears[i + 2] as number] });
  }
  return damages.sort((a, b) => a.unit - b.unit);
}

function choiceWith({ native }: Recording, units: Units, damages: readonly Damage[]): NativeChoice {
  const kept = new Uint8Array(units.count).fill(1);
  const tears: number[] = [];
  for (const { unit, tear } of damages) {
    if (tear === undefined) kept[unit] = 0;
    else tears.push(unit, ...tear);
  }
  return answerOf(binding.choiceOf(native, units.cut, kept, Float64Array.from(tears), units.isProcess));
}
