// copy() when something goes wrong: failures of either end, aborts, the same bytes on both sides, wrong arguments.
import { existsSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { createQcow2, openSync } from 'rumpblk';
import { copy, type CopyProgress, type CopySource, type CopyTarget } from 'rumpblk/copy';
import { openOverlay } from 'rumpblk/overlay';
import { SIZE, content, digest, media, pieces } from '../support/copying';
import { failure, refusal, thrownBy } from '../support/failure';
import { run } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const { medium, fresh } = media(bench);

describe('failures', () => {
  test('of the source or the target end the copy when nothing is under way any more', async () => {
    const from = medium(content, 'r');
    const to = medium(SIZE);
    for (const faulty of [from.device, to.device]) {
      const onProgress = ({ bytes }: CopyProgress): void => {
        if (bytes >= 1 * MiB) faulty.driver.faults.set({ rate: 10_000, seed: 1 });
      };
      const options = { chunkSize: 65536, reflink: 'never', onProgress } as const;
      expect(await failure(() => copy(from.device, to.device, options), 'EIO')).toMatchObject({ injected: true });
      faulty.driver.faults.clear();
      const { ioTotal } = to.device.driver.counters();
      await turn();
      expect(to.device.driver.counters().ioTotal).toBe(ioTotal);
    }
    from.device.closeSync(); // nothing is in flight: it would be EBUSY
    to.device.closeSync();
  });

  test('of a target file are errors that name it, also where no file can reach so far (issue 15)', async () => {
    const source = bench.image(content);
    const file = fresh();
    for (const [targetPosition, code] of [
      [Number.MAX_SAFE_INTEGER, 'EFBIG'],
      [Number.MAX_SAFE_INTEGER - SIZE, 'EFBIG'],
    ] as const) {
      expect(await failure(() => copy(source, file, { targetPosition }), code)).toMatchObject({ path: file, syscall: 'ftruncate' });
      expect(existsSync(file)).toBe(false);
    }
    const nowhere = path.join(bench.path('nowhere'), 'file');
    expect(await failure(() => copy(source, nowhere), 'ENOENT')).toMatchObject({ path: nowhere, syscall: 'open' });
    const folder = path.dirname(source);
    expect(await failure(() => copy(source, folder), 'EISDIR')).toMatchObject({ path: folder });
  });

  test('of a source stream are its own error; a target file that the copy made is gone', async () => {
    const file = fresh();
    const reason = new Error('torn');
    async function* torn(): AsyncGenerator<Buffer> {
      yield* pieces(content.subarray(0, 2 * MiB), 65536);
      await turn();
      throw reason;
    }
    expect(await thrownBy(() => copy(torn(), file))).toBe(reason);
    expect(existsSync(file)).toBe(false);
    const old = bench.image(Buffer.from('old'));
    expect(await thrownBy(() => copy(torn(), old))).toBe(reason);
    expect(existsSync(old)).toBe(true);
  });

  test('of a target stream are its own error, and a source stream is destroyed', async () => {
    const reason = new Error('full');
    let taken = 0;
    const node = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done((taken += 1) % 3 === 0 ? reason : null) });
    const web = (): CopyTarget => new WritableStream({ write: () => { if ((taken += 1) % 3 === 0) throw reason; } }) as never; // prettier-ignore
    for (const make of [node, web]) {
      const source = Readable.from(pieces(content, 65536), { objectMode: false });
      expect(await thrownBy(() => copy(source, make(), { chunkSize: 65536 }))).toBe(reason);
      expect(source.destroyed).toBe(true);
    }
    const gone = new PassThrough();
    gone.destroy();
    expect(await thrownBy(() => copy(bench.image(content), gone))).toMatchObject({ code: expect.stringMatching(/^ERR_STREAM_/) });
  });

  test('of the progress callback end it', async () => {
    const reason = new Error('mine');
    const onProgress = (): never => {
      throw reason;
    };
    expect(await thrownBy(() => copy(bench.image(content), fresh(), { onProgress }))).toBe(reason);
  });

  test('of a device that is closed, or of mode r', async () => {
    const { device } = medium(SIZE, 'r');
    const closed = medium(SIZE);
    await closed.device.close();
    await failure(() => copy(bench.image(content), device), 'EACCES');
    await failure(() => copy(bench.image(content), closed.device), 'EBADF');
    await failure(() => copy(closed.device, fresh()), 'EBADF');
    await failure(() => copy(bench.path('nowhere'), fresh()), 'ENOENT');
    expect(await thrownBy(() => copy(bench.image(content), bench.path('no/where')))).toMatchObject({ code: 'ENOENT' });
    expect(await thrownBy(() => copy(bench.image(content), bench.path('.')))).toMatchObject({ code: 'EISDIR' });
  });

  test('leave nothing open', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const from = bench.image(content);
    const before = open();
    for (let i = 0; i < 20; i += 1) {
      await copy(from, fresh());
      await thrownBy(() => copy(from, fresh(), { sourcePosition: SIZE + 1 }));
      await thrownBy(() => copy(from, fresh(), { onProgress: () => { throw new Error('x'); } })); // prettier-ignore
      await thrownBy(() => copy(from, bench.path('no/where')));
    }
    expect(open()).toBeLessThanOrEqual(before + 2);
  });
});

describe('an abort', () => {
  const reason = new Error('enough');

  test.each<[string, () => [CopySource, CopyTarget]]>([
    ['between devices', () => [medium(content, 'r').device, medium(SIZE).device]],
    ['from a stream that never goes on', () => [new Readable({ read: () => undefined }), fresh()]],
    ['from a Web stream that never goes on', () => [new ReadableStream() as never, fresh()]],
    [
      'from an iterable that never goes on',
      () => [{ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) } as never, fresh()],
    ],
    ['to a stream that never goes on', () => [bench.image(content), new Writable({ write: () => undefined })]],
    [
      'to a stream that never finishes',
      () => [bench.image(Buffer.alloc(10)), new Writable({ write: (_c, _e, done) => done(), final: () => undefined })],
    ],
    [
      'to a Web stream that never goes on',
      () => [bench.image(content), new WritableStream({ write: () => new Promise(() => undefined) }) as never],
    ],
  ])('%s rejects with its reason', async (_name, ends) => {
    const controller = new AbortController();
    const [source, target] = ends();
    let told = 0;
    const onProgress = (): void => {
      if ((told += 1) === 2) controller.abort(reason);
    };
    const copying = thrownBy(() => copy(source, target, { chunkSize: 65536, signal: controller.signal, onProgress }));
    for (let i = 0; i < 20; i += 1) await turn();
    controller.abort(reason);
    expect(await copying).toBe(reason);
    for (const end of [source, target]) if (end instanceof Readable || end instanceof Writable) expect(end.destroyed).toBe(true);
  });

  test('before the start touches nothing', async () => {
    const file = fresh();
    expect(await thrownBy(() => copy(bench.image(content), file, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(existsSync(file)).toBe(false);
  });

  test('in the verification rejects, too', async () => {
    const controller = new AbortController();
    const onProgress = ({ phase }: CopyProgress): void => {
      if (phase === 'verify') controller.abort(reason);
    };
    const { device } = medium(SIZE);
    const options = { verify: true, chunkSize: 65536, signal: controller.signal, onProgress };
    expect(await thrownBy(() => copy(bench.image(content), device, options))).toBe(reason);
  });
});

describe('the same bytes on both sides', () => {
  test('are refused where they overlap, and copied where they do not', async () => {
    const { device, image } = medium(Buffer.concat([content, content]));
    expect(await refusal(() => copy(device, device))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => copy(device, device, { targetPosition: SIZE - 1, length: SIZE }))).toBe('ERR_INVALID_ARG_VALUE');
    const other = device.driver.openSync(device.minor, { mode: 'r+' });
    expect(await refusal(() => copy(other, device, { length: 5 }))).toBe('ERR_INVALID_ARG_VALUE');
    await copy(other, device, { sourcePosition: 10, targetPosition: SIZE, length: SIZE - 10 });
    await other.close();
    expect(digest(readFileSync(image))).toBe(digest(Buffer.concat([content, content.subarray(10), content.subarray(SIZE - 10)])));
  });

  test('are refused where the target is what the source lies over', async () => {
    const base = bench.image(content);
    const changes = bench.path('over.qcow2');
    const top = bench.path('top.qcow2');
    await createQcow2(changes, { size: SIZE, backing: base, backingFormat: 'raw' });
    await createQcow2(top, { size: SIZE, backing: changes, backingFormat: 'qcow2' });
    const chain = openSync(top, { format: 'qcow2', lock: false });
    const overlay = await openOverlay(chain);
    for (const source of [chain, overlay]) {
      for (const target of [base, changes, top]) {
        expect(await refusal(() => copy(source, target, { targetPosition: 0 }))).toBe('ERR_INVALID_ARG_VALUE');
      }
    }
    await overlay.close();
    chain.closeSync();
    expect(readFileSync(base).equals(content)).toBe(true);
  });

  test('are refused when a path names the source, by whatever name', async () => {
    const { device, image } = medium(content, 'r');
    const link = `${image}.link`;
    symlinkSync(image, link);
    const unlocked = openSync(bench.image(content), { lock: false });
    for (const [source, target] of [
      [device, image],
      [device, link],
      [image, link],
      [pathToFileURL(image), image],
      [unlocked, unlocked.path],
    ] as [CopySource, CopyTarget][]) {
      expect(await refusal(() => copy(source, target))).toBe('ERR_INVALID_ARG_VALUE');
    }
    unlocked.closeSync();
    expect(readFileSync(image).equals(content)).toBe(true);
  });

  test('a file that somebody has open as a device is EBUSY', async () => {
    const { image } = medium(pattern(SIZE, 8));
    expect(await failure(() => copy(bench.image(content), image), 'EBUSY')).toMatchObject({ syscall: 'lock' });
    await failure(() => copy(image, fresh()), 'EBUSY');
    expect(readFileSync(image).equals(pattern(SIZE, 8))).toBe(true);
  });
});

describe('wrong arguments', () => {
  const file = (): string => bench.image(content);
  test.each<[string, () => unknown[], string]>([
    ['no source', () => [undefined, fresh()], 'ERR_INVALID_ARG_TYPE'],
    ['no target', () => [file(), undefined], 'ERR_INVALID_ARG_TYPE'],
    ['a number', () => [5, fresh()], 'ERR_INVALID_ARG_TYPE'],
    ['an object', () => [{}, fresh()], 'ERR_INVALID_ARG_TYPE'],
    ['an object as target', () => [file(), {}], 'ERR_INVALID_ARG_TYPE'],
    ['a null byte', () => ['x\0', fresh()], 'ERR_INVALID_ARG_VALUE'],
    ['a null byte in the target', () => [file(), 'x\0'], 'ERR_INVALID_ARG_VALUE'],
    ['options that are none', () => [file(), fresh(), 5], 'ERR_INVALID_ARG_TYPE'],
    ['a negative length', () => [file(), fresh(), { length: -1 }], 'ERR_OUT_OF_RANGE'],
    ['half a position', () => [file(), fresh(), { sourcePosition: 0.5 }], 'ERR_OUT_OF_RANGE'],
    ['a chunk of nothing', () => [file(), fresh(), { chunkSize: 0 }], 'ERR_OUT_OF_RANGE'],
    ['no concurrency', () => [file(), fresh(), { concurrency: 0 }], 'ERR_OUT_OF_RANGE'],
    ['verify of a stream', () => [file(), new PassThrough(), { verify: true }], 'ERR_INVALID_ARG_VALUE'],
    ['a position in a stream', () => [file(), new PassThrough(), { targetPosition: 5 }], 'ERR_INVALID_ARG_VALUE'],
    ['a position in a source stream', () => [Readable.from([]), fresh(), { sourcePosition: 5 }], 'ERR_INVALID_ARG_VALUE'],
    ['a progress that is none', () => [file(), fresh(), { onProgress: 5 }], 'ERR_INVALID_ARG_TYPE'],
    ['a signal that is none', () => [file(), fresh(), { signal: {} }], 'ERR_INVALID_ARG_TYPE'],
    ['a stream of objects', () => [Readable.from([{}]), fresh()], 'ERR_INVALID_ARG_TYPE'],
    ['a stream of texts', () => [Readable.from(['x']), fresh()], 'ERR_INVALID_ARG_TYPE'],
    ['a target of objects', () => [file(), new PassThrough({ objectMode: true })], 'ERR_INVALID_ARG_TYPE'],
  ])('%s', async (_name, args, code) => {
    const before = readdirSync(path.dirname(bench.path('x'))).length;
    const made = args();
    const grown = readdirSync(path.dirname(bench.path('x'))).length;
    expect(await refusal(() => copy(...(made as Parameters<typeof copy>)))).toBe(code);
    expect(readdirSync(path.dirname(bench.path('x'))).length).toBe(grown);
    expect(grown - before).toBeLessThanOrEqual(1);
  });
});

test('a target that cannot be a disk is refused', async () => {
  const pipe = fresh();
  run('mkfifo', pipe);
  expect(await refusal(() => copy(bench.image(content), pipe))).toBe('ERR_INVALID_ARG_VALUE');
});
