// The format of this package: a line of JSON about the devices, then one for each event. It keeps all that an event has, and is the only one that does.
import { printable } from '../arguments/printable.js';
import { badLog, truncatedLog } from './log-error.js';
import type { ByteReader } from './byte-reader.js';
import {
  type TraceBase,
  type TraceDevice,
  type TraceEncoder,
  type TraceEvent,
  type TraceHeader,
  type TraceLog,
  type TraceMark,
  type TraceOp,
} from './event.js';

/** What the first line says of itself. */
export const JSON_FORMAT = 'rumpblk-trace';
const VERSION = 1;
/** Bytes of a line; a write with its data is one. */
const MOST_LINE = 256 * 1024 * 1024;
const MOST_FIRST_LINE = 1024 * 1024;
const OPS: readonly string[] = ['read', 'write', 'flush', 'discard', 'zeroes'] satisfies TraceOp[];

type Json = Record<string, unknown>;

/**
 * Reads a log of this package. Keys that it does not know are ignored.
 *
 * @throws {BlockDeviceError} EINVAL no such log, or of a later version; EIO it ends in its first line. Of `events`: EINVAL a line that is no event;
 *   EIO the last line is not whole
 */
export async function readJsonLines(bytes: ByteReader): Promise<TraceLog> {
  const first = await bytes.line(MOST_FIRST_LINE, () => badLog('no log: the first line is too long'));
  if (first === undefined) throw badLog('the log is empty');
  const header = parsed(first, 1);
  if (header['format'] !== JSON_FORMAT) throw badLog(`no log: "format" of the first line is not "${JSON_FORMAT}"`);
  if (header['v'] !== VERSION) throw badLog(`version ${printable(String(header['v']))} of ${JSON_FORMAT} is not known`);
  const wrong = (what: string): Error => badLog(`line 1: ${what}`);
  const { devices, clock } = header;
  if (!Array.isArray(devices)) throw wrong('"devices" is no array');
  if (clock !== undefined && clock !== 'real' && clock !== 'virtual') throw wrong('"clock" is neither "real" nor "virtual"');
  const made: TraceHeader = {
    sector: whole(header, 'sector', wrong) ?? 512,
    atomic: whole(header, 'atomic', wrong) ?? 512,
    devices: devices.map((device) => deviceOf(device, wrong)),
    clock: clock ?? 'real',
  };
  if (made.sector === 0) throw wrong('"sector" is 0');
  return { header: made, events: eventsOf(bytes, made) };
}

function deviceOf(device: unknown, wrong: (what: string) => Error): TraceDevice {
  if (typeof device !== 'object' || device === null) throw wrong('a device is no object');
  const given = device as Json;
  const made: TraceDevice = { name: text(given, 'name', wrong) ?? '' };
  const [size, cache, base] = [whole(given, 'size', wrong), text(given, 'cache', wrong), text(given, 'base', wrong)];
  const [disk, offset] = [whole(given, 'disk', wrong), whole(given, 'offset', wrong)];
  if (size !== undefined) made.size = size;
  if (cache !== undefined) made.cache = cache;
  if (base !== undefined) made.base = base;
  if (disk !== undefined) made.disk = disk;
  if (offset !== undefined) made.offset = offset;
  return made;
}

async function* eventsOf(bytes: ByteReader, header: TraceHeader): AsyncGenerator<TraceEvent, void> {
  for (let number = 2; ; number += 1) {
    const line = await bytes.line(MOST_LINE, () => badLog(`line ${number} is too long`));
    if (line === undefined) return;
    if (line.bytes.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09)) continue;
    yield eventOf(parsed(line, number), header, (what) => badLog(`line ${number}: ${what}`));
  }
}

function parsed({ bytes, isWhole }: { bytes: Uint8Array; isWhole: boolean }, number: number): Json {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  } catch {
    if (!isWhole && number > 1) throw truncatedLog(`the log ends in line ${number}`);
  }
  throw badLog(number === 1 ? 'no log: the first line is no object of JSON' : `line ${number} is no object of JSON`);
}

function eventOf(line: Json, { sector, devices }: TraceHeader, wrong: (what: string) => Error): TraceEvent {
  const time = number(line, 't', wrong) ?? 0;
  const name = text(line, 'mark', wrong);
  if (name !== undefined) return markOf(line, name, time, wrong);
  const device = whole(line, 'd', wrong) ?? 0;
  if (device >= devices.length) throw wrong(`there is no device ${device}`);
  const [position, length] = placeOf(line, sector, wrong);
  const data = dataOf(line, wrong);
  if (line['base'] === true) {
    if (data === undefined) throw wrong('a base without "data"');
    return { op: 'base', device, position, data } satisfies TraceBase;
  }
  const op = line['op'];
  if (typeof op !== 'string' || !OPS.includes(op)) throw wrong(`unknown "op": ${printable(String(op).slice(0, 40))}`);
  if (data !== undefined && data.length !== length) throw wrong(`"data" has ${data.length} bytes, and not ${length}`);
  const n = required(whole(line, 'n', wrong), 'n', wrong);
  const done = whole(line, 'e', wrong);
  const end = number(line, 'te', wrong);
  if (done !== undefined && done <= n) throw wrong('"e" is not behind "n"');
  if (end !== undefined && end < time) throw wrong('"te" is before "t"');
  const fua = line['fua'] === 1 || line['fua'] === true;
  const stores = line['m'] === 1;
  return {
    ...{ op: op as TraceOp, n, time, device, position, length },
    ...present({ fua: fua || undefined, stores: stores || undefined, done, latency: end === undefined ? undefined : end - time }),
    ...present({ moved: whole(line, 'r', wrong), error: text(line, 'err', wrong), injected: text(line, 'x', wrong) }),
    ...present({ data, sha: text(line, 'sha', wrong) }),
  };
}

function markOf(line: Json, name: string, time: number, wrong: (what: string) => Error): TraceMark {
  const mark: TraceMark = { op: 'mark', n: required(whole(line, 'n', wrong), 'n', wrong), time, name };
  return 'data' in line ? { ...mark, data: line['data'] } : mark;
}

/** Sectors, or bytes where those are not whole. */
function placeOf(line: Json, sector: number, wrong: (what: string) => Error): [position: number, length: number] {
  const position = whole(line, 'p', wrong) ?? (whole(line, 's', wrong) ?? 0) * sector;
  const length = whole(line, 'l', wrong) ?? (whole(line, 'c', wrong) ?? 0) * sector;
  if (!Number.isSafeInteger(position + length)) throw wrong('a range that ends behind 2^53 bytes');
  return [position, length];
}

function dataOf(line: Json, wrong: (what: string) => Error): Uint8Array | undefined {
  const data = text(line, 'data', wrong);
  if (data === undefined) return undefined;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(data) || data.length % 4 !== 0) throw wrong('"data" is not in base64');
  return Buffer.from(data, 'base64');
}

function number(line: Json, key: string, wrong: (what: string) => Error): number | undefined {
  const value = line[key];
  if (value === undefined || (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER)) return value;
  throw wrong(`"${key}" is no number from 0 to 2^53`);
}

function whole(line: Json, key: string, wrong: (what: string) => Error): number | undefined {
  const value = number(line, key, wrong);
  if (value === undefined || Number.isSafeInteger(value)) return value;
  throw wrong(`"${key}" is no whole number`);
}

function text(line: Json, key: string, wrong: (what: string) => Error): string | undefined {
  const value = line[key];
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(`"${key}" is no text`);
}

function required<T>(value: T | undefined, key: string, wrong: (what: string) => Error): T {
  if (value === undefined) throw wrong(`"${key}" is missing`);
  return value;
}

/** Without the keys that have no value: an option that is undefined is another thing than none to some. */
function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Writes a log of this package. Of devices that are found later nothing is known in it, so those of fio's logs are to be read first. */
export function jsonLinesEncoder(header: TraceHeader): TraceEncoder {
  const { sector, atomic, devices, clock } = header;
  return {
    leftOut: new Map(),
    begin: () => lineOf({ v: VERSION, format: JSON_FORMAT, sector, atomic, devices, clock }),
    *add(event) {
      yield lineOf(jsonOf(event, sector));
    },
    *end() {},
  };
}

function lineOf(value: Json): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

function jsonOf(event: TraceEvent, sector: number): Json {
  if (event.op === 'mark') {
    const { n, time, name, data } = event;
    return { n, t: time, mark: name, data };
  }
  if (event.op === 'base')
    return { base: true, d: event.device, ...placeIn(event.position, event.data.length, sector), data: base64(event.data) };
  const { op, n, time, device, position, length, fua, stores, done, latency, moved, error, injected, data, sha } = event;
  const place = op === 'flush' ? {} : placeIn(position, length, sector);
  const end = { fua: fua === true ? 1 : undefined, e: done, te: latency === undefined ? undefined : time + latency };
  return {
    n,
    t: time,
    d: device,
    op,
    ...place,
    ...end,
    m: stores === true ? 1 : undefined,
    r: moved,
    err: error,
    x: injected,
    sha,
    data: data === undefined ? undefined : base64(data),
  };
}

/** The sectors that it touches; where they are not whole, also its bytes. */
function placeIn(position: number, length: number, sector: number): Json {
  const first = Math.floor(position / sector);
  const place = { s: first, c: Math.ceil((position + length) / sector) - first };
  return position % sector === 0 && length % sector === 0 ? place : { ...place, p: position, l: length };
}

function base64(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
}
