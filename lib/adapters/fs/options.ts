// Options of the streams, checked: ranges, chunk sizes, signals.
import type { Position } from '../../request/transfer.js';
import { outOfRange } from '../../errors.js';
import { keysOf, type KnownKeys } from '../../arguments/known-keys.js';
import { abortSignal, bytes, flag, integer, oneOf, requireOptions } from '../../arguments/validate.js';
import { encodingOf } from './arguments.js';

/** What `fs.createReadStream` reads at a time. */
const DEFAULT_CHUNK = 64 * 1024;
const LARGEST_CHUNK = 2 ** 30;

/** Options of a stream that reads. */
export interface ReadStreamOptions {
  /** First byte; default: where the handle is, which then moves with the stream. */
  start?: Position;
  /** Last byte, itself included, as in `node:fs`; default: the end of the device. */
  end?: Position;
  /** Bytes that are read at a time, and that wait at most for a slow consumer; default 64 KiB. */
  highWaterMark?: number;
  /** Gives strings of this encoding; default Buffers; not of Web streams. */
  encoding?: BufferEncoding;
  /** Closes the handle when the stream ends or fails; default true. */
  autoClose?: boolean;
  /** Emits `'close'` when the stream is destroyed; default true; not of Web streams. */
  emitClose?: boolean;
  /** Ends the stream early, and what it has in flight. */
  signal?: AbortSignal;
}

/** Options of a stream that writes. */
export interface WriteStreamOptions {
  /** First byte; default: where the handle is, which then moves with the stream. */
  start?: Position;
  /** Bytes that may wait before the stream asks its producer to pause; default 64 KiB. */
  highWaterMark?: number;
  /** How strings become bytes; default utf8; not of Web streams. */
  encoding?: BufferEncoding;
  /** Makes everything durable before the stream finishes; default false. */
  flush?: boolean;
  /** Closes the handle when the stream ends or fails; default true. */
  autoClose?: boolean;
  /** Emits `'close'` when the stream is destroyed; default true; not of Web streams. */
  emitClose?: boolean;
  /** Ends the stream early, and what it has in flight. */
  signal?: AbortSignal;
}

const NAMES = { start: true, highWaterMark: true, autoClose: true, signal: true } as const;
const TEXT_NAMES = { encoding: true, emitClose: true } as const;
const WORDS = { position: "'start'", offset: "'start'", length: "'end'", chunkSize: "'highWaterMark'", sync: "'flush'" } as const;
/** Options of Node's streams that Web streams have not. */
type TextOptions = 'encoding' | 'emitClose';
const READ_KEYS = keysOf<ReadStreamOptions>({ ...NAMES, ...TEXT_NAMES, end: true }, WORDS);
const WRITE_KEYS = keysOf<WriteStreamOptions>({ ...NAMES, ...TEXT_NAMES, flush: true }, WORDS);
const WEB_READ_KEYS = keysOf<WebReadStreamOptions>({ ...NAMES, end: true, type: true }, WORDS);
const WEB_WRITE_KEYS = keysOf<WebWriteStreamOptions>({ ...NAMES, flush: true }, WORDS);

/** Options of a Web stream that reads. */
export interface WebReadStreamOptions extends Omit<ReadStreamOptions, TextOptions> {
  /** Is `'bytes'` whether given or not, as `node:fs` has it. */
  type?: 'bytes';
}

/** Options of a Web stream that writes. */
export type WebWriteStreamOptions = Omit<WriteStreamOptions, TextOptions>;

/** Options that both kinds of streams have, checked. */
interface StreamSettings {
  readonly start: number | undefined;
  readonly chunk: number;
  readonly encoding: BufferEncoding | undefined;
  readonly autoClose: boolean;
  readonly emitClose: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Options of a stream that reads, checked. */
export interface ReadSettings extends StreamSettings {
  /** One beyond the last byte. */
  readonly stop: number;
}

/** Options of a stream that writes, checked. */
export interface WriteSettings extends StreamSettings {
  readonly flush: boolean;
}

function settingsOf(options: ReadStreamOptions | WriteStreamOptions, known: KnownKeys, least: number): StreamSettings {
  requireOptions(options, 'options', known);
  const { start, highWaterMark = DEFAULT_CHUNK, encoding, autoClose, emitClose, signal } = options;
  return {
    start: start === undefined ? undefined : bytes(start, 'options.start'),
    chunk: integer(highWaterMark, 'options.highWaterMark', least, LARGEST_CHUNK),
    encoding: encoding === undefined ? undefined : encodingOf(encoding, 'options.encoding'),
    autoClose: flag(autoClose, 'options.autoClose', true),
    emitClose: flag(emitClose, 'options.emitClose', true),
    signal: abortSignal(signal, 'options.signal'),
  };
}

/** Accepts the options of a stream of Node that reads. */
export function readStreamOptions(options: ReadStreamOptions = {}): ReadSettings {
  return readSettings(options, READ_KEYS);
}

/** Accepts the options of a Web stream that reads. */
export function webReadStreamOptions(options: WebReadStreamOptions = {}): ReadSettings {
  const settings = readSettings(options, WEB_READ_KEYS);
  const { type } = options;
  if (type !== undefined) oneOf(type, 'options.type', { bytes: 0 });
  return settings;
}

function readSettings(options: ReadStreamOptions, known: KnownKeys): ReadSettings {
  const settings = settingsOf(options, known, 1);
  const { end } = options;
  const stop = end === undefined || end === Infinity ? Infinity : bytes(end, 'options.end') + 1;
  if (stop <= (settings.start ?? 0)) throw outOfRange('options.start', `<= "end" (here: ${stop - 1})`, settings.start);
  return { ...settings, stop };
}

/** Accepts the options of a stream of Node that writes. */
export function writeStreamOptions(options: WriteStreamOptions = {}): WriteSettings {
  return writeSettings(options, WRITE_KEYS);
}

/** Accepts the options of a Web stream that writes. */
export function webWriteStreamOptions(options: WebWriteStreamOptions = {}): WriteSettings {
  return writeSettings(options, WEB_WRITE_KEYS);
}

function writeSettings(options: WriteStreamOptions, known: KnownKeys): WriteSettings {
  return { ...settingsOf(options, known, 0), flush: flag(options.flush, 'options.flush', false) };
}
