// The figures behind the charts, as a table. On a narrow screen a row becomes a block of its own; the roles keep it a table then.
import { formatCount, formatTime } from '../../support/units.js';
import { formatRate, SHOWN } from '../result/table.js';
import { escape } from '../../support/html.js';
import type { Panel, Series } from './model.js';

export function renderFigures({ title, unit, series }: Panel, id: string): string {
  const withRate = series.some(({ bytesPerSecond }) => bytesPerSecond !== undefined);
  const columns = ['Engine', unit, ...(withRate ? ['MiB/s'] : []), 'mean', ...SHOWN.map((percent) => `p${percent}`), 'max', 'requests'];
  const head = columns.map((column) => `<th role="columnheader" scope="col">${column}</th>`).join('');
  return `<table role="table" aria-labelledby="${id}-c">
<caption id="${id}-c">${title}: all figures</caption>
<thead role="rowgroup"><tr role="row">${head}</tr></thead>
<tbody role="rowgroup">
${series.map((one) => row(one, columns)).join('\n')}
</tbody>
</table>`;
}

function row(one: Series, [, ...columns]: readonly string[]): string {
  const { engine, perSecond, bytesPerSecond, latency } = one;
  const values = [
    formatCount(Math.round(perSecond)),
    ...(bytesPerSecond === undefined ? [] : [formatRate(bytesPerSecond)]),
    ...[latency.mean, ...SHOWN.map((percent) => latency.percentile(percent)), latency.max].map((value) => formatTime(value)),
    formatCount(latency.count),
  ];
  const cells = values.map((value, index) => `<td role="cell" data-label="${columns[index] ?? ''}">${escape(value)}</td>`);
  return `<tr role="row"><th role="rowheader" scope="row" class="e-${engine}"><i></i>${engine}</th>${cells.join('')}</tr>`;
}
