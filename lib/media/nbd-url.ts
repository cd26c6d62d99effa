// NBD URLs, as the project's doc/uri.md has them: which objects are one, and what they say.
import { invalidArgValue } from '../arguments/misuse.js';
import { MOST_NBD_TEXT, MOST_SOCKET_PATH, NBD_PORT } from './nbd-limits.js';

/** Where an export is. A Unix socket has a path; TCP has a host and a port. */
export interface NbdPlace {
  readonly path: string;
  readonly host: string;
  readonly port: number;
  /** Name of the export; `''` is the server's default. */
  readonly exportName: string;
  /** The URL with everything said and nothing else: the same for the same place. */
  readonly name: string;
}

/** Tells a URL of NBD, of any kind: also those that are not spoken. */
export function isNbdUrl(value: unknown): value is URL {
  const { href, protocol } = (value ?? {}) as Partial<URL>;
  return typeof href === 'string' && typeof protocol === 'string' && /^nbds?(\+[a-z]+)?:$/.test(protocol);
}

/** Takes a URL of NBD apart. */
export function nbdPlace(given: URL | string, name: string): NbdPlace {
  const refuse = (reason: string): TypeError => invalidArgValue(name, String(given), reason);
  const url = parsed(given, refuse);
  const isUnix = url.protocol === 'nbd+unix:';
  if (url.protocol.startsWith('nbds')) throw refuse('must not ask for TLS, which is not spoken here: put a front before the server');
  if (!isUnix && url.protocol !== 'nbd:') throw refuse("must begin with 'nbd:' or 'nbd+unix:'");
  if (url.username !== '' || url.password !== '') throw refuse('must not name a user, which belongs to TLS');
  if (url.hash !== '') throw refuse("must have no '#': in the name of an export it is %23");
  for (const key of url.searchParams.keys()) {
    if (key.startsWith('tls-')) throw refuse('must not ask for TLS, which is not spoken here: put a front before the server');
    if (key !== 'socket') throw refuse(`must have no '${key}' behind '?'`);
  }
  const exportName = decoded(url.pathname.replace(/^\//, ''), refuse);
  if (Buffer.byteLength(exportName) > MOST_NBD_TEXT) throw refuse(`must name an export of at most ${MOST_NBD_TEXT} bytes`);
  return { ...(isUnix ? unixPlace(url, refuse) : tcpPlace(url, refuse)), exportName, name: nameOf(url, isUnix) };
}

/**
 * The URL of the export that an image names as its base, as QEMU's programs name one: a URL, also with the scheme nbd+tcp, or `nbd:HOST:PORT`
 * or `nbd:unix:PATH` with `:exportname=NAME`. Undefined of every other name.
 */
export function exportNamed(text: string): URL | undefined {
  try {
    const url = new URL(/^nbd:(?!\/\/)/.test(text) ? urlOfWords(text) : text.replace(/^nbd\+tcp:/, 'nbd:'));
    nbdPlace(url, 'url');
    return url;
  } catch {
    return undefined;
  }
}

/** What is no such name gives no URL. */
function urlOfWords(text: string): string {
  const [, unix, tcp, name = ''] = /^nbd:(?:unix:(.*?)|([^/]+?:[0-9]+))(?::exportname=(.*))?$/s.exec(text) ?? [];
  const path = encodeURIComponent(name);
  if (unix !== undefined) return `nbd+unix:///${path}?socket=${encodeURIComponent(unix)}`;
  return tcp === undefined ? '' : `nbd://${tcp}/${path}`;
}

/** Tells whether two URLs stand for one export, however they are spelled. */
export function isSameExport(one: URL, other: URL): boolean {
  const [a, b] = [nbdPlace(one, 'url'), nbdPlace(other, 'url')];
  return a.path === b.path && a.host.toLowerCase() === b.host.toLowerCase() && a.port === b.port && a.exportName === b.exportName;
}

function parsed(given: URL | string, refuse: (reason: string) => TypeError): URL {
  try {
    // By its text: what an object of another make says of its parts may not fit together.
    return new URL(typeof given === 'string' ? given : given.href);
  } catch {
    throw refuse('must be a URL');
  }
}

type SocketPlace = Pick<NbdPlace, 'path' | 'host' | 'port'>;

function unixPlace(url: URL, refuse: (reason: string) => TypeError): SocketPlace {
  const [path, ...others] = url.searchParams.getAll('socket');
  if (url.host !== '') throw refuse("must have no host: nbd+unix:///export?socket=/path has three '/'");
  if (path === undefined || path === '' || others.length > 0) throw refuse("must have one '?socket=PATH'");
  if (path.includes('\0') || Buffer.byteLength(path) > MOST_SOCKET_PATH)
    throw refuse(`must have a socket of at most ${MOST_SOCKET_PATH} bytes, without null bytes`);
  return { path, host: '', port: 0 };
}

function tcpPlace(url: URL, refuse: (reason: string) => TypeError): SocketPlace {
  if (url.searchParams.has('socket')) throw refuse("must begin with 'nbd+unix:' to have a socket");
  const host = decoded(url.hostname, refuse).replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? NBD_PORT : Number(url.port);
  if (port === 0 || host.includes('\0')) throw refuse('must have a host and a port from 1 to 65535');
  return { path: '', host: host === '' ? 'localhost' : host, port };
}

function decoded(text: string, refuse: (reason: string) => TypeError): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse('must have UTF-8 behind each %');
  }
}

function nameOf(url: URL, isUnix: boolean): string {
  const name = new URL(url.href);
  if (name.pathname === '') name.pathname = '/';
  if (!isUnix && name.port === '') name.port = String(NBD_PORT);
  return name.href;
}
