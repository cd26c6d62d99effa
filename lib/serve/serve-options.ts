// What serve() is given, checked: exports, where to listen, and limits.
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { keysOf, requireKnown } from '../arguments/known-keys.js';
import { abortSignal, flag, hostPath, integer, requireObject, requireOptions, text } from '../arguments/validate.js';
import { BlockDevice, handleOf } from '../device.js';
import { fromFailure, invalidArgType, invalidArgValue, isFailure } from '../errors.js';
import { MOST_NBD_TEXT, MOST_PORT, MOST_SOCKET_PATH, NBD_PORT } from '../media/nbd-limits.js';
import { binding, type ExportRow } from '../native/binding.js';
import { bitmapName, changesOf, type DirtyBitmap } from '../request/dirty-bitmap.js';
import type { DeviceHandle } from '../request/handle.js';

/** What is served under a name. */
export interface NbdExport {
  /** A device that is open, and stays so as long as it is served. */
  device: BlockDevice;
  /** Lets clients write; default false. Needs a device that is open 'r+'. */
  writable?: boolean;
  /** What clients may show to people. */
  description?: string;
  /**
   * Bitmaps of `track()`, also taken ones, that clients may ask for: each is the meta context `qemu:dirty-bitmap:NAME`, of this name of 1 to
   * 1023 bytes. They are of the same bytes as the device, and stay alive as long as they are served. Once one is disposed, or its image keeps it
   * no more, block status is EIO for clients that have chosen it. Default none.
   */
  bitmaps?: Record<string, DirtyBitmap>;
}

/** Options of {@link serve}: one of `socket`, `port` with `host`, `fd` and `stdio` says where. */
export interface NbdServerOptions {
  /** By name; a device alone is one that is only read. */
  exports: Record<string, BlockDevice | NbdExport>;
  /** The export that clients get which name none; default the only one that there is. */
  default?: string;
  /** Path of a Unix socket, which is made with mode 0600, must not be there, and goes with the server; default none. */
  socket?: string;
  /** Name or address of this machine; default 127.0.0.1. */
  host?: string;
  /** TCP port, 0 for a free one; default 10809. */
  port?: number;
  /** Descriptor of a socket that listens, or of one that is connected: the server takes it over. Default none. */
  fd?: number;
  /** Serves the one client that standard input is a socket to; default false. */
  stdio?: boolean;
  /** Allows a `host` that other machines reach; default false; not without `host`. NBD knows neither passwords nor, here, encryption. */
  allowRemote?: boolean;
  /** Clients at a time; default 64. Others are cut off. Not with `stdio`, which is one client. */
  maxConnections?: number;
  /** Closes the server when it is aborted. */
  signal?: AbortSignal;
}

/** An export as native code takes it, and its device, which must not be collected. */
export interface ServedExport {
  readonly row: ExportRow;
  readonly device: BlockDevice;
  readonly handle: DeviceHandle;
}

/** Where a server listens: a path, an address or a descriptor; the others are empty or -1. */
export interface ServePlace {
  readonly path: Buffer;
  readonly host: string;
  readonly port: number;
  readonly fd: number;
  /** In errors. */
  readonly name: string;
}

const SERVE_KEYS = keysOf<NbdServerOptions>(
  {
    exports: true,
    default: true,
    socket: true,
    host: true,
    port: true,
    fd: true,
    stdio: true,
    allowRemote: true,
    maxConnections: true,
    signal: true,
  },
  { path: "'socket'", listen: "'port'", export: "'exports'", device: "'exports'", writable: "'writable' of an export" },
);
const EXPORT_KEYS = keysOf<NbdExport>(
  { device: true, writable: true, description: true, bitmaps: true },
  { name: 'the key of the export', bitmap: "'bitmaps'" },
);
const NOWHERE: ServePlace = { path: Buffer.alloc(0), host: '', port: 0, fd: -1, name: '' };
const DEFAULT_HOST = '127.0.0.1';
const MOST_FD = 2 ** 31 - 1;
const SLASH = 47;
const MOST_CONNECTIONS = 65536;
const CONNECTIONS = 64;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Gives the options of a server as given; each is checked by the function that uses it. */
export function serveOptions(value: unknown): NbdServerOptions {
  requireOptions(value, 'options', SERVE_KEYS);
  return value as NbdServerOptions;
}

/** Checks the limits and the signal. */
export function serveLimits(options: NbdServerOptions): { maxConnections: number; signal: AbortSignal | undefined } {
  const { maxConnections = CONNECTIONS } = options;
  return {
    maxConnections: integer(maxConnections, 'options.maxConnections', 1, MOST_CONNECTIONS),
    signal: abortSignal(options.signal, 'options.signal'),
  };
}

/** Checks the exports, and which of them the empty name stands for: its index, or -1. */
export function servedExports(options: NbdServerOptions): { exports: ServedExport[]; nameless: number } {
  requireObject(options.exports, 'options.exports');
  const exports = Object.entries(options.exports).map(([name, value]) => servedExport(name, value));
  if (exports.length === 0) throw invalidArgValue('options.exports', options.exports, 'must have an export');
  if (options.default === undefined) return { exports, nameless: exports.length === 1 ? 0 : -1 };
  const name = text(options.default, 'options.default');
  const nameless = exports.findIndex(({ row }) => row[1] === name);
  if (nameless < 0) throw invalidArgValue('options.default', name, 'is the name of no export');
  return { exports, nameless };
}

function servedExport(name: string, value: unknown): ServedExport {
  const place = `options.exports[${JSON.stringify(name)}]`;
  requireShort(name, place);
  const given: unknown = value instanceof BlockDevice ? { device: value } : value;
  requireObject(given, place);
  if (!('device' in given) || !(given.device instanceof BlockDevice))
    throw invalidArgType(place, 'an instance of BlockDevice, or an object with one as device', value);
  requireKnown(given, EXPORT_KEYS, place);
  const { device, writable, description = '', bitmaps } = given as NbdExport;
  const handle = handleOf(device, 'serve');
  const isWritable = flag(writable, `${place}.writable`, false);
  if (isWritable && handle.mode !== 'r+') throw invalidArgValue(`${place}.writable`, true, "needs a device that is open 'r+'");
  const words = text(description, `${place}.description`);
  requireShort(words, `${place}.description`);
  return { row: [handle.requests, name, words, isWritable, servedBitmaps(bitmaps, handle, `${place}.bitmaps`)], device, handle };
}

function servedBitmaps(bitmaps: unknown, handle: DeviceHandle, place: string): ExportRow[4] {
  if (bitmaps === undefined) return [];
  requireObject(bitmaps, place);
  return Object.entries(bitmaps).map(([key, value]) => {
    const name = bitmapName(key, `a name in ${place}`);
    const what = `${place}[${JSON.stringify(name)}]`;
    const changes = changesOf(value, what);
    const isOfDevice = binding.changesOf(changes, handle.requests);
    if (isFailure(isOfDevice)) throw fromFailure(isOfDevice, handle);
    if (!isOfDevice) throw invalidArgValue(what, value, 'is of another device or range');
    return [name, changes] as const;
  });
}

/** The protocol allows so much text, and no NUL in it. */
function requireShort(value: string, place: string): void {
  if (Buffer.byteLength(value) > MOST_NBD_TEXT) throw invalidArgValue(place, value, `must have at most ${MOST_NBD_TEXT} bytes`);
  if (value.includes('\0')) throw invalidArgValue(place, value, 'must have no null bytes');
}

/** Whoever is told of it, and the end of the server, may have another working directory; but a name that long cannot be. */
function absolute(path: Buffer): Buffer {
  if (path[0] === SLASH) return path;
  const whole = Buffer.concat([Buffer.from(`${process.cwd()}/`), path]);
  return whole.length <= MOST_SOCKET_PATH ? whole : path;
}

/** Finds out where to listen; of a name it asks for the address. */
export async function servePlace(options: NbdServerOptions): Promise<ServePlace> {
  const { socket, host, port, fd } = options;
  const stdio = flag(options.stdio, 'options.stdio', false);
  const allowRemote = flag(options.allowRemote, 'options.allowRemote', false);
  const isTcp = host !== undefined || port !== undefined;
  const ways = [socket !== undefined, isTcp, fd !== undefined, stdio].filter(Boolean).length;
  if (ways !== 1) throw invalidArgValue('options', options, "must have one of 'socket', 'port' with 'host', 'fd' and 'stdio'");
  // What would be ignored is not what whoever gave it thinks.
  if (allowRemote && host === undefined) throw invalidArgValue('options.allowRemote', true, "is of a 'host' that other machines reach");
  if (stdio && options.maxConnections !== undefined)
    throw invalidArgValue('options.maxConnections', options.maxConnections, "is of servers that listen: 'stdio' is one client");
  if (socket !== undefined) {
    const path = hostPath(socket, 'options.socket');
    return { ...NOWHERE, path: absolute(path), name: path.toString() };
  }
  if (stdio) return { ...NOWHERE, fd: 0, name: 'stdin' };
  if (fd !== undefined) return { ...NOWHERE, fd: integer(fd, 'options.fd', 0, MOST_FD), name: `fd ${fd}` };
  const wanted = text(host ?? DEFAULT_HOST, 'options.host');
  const at = integer(port ?? NBD_PORT, 'options.port', 0, MOST_PORT);
  const address = isIP(wanted) > 0 ? wanted : (await lookup(wanted)).address;
  const isNear = loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  if (!isNear && !allowRemote)
    throw invalidArgValue(
      'options.host',
      wanted,
      "is reached from other machines, which needs 'allowRemote': NBD asks nobody for a password",
    );
  return { ...NOWHERE, host: address, port: at, name: `${wanted}:${at}` };
}
