// The picture of a crash test: requests in their order and place, flushes, marks, cuts, and what failed where.
import type { CrashFailure } from '../../lab.js';
import { unitText, type Timeline, type TimelineEvent } from '../../lab/inspection.js';
import { escape, round as px } from '../support/html.js';
import type { Tally } from './tally.js';

const WIDTH = 1072;
const BAND = 180;
const GAP = 22;
const CUTS = 64;
const LEFT = 4;
/** Events that one picture shows; those around the failures where there are more. */
const MOST = 4000;

interface Scale {
  readonly x: (event: number) => number;
  readonly step: number;
  readonly y: (device: number, position: number) => number;
  readonly bottom: number;
}

/** Gives the picture, and says what of the recording it leaves out. */
export function renderPicture(timeline: Timeline, tally: Tally, failures: readonly CrashFailure[]): string {
  const shown = shownOf(timeline.events, failures);
  const [from, to] = [shown[0]?.begin ?? 0, shown.length === timeline.events.length ? timeline.end : (shown.at(-1)?.begin ?? 0) + 1];
  const scale = scaleOf(timeline, from, to);
  const [first] = failures;
  const roles = new Map<number, string>();
  for (const { request } of first?.kept ?? []) roles.set(request, 'kept');
  for (const { request } of first?.lost ?? []) roles.set(request, 'lost');
  const height = scale.bottom + CUTS + 34;
  const parts = [
    ...timeline.disks.map(({ name }, device) => renderBand(name, device, scale)),
    ...shown.map((event) => renderEvent(event, scale, roles.get(event.index))),
    ...renderCuts(tally, scale, from, to),
    ...(first === undefined ? [] : [renderCut(first, scale, height)]),
  ];
  const left = timeline.events.length - shown.length;
  const note = left === 0 ? '' : `<p class="quiet">${left} events further away are left out.</p>`;
  return `<div class="scroll"><svg viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Requests and cuts">${parts.join('')}</svg></div>${note}`;
}

/** As many events as a picture holds, with the first failure in the middle. */
function shownOf(events: readonly TimelineEvent[], failures: readonly CrashFailure[]): readonly TimelineEvent[] {
  if (events.length <= MOST) return events;
  const [first] = failures;
  const middle = first === undefined ? 0 : events.findIndex(({ begin }) => begin >= first.cut);
  const start = Math.max(0, Math.min(events.length - MOST, middle - MOST / 2));
  return events.slice(start, start + MOST);
}

function scaleOf({ disks, events }: Timeline, from: number, to: number): Scale {
  const width = WIDTH - 2 * LEFT;
  const step = width / Math.max(1, to - from + 1);
  // What nobody wrote to at the end of a large disk takes no room.
  const ends = disks.map((_, device) =>
    events.reduce((end, event) => (event.device === device ? Math.max(end, event.position + event.length) : end), 1),
  );
  return {
    x: (event) => LEFT + (event - from) * step,
    step,
    y: (device, position) => 18 + device * (BAND + GAP) + (position / (ends[device] ?? 1)) * (BAND - 6),
    bottom: 18 + disks.length * (BAND + GAP) - GAP + 14,
  };
}

function renderBand(name: string, device: number, { y }: Scale): string {
  const top = y(device, 0);
  return `<rect class="band" x="0" y="${px(top)}" width="${WIDTH}" height="${BAND}"/><text class="quiet" x="${LEFT}" y="${px(top - 5)}">${escape(name)}</text>`;
}

function renderEvent(event: TimelineEvent, scale: Scale, role: string | undefined): string {
  const { kind, device, begin, end, isDurable, hasFailed } = event;
  const x = scale.x(begin);
  const title = `<title>${escape(titleOf(event))}</title>`;
  if (kind === 'flush') {
    const top = scale.y(device, 0);
    return `<path class="flush${hasFailed ? ' wrong' : ''}" d="M${px(x)} ${px(top)}v${BAND}">${title}</path>`;
  }
  if (kind === 'mark') {
    const at = scale.bottom - 12;
    return `<path class="mark" d="M${px(x)} ${px(at)}l5 9h-10z">${title}</path>`;
  }
  const top = scale.y(device, event.position);
  const height = Math.max(3, scale.y(device, event.position + event.length) - top);
  const width = Math.max(3, (end === 0 ? 1 : end - begin) * scale.step);
  const classes = ['write', kind, isDurable ? 'durable' : '', hasFailed ? 'wrong' : '', role ?? ''].filter((name) => name !== '').join(' ');
  return `<rect class="${classes}" x="${px(x)}" y="${px(top)}" width="${px(width)}" height="${px(height)}">${title}</rect>`;
}

function titleOf({ index, kind, device, position, length, isDurable, mark }: TimelineEvent): string {
  if (mark !== undefined) return `mark ${mark.name}${mark.data === undefined ? '' : ` ${JSON.stringify(mark.data)}`}`;
  if (kind === 'flush') return `#${index} flush`;
  const unit = { request: index, device, sector: Math.floor(position / 512), sectors: Math.ceil(length / 512), how: 'lost' } as const;
  return `${kind} ${unitText(unit)}${isDurable ? ', durable by itself' : ''}`;
}

function renderCuts({ cuts }: Tally, scale: Scale, from: number, to: number): string[] {
  const most = Math.max(1, ...[...cuts.values()].map(({ checked }) => checked));
  const bottom = scale.bottom + CUTS;
  const bars = [...cuts].filter(([cut]) => cut >= from && cut <= to);
  const width = Math.max(2, Math.min(8, scale.step));
  return [
    `<path class="axis" d="M0 ${bottom}h${WIDTH}"/><text class="quiet" x="${LEFT}" y="${bottom + 18}">cuts, with the states that were looked at</text>`,
    ...bars.map(([cut, { checked, failed }]) => {
      // As a root, so that a few failures among many states are seen.
      const tall = (count: number): number => Math.sqrt(count / most) * (CUTS - 6);
      const x = px(scale.x(cut) - width / 2);
      const bar = (name: string, height: number): string =>
        `<rect class="${name}" x="${x}" y="${px(bottom - height)}" width="${px(width)}" height="${px(height)}"/>`;
      const title = `<title>cut before event ${cut}: ${checked} states, ${failed} failed</title>`;
      return `<g class="cut">${title}${bar('states', tall(checked))}${failed === 0 ? '' : bar('failed', tall(failed))}</g>`;
    }),
  ];
}

function renderCut({ cut }: CrashFailure, { x }: Scale, height: number): string {
  return `<path class="power" d="M${px(x(cut))} 0V${height - 24}"><title>the power was cut here</title></path>`;
}
