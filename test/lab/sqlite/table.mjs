// The table of modes: what becomes of SQLite under power cuts, and whether its syncs are missed when they are left out.
import { CrashError, crashCheck, flushMutations } from 'rumpblk/lab';
import { spec, syncs } from './workload.mjs';

/** What has to be found of each mode; 'lost': acknowledged transactions are gone, whole. */
export const MODES = {
  'DELETE EXTRA': [],
  'DELETE FULL': ['lost'],
  'DELETE NORMAL': ['corrupt'],
  'DELETE OFF': ['corrupt', 'lost'],
  'PERSIST FULL': [],
  'WAL FULL': [],
  'WAL NORMAL': ['lost'],
  'WAL OFF': ['corrupt', 'lost'],
};

/** Runs one mode; `options` are those of crashCheck. */
export async function row(mode, options = {}) {
  const every = { seed: 1, failures: 2 ** 32 - 1, shrink: 0, ...options };
  const report = await crashCheck(spec(mode), every).catch((error) => {
    if (error instanceof CrashError) return error.report;
    throw error;
  });
  const count = (kind) => report.failures.filter(({ error }) => String(error).startsWith(kind)).length;
  const { requests, distinct, checked, fromMemo, elapsed } = report;
  return {
    mode,
    requests,
    syncs: syncs(),
    distinct,
    checked,
    fromMemo,
    corrupt: count('corrupt'),
    lost: count('lost'),
    seconds: elapsed / 1e9,
  };
}

/** Leaves out each flush of DELETE EXTRA in turn. */
export function sensitivity(transactions, limit) {
  return flushMutations(spec('DELETE EXTRA', transactions), { seed: 1, limit });
}
