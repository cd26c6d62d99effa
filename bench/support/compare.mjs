// A run against a stored one: what moved beyond noise.
import { digits, figure } from './report.mjs';

/** Smaller changes are noise, however narrow the spread was. */
const LEAST = 0.1;

/** Both spreads apart, and a change worth a line. Of differences and plain figures, the change is against their size. */
function moved(before, after) {
  const apart = after.q1 > before.q3 || after.q3 < before.q1;
  const change = Math.abs(after.median - before.median) / Math.max(Math.abs(before.median), 1e-9);
  return apart && change > LEAST;
}

/** True when a larger figure is better. */
const moreIsBetter = ({ kind, min }) => kind === 'speed' || min !== undefined;

/** @returns {string} a line a check that moved */
export function compare(baseline, current) {
  const lines = [];
  let compared = 0;
  for (const row of current.rows) {
    const old = baseline.rows.find(({ id, where }) => id === row.id && where === row.where);
    for (const check of row.checks ?? []) {
      const before = old?.checks?.find(({ label }) => label === check.label);
      if (!(before?.n > 0) || !(check.n > 0)) continue;
      compared += 1;
      if (!moved(before, check)) continue;
      const better = check.median > before.median === moreIsBetter(check);
      lines.push(`  ${better ? 'better' : 'WORSE '}  ${row.id}@${row.where}: ${check.label}: ${figure(before)} -> ${figure(check)}`);
    }
  }
  const absent = baseline.rows.filter(({ id, where }) => !current.rows.some((row) => row.id === id && row.where === where));
  const notes = [`${compared} figures compared, ${lines.length} moved beyond noise`];
  if (current.machine.cpu !== baseline.machine.cpu || current.machine.node !== baseline.machine.node) {
    notes.push(`  note: the baseline is of another machine or Node: ${baseline.machine.cpu}, ${baseline.machine.node}`);
  }
  if (absent.length > 0) notes.push(`  not run now: ${absent.length} rows of the baseline`);
  return [...notes, ...lines].join('\n');
}

/** For a person: the whole time of a run. */
export const duration = (ms) =>
  ms < 60_000 ? `${digits(ms / 1e3)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1e3)} s`;
