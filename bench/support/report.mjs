// The table: a line a check, under a line a row.

/** Three digits that say something. */
export function digits(value) {
  if (!Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ');
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function time(ns) {
  if (!Number.isFinite(ns)) return '-';
  return ns < 1e4 ? `${digits(ns)} ns` : ns < 1e7 ? `${digits(ns / 1e3)} µs` : `${digits(ns / 1e6)} ms`;
}

const UNITS = { speed: '×', time: '×', more: '', value: '' };

export function figure(check) {
  const unit = UNITS[check.kind];
  const spread = check.n > 1 ? ` [${digits(check.q1)} - ${digits(check.q3)}]` : '';
  return `${digits(check.median)}${unit === '' ? '' : ` ${unit}`}${spread}`;
}

export function target({ min, max, kind }) {
  if (min !== undefined) return `≥ ${min} ${UNITS[kind]}`.trim();
  return max === undefined ? '' : `≤ ${max} ${UNITS[kind]}`.trim();
}

const verdict = ({ met }) => (met === undefined ? '' : met ? 'met' : 'MISSED');

function pad(cells, widths) {
  return cells
    .map((cell, column) => cell.padEnd(widths[column]))
    .join('  ')
    .trimEnd();
}

function renderRow(row) {
  const head = `${row.id}@${row.where}  ${row.title}`;
  if (row.skipped !== undefined) return [head, `    skipped: ${row.skipped}`];
  const times = Object.entries(row.contenders)
    .filter(([, metrics]) => metrics.ns !== undefined)
    .map(([name, { ns }]) => `${name} ${time(ns.median)}`);
  const lines = [head];
  if (times.length > 0) lines.push(`    ${times.join(', ')}`);
  const cells = row.checks.filter(({ n }) => n > 0).map((check) => [check.label, figure(check), target(check), verdict(check)]);
  const widths = [46, 26, 8, 6];
  for (const line of cells) lines.push(`    ${pad(line, widths)}`);
  if (row.wrong > 0) lines.push(`    WRONG CONTENT: ${row.wrong} results were not what the image holds`);
  if (row.failed !== undefined) lines.push(`    FAILED: ${row.failed.split('\n', 2).join(' ')}`);
  return lines;
}

/** @returns {string} the whole table */
export function render(rows) {
  return rows.map((row) => renderRow(row).join('\n')).join('\n');
}

/** One line on the targets. */
export function renderTargets(rows) {
  const checks = rows.flatMap((row) => row.checks.map((check) => ({ row, check })).filter(({ check }) => check.met !== undefined));
  const missed = checks.filter(({ check }) => !check.met);
  const skipped = rows.filter((row) => row.skipped !== undefined).map((row) => `${row.id}@${row.where}`);
  const lines = [`${checks.length - missed.length} of ${checks.length} targets met`];
  for (const { row, check } of missed) {
    lines.push(`  missed: ${row.id}@${row.where}: ${check.label} ${figure(check)}, target ${target(check)}`);
  }
  if (skipped.length > 0) lines.push(`  skipped: ${skipped.join(', ')}`);
  return lines.join('\n');
}
