// Overlays as callers write them, and what must not compile. Never run.
import { BlockDevice, BlockDriver, open, type Extent, type Source } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { openOverlay, OverlayDevice, overlayInfo, Snapshot, type Medium, type OverlayInfo, type OverlayOptions } from 'rumpblk/overlay';
import type { Equal, Expect, Extends } from './expect.js';

export type Shapes = [
  Expect<Equal<ReturnType<typeof openOverlay>, Promise<OverlayDevice>>>,
  Expect<Extends<OverlayDevice, BlockDevice>>,
  Expect<Equal<OverlayDevice['base'], BlockDevice | undefined>>,
  Expect<Equal<OverlayDevice['medium'], Medium>>,
  Expect<Equal<ReturnType<typeof overlayInfo>, Promise<OverlayInfo>>>,
  Expect<Equal<OverlayInfo['base'], string | URL | undefined>>,
  Expect<Equal<Snapshot['created'], Date>>,
  Expect<Extends<Source | BlockDevice, Parameters<typeof openOverlay>[0]>>,
];

export async function accepted(driver: BlockDriver, device: BlockDevice): Promise<unknown[]> {
  const options: OverlayOptions = { changes: 'memory', blockSize: 512, size: 4096n, driver };
  await using overlay = await openOverlay('disk.img', options);
  const others = [await openOverlay(device), await openOverlay(memory({ size: 512 })), await open(overlay.medium, { partition: 1 })];
  const snapshot = await overlay.snapshot('prepared');
  await overlay.revert(snapshot);
  await overlay.reset();
  const { bytes } = await overlay.commit({ signal: AbortSignal.timeout(1000) });
  const changes: Extent[] = [];
  for await (const change of overlay.diff({ exact: true })) changes.push(change);
  await overlay.rebase('other.img', 'unsafe');
  await overlay.rebase('other.qcow2', 'safe', { format: 'qcow2' });
  others.push(await openOverlay('disk.img', { changes: new URL('file:///guest.qcow2') }));
  return [others, bytes, changes, overlay.durable];
}

export function refused(overlay: OverlayDevice, driver: BlockDriver): unknown[] {
  return [
    // @ts-expect-error it is made by openOverlay()
    new OverlayDevice(),
    // @ts-expect-error and a snapshot by an overlay
    new Snapshot(),
    // @ts-expect-error changes are kept in one of two ways, or in a file
    openOverlay('disk.img', { changes: true }),
    // @ts-expect-error how is the second argument
    overlay.rebase('other.img', { mode: 'unsafe' }),
    // @ts-expect-error a driver is an option
    openOverlay(driver),
    // @ts-expect-error names do not lead back to snapshots
    overlay.revert('prepared'),
    // @ts-expect-error what an overlay lies over does not change by an assignment
    (overlay.base = undefined),
  ];
}
