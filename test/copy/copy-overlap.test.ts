// Issue 13, item 14: copies whose two ends are the same bytes, by whatever name; who may touch a target meanwhile; what is removed.
import { createReadStream, createWriteStream, existsSync, linkSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { open as openHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { type BlockDevice, createQcow2Sync, openSync, writePartitionsSync } from 'rumpblk';
import { copy, type CopyOptions, type CopySource, type CopyTarget } from 'rumpblk/copy';
import { openFileHandle } from 'rumpblk/fs';
import { openOverlay } from 'rumpblk/overlay';
import { media, pieces } from '../support/copying';
import { failure, refusal, thrownBy } from '../support/failure';
import { loops } from '../support/loop';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const { attach, looped } = loops(bench);
const { fresh } = media(bench);
const keep = (device: BlockDevice): BlockDevice => bench.keep(device);
const content = pattern(4 * MiB);

async function refused(source: CopySource, target: CopyTarget, options?: CopyOptions): Promise<void> {
  expect(await refusal(() => copy(source, target, options))).toBe('ERR_INVALID_ARG_VALUE');
}

const PARTITIONS = [
  { start: MiB, size: MiB, type: 0x83 },
  { start: 2 * MiB, size: MiB, type: 0x83 },
];

/** A disk with two partitions, open for writing. */
function divided(): { image: string; disk: BlockDevice; first: BlockDevice; second: BlockDevice } {
  const image = bench.image(content);
  const driver = bench.driver();
  const minor = driver.registerSync(image);
  const disk = keep(driver.openSync(minor, { mode: 'r+' }));
  writePartitionsSync(disk, { scheme: 'mbr', partitions: PARTITIONS });
  const [first, second] = ['s1', 's2'].map((name) => keep(driver.openSync(driver.registerPartitionSync(minor, name), { mode: 'r+' }))) as [
    BlockDevice,
    BlockDevice,
  ];
  return { image, disk, first, second };
}

describe('a disk and its partitions', () => {
  test('are refused where their ranges meet, either way round', async () => {
    const { image, disk, first } = divided();
    const before = readFileSync(image);
    await refused(first, disk, { targetPosition: MiB + 512 });
    await refused(disk, first, { length: MiB + 1, verify: true });
    await refused(disk, first, { sourcePosition: 2 * MiB - 1, targetPosition: MiB - 5, length: 5 });
    expect(readFileSync(image).equals(before)).toBe(true);
  });

  test('are copied where they do not', async () => {
    const { disk, first, second } = divided();
    await copy(disk, first, { length: MiB, verify: true });
    await copy(first, disk, { targetPosition: 3 * MiB, verify: true });
    await copy(first, second, { verify: true });
    await copy(disk, second, { sourcePosition: 3 * MiB, length: MiB, verify: true });
  });
});

describe('two opens of one file', () => {
  test('that ask for no lock are refused, by path, link and descriptor', async () => {
    const file = bench.image(content);
    const link = bench.path('link');
    linkSync(file, link);
    const handle = await openHandle(file, 'r+');
    try {
      const source = keep(openSync(file, { lock: false }));
      for (const name of [file, link, `/dev/fd/${handle.fd}`]) {
        const target = keep(openSync(name, { mode: 'r+', lock: false }));
        await refused(source, target);
        await refused(source, target, { targetPosition: 5, length: 10 });
        await refused(source, name);
      }
      await refused(link, file);
    } finally {
      await handle.close();
    }
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('of ranges of it are compared by what they have in the file', async () => {
    const file = bench.image(content);
    const low = keep(openSync(file, { mode: 'r+', lock: false, size: 2 * MiB }));
    const high = keep(openSync(file, { mode: 'r+', lock: false, offset: MiB }));
    await refused(low, high);
    await refused(high, low, { length: 1, targetPosition: MiB });
    await copy(low, high, { length: MiB, verify: true });
    await copy(low, high, { sourcePosition: MiB, length: MiB, targetPosition: 2 * MiB, verify: true });
  });

  looped('of which one is a loop device over it are refused', async () => {
    const file = bench.image(content);
    const whole = keep(openSync(attach(file), { mode: 'r+' }));
    const part = keep(openSync(attach(file, '-o', String(MiB)), { mode: 'r+' }));
    const below = keep(openSync(file, { mode: 'r+', lock: false }));
    await refused(below, whole);
    await refused(whole, below, { length: 512 });
    await refused(part, whole, { targetPosition: MiB, length: 512 });
    await refused(part, below, { targetPosition: 2 * MiB, length: 2 * MiB });
    await copy(part, below, { length: MiB, verify: true });
  });
});

describe('a disk in an image and the file of that', () => {
  // Where in the file a byte of the disk lies is the image's choice, and it writes its tables as well.
  test('are refused whatever the ranges, either way round', async () => {
    const file = bench.path('disk.qcow2');
    createQcow2Sync(file, { size: 4 * MiB });
    const below = keep(openSync(file, { mode: 'r+', lock: false }));
    const disk = keep(openSync(file, { mode: 'r+', lock: false, format: 'qcow2' }));
    await refused(below, disk, { length: 512, targetPosition: 2 * MiB });
    await refused(disk, below, { length: 512, targetPosition: 65536 });
    await refused(file, disk, { length: 512, targetPosition: 2 * MiB });
    await copy(disk, disk, { length: 512, targetPosition: MiB, verify: true });
    await refused(disk, disk, { length: 1024, targetPosition: 512 });
  });

  test('that has the changes of an overlay as well; its base is not written', async () => {
    const [base, changes] = [bench.image(content), bench.path('changes.qcow2')];
    const overlay = await openOverlay(base, { changes });
    try {
      const below = keep(openSync(changes, { lock: false }));
      await refused(below, overlay, { length: 512, targetPosition: 2 * MiB });
      await refused(overlay, base);
      await copy(base, overlay, { verify: true });
    } finally {
      await overlay.close();
    }
  });
});

describe('a stream of the other end', () => {
  test('is refused as the source, and nothing is changed', async () => {
    const file = bench.image(content);
    const device = keep(openSync(file, { mode: 'r+', lock: false }));
    for (const target of [file, device]) {
      await refused(createReadStream(file), target);
      // A stream that is destroyed takes its handle with it.
      await refused((await openHandle(file)).createReadStream(), target);
    }
    const own = openFileHandle(device);
    await refused(own.createReadStream({ start: MiB }), device, { targetPosition: 2 * MiB });
    await own.close();
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('is refused as the target', async () => {
    const file = bench.image(content);
    const device = keep(openSync(file, { mode: 'r+', lock: false }));
    const stream = createWriteStream(file, { flags: 'r+' });
    await refused(file, stream);
    stream.destroy();
    const own = openFileHandle(device).createWriteStream({ start: 5 });
    await refused(file, own);
    own.destroy();
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('is copied where it reads other bytes', async () => {
    const file = bench.image(content);
    const device = keep(openSync(file, { mode: 'r+', lock: false }));
    await copy(createReadStream(file, { start: 0, end: MiB - 1 }), device, { targetPosition: MiB });
    expect(readFileSync(file).subarray(MiB, 2 * MiB).equals(content.subarray(0, MiB))).toBe(true); // prettier-ignore
    await copy(createReadStream(bench.image(content)), device);
  });
});

describe('a target that is named by a path', () => {
  /** Copies a stream to it, and stops after the first chunk until `during` is over. */
  async function held(target: string, during: () => Promise<void>, options?: CopyOptions): Promise<void> {
    let done = (): void => undefined;
    const over = new Promise<void>((resolve) => (done = resolve));
    async function* slow(): AsyncGenerator<Buffer> {
      yield content.subarray(0, MiB);
      await over;
      yield content.subarray(MiB, 2 * MiB);
    }
    let began = (): void => undefined;
    const first = new Promise<void>((resolve) => (began = resolve));
    const copying = copy(slow(), target, { ...options, chunkSize: 65536, onProgress: () => began() });
    await first;
    try {
      await during();
    } finally {
      done();
      await copying;
    }
  }

  test.each([
    ['made', () => fresh(), undefined],
    ['replaced', () => bench.image(content), undefined],
    ['changed in place', () => bench.image(content), { targetPosition: 0 }],
  ] as const)('is locked while it is %s, wherever it ends', async (_how, make, options) => {
    const file = make();
    await held(
      file,
      async () => {
        await failure(() => openSync(file), 'EBUSY');
        await failure(() => openSync(file, { mode: 'r+', size: 10 }), 'EBUSY');
        await failure(() => copy(bench.image(content), file), 'EBUSY');
      },
      options,
    );
    expect(readFileSync(file).subarray(0, 2 * MiB).equals(content.subarray(0, 2 * MiB))).toBe(true); // prettier-ignore
    keep(openSync(file, { mode: 'r+' }));
  });

  test('keeps what it has until the first byte comes', async () => {
    const file = bench.image(content);
    const reason = new Error('nothing');
    expect(await thrownBy(() => copy(new Readable({ read() { this.destroy(reason); } }), file))).toBe(reason); // prettier-ignore
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('is removed by a copy that failed only if it is the one that was made', async () => {
    const [file, moved] = [fresh(), fresh()];
    async function* torn(): AsyncGenerator<Buffer> {
      yield* pieces(content.subarray(0, MiB), 65536);
      renameSync(file, moved);
      writeFileSync(file, 'precious');
      throw new Error('torn');
    }
    await thrownBy(() => copy(torn(), file));
    expect(readFileSync(file, 'utf8')).toBe('precious');
    const gone = fresh();
    await thrownBy(() => copy(Readable.from([{}]), gone));
    expect(existsSync(gone)).toBe(false);
  });
});
