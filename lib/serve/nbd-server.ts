// NbdServer: a server as JavaScript holds it: what it tells of its clients, and its end.
import { EventEmitter } from 'node:events';
import { inspect, type InspectOptions } from 'node:util';
import { keysOf } from '../arguments/known-keys.js';
import { integer, listenerOf, oneOf, requireOptions } from '../arguments/validate.js';
import { fromFailure, illegalConstructor, invalidThis, markCopy, type BlockDeviceError } from '../errors.js';
import { binding, SERVE_EVENTS, type NativeServer, type ServeListener } from '../native/binding.js';
import type { Bytes } from '../request/transfer.js';

/** What a listener of an `NbdServer` is given: the client that the event is about. */
export interface NbdClientInfo {
  /** Number of the connection, from 1 on; 0 in an error of none. */
  readonly id: number;
  /** Address and port, or `'unix'`. */
  readonly peer: string;
  /** Name of the export that the client has chosen. */
  readonly export?: string;
  /** What went wrong, in an `'error'`. */
  readonly error?: BlockDeviceError;
}

/** Events of a server: a client that has chosen an export, one that has gone, and a client or a socket that something is wrong with. */
export type NbdServerEvent = 'connect' | 'disconnect' | 'error';

/** What a server has done so far. */
export interface NbdServerStats {
  /** Requests that were answered. */
  requests: number;
  /** Bytes that clients have read. */
  bytesRead: Bytes;
  /** Bytes that clients have written. */
  bytesWritten: Bytes;
  /** Requests that were answered with an error. */
  errors: number;
}

/** Options of `close()`. */
export interface NbdCloseOptions {
  /** Milliseconds that clients have to go by themselves; each request of theirs fails with ESHUTDOWN meanwhile. Default 0. */
  drain?: number;
}

const CLOSE_KEYS = keysOf<NbdCloseOptions>({ drain: true }, { timeout: "'drain'" });
const EVENTS = { connect: 0, disconnect: 1, error: 2 } as const;
const KEY = Symbol('createServer');
const MOST_DRAIN = 2 ** 31 - 1;

/** Makes a server of a native one. `begin` is given what hears of its events, and `name`s the export that its URL names. */
export let createServer: (begin: (listener: ServeListener) => NativeServer, name: string, held: readonly object[]) => NbdServer;

/**
 * Serves block devices to NBD clients, on threads of its own; `serve()` makes it. It keeps the process alive until it is closed.
 *
 * @example
 * const server = await serve({ exports: { disk: device }, socket: '/run/disk.sock' });
 * server.on('connect', ({ id, peer }) => console.log('client', id, 'from', peer));
 */
export class NbdServer implements AsyncDisposable {
  /** Is resolved when the server has closed: by `close()`, or, where it has one client alone, when that has gone. */
  readonly closed: Promise<void>;
  /** Names where clients reach it; undefined where it has one client alone. */
  readonly url: URL | undefined;

  readonly #native: NativeServer;
  readonly #events = new EventEmitter().setMaxListeners(0);
  #isClosed = false;

  static {
    markCopy(NbdServer);
    createServer = (begin, name, held) => new NbdServer(KEY, begin, name, held);
  }

  private constructor(key: symbol, begin: (listener: ServeListener) => NativeServer, name: string, held: readonly object[]) {
    if (key !== KEY) throw illegalConstructor();
    let whenClosed: () => void = () => undefined;
    this.closed = new Promise((resolve) => {
      whenClosed = resolve;
    });
    // Native code keeps the listener until the server has closed, and that what is served: a device that was collected would be closed.
    const kept = new Set<object>(held);
    this.#native = begin((kind, id, peer, exported, failure) => {
      const event = SERVE_EVENTS[kind];
      if (event === 'closed') {
        kept.clear();
        this.#isClosed = true;
        whenClosed();
      } else if (event !== undefined) {
        this.#tell(event, infoOf(id, peer, exported, failure && fromFailure(failure, {})));
      }
    });
    this.url = urlOf(this.#native, name);
  }

  /** Counts the clients that are there. */
  get connections(): number {
    return binding.serverInfo(NbdServer.#of(this).#native)[3];
  }

  /**
   * Tells what it has done so far; nothing is added any more once it has closed.
   *
   * @example
   * console.log(server.stats().bytesRead);
   */
  stats(): NbdServerStats {
    const [, , , , requests, bytesRead, bytesWritten, errors] = binding.serverInfo(NbdServer.#of(this).#native);
    return { requests, bytesRead, bytesWritten, errors };
  }

  /**
   * Calls `listener` with each event of that name. An `'error'` that nobody listens to is dropped: it is a client's, not this program's.
   *
   * @param event `'connect'`, `'disconnect'` or `'error'`
   * @param listener is called in a turn of the event loop of its own
   *
   * @example
   * server.on('connect', ({ id, peer }) => console.log(id, peer));
   */
  on(event: NbdServerEvent, listener: (info: NbdClientInfo) => void): this {
    NbdServer.#of(this).#events.on(oneOf(event, 'event', EVENTS), listenerOf(listener));
    return this;
  }

  /**
   * Calls `listener` no more.
   *
   * @param event `'connect'`, `'disconnect'` or `'error'`
   * @param listener what was given to `on`
   *
   * @example
   * const listener = () => console.log('a client');
   * server.on('connect', listener).off('connect', listener);
   */
  off(event: NbdServerEvent, listener: (info: NbdClientInfo) => void): this {
    NbdServer.#of(this).#events.off(oneOf(event, 'event', EVENTS), listenerOf(listener));
    return this;
  }

  /**
   * Closes the server: nobody is accepted any more, what is under way is finished and answered, and clients are cut off. A device that was served stays open.
   *
   * @param options `drain`, default 0: how long clients have to go by themselves
   * @returns when the last client is gone; the same for every call
   *
   * @example
   * await server.close({ drain: 5000 }); // five seconds for clients to leave by themselves
   */
  close(options?: NbdCloseOptions): Promise<void> {
    const server = NbdServer.#of(this);
    if (options !== undefined) requireOptions(options, 'options', CLOSE_KEYS);
    const drain = integer(options?.drain ?? 0, 'options.drain', 0, MOST_DRAIN);
    binding.serverClose(server.#native, drain);
    return server.closed;
  }

  /** Closes it at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return NbdServer.#of(this).close();
  }

  /** What `console.log` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { url, connections } = this;
    return `NbdServer ${inspect({ url: url?.href, connections, closed: this.#isClosed }, options)}`;
  }

  /** In a turn of its own: what a listener throws is the program's affair, and not that of whoever tells. */
  #tell(event: NbdServerEvent, info: NbdClientInfo): void {
    if (this.#events.listenerCount(event) > 0) setImmediate(() => this.#events.emit(event, info));
  }

  static #of(server: unknown): NbdServer {
    if (typeof server !== 'object' || server === null || !(#native in server)) throw invalidThis('NbdServer');
    return server;
  }
}

function infoOf(id: number, peer: string, exported: string, error: BlockDeviceError | undefined): NbdClientInfo {
  return { id, peer, ...(exported === '' ? {} : { export: exported }), ...(error === undefined ? {} : { error }) };
}

function urlOf(native: NativeServer, name: string): URL | undefined {
  const [path, host, port] = binding.serverInfo(native);
  const exported = encodeURIComponent(name);
  if (path.length > 0) return new URL(`nbd+unix:///${exported}?socket=${encodeURIComponent(path.toString())}`);
  if (host === '') return undefined;
  return new URL(`nbd://${host.includes(':') ? `[${host}]` : host}:${port}/${exported}`);
}
