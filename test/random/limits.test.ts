// A process that may have only so much: descriptors, address space, mappings, size of files, memory. What does not fit is an
// error or goes another way, and the process goes on. Each in a child of its own.
import { expect, test } from '@jest/globals';
import { reportsFrom } from '../support/child';
import { MEMORY_GROUPS, PRLIMIT, UNSANITIZED, memoryGroup } from '../support/limits';
import { NO_SANITIZER, testWith } from '../support/peers';
import { ACCESSES, GiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const limited = testWith(PRLIMIT);
const grouped = testWith(MEMORY_GROUPS);
// The runtimes of the sanitizers take terabytes of address space, and end where there is none.
const spared = testWith(PRLIMIT, UNSANITIZED);
// In MiB. A sanitizer keeps what was freed for a while, and shadows the rest.
const GROUP = NO_SANITIZER.met ? 256 : 1024;

/** For scripts: sets a limit of this process from here on. */
const LIMIT = `
  const { execFileSync } = require('node:child_process');
  const limit = (name, value) => execFileSync('prlimit', ['--pid', String(process.pid), '--' + name + '=' + value + ':']);
  /** Leaves so many bytes of address space beside what is taken. */
  const leave = (bytes) => {
    const [pages] = fs.readFileSync('/proc/self/statm', 'latin1').split(' ');
    limit('as', pages * 4096 + bytes);
  };
  const codes = (answers) => [...new Set(answers.map(({ code }) => code ?? 'ok'))].sort();`;

test('more windows than a process may have mappings: it has enough left for itself', async () => {
  const script = `
    const answers = [];
    for (const access of ['auto', 'mmap']) {
      for (let i = 0; i < 3; i += 1) {
        const driver = new BlockDriver({ windowSize: 4096, windowCount: 65536 });
        const device = driver.openSync(driver.registerSync(args), { access, mode: i === 0 ? 'r+' : 'r', lock: false });
        for (const position of [0, 2 ** 31, 2 ** 32 - 4096]) answers.push(device.readSync(Buffer.alloc(4096), position));
        answers.push((await device.read(Buffer.alloc(2 ** 20), 12345)).bytesRead);
        device.windows();
      }
    }
    const maps = fs.readFileSync('/proc/self/maps', 'latin1').split('\\n').length;
    report({ answers: [...new Set(answers)], maps, memory: Buffer.alloc(2 ** 27).length + new ArrayBuffer(2 ** 28).byteLength });`;
  const [answer] = await reportsFrom(script, { args: bench.sparse(4 * GiB) });
  expect(answer).toMatchObject({ answers: [4096, MiB], memory: 2 ** 27 + 2 ** 28 });
  expect(answer.maps).toBeLessThan(40_000);
});

spared('a batch whose arena there is no memory for is a RangeError, as an ArrayBuffer is', async () => {
  const script = `
    const device = openSync(args, { mode: 'r+' });
    const answer = (action) => { try { return action().arena.length; } catch (e) { return [e.name, e.message]; } };
    const few = answer(() => device.createBatch({ depth: 2, arena: 8192 }));
    const many = [];
    const kept = [];
    // Address space of 47 bits takes some thousands of them.
    execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + 40 * 2 ** 30 + ':']);
    for (let i = 0; i < 20; i += 1) many.push(answer(() => (kept[i] = device.createBatch({ arena: 2 ** 32 - 1 }))));
    report({ few, last: many.at(-1), batch: kept[0].runSync(1), read: device.readSync(Buffer.alloc(512), 0) });`;
  const [answer] = await reportsFrom(`const { execFileSync } = require('node:child_process');${script}`, {
    args: bench.image(pattern(MiB)),
  });
  expect(answer).toMatchObject({ few: 8192, last: ['RangeError', 'Array buffer allocation failed'], batch: 1, read: 512 });
});

spared('a run that there is no memory for is ENOMEM, and leaves the columns as they were', async () => {
  const script = `${LIMIT}
    const driver = new BlockDriver({ faults: { rate: 10000, seed: 1 } });
    const device = openSync(args, { driver, access: 'pio', mode: 'r+' });
    const batch = device.createBatch({ depth: 4, arena: 200 * 2 ** 20 });
    batch.op.fill(1);
    batch.bcount.fill(512);
    batch.error.fill(77);
    await device.read(Buffer.alloc(512), 0).catch(() => undefined);
    leave(100 * 2 ** 20);
    const answer = await attempt(() => batch.run(4));
    report({ code: answer.code, error: [...batch.error] });`;
  const [answer] = await reportsFrom(script, { args: bench.image(pattern(MiB)) });
  expect(answer).toEqual({ code: 'ENOMEM', error: [77, 77, 77, 77] });
});

for (const access of ACCESSES) {
  spared(`RLIMIT_AS under ${access}: opens, requests, batches and views without address space`, async () => {
    const script = `${LIMIT}
      const GiB = 2 ** 30;
      const small = openSync(args.small, { access: args.access, mode: 'r+' });
      const batch = small.createBatch({ depth: 64, arena: 200 * 2 ** 20 });
      const large = Buffer.alloc(200 * 2 ** 20, 1);
      batch.bcount.fill(4096);
      await small.read(Buffer.alloc(4096), 0);
      leave(100 * 2 ** 20);
      const answers = { opens: [], drivers: [], views: [], requests: [], batches: [] };
      const devices = [];
      for (let i = 0; i < 8; i += 1) {
        answers.opens.push(await attempt(async () => devices.push(await open(args.file, { access: args.access }))));
        answers.opens.push(await attempt(() => devices.push(openSync(args.file, { access: args.access }))));
        answers.drivers.push(await attempt(() => new BlockDriver({ minorCount: 65536, queueDepth: 65536, windowCount: 65536 })));
      }
      for (const device of devices) answers.requests.push(await attempt(() => device.readSync(Buffer.alloc(4096), GiB)));
      for (const device of devices.slice(0, 3)) answers.views.push(await attempt(() => device.mapSync(0, 2 ** 27)));
      answers.requests.push(await attempt(() => small.write(large, 0)), await attempt(() => small.read(large, 0)));
      answers.batches.push(await attempt(() => batch.runSync(64)), await attempt(() => batch.run(64)));
      batch.op.fill(1);
      answers.batches.push(await attempt(() => batch.run(64)));
      const seen = Object.fromEntries(Object.entries(answers).map(([name, list]) => [name, codes(list)]));
      for (const device of devices) await device.close();
      report({ seen, brand: answers.requests.every(({ code, brand }) => code === undefined || brand) });
      // With what was closed there is room again.
      report({ again: small.writeSync(Buffer.alloc(4096, 3), 4096), flushed: await attempt(() => small.flush()), closed: await attempt(() => small.close()) });`;
    const args = { access, file: bench.sparse(4 * GiB), small: bench.image(pattern(4 * MiB)) };
    const [{ seen, brand }, after] = await reportsFrom(script, { args });
    for (const codes of Object.values<string[]>(seen))
      expect(['EAGAIN', 'EBUSY', 'EINVAL', 'ENOMEM', 'ENOTSUP', 'ok']).toEqual(expect.arrayContaining(codes));
    expect(seen.opens).toContain('ok');
    // Long requests go in parts, on memory that is there already: they need none in proportion to their length.
    expect(seen.requests).toContain('ok');
    expect(brand).toBe(true);
    expect(after).toEqual({ again: 4096, flushed: {}, closed: {} });
  });

  limited(`RLIMIT_NOFILE under ${access}: opens are EMFILE, devices go on, and closing gives back`, async () => {
    const script = `${LIMIT}
      const count = () => fs.readdirSync('/proc/self/fd').length;
      const first = openSync(args.file, { access: args.access, mode: 'r+', lock: false });
      await first.read(Buffer.alloc(512), 0);
      limit('nofile', count() + 10);
      const before = count();
      const devices = [];
      const answers = [];
      for (let i = 0; i < 20; i += 1) {
        answers.push(await attempt(() => devices.push(openSync(args.file, { access: args.access, mode: i % 2 ? 'r' : 'r+', lock: false }))));
        answers.push(await attempt(async () => devices.push(await open(args.file, { access: args.access, mode: 'r+', lock: false }))));
      }
      const served = [first, ...devices].map((device) => device.readSync(Buffer.alloc(4096), 8192));
      const written = await attempt(() => first.write(Buffer.alloc(4096, 5), 0, { fua: true }));
      for (const device of devices) await device.close();
      report({ codes: codes(answers), open: devices.length, served: [...new Set(served)], written: written.value?.bytesWritten, leaked: count() - before });
      const [again] = [openSync(args.file, { lock: false })];
      await again.close();
      await first.close();`;
    const [answer] = await reportsFrom(script, { args: { access, file: bench.image(pattern(MiB)) } });
    expect(answer).toMatchObject({ codes: ['EMFILE', 'ok'], served: [4096], written: 4096, leaked: 0 });
    expect(answer.open).toBeGreaterThan(1);
  });

  limited(`RLIMIT_FSIZE under ${access}: a write beyond it is EFBIG, or needs no room in the file`, async () => {
    const script = `${LIMIT}
      const device = openSync(args.file, { access: args.access, mode: 'r+' });
      limit('fsize', 2 ** 20);
      const data = Buffer.alloc(8192, 9);
      const forms = (position) => Promise.all([
        attempt(() => device.writeSync(data, position)),
        attempt(async () => (await device.write(data, position)).bytesWritten),
        attempt(async () => (await device.write(data, position, { fua: true })).bytesWritten),
        attempt(async () => 8192 - (await device.strategy({ op: 'write', blkno: position / 512, data })).resid),
      ]);
      const across = await attempt(() => device.writeSync(data, 2 ** 20 - 4096));
      report({
        ...{ below: await forms(65536), beyond: await forms(2 ** 21), across: across.bytesTransferred ?? across.value },
        ...{ read: device.readSync(Buffer.alloc(4096), 2 ** 21), flush: await attempt(() => device.flush()), close: await attempt(() => device.close()) },
      });`;
    const [answer] = await reportsFrom(script, { args: { access, file: bench.image(pattern(4 * MiB)) } });
    const fits = { value: 8192 };
    const refused = access === 'mmap' ? fits : { code: 'EFBIG', syscall: 'pwrite', brand: true };
    expect(answer).toMatchObject({
      ...{ below: Array(4).fill(fits), beyond: Array(4).fill(refused), across: access === 'mmap' ? 8192 : 4096 },
      ...{ read: 4096, flush: {}, close: {} },
    });
  });

  grouped(
    `a memory cgroup of ${GROUP} MiB under ${access}: an image of 4 GiB is read, written and flushed`,
    async () => {
      const group = memoryGroup(GROUP * MiB);
      // More of the image than the group has room for, spread over all of it.
      const pieces = GROUP + GROUP / 4;
      const step = Math.floor((4 * GiB) / MiB / pieces) * MiB;
      const script = `
      const MiB = 2 ** 20;
      const device = openSync(args.file, { access: args.access, mode: 'r+' });
      const piece = Buffer.alloc(MiB);
      const other = Buffer.alloc(MiB);
      let wrong = 0;
      for (let i = 0; i < args.pieces; i += 1) {
        piece.fill(i % 251);
        if (i % 2) await device.write(piece, i * args.step);
        else device.writeSync(piece, i * args.step);
      }
      await device.flush();
      for (let i = 0; i < args.pieces; i += 1) {
        if (i % 2) await device.read(other, i * args.step);
        else device.readSync(other, i * args.step);
        if (!other.every((byte) => byte === i % 251)) wrong += 1;
      }
      const window = await attempt(() => device.mapSync(0, MiB));
      report({ wrong, view: window.value?.bytes[5] ?? window.code, closed: await attempt(() => device.close()) });`;
      try {
        const [answer] = await reportsFrom(script, { args: { access, file: bench.sparse(4 * GiB), pieces, step }, under: group.enter });
        expect(answer).toEqual({ wrong: 0, view: access === 'pio' ? 'ENOTSUP' : 0, closed: {} });
      } finally {
        group.remove();
      }
    },
    120_000,
  );
}
