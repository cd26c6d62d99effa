// The page of a crash test: one document with everything in it, which asks the network for nothing.
import { writeFile } from 'node:fs/promises';
import type { CrashFailure, CrashReport, Recorder } from '../../lab.js';
import { errorText, timelineOf, unitText, type Timeline } from '../../lab/inspection.js';
import { formatCount } from '../support/units.js';
import { refusePage } from '../workload/page/write.js';
import { escape, htmlPage } from '../support/html.js';
import { renderPicture } from './picture.js';
import { STYLE } from './style.js';
import type { Tally } from './tally.js';

/** What a page is of. */
export interface CrashPage {
  /** Name of the log or the image. */
  readonly title: string;
  readonly command: readonly string[];
  readonly report: CrashReport;
  readonly tally: Tally;
  readonly recorder: Recorder;
}

/** Throws where a file holds anything but a page. */
export const refuseOther = refusePage;

/** Writes the page. */
export async function writeCrashPage(file: string, page: CrashPage): Promise<void> {
  await writeFile(file, renderCrashPage(page, timelineOf(page.recorder)));
}

function renderCrashPage({ title, command, report, tally }: CrashPage, timeline: Timeline): string {
  const { failures } = report;
  const verdict =
    failures.length === 0
      ? 'Every state was accepted'
      : `${formatCount(failures.length)} ${failures.length === 1 ? 'failure' : 'failures'}`;
  const main = `<header>
<h1>rumpblk crashtest</h1>
<p class="quiet">${escape(title)} · <code>${escape(command.join(' '))}</code></p>
<p class="verdict ${failures.length === 0 ? 'good' : 'bad'}">${verdict}</p>
</header>
<section aria-labelledby="figures"><h2 id="figures">States</h2>${renderFigures(report)}</section>
<section aria-labelledby="timeline"><h2 id="timeline">Requests and cuts</h2>
<p class="quiet">From left to right in the order of events. A box is a write, at the height of its place on the disk; filled where it was durable by itself. A
line from top to bottom is a flush, a triangle a mark. Below, a bar for each cut of which states were looked at; red is the part that failed.</p>
${renderPicture(timeline, tally, failures)}
</section>
${failures.map(renderFailure).join('\n')}`;
  return htmlPage(`rumpblk crashtest: ${title}`, STYLE, main);
}

function renderFigures({ requests, cuts, generated, distinct, checked, fromMemo, seed, complete, elapsed }: CrashReport): string {
  const rows: [string, string][] = [
    ['requests', formatCount(requests)],
    ['cuts', formatCount(cuts)],
    ['states generated', formatCount(generated)],
    ['distinct states', `${formatCount(distinct)}${complete ? ', all there are' : ''}`],
    ['checks run', formatCount(checked)],
    ['answers from memo', formatCount(fromMemo)],
    ['seed', String(seed)],
    ['time', `${(elapsed / 1e9).toFixed(1)} s`],
  ];
  return `<dl>${rows.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>`;
}

function renderFailure({ token, error, cut, marks, lost, kept, tests }: CrashFailure, index: number): string {
  const list = (units: CrashFailure['lost'], kind: string): string =>
    `<h3>${kind}</h3><ul class="${kind.toLowerCase()}">${units.map((unit) => `<li>${escape(unitText(unit))}</li>`).join('') || '<li>nothing</li>'}</ul>`;
  const last = marks.at(-1);
  const after = last === undefined ? 'before any mark' : `after the mark ${escape(last.name)}`;
  return `<section class="failure" id="f${index}" aria-labelledby="f${index}h">
<h2 id="f${index}h">${escape(errorText(error))}</h2>
<p class="quiet">Cut before event ${cut}, ${after}; made small in ${tests} checks</p>
<div class="units"><div>${list(lost, 'Lost')}</div><div>${list(kept, 'Kept')}</div></div>
<p>Again: <code>--token ${escape(token)}</code></p>
</section>`;
}
