// The profiles as text for a terminal, and as the table of docs/performance.md between `<!-- profile -->` and `<!-- end -->`.
import { LAYERS } from './layers.mjs';
import { digits, time } from './report.mjs';

/** Rarer ones than this a request are left out. */
const LEAST_CALLS = 0.005;

const percent = (share) => (share >= 0.095 ? Math.round(share * 100).toString() : (share * 100).toFixed(1));

/** The system calls of a request, the most frequent first, as `1.00 pread64, 0.02 futex`. */
function callsOf({ byName, calls }) {
  const named = Object.entries(byName).filter(([, number]) => number >= LEAST_CALLS);
  const rest = calls - Object.values(byName).reduce((sum, number) => sum + number, 0);
  const all = [...named, ...(rest >= LEAST_CALLS ? [['others', rest]] : [])].sort(([, a], [, b]) => b - a);
  return all.map(([name, number]) => `${number.toFixed(2)} ${name}`).join(', ');
}

const layersOf = (contender) => LAYERS.filter(({ id }) => (contender.layers[id] ?? 0) >= 0.005);

function linesOf(row) {
  const head = `${row.id}@${row.where}  ${row.title}`;
  if (row.failed !== undefined) return [head, `    FAILED: ${row.failed}`];
  return [
    head,
    ...row.contenders.flatMap((contender) => [
      `    ${contender.name}: ${time(contender.cpu)} of processor time a request, ${contender.samples} samples`,
      `        ${layersOf(contender)
        .map(({ id, name }) => `${name} ${percent(contender.layers[id])} %`)
        .join(' · ')}`,
      `        ${callsOf(contender.counts) || 'no system calls'}; ${digits(contender.counts.faults)} faults, ${digits(contender.counts.switches)} switches`,
    ]),
  ];
}

export const renderProfile = (rows) => rows.flatMap(linesOf).join('\n');

function tableOf({ machine, rows }) {
  const loads = rows.flatMap(({ contenders }) => contenders.map(({ load }) => load));
  const note = `${machine.cpus} × ${machine.cpu}, ${machine.kernel}, Node ${machine.node}; load average ${digits(Math.min(...loads))} to ${digits(Math.max(...loads))} on the way.`;
  const columns = ['work', 'contender', 'CPU a request', ...LAYERS.map(({ name }) => name), 'system calls a request'];
  const cells = rows.flatMap((row) =>
    row.contenders.map((contender, index) => [
      index === 0 ? `\`${row.id}\` (${row.where})` : '',
      contender.name,
      time(contender.cpu),
      ...LAYERS.map(({ id }) => ((contender.layers[id] ?? 0) >= 0.0005 ? percent(contender.layers[id]) : '')),
      callsOf(contender.counts),
    ]),
  );
  const line = (parts) => `| ${parts.join(' | ')} |`;
  const rule = `|---|---|${'---:|'.repeat(columns.length - 3)}---|`;
  return [note, '', line(columns), rule, ...cells.map(line)].join('\n');
}

/** @returns {string} `text` with the table of `report` */
export function fillProfile(text, report) {
  return text.replace(/(<!-- profile -->\n)[^]*?(<!-- end -->)/, (_, begin, end) => `${begin}\n${tableOf(report)}\n\n${end}`);
}
