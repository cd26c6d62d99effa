// Latency by percentile: a line for each engine, both axes logarithmic, each line named at its end. Text is HTML around the drawing,
// so that it keeps its size when the drawing is stretched.
import { formatTime } from '../../support/units.js';
import { escape, round } from '../../support/html.js';
import type { Panel, Series } from './model.js';
import { formatTick, lastOf, latencyScale, PERCENT_TICKS, percentileAt, percentOf, type LatencyScale } from './scale.js';
import { spread } from './spread.js';

const HEIGHT = 280;
const WIDTH = 1000; // of the drawing, stretched to what there is
const POINTS = 80;
const LABEL_GAP = 18;
const LEADER = 18; // width of the lines from the ends of the curves to their names

interface Curve {
  one: Series;
  /** From 0 to WIDTH, and from 0 at the top to HEIGHT. */
  points: [x: number, y: number][];
  end: [x: number, y: number];
}

export function renderCurves({ title, series }: Panel, id: string): string {
  const scale = latencyScale(
    Math.min(...series.map(({ latency }) => latency.min)),
    Math.max(...series.map(({ latency }) => latency.percentile(percentOf(lastOf(latency.count))))),
  );
  const curves = series.map((one) => curveOf(one, scale));
  const places = spread(
    curves.map(({ end }) => end[1]),
    LABEL_GAP,
    HEIGHT,
  );
  const said = series.map(
    ({ engine, latency }) =>
      `${engine} ${formatTime(latency.percentile(50))} at the median, ${formatTime(latency.percentile(99))} at 99 percent`,
  );
  return `<figure>
<figcaption id="${id}-t">Latency <span class="quiet">by percentile, lower is better</span></figcaption>
<div class="chart">
<div class="y" aria-hidden="true">${scale.ticks.map((tick) => `<span style="top:${round(yOf(scale, tick))}px">${formatTick(tick)}</span>`).join('')}</div>
<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-labelledby="${id}-t ${id}-d"><desc id="${id}-d">${escape(`${title}: ${said.join('; ')}`)}</desc>
${grid(scale)}
${curves.map(drawCurve).join('\n')}
</svg>
<svg class="leaders" viewBox="0 0 ${LEADER} ${HEIGHT}" width="${LEADER}" height="${HEIGHT}" aria-hidden="true">${curves.map((curve, index) => leader(curve, places[index] ?? 0)).join('')}</svg>
<div class="ends" aria-hidden="true">${curves.map(({ one }, index) => `<span class="e-${one.engine}" style="top:${round(places[index] ?? 0)}px">${one.engine}</span>`).join('')}</div>
<div class="x" aria-hidden="true">${PERCENT_TICKS.map((tick) => `<span style="left:${round(percentileAt(tick) * 100)}%">${tick}</span>`).join('')}</div>
<div class="x-title" aria-hidden="true">percent of requests that were at least as fast</div>
</div>
</figure>`;
}

function yOf(scale: LatencyScale, nanoseconds: number): number {
  return (1 - scale.at(nanoseconds)) * HEIGHT;
}

function curveOf(one: Series, scale: LatencyScale): Curve {
  const last = lastOf(one.latency.count);
  const points = Array.from({ length: POINTS + 1 }, (_, index): [number, number] => {
    const at = (last * index) / POINTS;
    const value = index === 0 ? one.latency.min : one.latency.percentile(percentOf(at));
    return [at * WIDTH, yOf(scale, value)];
  });
  return { one, points, end: points.at(-1) ?? [0, 0] };
}

function grid(scale: LatencyScale): string {
  const rows = scale.ticks.map((tick) => `M0 ${round(yOf(scale, tick))}H${WIDTH}`);
  const columns = PERCENT_TICKS.map((tick) => `M${round(percentileAt(tick) * WIDTH)} 0V${HEIGHT}`);
  return `<path class="grid" d="${[...rows, ...columns].join('')}"/>`;
}

function drawCurve({ one, points, end }: Curve): string {
  const path = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(x, 1)} ${round(y)}`).join('');
  const rest = end[0] < WIDTH ? `<path class="rest" d="M${round(end[0], 1)} ${round(end[1])}H${WIDTH}"/>` : '';
  const values = PERCENT_TICKS.map((tick) => round(one.latency.percentile(tick), 0)).join(' ');
  return `<g class="e-${one.engine}">${rest}<path class="curve" data-engine="${one.engine}" data-values="${values}" d="${path}"><title>${one.engine}</title></path></g>`;
}

function leader({ one, end }: Curve, place: number): string {
  return `<path class="e-${one.engine}" d="M0 ${round(end[1])}L${LEADER - 4} ${round(place)}"/>`;
}
