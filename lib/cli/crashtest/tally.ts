// How many states of each cut were looked at, and how many of them failed.
import type { CrashState } from '../../lab.js';

/** States of one cut. */
export interface CutTally {
  checked: number;
  failed: number;
}

/** Counts what becomes of states, by cut. */
export class Tally {
  readonly cuts = new Map<number, CutTally>();

  /** Counts one state; `said`: what the check says is wrong with it, if anything. */
  async of(state: CrashState, said: Promise<string | undefined>): Promise<string | undefined> {
    const wrong = await said;
    const tally = this.cuts.get(state.cut) ?? { checked: 0, failed: 0 };
    tally.checked += 1;
    if (wrong !== undefined) tally.failed += 1;
    this.cuts.set(state.cut, tally);
    return wrong;
  }
}
