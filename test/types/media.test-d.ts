// Media as callers write them, and what must not compile. Never run.
import { BlockDriver, open, openSync, type MinorInfo, type Source } from 'rumpblk';
import { copy, type CopySource, type CopyTarget } from 'rumpblk/copy';
import { memory, nullMedium, type Medium, type MemoryOptions, type NullMediumOptions } from 'rumpblk/media';
import type { PathLike } from 'node:fs';
import type { Equal, Expect, Extends } from './expect.js';

export type Shapes = [
  Expect<Equal<ReturnType<typeof memory>, Medium>>,
  Expect<Equal<ReturnType<typeof nullMedium>, Medium>>,
  Expect<Equal<Medium['kind'], 'memory' | 'null' | 'overlay' | 'nbd'>>,
  Expect<Extends<PathLike | Medium, Source>>,
  Expect<Extends<Source, CopySource & CopyTarget>>,
  Expect<Equal<Source, import('rumpblk/media').Source>>,
  Expect<Equal<MinorInfo['source'], 'file' | 'block' | 'character' | 'memory' | 'null' | 'overlay' | 'nbd'>>,
];

export async function accepted(driver: BlockDriver): Promise<unknown[]> {
  const options: MemoryOptions & NullMediumOptions = { size: 4096n };
  const disk = memory({ ...options, sectorSize: 4096, name: 'scratch' });
  const device = await open(disk, { mode: 'r+', partition: 1, driver });
  const minors = [driver.registerSync(disk, { offset: 512 }), await driver.register(nullMedium(options))];
  await copy(disk, memory({ size: disk.size }));
  return [device, minors, openSync(disk), disk.name];
}

export function refused(disk: Medium): unknown[] {
  return [
    // @ts-expect-error the size is an option
    memory(4096),
    // @ts-expect-error and there is no default for it
    memory({}),
    // @ts-expect-error it has no bytes, and so no sectors of its own
    nullMedium({ size: 1, sectorSize: 512 }),
    // @ts-expect-error a medium does not change
    (disk.name = 'other'),
  ];
}
