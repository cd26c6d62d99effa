// Medians, quartiles and what a check of a row makes of its samples.

export function quantile(sorted, q) {
  if (sorted.length === 0) return Number.NaN;
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** @param {number[]} samples */
export function summary(samples) {
  const sorted = samples.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), q1: quantile(sorted, 0.25), q3: quantile(sorted, 0.75), n: sorted.length };
}

export const median = (samples) => summary(samples).median;

/** How the samples of two contenders become those of a check; pass by pass, so that a slow spell of the machine meets both. */
const KINDS = {
  /** How many times as fast. */
  speed: (of, to) => to / of,
  /** Its share of the other's time or CPU. */
  time: (of, to) => of / to,
  /** How much more it takes. */
  more: (of, to) => of - to,
  /** The figure itself. */
  value: (of) => of,
};

/**
 * @typedef {object} Check
 * @property {string} label
 * @property {'speed' | 'time' | 'more' | 'value'} kind
 * @property {string} of a contender
 * @property {string} [to] the contender that it is held against
 * @property {string} [metric] `ns` per request unless given
 * @property {number} [min] the target, if there is one
 * @property {number} [max]
 */

/** The samples of `check` in one round's figures: `figures[contender][metric]` has one a pass. */
export function samplesOf(check, figures) {
  const metric = check.metric ?? 'ns';
  const of = figures[check.of]?.[metric] ?? [];
  const to = check.to === undefined ? of : (figures[check.to]?.[metric] ?? []);
  return of.slice(0, to.length).map((value, pass) => KINDS[check.kind](value, to[pass]));
}

/** The check with its outcome. */
export function judge(check, samples) {
  const result = { ...check, ...summary(samples) };
  if (result.n === 0) return result;
  if (check.min !== undefined) result.met = result.median >= check.min;
  if (check.max !== undefined) result.met = result.median <= check.max;
  return result;
}
