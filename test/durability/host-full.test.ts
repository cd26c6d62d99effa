// B34: holes of an image on a full file system: stores that the host has no room for, by requests and through views.
import { describe, expect } from '@jest/globals';
import { testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';
import { needsOf, reportsOn } from '../support/host/mounts';

const bench = rig();
const ENOSPC = { code: 'ENOSPC', errno: -28, brand: true };

// An image of 8 MiB whose first 64 KiB have their place; then everything else is taken.
const fill = `
  const MiB = 1 << 20;
  const file = args.folder + '/sparse';
  fs.writeFileSync(file, Buffer.alloc(65536, 7));
  fs.truncateSync(file, 8 * MiB);
  const ballast = fs.openSync(args.folder + '/ballast', 'w');
  for (const size of [65536, 4096, 512]) {
    try { for (;;) fs.writeSync(ballast, Buffer.alloc(size, 1)); } catch (error) { if (error.code !== 'ENOSPC') throw error; }
  }
  try { fs.fsyncSync(ballast); } catch {}
  const open = (more) => openSync(file, { access: args.access, mode: 'r+', ...more });
  const steady = async () => {
    const other = openSync(args.other, { access: args.access, mode: 'r+' });
    const view = other.mapSync(MiB, 4096);
    view.bytes.fill(9);
    view.release();
    await other.flush();
    const got = Buffer.alloc(4096);
    other.readSync(got, MiB);
    await other.close();
    return got.every((byte) => byte === 9);
  };`;

for (const name of ['tmpfs', 'ext4'] as const) {
  describe.each(['mmap', 'auto'])(`on a full ${name}, under %s`, (access) => {
    const full = testWith(...needsOf(name));
    const reports = (script: string): Promise<any[]> => reportsOn(name, fill + script, { access, other: bench.image(pattern(2 * MiB)) });

    full(
      `requests on the memory of a view of holes are no EFAULT: they move, and the view has lost its bytes (${name}, ${access})`,
      async () => {
        const answers = await reports(`
        const device = open();
        const lent = { position: 4 * MiB, length: 8192 };
        const batched = (memory) => {
          const batch = device.createBatch({ depth: 1, arena: memory });
          batch.bcount[0] = memory.length;
          batch.blkno[0] = lent.position / 512;
          return batch;
        };
        const requests = {
          readSync: (memory) => device.readSync(memory, lent.position),
          read: async (memory) => (await device.read(memory, lent.position)).bytesRead,
          runSync: (memory) => batched(memory).runSync(1) * memory.length,
          run: async (memory) => (await batched(memory).run(1)) * memory.length,
        };
        for (const request of Object.values(requests)) {
          const view = device.mapSync(lent.position, lent.length);
          const { value, code } = await attempt(() => request(view.bytes));
          const release = await attempt(() => view.release());
          report([code ?? value, release.code, release.lost]);
        }
        await attempt(() => device.close());`);
        // What ext4 gives a place only when it is written back is no loss yet.
        for (const [answer, code, lost] of answers) {
          expect(answer).toBe(8192);
          if (name === 'tmpfs') expect([code, lost]).toEqual(['ENOSPC', { position: 4 * MiB, length: 8192 }]);
        }
        expect(answers).toHaveLength(4);
      },
    );

    full(`B34: a write into a hole is ENOSPC in every form, and loses nothing else (${name}, ${access})`, async () => {
      const [answer] = await reports(`
        const device = open();
        const data = Buffer.alloc(100000, 1);
        const answers = [
          await attempt(() => device.writeSync(data, MiB)),
          await attempt(() => device.write(data, 2 * MiB)),
          await attempt(() => device.write(data, 3 * MiB, { fua: true })),
          await attempt(() => device.strategy({ op: 'write', blkno: 8192, data })),
          await attempt(() => device.strategySync({ op: 'write', blkno: 8192, data, deferred: true })),
        ];
        const batch = device.createBatch({ depth: 2 });
        batch.op.fill(1);
        batch.bcount.fill(512);
        batch.blkno.set([0, 12000]);
        batch.arena.fill(7);
        report({
          answers,
          batch: [batch.runSync(2), ...batch.error],
          room: device.writeSync(Buffer.alloc(65536, 7), 0),
          read: device.readSync(Buffer.alloc(4096), 5 * MiB),
          flush: await attempt(() => device.flush()),
          close: await attempt(() => device.close()),
          content: fs.readFileSync(file).subarray(0, 65536).every((byte) => byte === 7),
          steady: await steady(),
        });`);
      expect(answer.answers).toEqual(Array(5).fill(expect.objectContaining(ENOSPC)));
      expect(answer).toMatchObject({ batch: [1, 0, -28], room: 65536, read: 4096, flush: {}, close: {}, content: true, steady: true });
    });

    full(`B34: a store into a hole through a view is ENOSPC of the next flush, with the range, once (${name}, ${access})`, async () => {
      const [answer] = await reports(`
        const device = open();
        const view = device.mapSync(MiB - 100, 100);
        const other = device.mapSync(MiB, 3 * 4096);
        const sound = device.mapSync(0, 4096);
        other.bytes[4096] = 1;
        sound.bytes[0] = 8;
        const answer = { seen: other.bytes[4096], flush: await attempt(() => device.flush()) };
        answer.again = await attempt(() => device.flushSync());
        answer.durable = await attempt(() => device.writeSync(Buffer.alloc(512), 0, { fua: true }));
        answer.plain = await attempt(() => device.writeSync(Buffer.alloc(512, 7), 512));
        answer.releases = [await attempt(() => view.release()), await attempt(() => other.release()), await attempt(() => sound.release())];
        answer.close = await attempt(() => device.close());
        answer.kept = fs.readFileSync(file)[0];
        const fresh = open();
        answer.fresh = [await attempt(() => fresh.flush()), await attempt(() => fresh.close())];
        answer.steady = await steady();
        report(answer);`);
      expect(answer).toMatchObject({
        ...{ seen: 1, kept: 8, flush: ENOSPC, again: ENOSPC, durable: ENOSPC, plain: { value: 512 }, close: ENOSPC },
        ...{ fresh: [{}, {}], steady: true },
      });
      expect(answer.flush).toMatchObject({ lost: { position: MiB + 4096, length: 4096 } });
      expect(answer.flush.message).toMatch(/^ENOSPC: .*, map '.*' \(lost: 4096 bytes from 1052672 on\)$/);
      for (const told of [answer.again, answer.close]) expect(told.lost).toBeUndefined();
      expect(answer.releases).toEqual([{}, expect.objectContaining({ ...ENOSPC, lost: { position: MiB + 4096, length: 4096 } }), {}]);
    });

    full(`B34: in a worker thread a store that is lost is ENOSPC of release and close (${name}, ${access})`, async () => {
      const [answer, main] = await reports(`
        const { Worker } = require('node:worker_threads');
        const { once } = require('node:events');
        const source = \`
          const { workerData, parentPort } = require('node:worker_threads');
          const { openSync } = require('rumpblk');
          const codeOf = (action) => { try { action(); return 'ok'; } catch (error) { return [error.code, error.lost?.position]; } };
          const device = openSync(workerData.file, { access: workerData.access, mode: 'r+', offset: workerData.offset, size: 1 << 20 });
          const view = device.mapSync(8192, 4096);
          for (let i = 0; i < 4096; i += 1) view.bytes[i] = i;
          parentPort.postMessage([codeOf(() => view.release()), codeOf(() => device.closeSync())]);\`;
        const workers = [1, 2, 3].map((i) => new Worker(source, { eval: true, workerData: { file, access: args.access, offset: i * 2 * MiB } }));
        report(await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0])));
        report(await steady());`);
      expect(answer).toEqual(
        Array(3).fill([
          ['ENOSPC', 8192],
          ['ENOSPC', 8192],
        ]),
      );
      expect(main).toBe(true);
    });
  });
}
