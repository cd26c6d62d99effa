// Servers of a test file, closed after each test.
import { afterEach } from '@jest/globals';
import type { BlockDevice } from 'rumpblk';
import { serve, type NbdServer, type NbdServerOptions } from 'rumpblk/nbd';
import type { Rig } from './rig';

export interface Serving {
  readonly server: NbdServer;
  /** The path that it listens at. */
  readonly socket: string;
  /** What foreign clients take for it. */
  readonly uri: string;
}
export type Serve = (device: BlockDevice, options?: { writable?: boolean } & Partial<NbdServerOptions>) => Promise<Serving>;

/** Serves a device under the empty name; `options` may name other exports. */
export function serving(bench: Rig): Serve {
  const servers: NbdServer[] = [];
  let sockets = 0;
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  return async (device, { writable = true, ...options } = {}) => {
    const socket = bench.path(`s${++sockets}`);
    const server = await serve({ exports: { '': { device, writable } }, socket, ...options });
    servers.push(server);
    return { server, socket, uri: `nbd+unix:///?socket=${socket}` };
  };
}

/** Lets the event loop turn until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}
