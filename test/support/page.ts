// What the test of the bench's page takes out of it, and how it judges that.
import type { Point } from './browser';

// Names of the browser, in the functions that run there.
declare const document: any;
declare const getComputedStyle: any;

export interface Bar {
  engine: string;
  value: number;
  left: number;
  right: number;
  middle: number;
  share: number;
  height: number;
  colour: number[];
}

export interface Tick extends Point {
  text: string;
}

export interface Chart {
  x: Tick[];
  y: Tick[];
  ends: Tick[];
  curves: { engine: string; median: string; points: Point[]; colour: number[] }[];
}

export interface Box {
  text: string;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Coloured {
  colour: number[];
  behind: number[];
}

export interface Reading {
  texts: (Box & Coloured & { size: number })[];
  lines: Coloured[];
  scroll: number;
  page: number[];
}

export function at(x: number, y: number): Point {
  return { x, y };
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 };

/** `12.5 µs` as a number. */
export function nanoseconds(text: string): number {
  const [value, unit = ''] = text.split(' ');
  return Number(value) * (UNITS[unit] ?? Number.NaN);
}

/** Pairs of texts that cover each other by more than a line's own air. */
export function covered(boxes: readonly Box[]): string[] {
  const found: string[] = [];
  for (const [index, one] of boxes.entries()) {
    for (const other of boxes.slice(index + 1)) {
      const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (wide > 1 && high > 3) found.push(`${one.text} | ${other.text}`);
    }
  }
  return found;
}

/** Runs in the browser: the bars of each chart. */
export function probeBars(): Bar[][] {
  return [...document.querySelectorAll('svg.bars')].map((chart: any) => {
    const top = document.documentElement.getBoundingClientRect().top;
    return [...chart.querySelectorAll('rect.bar')].map((bar: any) => {
      const { left, right, y, width, height } = bar.getBoundingClientRect();
      const track = bar.parentNode.querySelector('.track').getBoundingClientRect().width;
      const colour = getComputedStyle(bar).fill.match(/\d+/g).map(Number);
      return {
        engine: bar.dataset.engine,
        value: Number(bar.dataset.value),
        left,
        right,
        middle: y - top + height / 2,
        share: width / track,
        height,
        colour,
      };
    });
  });
}

/** Runs in the browser: the curves of each chart, with its ticks and the medians in its table. */
export function probeCurves(): Chart[] {
  return [...document.querySelectorAll('.chart')].map((chart: any) => {
    const top = document.documentElement.getBoundingClientRect().top;
    const middle = (element: any): { x: number; y: number } => {
      const { left, width, y, height } = element.getBoundingClientRect();
      return { x: Number(left) + width / 2, y: y - top + height / 2 };
    };
    const ticks = (axis: string): any[] =>
      [...chart.querySelectorAll(`${axis} span`)].map((tick: any) => ({ text: tick.textContent, ...middle(tick) }));
    const table = chart.closest('.charts').nextElementSibling;
    const curves = [...chart.querySelectorAll('.curve')].map((curve: any) => {
      const matrix = curve.getScreenCTM();
      const length = curve.getTotalLength();
      const points = Array.from({ length: 401 }, (_, step) => {
        const point = curve.getPointAtLength((length * step) / 400).matrixTransform(matrix);
        return { x: point.x, y: point.y - top };
      });
      const row = [...table.querySelectorAll('tbody tr')].find(
        (each: any) => each.querySelector('th').textContent === curve.dataset.engine,
      );
      const colour = getComputedStyle(curve).stroke.match(/\d+/g).map(Number);
      return { engine: curve.dataset.engine, median: row.querySelector('[data-label=p50]').textContent, points, colour };
    });
    return { x: ticks('.x'), y: ticks('.y'), ends: ticks('.ends'), curves };
  });
}

/** Runs in the browser: every text with its box and its colours. */
export function probeReading(): Reading {
  const colourOf = (text: string): number[] => (text.match(/[\d.]+/g) ?? []).map(Number);
  const behind = (element: any): number[] => {
    for (let each = element; each; each = each.parentElement) {
      const colour = colourOf(getComputedStyle(each).backgroundColor);
      if (colour.length === 3) return colour;
    }
    return [];
  };
  const texts: any[] = [];
  const walker = document.createTreeWalker(document.body, 4);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (
      node.textContent.trim() === '' ||
      ['TITLE', 'DESC'].includes(parent.tagName.toUpperCase()) ||
      parent.closest('thead')?.offsetHeight === 1
    )
      continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const style = getComputedStyle(parent);
    const colour = colourOf(parent.tagName === 'text' ? style.fill : style.color);
    for (const box of range.getClientRects()) {
      texts.push({
        text: node.textContent.trim(),
        left: box.left,
        right: box.right,
        top: box.top,
        bottom: box.bottom,
        size: parseFloat(style.fontSize),
        colour,
        behind: behind(parent),
      });
    }
  }
  const lines = [...document.querySelectorAll('.curve')].map((curve: any) => ({
    colour: colourOf(getComputedStyle(curve).stroke),
    behind: behind(curve),
  }));
  return {
    texts,
    lines,
    scroll: document.documentElement.scrollWidth,
    page: colourOf(getComputedStyle(document.body).backgroundColor),
  };
}
