// Logs in files, in whichever format.
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { badLog } from './log-error.js';
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
  /** Of a format that is about one device, which. */
  device?: number;
  /** Of fio's formats, what fio shall open, by device; default: the names of the devices. */
  files?: readonly string[];
}

/** A log that was opened to be read. */
export interface OpenLog extends TraceLog {
  readonly format: TraceFormat;
  /** Lets go of the file; needed where `events` was not gone through to its end. */
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
 * @throws {BlockDeviceError} EINVAL a log of none of the formats, or one that breaks their rules; EIO its beginning is not whole
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

/** Reads a log from a file. @throws {BlockDeviceError} as {@link readLog}; the host's errors are Node's own */
export function readLogFile(path: string): Promise<OpenLog> {
  return readLog(createReadStream(path, { highWaterMark: 1024 * 1024 }));
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
 * @param events requests and marks in the order of their `n`
 * @returns how many events were given, and what the format has no words for
 * @throws {BlockDeviceError} ENOTSUP the format cannot hold such an event; the host's errors are Node's own. The file is not whole then
 */
export async function writeLogFile(
  path: string,
  header: TraceHeader,
  events: TraceEvents,
  options: EncoderOptions = {},
): Promise<WrittenLog> {
  const encoder = encoderOf(header, options);
  const file = await open(path, 'w');
  try {
    const count = await writeTo(file, encoder, events);
    return { events: count, leftOut: Object.fromEntries(encoder.leftOut) };
  } finally {
    await file.close();
  }
}

/** What became of a log that was written. */
export interface WrittenLog {
  /** Events that were given. */
  events: number;
  /** What the format has no words for, by kind: `{ read: 3 }`. */
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
    await take(encoder.add(event));
  }
  await take(encoder.end());
  await write();
  const begin = encoder.finalBegin?.();
  if (begin !== undefined) await file.write(begin, 0, begin.length, 0);
  return count;
}
