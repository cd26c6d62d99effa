// The tables of docs/performance.md out of the figures of a run. Between `<!-- bench PATTERN -->` and `<!-- end -->` stands
// the table of the rows whose name matches, between `<!-- machine -->` and `<!-- end -->` what they were measured on.
import { duration } from './compare.mjs';
import { figure, target, time } from './report.mjs';

const HEAD = ['| work | time a request, medians | measure | median [quartiles] | target | |', '|---|---|---|---|---|---|'];

/** One row of the bench: its checks, with the times behind the first of them. */
function linesOf(row) {
  const times = Object.entries(row.contenders)
    .filter(([, metrics]) => metrics.ns !== undefined)
    .map(([name, { ns }]) => `${name} ${time(ns.median)}`)
    .join(', ');
  return row.checks
    .filter(({ n }) => n > 0)
    .map((check, index) => {
      const met = check.met === undefined ? '' : check.met ? 'met' : '**missed**';
      return `| ${index === 0 ? `${row.title} (${row.where})` : ''} | ${index === 0 ? times : ''} | ${check.label} | ${figure(check)} | ${target(check)} | ${met} |`;
    });
}

function table(report, pattern) {
  const rows = report.rows.filter((row) => pattern.test(`${row.id}@${row.where}`) && row.skipped === undefined);
  return [...HEAD, ...rows.flatMap(linesOf)].join('\n');
}

function machineOf({ machine, effort, rounds, seconds }) {
  const { cpu, cpus, memoryGib, kernel, node, slowAlignments, load } = machine;
  const alignment = slowAlignments ? 'which has slow alignments (see below)' : 'which has no slow alignments (see below)';
  return [
    `${cpus} × ${cpu}, ${alignment}, ${memoryGib} GiB, ${kernel}, Node ${node}. Images of ${effort.bigSize >> 20} MiB.`,
    `${rounds} rounds in ${duration(seconds * 1e3)}; load average ${load[0]} when it began.`,
  ].join('\n');
}

/** @returns {string} `text` with each table, and the machine, of `report` */
export function fillTables(text, report) {
  return text.replace(/(<!-- (?:bench (.+?)|machine) -->\n)[^]*?(<!-- end -->)/g, (_, begin, pattern, end) => {
    const made = pattern === undefined ? machineOf(report) : table(report, new RegExp(pattern));
    return `${begin}\n${made}\n\n${end}`;
  });
}
