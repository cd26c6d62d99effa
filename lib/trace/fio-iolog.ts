// fio's I/O logs, versions 2 and 3: a line for each request, in the order in which they were issued, without data or completions. What
// fio itself makes of such a log, and not what its manual says, decides: where they differ, a remark says how.
import { printable } from '../arguments/printable.js';
import { badLog, truncatedLog } from './log-error.js';
import type { ByteReader } from './byte-reader.js';
import {
  traceHeader,
  count,
  type TraceDevice,
  type TraceEncoder,
  type TraceEvent,
  type TraceHeader,
  type TraceLog,
  type TraceOp,
  type TraceRequest,
} from './event.js';

export type IologVersion = 2 | 3;

/** fio reads lines into so many bytes, names into 256. */
const MOST_LINE = 4095;
const MOST_NAME = 255;
/** fio keeps lengths in 32 bits, and some of its versions in an int. */
const MOST_LENGTH = 2 ** 31 - 65536;

const OPS: Readonly<Record<string, TraceOp>> = {
  read: 'read',
  write: 'write',
  trim: 'discard',
  sync: 'flush',
  datasync: 'flush',
  syncfs: 'flush',
};
/** What fio writes of requests that do nothing a device could see. */
const IDLE = new Set(['sync_file_range', 'wait']);

/** Tells the version of a log by its first line; undefined where it is none of fio's. */
export function iologVersion(firstLine: string): IologVersion | undefined {
  const found = /^fio version ([23]) iolog\s*$/.exec(firstLine);
  return found === null ? undefined : (Number(found[1]) as IologVersion);
}

/**
 * Reads an I/O log of fio. Times are those of version 3; in version 2 they are those of `wait` lines, which fio takes for milliseconds since its start. Each request counts as complete before the next one, since the log does not say.
 * fio appends to a file that is there: each further first line begins another log, whose times follow the last time of the one before.
 *
 * @throws {BlockDeviceError} EINVAL no such log. Of `events`: EINVAL a line that is none; EIO the last line has no newline, and may be cut
 */
export async function readFioIolog(bytes: ByteReader): Promise<TraceLog> {
  const first = await lineOf(bytes, 1);
  const version = first === undefined ? undefined : iologVersion(first);
  if (version === undefined) throw badLog('no I/O log of fio: the first line is not `fio version 2 iolog` or `fio version 3 iolog`');
  const devices: TraceDevice[] = [];
  return { header: traceHeader(devices), events: linesOf(bytes, version, devices) };
}

/** A number that is cut is a number still, so a line counts only with its newline; of the first line nothing can be missed. */
async function lineOf(bytes: ByteReader, number: number): Promise<string | undefined> {
  const line = await bytes.line(MOST_LINE, () => badLog(`line ${number} has more than ${MOST_LINE} bytes`));
  if (line === undefined) return undefined;
  const text = Buffer.from(line.bytes).toString();
  if (!line.isWhole && number > 1 && text.trim() !== '') throw truncatedLog(`the log ends in line ${number}`);
  return text;
}

async function* linesOf(bytes: ByteReader, first: IologVersion, devices: TraceDevice[]): AsyncGenerator<TraceEvent, void> {
  const numbers = new Map<string, number>();
  const deviceOf = (name: string): number => {
    const known = numbers.get(name) ?? devices.push({ name }) - 1;
    numbers.set(name, known);
    return known;
  };
  let [n, time, version, start] = [0, 0, first, 0];
  for (let number = 2; ; number += 1) {
    const line = await lineOf(bytes, number);
    if (line === undefined) return;
    const words = line.trim().split(/\s+/);
    if (words[0] === '') continue;
    const another = iologVersion(line);
    if (another !== undefined) {
      [version, start] = [another, time];
      continue;
    }
    const bad = (): Error => badLog(`line ${number} is none of a version ${version} I/O log: ${printable(line.slice(0, 80))}`);
    if (version === 3) time = start + numberOf(words.shift(), bad) * 1000;
    const [name, action, ...range] = words;
    if (name === undefined || action === undefined) throw bad();
    if (range.length === 0) {
      if (!['add', 'open', 'close'].includes(action)) throw bad();
      deviceOf(name);
      continue;
    }
    if (range.length !== 2) throw bad();
    const [position, length] = range.map((word) => numberOf(word, bad)) as [number, number];
    if (version === 2 && action === 'wait') time = Math.max(time, start + position * 1_000_000);
    if (IDLE.has(action)) continue;
    const op = Object.hasOwn(OPS, action) ? OPS[action] : undefined;
    if (op === undefined || !Number.isSafeInteger(position + length)) throw bad();
    const place = op === 'flush' ? { position: 0, length: 0 } : { position, length };
    yield { op, n, done: n + 1, time, device: deviceOf(name), ...place };
    n += 2;
  }
}

function numberOf(word: string | undefined, bad: () => Error): number {
  if (word === undefined || !/^\d{1,19}$/.test(word) || !Number.isSafeInteger(Number(word))) throw bad();
  return Number(word);
}

/** What else {@link fioIologEncoder} is told. */
export interface FioIologOptions {
  /** What fio shall open, by device; default: their names, with `_` for blanks. */
  files?: readonly string[];
}

/**
 * Writes an I/O log that fio replays. Zeros are written as writes, FUA as a sync behind the write; marks and empty requests are left out.
 * A log cannot be added to: fio would, so truncate its file.
 */
export function fioIologEncoder(header: TraceHeader, version: IologVersion, options: FioIologOptions = {}): TraceEncoder {
  return new Encoder(header.devices, version, options.files ?? []);
}

class Encoder implements TraceEncoder {
  readonly #devices: readonly TraceDevice[];
  readonly #version: IologVersion;
  readonly #files: readonly string[];
  readonly leftOut = new Map<string, number>();
  /** Names that were added, by device; a reader of a log may find more while it reads. */
  readonly #names: string[] = [];
  /** Of the last line, in what the version counts; fio knows no delay behind a line of time 0. */
  #time = 1;
  /** ns of the first event. */
  #start: number | undefined;

  constructor(devices: readonly TraceDevice[], version: IologVersion, files: readonly string[]) {
    this.#devices = devices;
    this.#version = version;
    this.#files = files;
  }

  begin(): Uint8Array {
    return Buffer.from([`fio version ${this.#version} iolog`, ...this.#addDevices(), ''].join('\n'));
  }

  *add(event: TraceEvent): Generator<Uint8Array, void, undefined> {
    if (event.op === 'mark' || event.op === 'base') return count(this.leftOut, event.op);
    if (event.length === 0 && event.op !== 'flush') return count(this.leftOut, `empty ${event.op}`);
    const lines = [...this.#addDevices(), ...this.#advance(event), ...this.#lines(event)];
    if (event.fua === true) lines.push(this.#line(event.device, 'datasync 0 0'));
    yield Buffer.from(`${lines.join('\n')}\n`);
  }

  *end(): Generator<Uint8Array, void, undefined> {
    yield Buffer.from(this.#names.map((_, device) => `${this.#line(device, 'close')}\n`).join(''));
  }

  #addDevices(): string[] {
    const lines: string[] = [];
    for (let device = this.#names.length; device < this.#devices.length; device += 1) {
      this.#names.push(this.#nameOf(device));
      lines.push(this.#line(device, 'add'), this.#line(device, 'open'));
    }
    return lines;
  }

  /** One word of at most 255 bytes, and no two alike. */
  #nameOf(device: number): string {
    const wanted = this.#files[device] ?? this.#devices[device]?.name ?? '';
    // eslint-disable-next-line no-control-regex -- a name with one would end its line
    const name = wanted.replace(/[\s\u0000-\u001f]/gu, '_') || `disk${device}`;
    const fits = Buffer.byteLength(name) <= MOST_NAME && !this.#names.includes(name);
    return fits
      ? name
      : `${Buffer.from(name)
          .subarray(0, MOST_NAME - 12)
          .toString()
          .replace(/\ufffd/g, '')}.${device}`;
  }

  #line(device: number, what: string): string {
    const name = this.#names[device] as string;
    return this.#version === 3 ? `${this.#time} ${name} ${what}` : `${name} ${what}`;
  }

  /** Brings the time of the log to that of the event: in version 2 by a wait. */
  #advance({ time, device }: TraceRequest): string[] {
    this.#start ??= time;
    const since = Math.max(0, time - this.#start);
    const now = 1 + Math.floor(since / (this.#version === 3 ? 1000 : 1_000_000));
    if (now <= this.#time) return [];
    this.#time = now;
    return this.#version === 3 ? [] : [this.#line(device, `wait ${now} 0`)];
  }

  *#lines({ op, device, position, length }: TraceRequest): Generator<string, void, undefined> {
    if (op === 'flush') return yield this.#line(device, 'sync 0 0');
    const word = op === 'discard' ? 'trim' : op === 'zeroes' ? 'write' : op;
    for (let at = 0; at < length; at += MOST_LENGTH)
      yield this.#line(device, `${word} ${position + at} ${Math.min(MOST_LENGTH, length - at)}`);
  }
}
