// fio's way to write numbers: sizes (4k, 1m, 10%), times (30, 500ms, 2m) and switches.
// One spelling is refused: to fio `4KiB` is 4000 bytes and `4kB` is 4096, the opposite of what everybody else means.

/** A size in bytes, or a share of the file. */
export type Amount = { bytes: number } | { percent: number };

/** A value that cannot be; the message says what would do. */
export class BadValue extends Error {}

const POWERS = ['', 'k', 'm', 'g', 't', 'p'];

/** `4096`, `0x1000`, `4k`, `1M`, `2g`: powers of 1024. */
export function parseSize(text: string): number {
  const match = /^(0x[0-9a-f]+|\d+)([a-z]*)$/i.exec(text);
  const unit = match?.[2]?.toLowerCase() ?? '';
  if (/^[kmgtp]i?b$/.test(unit) || /^[kmgtp]i$/.test(unit)) {
    throw new BadValue(`${unit} means other things to fio than elsewhere; give k, m, g, t or p for powers of 1024`);
  }
  const power = POWERS.indexOf(unit);
  const bytes = Number(match?.[1] ?? Number.NaN) * 1024 ** power;
  if (power < 0 || !Number.isSafeInteger(bytes)) throw new BadValue('give whole bytes, as in 4096, 0x1000, 4k, 1m or 2g');
  return bytes;
}

/** A size, or `10%`. */
export function parseAmount(text: string): Amount {
  const match = /^(\d+)%$/.exec(text);
  if (match === null) return { bytes: parseSize(text) };
  const percent = Number(match[1]);
  if (percent > 100) throw new BadValue('give at most 100%');
  return { percent };
}

/** The bytes of an amount, where a share is one of `whole`. */
export function resolveAmount(amount: Amount, whole: number): number {
  return 'bytes' in amount ? amount.bytes : Math.floor((whole / 100) * amount.percent);
}

const SECONDS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['s', 1],
  ['us', 1e-6],
  ['usec', 1e-6],
  ['ms', 1e-3],
  ['msec', 1e-3],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
]);

/** `30`, `30s`, `500ms`, `2m` in seconds. */
export function parseSeconds(text: string): number {
  const match = /^(\d+)([a-z]*)$/i.exec(text);
  const seconds = Number(match?.[1] ?? Number.NaN) * (SECONDS.get(match?.[2]?.toLowerCase() ?? '') ?? Number.NaN);
  if (!Number.isFinite(seconds)) throw new BadValue('give a time, as in 30, 30s, 500ms, 2m or 1h');
  return seconds;
}

/** A whole number between two, both included. */
export function parseCount(least: number, most: number): (text: string) => number {
  return (text) => {
    const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(count >= least && count <= most)) throw new BadValue(`give a whole number from ${least} to ${most}`);
    return count;
  };
}

/** A switch: `1`, `0`, or nothing for 1. */
export function parseSwitch(text: string): boolean {
  if (text === '' || text === '1') return true;
  if (text === '0') return false;
  throw new BadValue('give 1 or 0');
}
