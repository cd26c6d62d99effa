// The line that tells how far a command has come, as wide as there is room.
import { printable } from '../../arguments/printable.js';

/** What there is to tell. */
export interface Status {
  readonly phase: string;
  /** From 0 to 1; undefined where the end is not known. */
  readonly share?: number;
  /** The most important first: where there is no room, the last ones are left out. */
  readonly figures: readonly string[];
}

const WIDEST_BAR = 30;
const NARROWEST_BAR = 6;
/** Columns around a bar: its brackets, and two spaces behind it. */
const FRAME = 4;

/** `copying: 42 %, 1.2 GiB of 2.9 GiB, 5.0 s left`: the line of a log. */
export function plainStatus({ phase, share, figures }: Status): string {
  const percent = share === undefined ? [] : [percentOf(share)];
  return `${phase}: ${[...percent, ...figures].join(', ')}`;
}

/** The same behind a bar, in at most `width` columns, fit for a terminal. Nothing of its own is beyond ASCII: a terminal may show no more. */
export function barStatus({ phase, share, figures }: Status, width: number): string {
  const before = share === undefined ? '' : `${percentOf(share).padStart(5)}  `;
  const text = (count: number): string => [printable(phase), ...figures.slice(0, count)].join(', ');
  const roomBeside = (count: number): number => width - before.length - text(count).length;
  // The first figure is worth more than a bar, and a bar more than the others.
  for (let count = figures.length; share !== undefined && count >= Math.min(1, figures.length); count -= 1) {
    const room = roomBeside(count) - FRAME;
    if (room >= NARROWEST_BAR) return `${before}${bar(share, Math.min(WIDEST_BAR, room))}  ${text(count)}`;
  }
  let count = figures.length;
  while (count > 0 && roomBeside(count) < 0) count -= 1;
  return `${before}${text(count)}`.slice(0, Math.max(0, width));
}

function percentOf(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

function bar(share: number, width: number): string {
  const done = Math.floor(share * width);
  return `[${'#'.repeat(done)}${'.'.repeat(width - done)}]`;
}
