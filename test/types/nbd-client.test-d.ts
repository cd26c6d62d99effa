// Exports of NBD servers as callers write them, and what must not compile. Never run.
import { BlockDeviceError, BlockDriver, open, openSync, type Source } from 'rumpblk';
import { copy } from 'rumpblk/copy';
import { nbd, type Medium, type NbdClientOptions, type NbdMedium, type NbdState, type NbdStats } from 'rumpblk/nbd';
import type { Equal, Expect, Extends } from './expect.js';

export type Shapes = [
  Expect<Equal<ReturnType<typeof nbd>, NbdMedium>>,
  Expect<Extends<NbdMedium, Medium & Source>>,
  Expect<Equal<NbdState, 'connected' | 'lost' | 'reconnecting' | 'closed'>>,
  Expect<Equal<NbdStats['state'], NbdMedium['state']>>,
  Expect<Equal<BlockDeviceError['uncertain'], boolean | undefined>>,
];

export async function accepted(driver: BlockDriver): Promise<unknown[]> {
  const options: NbdClientOptions = { connections: 4, reconnect: 30_000, requestTimeout: 0, connectTimeout: 1000, extentsCache: false };
  const disk = nbd('nbd://host/export', options).on('state', (state, reason) => [state === 'lost', reason?.code]);
  const url = new URL('nbd+unix:///export?socket=/run/nbd.sock');
  await copy(url, disk);
  return [openSync(nbd(url), { mode: 'r+' }), await open(url), await driver.register(url), driver.registerSync(disk), disk.stats().losses];
}

export function refused(disk: NbdMedium): unknown[] {
  return [
    // @ts-expect-error times are numbers
    nbd('nbd://host/', { reconnect: '30s' }),
    // @ts-expect-error there is one event
    disk.on('close', () => undefined),
    // @ts-expect-error nobody sets what a connection is in
    (disk.state = 'closed'),
  ];
}
