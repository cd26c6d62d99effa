// What does reads that wait for a disk: io_uring where the host has it and allows it, else the driver's workers.
import { readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { BATCH_READ, BATCH_WRITE, BlockDriver, type Engine } from 'rumpblk';
import { fill } from '../support/batch';
import { reportsFrom, runChild } from '../support/child';
import { failure } from '../support/failure';
import { ability, peer, run, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';

const bench = rig();
const SIZE = 16 * MiB;
const content = pattern(SIZE);
const HAS_RING = ((): boolean => {
  using driver = new BlockDriver();
  return driver.engine === 'io_uring';
})();
const ringed = testWith(ability('io_uring', () => HAS_RING));
const traced = testWith(...STRACE);
const cold = testWith(peer('dd', 'coreutils'));
const ENGINES: Engine[] = HAS_RING ? ['io_uring', 'threads'] : ['threads'];
const PAGES = SIZE / 4096;
const positions = Array.from({ length: 2000 }, (_, i) => ((i * 7919) % PAGES) * 4096);

/** Drops the pages of the file from memory. */
const chill = (file: string): void => {
  run('dd', `of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none');
};

describe('the engine of a driver', () => {
  test('is what was asked for, or what the host has', () => {
    for (const engine of ENGINES) expect(bench.driver({ engine }).engine).toBe(engine);
    expect(bench.driver({ engine: 'auto' }).engine).toBe(ENGINES[0]);
    expect(bench.driver().engine).toBe(ENGINES[0]);
  });

  test('of a closed driver is asked in vain', async () => {
    const driver = bench.driver();
    driver.close();
    await failure(() => driver.engine, 'EBADF');
  });

  for (const call of ['io_uring_setup', 'io_uring_register']) {
    traced(`is threads, without a word, where ${call} is refused; and io_uring is ENOTSUP then`, async () => {
      const file = bench.image(content);
      const script = `
        const driver = new BlockDriver();
        report(driver.engine);
        const disk = driver.openSync(driver.registerSync(args), {});
        report((await disk.read(Buffer.alloc(65536), 0)).bytesRead);
        await disk.close();
        driver.close();
        try { new BlockDriver({ engine: 'io_uring' }); } catch (error) { report(error.code); }`;
      for (const error of ['EPERM', 'ENOSYS', 'ENOMEM']) {
        const result = await strace(script, { args: file, calls: [call], inject: [`${call}:error=${error}`] });
        expect(result).toMatchObject({ code: 0, stderr: '', reports: ['threads', 65536, 'ENOTSUP'] });
      }
    });
  }
});

for (const engine of ENGINES) {
  describe(`by ${engine}`, () => {
    cold('thousands of cold reads come back right, and count once each', async () => {
      const file = bench.image(content);
      for (const options of [{}, { access: 'pio' }, { direct: true }, { raw: true }] as const) {
        const driver = bench.driver({ engine });
        const device = driver.openSync(driver.registerSync(file), options);
        chill(file);
        const got = positions.map(() => Buffer.alloc(4096));
        await Promise.all(got.map((data, i) => device.read(data, positions[i] ?? 0)));
        got.forEach((data, i) => expect(data.equals(content.subarray(positions[i], (positions[i] ?? 0) + 4096))).toBe(true));
        expect(driver.counters()).toMatchObject({ ioTotal: positions.length, bytesRead: positions.length * 4096 });
        await device.close();
        driver.close();
      }
    });

    cold('a long cold read, and one across the end, come back right', async () => {
      const file = bench.image(content);
      const driver = bench.driver({ engine });
      const device = driver.openSync(driver.registerSync(file), {});
      chill(file);
      const all = Buffer.alloc(SIZE);
      expect((await device.read(all, 0)).bytesRead).toBe(SIZE);
      expect(all.equals(content)).toBe(true);
      chill(file);
      const end = Buffer.alloc(8192);
      expect((await device.read(end, SIZE - 4096)).bytesRead).toBe(4096);
      expect(end.subarray(0, 4096).equals(content.subarray(SIZE - 4096))).toBe(true);
      await device.close();
    });

    cold('a batch of cold reads, with writes of what others read, is as if in order', async () => {
      const file = bench.image(content);
      for (const direct of [false, true]) {
        for (const form of ['run', 'runSync'] as const) {
          const driver = bench.driver({ engine });
          const device = driver.openSync(driver.registerSync(file), { mode: 'r+', direct });
          chill(file);
          const batch = device.createBatch({ depth: 300, arena: 300 * 4096 });
          // A write of every third page between two reads of it: the first one sees what was there, the second the write.
          const entries = Array.from({ length: 300 }, (_, i) => {
            const page = Math.floor(i / 3) * 7;
            const op = i % 3 === 1 ? BATCH_WRITE : BATCH_READ;
            return { op, blkno: page * 8, bcount: 4096, offset: i * 4096 };
          });
          const count = fill(batch, entries);
          for (let i = 1; i < 300; i += 3) batch.arena.fill(i & 0xff, i * 4096, (i + 1) * 4096);
          const before = Buffer.alloc(4096);
          const was = Array.from({ length: 100 }, (_, i) => {
            device.readSync(before, i * 7 * 4096);
            return Buffer.from(before);
          });
          chill(file);
          expect(form === 'run' ? await batch.run(count) : batch.runSync(count)).toBe(300);
          for (let i = 0; i < 100; i += 1) {
            const at = i * 3 * 4096;
            const [first, written, second] = [0, 1, 2].map((k) => Buffer.from(batch.arena.subarray(at + k * 4096, at + (k + 1) * 4096)));
            expect(first?.equals(was[i] ?? Buffer.alloc(0))).toBe(true);
            expect(second?.equals(written ?? Buffer.alloc(0))).toBe(true);
          }
          await device.close();
          driver.close();
        }
      }
    });

    cold('a close, and an abort, in the middle wait for what is under way', async () => {
      const file = bench.image(content);
      const driver = bench.driver({ engine });
      const device = driver.openSync(driver.registerSync(file), { direct: true });
      const aborter = new AbortController();
      const reads = positions.map((at) => device.read(Buffer.alloc(4096), at, { signal: aborter.signal }).catch((error: unknown) => error));
      const closed = device.close();
      aborter.abort();
      for (const outcome of await Promise.all(reads)) {
        expect(outcome).toEqual(
          expect.objectContaining((outcome as Error).name === 'AbortError' ? { name: 'AbortError' } : { bytesRead: 4096 }),
        );
      }
      await closed;
    });
  });
}

ringed('drivers that are closed leave no thread and no descriptor', async () => {
  const file = bench.image(content);
  const counts = (): number[] => ['task', 'fd'].map((folder) => readdirSync(`/proc/self/${folder}`).length);
  let before: number[] = [];
  for (let i = 0; i < 100; i += 1) {
    const driver = new BlockDriver({ engine: 'io_uring', workers: 1 });
    const device = driver.openSync(driver.registerSync(file), { direct: true });
    await device.read(Buffer.alloc(4096), 0);
    await device.close();
    driver.close();
    // The first one starts what stays, as the runtime's own threads.
    if (i === 0) before = counts();
  }
  expect(counts()).toEqual(before);
});

for (const error of ['EPERM', 'ENOMEM', 'EAGAIN', 'EBUSY', 'EINTR']) {
  traced(
    `a kernel that refuses io_uring_enter with ${error} from some call on costs no request, nor a batch on the only worker`,
    async () => {
      const file = bench.image(content);
      const script = `
      for (let drivers = 0; drivers < 2; drivers += 1) {
        const driver = new BlockDriver({ workers: 1 });
        const disk = driver.openSync(driver.registerSync(args), { mode: 'r+', direct: true });
        const batch = disk.createBatch({ depth: 64, arena: 64 * 4096 });
        let right = 0;
        for (let round = 0; round < 20; round += 1) {
          const reads = Promise.all(Array.from({ length: 100 }, (_, i) => disk.read(Buffer.alloc(4096), i * 4096)));
          for (let i = 0; i < 64; i += 1) {
            batch.op[i] = i === 40 ? rumpblk.BATCH_WRITE : rumpblk.BATCH_READ;
            batch.fua[i] = i === 40 ? 1 : 0;
            batch.blkno[i] = i * 8;
            batch.bcount[i] = 4096;
            batch.offset[i] = i * 4096;
          }
          right += await batch.run(64);
          right += (await reads).filter(({ bytesRead }) => bytesRead === 4096).length;
        }
        report(right);
        await disk.close();
        driver.close();
      }`;
      for (const when of ['3+', '5+3']) {
        const inject = [`io_uring_enter:error=${error}:when=${when}`];
        const result = await strace(script, { args: file, calls: ['io_uring_enter'], inject });
        expect(result).toMatchObject({ code: 0, stderr: '', reports: [3280, 3280] });
        if (HAS_RING) expect(result.calls.some(({ injected }) => injected)).toBe(true);
      }
    },
    120_000,
  );
}

for (const end of ['process.exit(0)', 'void 0']) {
  ringed(`a process that ends by ${end} with reads under way ends well`, async () => {
    const script = `
      const driver = new BlockDriver();
      const disk = driver.openSync(driver.registerSync(args), { direct: true });
      for (let i = 0; i < 2000; i += 1) void disk.read(Buffer.alloc(4096), i * 4096);
      setImmediate(() => { ${end}; });`;
    expect(await runChild(script, { args: bench.image(content) })).toMatchObject({ code: 0, stderr: '' });
  });
}

ringed('a worker thread that is terminated with reads under way leaves the process well', async () => {
  const script = `
    const { Worker } = require('node:worker_threads');
    const body = \`
      const { workerData, parentPort } = require('node:worker_threads');
      const { BlockDriver } = require(workerData.module);
      const driver = new BlockDriver();
      const disk = driver.openSync(driver.registerSync(workerData.file), { direct: true });
      for (let i = 0; i < 2000; i += 1) void disk.read(Buffer.alloc(4096), i * 4096);
      parentPort.postMessage('begun');\`;
    const workerData = { module: require.resolve('rumpblk'), file: args };
    for (let i = 0; i < 5; i += 1) {
      const worker = new Worker(body, { eval: true, workerData });
      await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
    }
    report('over');`;
  expect(await reportsFrom(script, { args: bench.image(content) })).toEqual(['over']);
});
