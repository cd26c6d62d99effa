// Exports of NBD servers as media: their options, and what their connections tell of themselves.
import { EventEmitter } from 'node:events';
import { keysOf } from '../arguments/known-keys.js';
import { flag, integer, listenerOf, oneOf, requireOptions } from '../arguments/validate.js';
import { fromFailure, invalidArgType, isFailure, type BlockDeviceError } from '../errors.js';
import { binding, NBD_STATES, type Failure, type NativeEvents } from '../native/binding.js';
import { MediumHandle, nativeMediumOf, type Medium } from './medium.js';
import { isNbdUrl, nbdPlace } from './nbd-url.js';

/** Options of {@link nbd}. Times in milliseconds. */
export interface NbdClientOptions {
  /** Connections, up to 16, where the server says that its exports may have several; default 1. */
  connections?: number;
  /** Ms that requests are held while a lost connection is made again; default 0: they fail. */
  reconnect?: number;
  /** How long a connection with requests under way may be silent before it counts as lost; default 60000, 0: for ever. */
  requestTimeout?: number;
  /** How long one connection may take to be made, handshake and all; default 10000, 0: as long as it takes. */
  connectTimeout?: number;
  /** What the server has said of extents holds until this side writes; false where others write to the export, too; default true. */
  extentsCache?: boolean;
}

/** `'closed'`: not connected yet, or not any more because nothing uses it. `'lost'`: it was connected, and the next `open()`, or with `reconnect` the next request, connects again. */
export type NbdState = 'connected' | 'lost' | 'reconnecting' | 'closed';

/** What `stats()` of an {@link NbdMedium} tells. It counts from the time when the export was connected; when nothing uses it any more, it begins anew. */
export interface NbdStats {
  /** Tells whether it is connected. */
  state: NbdState;
  /** Connections to the server. */
  connections: number;
  /** How often they were lost. */
  losses: number;
  /** How often they were made again. */
  reconnects: number;
  /** Bytes of the smallest block that the server takes; parts of it are read and written back. */
  minimumBlock: number;
  /** Bytes of the largest read or write of one request. */
  maximumBlock: number;
  /** Tells that the server lets nobody write. */
  readOnly: boolean;
}

/** An export of an NBD server. It is connected by what uses it: `open()`, or `register()`, and then as long as the minor lasts. */
export interface NbdMedium extends Medium {
  /** Gives its size, in bytes; 0 until it was connected once. */
  readonly size: number;
  /** Tells whether it is connected. */
  readonly state: NbdState;
  /**
   * Counts its connections, and how often they were lost and made again; tells what the server takes.
   *
   * @example
   * console.log(nbd('nbd://127.0.0.1/disk').stats());
   */
  stats(): NbdStats;
  /**
   * Calls `listener` with each new state, and with why a connection was lost. Keeps no process alive.
   *
   * @param event `'state'`
   * @param listener is called with the state, and with the reason where a connection was lost
   *
   * @example
   * const disk = nbd('nbd://127.0.0.1/disk', { reconnect: 30_000 });
   * disk.on('state', (state, reason) => console.log(state, reason?.code));
   */
  on(event: 'state', listener: (state: NbdState, reason?: BlockDeviceError) => void): this;
  /**
   * Calls `listener` no more.
   *
   * @param event `'state'`
   * @param listener what was given to `on`
   *
   * @example
   * const listener = () => console.log('another state');
   * nbd('nbd://127.0.0.1/disk').on('state', listener).off('state', listener);
   */
  off(event: 'state', listener: (state: NbdState, reason?: BlockDeviceError) => void): this;
}

const KEYS = keysOf<NbdClientOptions>(
  { connections: true, reconnect: true, requestTimeout: true, connectTimeout: true, extentsCache: true },
  { timeout: "'requestTimeout' or 'connectTimeout'", export: 'the path of the URL', socket: "'?socket=' of an nbd+unix: URL" },
);
const MOST_CONNECTIONS = 16;
const MOST_TIME = 2 ** 31 - 1;
const READ_ONLY = 2;

/** By number, the media whose connections may still tell something. */
const listening = new Map<number, WeakRef<ExportMedium>>();
const forgotten = new FinalizationRegistry<number>((id) => listening.delete(id));
/** Those that are connected: their listeners hear of it although nobody has the medium itself any more. */
const connected = new Set<ExportMedium>();
let made = 0;
let events: NativeEvents | undefined;

function onState(id: number, state: number, failure: Failure | undefined): void {
  const medium = listening.get(id)?.deref();
  if (medium === undefined) return;
  if (NBD_STATES[state] === 'closed') connected.delete(medium);
  else connected.add(medium);
  const reason = failure === undefined ? undefined : fromFailure(failure, { path: medium.name });
  eventsOf(medium).emit('state', NBD_STATES[state], reason);
}

let eventsOf: (medium: ExportMedium) => EventEmitter;

const EVENTS = { state: 0 } as const;

class ExportMedium extends MediumHandle implements NbdMedium {
  readonly #events = new EventEmitter();

  static {
    eventsOf = (medium) => medium.#events;
  }

  get state(): NbdState {
    return this.stats().state;
  }

  stats(): NbdStats {
    const [state, , connections, losses, reconnects, flags, minimumBlock, , maximumBlock] = stateOf(this);
    const readOnly = (flags & READ_ONLY) !== 0;
    return { state: NBD_STATES[state] ?? 'closed', connections, losses, reconnects, minimumBlock, maximumBlock, readOnly };
  }

  on(event: 'state', listener: (state: NbdState, reason?: BlockDeviceError) => void): this {
    this.#events.on(oneOf(event, 'event', EVENTS), listenerOf(listener));
    return this;
  }

  off(event: 'state', listener: (state: NbdState, reason?: BlockDeviceError) => void): this {
    this.#events.off(oneOf(event, 'event', EVENTS), listenerOf(listener));
    return this;
  }
}

function stateOf(medium: ExportMedium): ReturnType<typeof binding.nbdState> {
  const native = nativeMediumOf(medium);
  if (native === undefined) throw invalidArgType('this', 'an instance of NbdMedium', medium);
  return binding.nbdState(native);
}

/**
 * Makes a medium of an export of an NBD server: a disk of another process or host. Nothing is connected until a device is opened
 * on it, or it is registered. The same export is the same disk, however many media stand for it.
 *
 * @param url `nbd://host:port/export`, or `nbd+unix:///export?socket=/path`
 * @param options `connections`, default 1; `reconnect`, default 0; `requestTimeout`, default 60000; `connectTimeout`, default 10000; `extentsCache`, default true
 * @returns what `open()`, `register()` and `copy()` take in place of a path
 * @throws {TypeError} ERR_INVALID_ARG_VALUE what is no such URL, or asks for TLS
 *
 * @example
 * const disk = nbd('nbd://127.0.0.1/backup', { reconnect: 30_000 });
 * await using device = await open(disk, { mode: 'r+' });
 */
export function nbd(url: URL | string, options: NbdClientOptions = {}): NbdMedium {
  if (typeof url !== 'string' && !isUrl(url)) throw invalidArgType('url', 'of type string or an instance of URL', url);
  requireOptions(options, 'options', KEYS);
  const place = nbdPlace(url, 'url');
  const time = (key: 'reconnect' | 'requestTimeout' | 'connectTimeout', fallback: number): number =>
    integer(options[key] ?? fallback, `options.${key}`, 0, MOST_TIME);
  const connections = integer(options.connections ?? 1, 'options.connections', 1, MOST_CONNECTIONS);
  events ??= binding.nbdEvents(onState);
  const id = ++made;
  const native = binding.nbdMedium(
    id,
    Buffer.from(place.name),
    Buffer.from(place.path),
    Buffer.from(place.host),
    place.port,
    Buffer.from(place.exportName),
    connections,
    time('reconnect', 0),
    time('requestTimeout', 60_000),
    time('connectTimeout', 10_000),
    flag(options.extentsCache, 'options.extentsCache', true),
    events,
  );
  if (isFailure(native)) throw fromFailure(native, { path: place.name });
  const medium = new ExportMedium(native, { kind: 'nbd', name: place.name, size: () => Math.max(0, binding.nbdState(native)[1]) });
  listening.set(id, new WeakRef(medium));
  forgotten.register(medium, id);
  return medium;
}

/** A medium for a URL of NBD; what is given for everything else. */
export function mediumOfUrl<T>(value: T): T | Medium {
  return isNbdUrl(value) ? nbd(value) : value;
}

function isUrl(value: unknown): value is URL {
  return typeof (value as Partial<URL> | null)?.href === 'string';
}
