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
export async function row(mode, options = {}, transactions = 24, skip = 0) {
  const every = { seed: 1, failures: 2 ** 32 - 1, shrink: 0, ...options };
  const report = await crashCheck(spec(mode, transactions, skip), every).catch((error) => {
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

/** Leaves out each sync of a mode in turn, and counts the checks that run until one sees it; undefined where none does among `limit` states. */
export async function sensitivity(mode, transactions, limit) {
  await crashCheck(spec(mode, transactions), { seed: 1, limit });
  const rows = [];
  for (let skip = 1, count = syncs(); skip <= count; skip += 1) {
    const { checked, corrupt, lost } = await row(mode, { limit, failures: 1 }, transactions, skip);
    rows.push(corrupt + lost > 0 ? checked : undefined);
  }
  return rows;
}

/** Leaves out each flush of the devices in turn. */
export function flushes(mode, transactions, limit) {
  return flushMutations(spec(mode, transactions), { seed: 1, limit });
}
