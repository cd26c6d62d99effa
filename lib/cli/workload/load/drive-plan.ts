// What a loop is given, and when it has to sync.
import type { Tally } from './tally.js';
import type { Work } from './work.js';

export interface Drive {
  work: Work;
  tally: Tally;
  /** A sync after this many writes; 0 for none. */
  syncEvery: number;
}

/** Counts writes, and tells when a sync is due. */
export class SyncDue {
  #writes = 0;

  constructor(private readonly every: number) {}

  after(write: boolean): boolean {
    if (!write || this.every === 0) return false;
    this.#writes += 1;
    if (this.#writes < this.every) return false;
    this.#writes = 0;
    return true;
  }
}
