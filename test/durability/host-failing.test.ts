// B34: a host whose disk fails: pages that cannot be read, writes that cannot be written back, syncs that fail once.
import { describe, expect } from '@jest/globals';
import { testWith } from '../support/peers';
import { ACCESSES, MiB, pattern, rig } from '../support/rig';
import { needsOf, reportsOn } from '../support/host/mounts';

const bench = rig();
const failing = testWith(...needsOf('badfile'));
const EIO = { code: 'EIO', errno: -5, brand: true };

const prelude = `
  const MiB = 1 << 20;
  const file = args.folder + '/file';
  const control = (line) => fs.writeFileSync(args.folder + '/control', line);
  const content = Buffer.alloc(4 * MiB, 3);
  fs.writeFileSync(file, content, { flag: 'r+' });
  // The system forgets what it has in memory of a file when that is opened while nobody has it open.
  const open = (more) => openSync(file, { access: args.access, mode: 'r+', ...more });
  const steady = async () => {
    const other = openSync(args.other, { access: args.access, mode: 'r+' });
    other.writeSync(Buffer.alloc(4096, 9), MiB, { fua: true });
    const got = Buffer.alloc(4096);
    await other.read(got, MiB);
    await other.close();
    return got.every((byte) => byte === 9);
  };`;
const reports = (script: string, access: string): Promise<any[]> =>
  reportsOn('badfile', prelude + script, { access, other: bench.image(pattern(2 * MiB)) });

describe.each(ACCESSES)('under %s', (access) => {
  failing(`B34: what cannot be read is EIO in every form, the rest is read (${access})`, async () => {
    const [answer] = await reports(
      `control('read ' + 2 * MiB + ' ' + (2 * MiB + 4096));
       const device = open();
       const data = Buffer.alloc(8192);
       report({
         bad: [
           await attempt(() => device.readSync(data, 2 * MiB)),
           await attempt(() => device.read(data, 2 * MiB - 4096)),
           await attempt(() => device.strategy({ op: 'read', blkno: 4096, data })),
           ...(await Promise.all(Array.from({ length: 20 }, () => attempt(() => device.read(Buffer.alloc(512), 2 * MiB + 512))))),
         ],
         good: [await attempt(() => device.readSync(data, 3 * MiB)), await attempt(() => device.read(Buffer.alloc(512), 0))].map(({ code }) => code ?? 'ok'),
         right: data.every((byte) => byte === 3),
         written: await attempt(() => device.writeSync(data, 3 * MiB)),
         flush: await attempt(() => device.flush()),
         steady: await steady(),
         close: await attempt(() => device.close()),
       });`,
      access,
    );
    expect(answer.bad).toEqual(Array(23).fill(expect.objectContaining(EIO)));
    expect(answer).toMatchObject({ good: ['ok', 'ok'], right: true, written: { value: 8192 }, flush: {}, steady: true, close: {} });
  });

  failing(`a sync that the host fails once is the answer until the last close, on every open of the minor (${access})`, async () => {
    const [answer] = await reports(
      `const driver = new BlockDriver();
       const minor = driver.registerSync(file);
       const [one, two] = [1, 2].map(() => driver.openSync(minor, { access: args.access, mode: 'r+' }));
       const data = Buffer.alloc(512, 4);
       one.writeSync(data, 0);
       control('fsync 1');
       const answers = [
         await attempt(() => one.flush()),
         await attempt(() => two.flush()),
         await attempt(() => one.flushSync()),
         await attempt(() => two.write(data, 0, { fua: true })),
         await attempt(() => two.strategySync({ op: 'write', blkno: 9, data })),
         await attempt(() => one.close()),
         await attempt(() => two.ioctl('DIOCCACHESYNC')),
         await attempt(() => two.close()),
       ];
       const fresh = driver.openSync(minor, { access: args.access, mode: 'r+' });
       fresh.writeSync(data, 0, { fua: true });
       fresh.writeSync(data, 512);
       answers.push(await attempt(() => fresh.flush()), await attempt(() => fresh.close()));
       report({ answers, steady: await steady() });`,
      access,
    );
    expect(answer.answers).toEqual([...Array(8).fill(expect.objectContaining(EIO)), {}, {}]);
    expect(answer.steady).toBe(true);
  });

  failing(`a durable write whose sync the host fails is a failed write (${access})`, async () => {
    const [answer] = await reports(
      `const device = open();
       control('fsync 1');
       const data = Buffer.alloc(512, 4);
       const answers = [await attempt(() => device.writeSync(data, 0, { fua: true })), await attempt(() => device.writeSync(data, 0, { fua: true }))];
       report([...answers, await attempt(() => device.flush()), await attempt(() => device.close())]);`,
      access,
    );
    expect(answer).toEqual(Array(4).fill(expect.objectContaining(EIO)));
  });
});

describe.each(['mmap', 'auto'])('views under %s', (access) => {
  for (const mode of ['r', 'r+'] as const) {
    failing(`B34: a view of what cannot be read shows zeros and says EIO, with the range (${access}, ${mode})`, async () => {
      const [answer] = await reports(
        `const bad = 2 * MiB + 65536;
         control('read ' + bad + ' ' + (bad + 4096));
         const device = open({ mode: '${mode}' });
         const view = device.mapSync(bad - 4096, 3 * 4096 - 100);
         const beside = device.mapSync(bad + 4096, 100);
         const bytes = [view.bytes[4096 + 5], beside.bytes[5]];
         report({
           bytes,
           releases: [await attempt(() => view.release()), await attempt(() => beside.release())],
           flush: await attempt(() => device.flush()),
           close: await attempt(() => device.close()),
           steady: await steady(),
         });`,
        access,
      );
      const lost = { position: 2 * MiB + 65536, length: 4096 };
      expect(answer).toMatchObject({ bytes: [0, 3], releases: [{ ...EIO, lost }, {}], steady: true });
      expect([answer.flush, answer.close]).toMatchObject(mode === 'r' ? [{}, {}] : [{ ...EIO, lost }, EIO]);
      expect(answer.close.lost).toBeUndefined();
    });
  }

  failing(`what was stored through a view and cannot be written back is EIO of the flush, and stays so (${access})`, async () => {
    const [answer] = await reports(
      `const device = open();
       const view = device.mapSync(MiB, 4096);
       view.bytes.fill(8);
       control('write ' + MiB + ' ' + (MiB + 4096));
       const flush = await attempt(() => device.flush());
       control('clear');
       view.release();
       report([flush, await attempt(() => device.flush()), await attempt(() => device.close())]);`,
      access,
    );
    expect(answer).toEqual(Array(3).fill(expect.objectContaining(EIO)));
  });
});
