// Logs in files, in whichever format.
import { createReadStream, type PathLike } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isIterable } from '../arguments/iterables.js';
import { keysOf } from '../arguments/known-keys.js';
import { hostPath, integer, listOf, oneOf, requireObject, requireOptions, text } from '../arguments/validate.js';
import { invalidArgType, invalidArgValue } from '../errors.js';
import { badLog, hostError } from './log-error.js';
import { ByteReader, type ByteSource } from './byte-reader.js';
import { DM_MAGIC, dmLogWritesEncoder, readDmLogWrites } from './dm-log-writes.js';
import { fioIologEncoder, iologVersion, readFioIolog } from './fio-iolog.js';
import { jsonLinesEncoder, readJsonLines } from './json-lines.js';
import { perfettoEncoder } from './perfetto.js';
import type { TraceEncoder, TraceEvent, TraceEvents, TraceHeader, TraceLog } from './event.js';

/** The formats of logs that hold requests. */
export type TraceFormat = 'jsonl' | 'dm-log-writes' | 'fio-iolog-2' | 'fio-iolog-3';

/** Options of `writeLogFile()`. */
export interface EncoderOptions {
  /** Default `'jsonl'`; `'perfetto'` can be shown, and not read again. */
  format?: TraceFormat | 'perfetto';
  /** Index of the device that is written, for formats that hold one device; default: the only one of the log. */
  device?: number;
  /** Of fio's formats, what fio shall open, by device; default: the names of the devices. */
  files?: readonly string[];
}

/** A log that was opened to be read. */
export interface OpenLog extends TraceLog {
  /** The header, read from its first bytes. */
  readonly format: TraceFormat;
  /**
   * Lets go of the file; needed where `events` was not gone through to its end.
   *
   * @example
   * const log = await readLogFile('work.jsonl');
   * await log.close();
   */
  close(): Promise<void>;
}

/** Makes the encoder of a format. @throws {BlockDeviceError} ENOTSUP the format cannot hold such a log */
export function encoderOf(header: TraceHeader, { format = 'jsonl', device, files }: EncoderOptions = {}): TraceEncoder {
  if (format === 'dm-log-writes') return dmLogWritesEncoder(header, device === undefined ? {} : { device });
  if (format === 'jsonl') return jsonLinesEncoder(header);
  if (format === 'perfetto') return perfettoEncoder(header);
  return fioIologEncoder(header, format === 'fio-iolog-2' ? 2 : 3, files === undefined ? {} : { files });
}

/**
 * Reads a log whose format its first bytes tell.
 *
 * @param source the bytes of the log, as a stream or another iterable gives them
 * @returns header and events; `close()` it where the events are not gone through
 * @throws {BlockDeviceError} EINVAL a log of none of the formats, or one that breaks their rules; EIO its beginning is not whole
 *
 * @example
 * const { header, events } = await readLog(process.stdin);
 * for await (const event of events) console.log(event.op);
 */
export async function readLog(source: ByteSource): Promise<OpenLog> {
  const bytes = new ByteReader(source);
  const close = (): Promise<void> => bytes.close();
  try {
    const start = await bytes.peek(32);
    const format = formatOf(start);
    if (format === undefined) throw badLog('neither a log of this package, nor of dm-log-writes, nor of fio');
    const read = format === 'jsonl' ? readJsonLines : format === 'dm-log-writes' ? readDmLogWrites : readFioIolog;
    const { header, events } = await read(bytes);
    return { format, close, header, events: closing(events, close) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function* closing(events: AsyncIterable<TraceEvent>, close: () => Promise<void>): AsyncGenerator<TraceEvent, void> {
  try {
    yield* events;
  } finally {
    await close();
  }
}

/**
 * Reads a log from a file.
 *
 * @param path of the log
 * @returns header and events; `close()` it where the events are not gone through
 * @throws {BlockDeviceError} as {@link readLog}; those of the host
 *
 * @example
 * const { header, events } = await readLogFile('work.jsonl');
 * for await (const event of events) console.log(event.op);
 */
export async function readLogFile(path: PathLike): Promise<OpenLog> {
  const file = hostPath(path, 'path');
  try {
    const log = await readLog(bytesOf(file));
    return { ...log, events: naming(log.events, file) };
  } catch (error) {
    throw hostError(error, file);
  }
}

async function* naming(events: AsyncIterable<TraceEvent>, file: Buffer): AsyncGenerator<TraceEvent, void> {
  try {
    yield* events;
  } catch (error) {
    throw hostError(error, file);
  }
}

async function* bytesOf(path: Buffer): AsyncGenerator<Uint8Array, void> {
  try {
    yield* createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw hostError(error, path);
  }
}

function formatOf(start: Uint8Array): TraceFormat | undefined {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  if (bytes.length >= 8 && bytes.readBigUInt64LE(0) === DM_MAGIC) return 'dm-log-writes';
  const version = iologVersion(bytes.toString('latin1').split('\n', 1)[0] ?? '');
  if (version !== undefined) return version === 2 ? 'fio-iolog-2' : 'fio-iolog-3';
  return bytes.toString('latin1').trimStart().startsWith('{') ? 'jsonl' : undefined;
}

/**
 * Writes a log to a file, which is made or replaced.
 *
 * @param path of the file
 * @param header the devices, and how places are counted
 * @param events requests and marks in the order of their `n`
 * @param options the format, default JSON lines
 * @returns how many events were given, and what the format has no words for
 * @throws {BlockDeviceError} ENOTSUP the format cannot hold such an event; those of the host. The file is not whole then
 *
 * @example
 * const { header, events } = await readLogFile('work.jsonl');
 * await writeLogFile('work.fio', header, events, { format: 'fio-iolog-3' });
 */
export async function writeLogFile(
  path: PathLike,
  header: TraceHeader,
  events: TraceEvents,
  options: EncoderOptions = {},
): Promise<WrittenLog> {
  const place = hostPath(path, 'path');
  const encoder = encoderOf(checkedHeader(header), checkedOptions(options));
  if (!isIterable(events)) throw invalidArgType('events', 'an iterable of events', events);
  const file = await open(place, 'w').catch((error: unknown) => {
    throw hostError(error, place);
  });
  try {
    const count = await writeTo(file, encoder, events);
    return { events: count, leftOut: Object.fromEntries(encoder.leftOut) };
  } catch (error) {
    throw hostError(error, place);
  } finally {
    await file.close();
  }
}

const ENCODER_KEYS = keysOf<EncoderOptions>({ format: true, device: true, files: true }, { names: "'files'", to: "'format'" });
const FORMATS = { jsonl: 0, 'dm-log-writes': 1, 'fio-iolog-2': 2, 'fio-iolog-3': 3, perfetto: 4 } as const;
const MOST_DEVICES = 65536;
const MOST_SECTOR = 65536;
const OPS: ReadonlySet<unknown> = new Set(['read', 'write', 'flush', 'discard', 'zeroes', 'mark', 'base']);

function checkedOptions(options: EncoderOptions): EncoderOptions {
  requireOptions(options, 'options', ENCODER_KEYS);
  const { format, device, files } = options;
  return {
    ...(format !== undefined && { format: oneOf(format, 'options.format', FORMATS) }),
    ...(device !== undefined && { device: integer(device, 'options.device', 0, MOST_DEVICES) }),
    ...(files !== undefined && { files: listOf(files, 'options.files', MOST_DEVICES, text) }),
  };
}

function checkedHeader(header: TraceHeader): TraceHeader {
  requireObject(header, 'header');
  listOf(header.devices, 'header.devices', MOST_DEVICES, (device, place) => {
    requireObject(device, place);
    return text((device as { name?: unknown }).name, `${place}.name`);
  });
  integer(header.sector, 'header.sector', 1, MOST_SECTOR);
  return header;
}

/** Of an event as much as tells what it is: the rest is up to its format. */
function checkedEvent(event: TraceEvent): TraceEvent {
  requireObject(event, 'event');
  if (!OPS.has(event.op)) throw invalidArgValue('event.op', event.op, 'is none of an event');
  return event;
}

/** Outcome of writing a log. */
export interface WrittenLog {
  /** Events that were given. */
  events: number;
  /** Counts, by kind, of all that the format cannot express and that was left out: `{ read: 3 }`. */
  leftOut: Record<string, number>;
}

/** Small pieces are gathered until there are so many bytes. */
const GATHERED = 256 * 1024;

async function writeTo(file: FileHandle, encoder: TraceEncoder, events: TraceEvents): Promise<number> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  const write = async (): Promise<void> => {
    const all = Buffer.concat(pieces);
    [pieces, size] = [[], 0];
    for (let at = 0; at < all.length;) at += (await file.write(all, at)).bytesWritten;
  };
  const take = async (more: Iterable<Uint8Array>): Promise<void> => {
    for (const piece of more) {
      pieces.push(piece);
      size += piece.length;
      if (size >= GATHERED) await write();
    }
  };
  let count = 0;
  await take([encoder.begin()]);
  for await (const event of events as AsyncIterable<TraceEvent>) {
    count += 1;
    await take(encoder.add(checkedEvent(event)));
  }
  await take(encoder.end());
  await write();
  const begin = encoder.finalBegin?.();
  if (begin !== undefined) await file.write(begin, 0, begin.length, 0);
  return count;
}
