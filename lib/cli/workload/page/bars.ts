// Throughput as bars: one below the other, each under its name and its figures, the longest as wide as the page lets it.
import { formatRate } from '../result/table.js';
import { escape, round } from '../../support/html.js';
import type { Panel, Series } from './model.js';
import { formatShort } from './scale.js';

const ROW = 46;
const BAR = 16;
const TEXT = 15; // base line of the text in a row
const LEAST = 0.4; // percent: what is too short to see

export function renderBars({ title, unit, series }: Panel, id: string): string {
  const most = Math.max(...series.map(({ perSecond }) => perSecond));
  const height = series.length * ROW - (ROW - TEXT - 10 - BAR);
  const said = series.map((one) => `${one.engine} ${figures(one, unit)}`).join(', ');
  return `<figure>
<figcaption id="${id}-t">Throughput <span class="quiet">${unit}, longer is better</span></figcaption>
<svg class="bars" width="100%" height="${height}" role="img" aria-labelledby="${id}-t ${id}-d"><desc id="${id}-d">${escape(`${title}: ${said}`)}</desc>
${series.map((one, index) => row(one, unit, most, index * ROW)).join('\n')}
</svg>
</figure>`;
}

function row(one: Series, unit: Panel['unit'], most: number, top: number): string {
  const width = Math.max(LEAST, (one.perSecond / most) * 100);
  const bar = `y="${top + TEXT + 8}" height="${BAR}" rx="2"`;
  return (
    `<g class="e-${one.engine}"><text class="name" x="0" y="${top + TEXT}">${one.engine}</text>` +
    `<text class="figure" x="100%" y="${top + TEXT}">${escape(figures(one, unit))}</text>` +
    `<rect class="track" x="0" width="100%" ${bar}/><rect class="bar" data-engine="${one.engine}" data-value="${round(one.perSecond)}" x="0" width="${round(width, 3)}%" ${bar}/></g>`
  );
}

function figures({ perSecond, bytesPerSecond }: Series, unit: Panel['unit']): string {
  const count = `${formatShort(perSecond)} ${unit}`;
  return bytesPerSecond === undefined ? count : `${count} · ${formatRate(bytesPerSecond)} MiB/s`;
}
