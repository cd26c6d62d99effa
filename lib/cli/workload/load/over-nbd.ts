// A file for the engine nbd: served by this thread, and opened again through the wire. Server and client have threads of their own;
// what they add to a request is what is measured.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { open, type BlockDevice, type OpenOptions, type Source } from '../../../index.js';
import { nbd, serve } from '../../../nbd.js';
import { stacked, type Closable } from '../../support/scope.js';

export interface OpenedDevice {
  readonly device: BlockDevice;
  readonly close: () => Promise<void>;
}

/** Opens `source` with `options`, serves it, and opens the export. */
export async function openOverNbd(source: Source, options: OpenOptions): Promise<OpenedDevice> {
  const mode = options.mode ?? 'r';
  const folder = await mkdtemp(path.join(tmpdir(), 'rumpblk-bench-'));
  const opened: Closable[] = [{ close: () => rm(folder, { recursive: true }) }];
  const { close } = stacked(opened);
  try {
    const served = await open(source, options);
    opened.push(served);
    const server = await serve({ exports: { disk: { device: served, writable: mode === 'r+' } }, socket: path.join(folder, 'socket') });
    opened.push(server);
    const device = await open(nbd(server.url as URL), { mode });
    opened.push(device);
    return { device, close };
  } catch (error) {
    await close();
    throw error;
  }
}
