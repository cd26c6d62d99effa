// Logarithmic scales: where a percentile and a latency stand in a chart, and what is written at its edges.
import { formatCount } from '../../support/units.js';

/** The last percentile that is drawn is 99.99: four nines, counted from the top. */
const NINES = 4;

/** How far right `percent` stands, from 0 to 1: each nine takes as much room as the one before. */
export function percentileAt(percent: number): number {
  return Math.min(1, -Math.log10(1 - percent / 100) / NINES);
}

/** The percentile that stands there. */
export function percentOf(at: number): number {
  return 100 * (1 - 10 ** (-at * NINES));
}

/** Where the last of `count` requests stands. */
export function lastOf(count: number): number {
  return Math.min(1, Math.log10(Math.max(1, count)) / NINES);
}

export const PERCENT_TICKS = [50, 90, 99, 99.9, 99.99];

/** Latencies between two round ones. */
export interface LatencyScale {
  /** How far up a latency stands, from 0 to 1. */
  at(nanoseconds: number): number;
  ticks: number[];
}

const STEPS = [1, 2, 5, 10];

/** A scale from a round number below the least to one above the most. */
export function latencyScale(least: number, most: number): LatencyScale {
  const low = below(least);
  const high = Math.max(above(most), low * 2);
  const span = Math.log10(high / low);
  const every = span > 2 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const step of every) {
      const tick = step * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  return { at: (nanoseconds) => Math.min(1, Math.max(0, Math.log10(nanoseconds / low) / span)), ticks };
}

function below(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * Math.max(...STEPS.filter((step) => step * power <= value));
}

function above(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * (STEPS.find((step) => step * power >= value) ?? 10);
}

/** `100 ns`, `20 µs`, `1 ms`, `5 s`. */
export function formatTick(nanoseconds: number): string {
  const value = Number(nanoseconds.toPrecision(1));
  if (value >= 1e9) return `${value / 1e9} s`;
  if (value >= 1e6) return `${value / 1e6} ms`;
  return value >= 1e3 ? `${value / 1e3} µs` : `${value} ns`;
}

/** `1.16 M`, `60.8 k`, `6 285`, `12.5`: three digits that matter. */
export function formatShort(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)} M`;
  if (value >= 9_999.5) return `${(value / 1e3).toPrecision(3)} k`;
  return value >= 100 ? formatCount(Math.round(value)) : String(Number(value.toPrecision(3)));
}
