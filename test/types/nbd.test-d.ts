// NBD as callers write it, and what must not compile. Never run.
import type { BlockDevice } from 'rumpblk';
import { NbdServer, serve, type NbdClientInfo, type NbdExport, type NbdServerOptions, type NbdServerStats } from 'rumpblk/nbd';
import type { Equal, Expect, Extends } from './expect.js';

export type Shapes = [
  Expect<Equal<ReturnType<typeof serve>, Promise<NbdServer>>>,
  Expect<Extends<NbdServer, AsyncDisposable>>,
  Expect<Equal<NbdServer['url'], URL | undefined>>,
  Expect<Equal<NbdServer['closed'], Promise<void>>>,
  Expect<Equal<ReturnType<NbdServer['stats']>, NbdServerStats>>,
  Expect<Extends<BlockDevice | NbdExport, NbdServerOptions['exports'][string]>>,
];

export async function accepted(device: BlockDevice): Promise<unknown[]> {
  const exports = { plain: device, disk: { device, writable: true, description: 'a disk', bitmaps: { backup: device.track() } } };
  const options: NbdServerOptions = { exports, default: 'disk', host: '::1', port: 0, allowRemote: false, maxConnections: 4 };
  await using server = await serve({ ...options, signal: AbortSignal.timeout(1000) });
  const others = [
    await serve({ exports, socket: '/run/disk.sock' }),
    await serve({ exports, fd: 3 }),
    await serve({ exports, stdio: true }),
  ];
  const heard: unknown[] = [];
  const hear = ({ id, peer, export: name, error }: NbdClientInfo): void => void heard.push(id, peer, name, error?.code);
  server.on('connect', hear).on('disconnect', hear).on('error', hear).off('connect', hear);
  await server.close({ drain: 1000 });
  return [others, server.connections, server.stats().requests];
}

export function refused(server: NbdServer, device: BlockDevice): unknown[] {
  return [
    // @ts-expect-error it is made by serve()
    new NbdServer(),
    // @ts-expect-error without exports there is nothing to serve
    serve({ port: 0 }),
    // @ts-expect-error paths are opened first
    serve({ exports: { disk: 'disk.img' } }),
    // @ts-expect-error which it is says the export
    serve({ exports: { disk: device }, writable: true }),
    // @ts-expect-error there is no such event
    server.on('listening', () => undefined),
    // @ts-expect-error a server does not move
    (server.url = undefined),
  ];
}
