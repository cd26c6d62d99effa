// What a suite of tests found.

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {{ name: string, detail: string }[]} failed
 * @property {{ name: string, why: string }[]} skipped
 */

/** @returns {Tally} */
export function emptyTally() {
  return { passed: 0, failed: [], skipped: [] };
}

/** A suite that could not even begin. @returns {Tally} */
export function failedTally(name, detail) {
  return { ...emptyTally(), failed: [{ name, detail }] };
}

/** A suite without what it needs: skipped where a person runs it, a failure in CI, which installs everything. @returns {Tally} */
export function lackingTally(name, why) {
  if (process.env.CI) return failedTally(name, why);
  return { ...emptyTally(), skipped: [{ name, why }] };
}

/** @param {Tally[]} tallies @returns {Tally} */
export function sum(tallies) {
  return {
    passed: tallies.reduce((total, tally) => total + tally.passed, 0),
    failed: tallies.flatMap((tally) => tally.failed),
    skipped: tallies.flatMap((tally) => tally.skipped),
  };
}

/** `N passed, N failed, N skipped`: the line that CI reads. @param {Tally} tally */
export function countsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`;
}
