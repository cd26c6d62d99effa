// A host file that shrinks under a mapped device. In a process of its own: what is tested is that it survives.
import { describe, expect, test } from '@jest/globals';
import { reportsFrom } from '../support/child';
import { ACCESSES, GiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const EIO = { code: 'EIO', errno: -5, brand: true };
const setUp = `
  const MiB = 1048576;
  const device = openSync(args.file, { access: args.access, mode: args.mode ?? 'r' });
  const other = openSync(args.other, { access: args.access, mode: 'r+' });
  const data = Buffer.alloc(8192, 5);
  const steady = async () => {
    await other.write(Buffer.alloc(4096, 6), 3 * MiB);
    await other.flush();
    const got = Buffer.alloc(4096);
    return other.readSync(got, 3 * MiB) === 4096 && got.every((byte) => byte === 6);
  };`;

function files(): { file: string; other: string } {
  return { file: bench.image(pattern(4 * MiB)), other: bench.image(pattern(4 * MiB, 2)) };
}

describe.each(ACCESSES)('under %s', (access) => {
  test('B34: reading what is gone is EIO, in every form; the rest and other devices go on', async () => {
    const [answer] = await reportsFrom(
      `${setUp}
       device.readSync(data, 3 * MiB);
       fs.truncateSync(args.file, MiB + 5000);
       report({
         sync: await attempt(() => device.readSync(data, 3 * MiB)),
         promise: await attempt(() => device.read(data, 2 * MiB)),
         strategy: await attempt(() => device.strategy({ op: 'read', blkno: 6144, data })),
         strategySync: await attempt(() => device.strategySync({ op: 'read', blkno: 8191, data })),
         crowd: await Promise.all(Array.from({ length: 50 }, (_, i) => attempt(() => device.read(Buffer.alloc(100), 2 * MiB + i * 5000)))),
         below: device.readSync(data, 512),
         atTheEdge: await attempt(() => device.readSync(data, MiB + 4096)),
         past: await attempt(() => device.readSync(data, 4 * MiB + 1)),
         steady: await steady(),
       });
       await attempt(() => device.close());
       await other.close();`,
      { args: { ...files(), access } },
    );
    expect(answer).toMatchObject({
      ...{ sync: EIO, promise: EIO, strategy: EIO, strategySync: EIO },
      // atTheEdge begins on the last page that the file has and goes beyond it.
      ...{ below: 8192, atTheEdge: EIO, past: { code: 'EINVAL' }, steady: true },
    });
    expect(answer.crowd).toEqual(Array(50).fill(expect.objectContaining(EIO)));
  });

  test('B34: flush and close report EIO when the file has become shorter', async () => {
    const [answer] = await reportsFrom(
      `${setUp}
       device.writeSync(data, 3 * MiB);
       fs.truncateSync(args.file, MiB);
       report({
         flush: await attempt(() => device.flush()),
         flushSync: await attempt(() => device.flushSync()),
         below: await attempt(() => device.writeSync(data, 0)),
         steady: await steady(),
         close: await attempt(() => device.close()),
         closed: device.closed,
       });
       await other.close();`,
      { args: { ...files(), access, mode: 'r+' } },
    );
    expect(answer).toMatchObject({ flush: EIO, flushSync: EIO, below: { value: 8192 }, steady: true, close: EIO, closed: true });
  });

  test('B34: a write into what is gone is EIO or is reported by the next flush', async () => {
    const [answer] = await reportsFrom(
      `${setUp}
       device.readSync(data, 3 * MiB);
       fs.truncateSync(args.file, MiB);
       report({
         writes: [
           await attempt(() => device.writeSync(data, 3 * MiB)),
           await attempt(() => device.write(data, 2 * MiB)),
           await attempt(() => device.strategy({ op: 'write', blkno: 5000, data, deferred: true })),
         ],
         flush: await attempt(() => device.flush()),
         close: await attempt(() => device.close()),
         steady: await steady(),
       });
       await other.close();`,
      { args: { ...files(), access, mode: 'r+' } },
    );
    for (const write of answer.writes) {
      // Which of the two depends on the access: a pwrite makes the file longer again, a store into a window cannot.
      if (write.code === undefined) expect(answer.flush).toMatchObject(EIO);
      else expect(write).toMatchObject(EIO);
    }
    expect(answer.steady).toBe(true);
  });

  test('B34: truncation in the middle of a crowd of requests', async () => {
    const [answer] = await reportsFrom(
      `${setUp}
       const crowd = [];
       for (let i = 0; i < 400; i += 1) {
         const position = (i * 9973) % (4 * MiB - 20000);
         crowd.push(attempt(() => i % 3 ? device.read(Buffer.alloc(20000), position) : device.write(Buffer.alloc(20000, 1), position)));
         if (i === 200) fs.truncateSync(args.file, 4096);
       }
       const codes = (await Promise.all(crowd)).map(({ code }) => code ?? 'ok');
       report({ codes: [...new Set(codes)].sort(), count: codes.length, steady: await steady() });
       await attempt(() => device.close());
       await other.close();`,
      { args: { ...files(), access, mode: 'r+' } },
    );
    expect(['EIO', 'ok']).toEqual(expect.arrayContaining(answer.codes));
    expect(answer).toMatchObject({ count: 400, steady: true });
  });

  test('a file that grows back is read again, as what it holds then', async () => {
    const { file, other } = files();
    const [answer] = await reportsFrom(
      `${setUp}
       device.readSync(data, 3 * MiB);
       fs.truncateSync(args.file, MiB);
       const gone = await attempt(() => device.readSync(data, 3 * MiB));
       fs.truncateSync(args.file, 4 * MiB);
       fs.writeFileSync(args.file, Buffer.alloc(4 * MiB, 8), { flag: 'r+' });
       report({ gone, read: await attempt(() => device.readSync(data, 3 * MiB)), value: data.every((byte) => byte === 8) });
       await attempt(() => device.close());
       await other.close();`,
      { args: { file, other, access } },
    );
    expect(answer).toMatchObject({ gone: EIO, read: { value: 8192 }, value: true });
  });
});

test('B34: every other page of a view of 1 GiB whose file is cut to nothing', async () => {
  const script = `
    const GiB = 2 ** 30;
    const driver = new BlockDriver({ windowSize: GiB, windowCount: 2 });
    const device = driver.openSync(driver.registerSync(args.file), { mode: 'r+', access: 'mmap' });
    const other = openSync(args.other);
    const view = device.mapSync(0, GiB);
    fs.truncateSync(args.file, 0);
    let sum = 0;
    for (let at = 0; at < GiB; at += 8192) sum += view.bytes[at] + (view.bytes[at + 1] = 1);
    const pages = fs.readFileSync('/proc/self/maps', 'latin1').split('\\n').length;
    report({ sum, few: pages < 6000, lost: await attempt(() => view.release()), other: other.readSync(Buffer.alloc(4096), 0) });
    await attempt(() => device.close());`;
  const [answer] = await reportsFrom(script, { args: { file: bench.sparse(GiB), other: bench.image(pattern(MiB)) } });
  expect(answer).toMatchObject({ sum: 131072, few: true, lost: { ...EIO, lost: { position: 0, length: GiB } }, other: 4096 });
});

test('B23: a file that shrank between register and open', async () => {
  const [answer] = await reportsFrom(
    `const driver = new BlockDriver();
     const minor = driver.registerSync(args);
     fs.truncateSync(args, 4096);
     for (const access of ['mmap', 'pio', 'auto']) {
       const opened = await attempt(() => driver.openSync(minor, { access }));
       if (opened.code) continue;
       opened.value.readSync(Buffer.alloc(4096), 0);
       const gone = await attempt(() => opened.value.readSync(Buffer.alloc(4096), 1048576));
       if (gone.code !== 'EIO') report({ access, gone });
       await attempt(() => opened.value.close());
     }
     report('survived');`,
    { args: bench.image(pattern(4 * MiB)) },
  );
  expect(answer).toBe('survived');
});

test('a signal that is not ours still ends the process', async () => {
  const script = `
    const device = openSync(args, { access: 'mmap' });
    device.readSync(Buffer.alloc(512), 0);
    process.kill(process.pid, 'SIGBUS');
    await new Promise((resolve) => setImmediate(resolve));
    report('went on');`;
  await expect(reportsFrom(script, { args: bench.image(pattern(MiB)) })).rejects.toThrow(/SIGBUS/);
});
