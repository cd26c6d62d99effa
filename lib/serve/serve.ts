// serve(): devices for NBD clients.
import { fromFailure, isFailure } from '../errors.js';
import { binding } from '../native/binding.js';
import { throwIfAborted } from '../request/abort.js';
import { createServer, type NbdServer } from './nbd-server.js';
import { servedExports, serveLimits, serveOptions, servePlace, type NbdServerOptions } from './serve-options.js';

/**
 * Serves devices to NBD clients: QEMU, nbdcopy, fio, the kernel's own, and this package's. Requests never come to JavaScript: a busy event
 * loop slows no client. Faults, protected ranges and counters of a device are in force for them. A device that is closed while it is served
 * closes when the requests under way are done, and clients get ESHUTDOWN from then on; `closeSync()` of it is EBUSY.
 *
 * @param options `exports`, by name; one of `socket`, `port` with `host`, `fd` and `stdio`; `default`, `allowRemote`, `maxConnections`, `signal`
 * @returns the server, which listens
 * @throws {BlockDeviceError} EADDRINUSE the path or the port is taken; EADDRNOTAVAIL the host is not this machine; EACCES, ENOENT the path; ENOTSOCK no socket; EBADF a device is closed, or a bitmap disposed; errors of the host
 *
 * @example
 * await using device = await open('disk.img');
 * await using server = await serve({ exports: { disk: device }, socket: '/run/disk.sock' });
 * await server.closed;
 */
export async function serve(options: NbdServerOptions): Promise<NbdServer> {
  const given = serveOptions(options);
  const { maxConnections, signal } = serveLimits(given);
  const { exports, nameless } = servedExports(given);
  const place = await servePlace(given);
  throwIfAborted(signal);
  // Somebody may have closed one while the name of a host was looked up.
  for (const { handle } of exports) handle.requireOpen('serve');
  const rows = exports.map(({ row }) => row);
  const named = exports[nameless]?.row[1] ?? '';
  const devices = exports.map(({ device }) => device);
  const server = createServer(
    (listener) => {
      const begun = binding.serve(rows, nameless, maxConnections, place.path, place.host, place.port, place.fd, listener);
      if (isFailure(begun)) throw fromFailure(begun, { path: place.name });
      return begun;
    },
    named,
    devices,
  );
  if (signal !== undefined) closeOnAbort(server, signal);
  return server;
}

function closeOnAbort(server: NbdServer, signal: AbortSignal): void {
  const close = (): void => void server.close();
  signal.addEventListener('abort', close, { once: true });
  void server.closed.then(() => signal.removeEventListener('abort', close));
}
