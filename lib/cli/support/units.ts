// Sizes, counts and times between a person and the programs: parsing what is typed, formatting what is shown.
import { InvalidArgumentError } from '../bundled/commander.js';

const FACTORS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['s', 512], // sectors, DEV_BSIZE
  ...['k', 'm', 'g', 't'].flatMap((letter, index): [string, number][] => [
    [letter, 1024 ** (index + 1)],
    [`${letter}ib`, 1024 ** (index + 1)],
    [`${letter}b`, 1000 ** (index + 1)],
  ]),
]);

/** Parses `4096`, `0x1000`, `8s` (sectors), `4k`, `1M`, `2GiB` (powers of 1024) or `1MB` (powers of 1000) to bytes. */
export function parseBytes(text: string): number {
  const match = /^(0x[0-9a-f]+|\d+)([a-z]*)$/i.exec(text);
  const factor = FACTORS.get(match?.[2]?.toLowerCase() ?? '');
  const bytes = Number(match?.[1] ?? Number.NaN) * (factor ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError('Give whole bytes, as in 4096, 0x1000, 8s (sectors), 4k, 1M or 2GiB.');
  }
  return bytes;
}

/** A file name as given; an empty one is a slip of the shell. */
export function parsePath(text: string): string {
  if (text === '') throw new InvalidArgumentError('Give the name of a file.');
  return text;
}

/** Parses a whole number from 0 to 2^32 - 1. */
export function parseUint32(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 0xffff_ffff)) throw new InvalidArgumentError('Give a whole number from 0 to 4294967295.');
  return value;
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `64 MiB`, `1.5 MiB`, `512 bytes`, `0`: at most one decimal. */
export function formatBytes(bytes: number): string {
  if (bytes === 0) return '0';
  let value = bytes;
  let unit: string = bytes === 1 ? 'byte' : 'bytes';
  for (const next of UNITS) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`;
}

/** `8188 GiB`, `1536 bytes`, `0`: in the largest unit that loses nothing. */
export function formatExact(bytes: number): string {
  let value = bytes;
  let unit: string | undefined;
  for (const next of UNITS) {
    if (value === 0 || value % 1024 !== 0) break;
    value /= 1024;
    unit = next;
  }
  if (unit !== undefined) return `${value} ${unit}`;
  return bytes === 0 ? '0' : `${bytes} bytes`;
}

/** `1 234 567`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** `1 track`, `8 192 sectors`. */
export function formatNumber(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `0.55 µs`, `12.3 µs`, `1.20 ms`: three digits that matter. */
export function formatTime(nanoseconds: number): string {
  const micros = nanoseconds / 1e3;
  if (micros >= 1e6) return `${threeDigits(micros / 1e6)} s`;
  if (micros >= 1e3) return `${threeDigits(micros / 1e3)} ms`;
  return `${threeDigits(micros)} µs`;
}

/** `4.2 s`, `34 s`, `2 min 5 s`, `1 h 12 min`: milliseconds, for somebody who waits. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${formatCount(Math.floor(whole / 3600))} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `96 %`, `0.3 %`; `100 %` only of all, and `0 %` only of none. */
export function formatPercent(share: number): string {
  const percent = share * 100;
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent < 1 || percent > 99) return `${Math.min(99.9, Math.max(0.1, percent)).toFixed(1)} %`;
  return `${Math.round(percent)} %`;
}

/** `2.61×`, `13.4×`: how many times faster. */
export function formatRatio(ratio: number): string {
  return `${threeDigits(ratio)}×`;
}

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
