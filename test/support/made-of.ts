// What a device of a test may be made of, when it has the bytes of an image file: the file, an overlay over it, a qcow2 image over it.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createQcow2Sync, openSync, type BlockDevice, type OpenOptions } from 'rumpblk';
import { openOverlay } from 'rumpblk/overlay';
import { changesIn, type Changes } from './overlays';
import type { Rig } from './rig';

export interface MadeOf {
  readonly name: string;
  /** Opens a device that reads as the image, by a driver of its own; closed after the test. */
  device(bench: Rig, image: string, options?: OpenOptions): Promise<Placed>;
}

export interface Placed {
  readonly device: BlockDevice;
  /** Sees to it that the image file has what the device has; also behind its close. */
  settle(): Promise<void>;
}

const file: MadeOf = {
  name: 'a file',
  device: (bench, image, options) => Promise.resolve({ device: bench.device(image, options), settle: () => Promise.resolve() }),
};

const overlay = (changes: Changes): MadeOf => ({
  name: `an overlay in ${changes}`,
  async device(bench, image, options) {
    const over = bench.keep(await openOverlay(image, { changes: changesIn(bench, changes), blockSize: 512, size: statSync(image).size }));
    const device = bench.device(over.medium, options);
    return {
      device,
      async settle() {
        await over.commit();
      },
    };
  },
});

const qcow2: MadeOf = {
  name: 'a qcow2 image',
  device(bench, image, options) {
    const path = changesIn(bench, 'qcow2');
    createQcow2Sync(path, { size: readFileSync(image).length, backing: image });
    const driver = bench.driver();
    const device = bench.keep(driver.openSync(driver.registerSync(path, { format: 'qcow2' }), options));
    const settle = (): Promise<void> => {
      using seen = openSync(path, { format: 'qcow2', lock: false });
      const bytes = Buffer.alloc(seen.size);
      seen.readSync(bytes, 0);
      writeFileSync(image, bytes);
      return Promise.resolve();
    };
    return Promise.resolve({ device, settle });
  },
};

export const MADE_OF: readonly MadeOf[] = [file, overlay('memory'), overlay('qcow2'), qcow2];
