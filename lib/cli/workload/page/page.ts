// The page: one document with everything in it. It asks the network for nothing, and its policy says so to the browser.
import { formatBytes, formatExact } from '../../support/units.js';
import { ENGINE_NOTES, type EngineName } from '../engine.js';
import type { Job } from '../job/job.js';
import { reads, writes } from '../job/job.js';
import type { Machine } from '../../support/machine.js';
import type { JobResult } from '../result/outcome.js';
import { renderBars } from './bars.js';
import { renderCurves } from './curves.js';
import { renderFigures } from './figures.js';
import { escape, htmlPage } from '../../support/html.js';
import { viewsOf, type JobView } from './model.js';
import { STYLE } from './style.js';

export interface PageContent {
  results: readonly JobResult[];
  /** Where the files of the jobs lie: `ext4`, or several with commas between. */
  fileSystems: string;
  machine: Machine;
  started: Date;
  version: string;
}

export function renderPage({ results, fileSystems, machine, started, version }: PageContent): string {
  const views = viewsOf(results);
  const title = `rumpblk bench: ${views.map(({ job }) => job.name).join(', ')}`;
  const about = [
    `${machine.cpus} × ${machine.cpu}`,
    `Node.js ${machine.node.replace(/^v/, '')} on ${machine.platform}`,
    fileSystems,
    started
      .toISOString()
      .replace('T', ' ')
      .replace(/:\d\d\.\d+Z$/, ' UTC'),
  ];
  const main = `<header>
<h1>rumpblk bench</h1>
<p class="about">${escape(inLine(about))}</p>
</header>
${views.map(renderJob).join('\n')}
${renderFooter(results, version)}`;
  return htmlPage(title, STYLE, main);
}

function renderJob({ job, panels, failures }: JobView, index: number): string {
  const parts = panels.map((panel, number) => {
    const id = `j${index}p${number}`;
    const heading = panels.length > 1 ? `<h3>${panel.title}</h3>\n` : '';
    return `${heading}<div class="charts">\n${renderBars(panel, `${id}b`)}\n${renderCurves(panel, `${id}l`)}\n</div>\n${renderFigures(panel, id)}`;
  });
  const bad = failures.map((why) => `<p class="bad">Failed: ${escape(why)}</p>\n`).join('');
  return `<section aria-labelledby="j${index}">
<h2 id="j${index}">${escape(job.name)}</h2>
<p class="words">${escape(inLine(describe(job)))}</p>
${bad}${parts.join('\n')}
</section>`;
}

const PATTERNS: Readonly<Record<Job['rw'], string>> = {
  read: 'reads in order',
  write: 'writes in order',
  randread: 'random reads',
  randwrite: 'random writes',
  rw: 'reads and writes in order',
  randrw: 'random reads and writes',
};

/** Short parts in a line that breaks only between them. */
function inLine(parts: readonly string[]): string {
  return parts.map((part) => (part.length > 32 ? part : part.replaceAll(' ', '\u00a0'))).join(' · ');
}

function describe(job: Job): string[] {
  const { bs, size, iodepth, numjobs, runtime, fsync, fdatasync } = job;
  const mixed = reads(job) && writes(job);
  const bytes =
    !mixed || bs.read === bs.write ? formatBytes(writes(job) ? bs.write : bs.read) : `${formatBytes(bs.read)} and ${formatBytes(bs.write)}`;
  return [
    PATTERNS[job.rw] + (mixed ? `, ${job.rwmixread} % reads` : ''),
    bytes,
    `iodepth ${iodepth}`,
    numjobs === 1 ? '1 thread' : `${numjobs} threads`,
    ...(size === undefined ? [] : [`size ${'bytes' in size ? formatExact(size.bytes) : `${size.percent} %`}`]),
    ...(runtime === undefined ? [] : [`${runtime} s`]),
    ...(job.direct ? ['direct'] : []),
    ...(fsync > 0 ? [`fsync=${fsync}`] : []),
    ...(fdatasync > 0 ? [`fdatasync=${fdatasync}`] : []),
    job.invalidate ? 'page cache dropped before' : 'page cache left as it was',
  ];
}

function renderFooter(results: readonly JobResult[], version: string): string {
  const engines = [...new Set(results.map(({ engine }): EngineName => engine))];
  const notes = engines.map((engine) => `<dt class="e-${engine}">${engine}</dt><dd>${escape(ENGINE_NOTES[engine])}</dd>`);
  return `<footer>
<dl>${notes.join('')}</dl>
<p>Latency is the time from the call to its end, as the caller sees it. sync and fs-sync have one request in flight whatever iodepth says; all
requests of a batch have the latency of the batch. Made by rumpblk ${escape(version)}.</p>
</footer>`;
}
