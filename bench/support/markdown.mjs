// node bench/support/markdown.mjs RUN.json [PATTERN]: the tables of docs/performance.md out of what --json wrote.
import { readFileSync } from 'node:fs';
import { figure, target, time } from './report.mjs';

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

function main([file, pattern = '']) {
  const { rows } = JSON.parse(readFileSync(file, 'utf8'));
  const chosen = rows.filter((row) => new RegExp(pattern).test(`${row.id}@${row.where}`) && row.skipped === undefined);
  const head = ['| work | time a request, medians | measure | median [quartiles] | target | |', '|---|---|---|---|---|---|'];
  process.stdout.write(`${[...head, ...chosen.flatMap(linesOf)].join('\n')}\n`);
}

main(process.argv.slice(2));
