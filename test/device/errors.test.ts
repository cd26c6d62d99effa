// BlockDeviceError: the shape of Node's own system errors. Refused arguments: misuse.test.ts.
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { describe, expect, jest, test } from '@jest/globals';
import type * as rumpblk from 'rumpblk';
import { BlockDeviceError } from 'rumpblk';
import { reportsFrom } from '../support/child';
import { failure, refusal } from '../support/failure';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();

describe('shape', () => {
  const error = new BlockDeviceError({
    errno: -5,
    syscall: 'pread',
    path: '/x.img',
    minor: 2,
    blkno: 7,
    bytesTransferred: 512,
    injected: true,
  });

  test("message, code and name are like Node's", () => {
    expect(error.message).toBe("EIO: i/o error, pread '/x.img'");
    expect(error).toMatchObject({
      errno: -5,
      code: 'EIO',
      syscall: 'pread',
      path: '/x.img',
      minor: 2,
      blkno: 7,
      bytesTransferred: 512,
      injected: true,
    });
    expect(error.name).toBe('BlockDeviceError');
    expect(String(error)).toBe("BlockDeviceError: EIO: i/o error, pread '/x.img'");
    expect(error.stack).toMatch(/^BlockDeviceError: EIO: i\/o error, pread '\/x\.img'\n\s+at .*errors\.test/);
    expect(new BlockDeviceError({ errno: -22, syscall: 'strategy' }).message).toBe('EINVAL: invalid argument, strategy');
  });

  test('compares with the error that fs throws for the same errno', () => {
    let theirs: NodeJS.ErrnoException | undefined;
    try {
      readFileSync('/nowhere/at/all');
    } catch (thrown) {
      theirs = thrown as NodeJS.ErrnoException;
    }
    const ours = new BlockDeviceError({ errno: theirs?.errno ?? 0, syscall: 'open', path: '/nowhere/at/all' });
    expect(ours.message).toBe(theirs?.message);
    expect(Object.entries(ours).sort()).toEqual(Object.entries(theirs ?? {}).sort());
  });

  test('facts are own and enumerable, name and message are not', () => {
    expect(Object.keys(error).sort()).toEqual(['blkno', 'bytesTransferred', 'code', 'errno', 'injected', 'minor', 'path', 'syscall']);
    expect(Object.keys(new BlockDeviceError({ errno: -22, syscall: 'ioctl' })).sort()).toEqual(['code', 'errno', 'syscall']);
    expect(Object.getOwnPropertyDescriptor(BlockDeviceError.prototype, 'name')?.enumerable).toBe(false);
    expect(Object.hasOwn(error, 'name')).toBe(false);
    expect(inspect(error)).toMatch(/code: 'EIO'/);
  });

  test('refuses what makes no message', async () => {
    for (const wrong of [
      undefined,
      null,
      5,
      'EIO',
      {},
      { errno: NaN, syscall: 'read' },
      { errno: -5 },
      { errno: -5, syscall: 'read', path: 5 },
    ]) {
      expect(await refusal(() => new BlockDeviceError(wrong as never))).toBe('ERR_INVALID_ARG_TYPE');
    }
  });

  test('takes a cause, and keeps an errno that Node has no name for', () => {
    const cause = new Error('below');
    expect(new BlockDeviceError({ errno: -5, syscall: 'pread' }, { cause }).cause).toBe(cause);
    expect(new BlockDeviceError({ errno: -5, syscall: 'pread' })).not.toHaveProperty('cause');
    expect(new BlockDeviceError({ errno: -99999, syscall: 'pread' })).toMatchObject({ code: 'UNKNOWN', errno: -99999 });
  });
});

describe('instanceof', () => {
  test('knows errors of another copy of the package', () => {
    let other: typeof BlockDeviceError | undefined;
    jest.isolateModules(() => {
      other = jest.requireActual<typeof rumpblk>('rumpblk').BlockDeviceError;
    });
    expect(other).not.toBe(BlockDeviceError);
    const foreign = new other!({ errno: -5, syscall: 'pread' });
    expect(foreign instanceof BlockDeviceError).toBe(true);
    expect(foreign instanceof Error).toBe(true);
  });

  test('knows nothing else', () => {
    const lookalike = Object.assign(new Error('EIO: i/o error'), { code: 'EIO', errno: -5, syscall: 'pread', name: 'BlockDeviceError' });
    const values = [
      lookalike,
      new Error('x'),
      runInContext('new Error()', createContext()),
      {},
      [],
      null,
      undefined,
      5,
      'EIO',
      Symbol('x'),
    ];
    for (const value of values) expect((value as unknown) instanceof BlockDeviceError).toBe(false);
  });

  test('a subclass claims only its own', () => {
    class Mine extends BlockDeviceError {}
    expect(new BlockDeviceError({ errno: -5, syscall: 'x' }) instanceof Mine).toBe(false);
    expect(new Mine({ errno: -5, syscall: 'x' }) instanceof Mine).toBe(true);
    expect(new Mine({ errno: -5, syscall: 'x' }) instanceof BlockDeviceError).toBe(true);
  });
});

describe('what requests throw', () => {
  test('the sync and the promise form give the same error', async () => {
    const file = bench.image(pattern(4 * KiB));
    const device = bench.device(file);
    const data = Buffer.alloc(512);
    const sync = await failure(() => device.strategySync({ op: 'read', blkno: 100, data }), 'EINVAL');
    const promise = await failure(() => device.strategy({ op: 'read', blkno: 100, data }), 'EINVAL');
    expect({ ...promise }).toEqual({ ...sync });
    expect(promise.message).toBe(sync.message);
    expect(sync.message).toBe(`EINVAL: invalid argument, strategy '${file}'`);
    expect({ ...sync }).toEqual({ errno: -22, code: 'EINVAL', syscall: 'strategy', path: file, minor: 0, blkno: 100, bytesTransferred: 0 });
  });

  test('the position of a read beyond the end appears as its block number', async () => {
    const device = bench.device(bench.image(pattern(4 * KiB)));
    const error = await failure(() => device.readSync(Buffer.alloc(10), 10 * 512 + 3), 'EINVAL');
    expect(error).toMatchObject({ blkno: 10, bytesTransferred: 0 });
  });

  test("the caller's function is on the stack of both forms", async () => {
    const script = `
      const device = openSync(args);
      async function asynchronousCaller() { await device.read(Buffer.alloc(1), 10000); }
      async function queuedCaller() { await device.write(Buffer.alloc(1), 0); }
      function synchronousCaller() { device.readSync(Buffer.alloc(1), 10000); }
      for (const caller of [asynchronousCaller, queuedCaller, synchronousCaller]) {
        try { await caller(); } catch (error) { report(error.stack.includes(caller.name)); }
      }`;
    expect(await reportsFrom(script, { args: bench.image(pattern(4 * KiB)) })).toEqual([true, true, true]);
  });

  test('a failed open names its path, a minor that is none its number', async () => {
    const driver = bench.driver();
    const missing = bench.path('missing');
    expect(await failure(() => driver.registerSync(missing), 'ENOENT')).toMatchObject({ path: missing, errno: -2 });
    expect(await failure(() => driver.openSync(5), 'ENXIO')).toMatchObject({ minor: 5, errno: -6 });
    expect(await failure(() => driver.deregister(5), 'ENXIO')).toMatchObject({ minor: 5 });
  });
});

test('a refusal names what cannot be named, and is not hidden by what that throws', async () => {
  const target = bench.device(bench.image(pattern(KiB)), { mode: 'r+' });
  const unspeakable = {
    get constructor(): never {
      throw new Error('mine');
    },
    [Symbol.for('nodejs.util.inspect.custom')](): never {
      throw new Error('mine');
    },
  };
  for (const wrong of [unspeakable, new Proxy({}, { get: () => unspeakable.constructor })]) {
    expect(await refusal(() => target.readSync(Buffer.alloc(1), wrong as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => target.readSync(wrong as never, 0))).toBe('ERR_INVALID_ARG_TYPE');
  }
  const half = { aborted: false, addEventListener: () => undefined };
  expect(await refusal(() => target.write(Buffer.alloc(1), 0, { signal: half as never }))).toBe('ERR_INVALID_ARG_TYPE');
});
