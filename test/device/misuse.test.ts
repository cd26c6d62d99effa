// Wrong arguments: refused with Node's codes before native code is entered, by a throw or a rejection, and never a crash.
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import * as rumpblk from 'rumpblk';
import { BlockDevice, BlockDriver, type DriverOptions, open, openSync } from 'rumpblk';
import { failure, refusal, thrownBy } from '../support/failure';
import { pattern, rig } from '../support/rig';

const bench = rig();
const TYPE = 'ERR_INVALID_ARG_TYPE';
const RANGE = 'ERR_OUT_OF_RANGE';
const VALUE = 'ERR_INVALID_ARG_VALUE';

const NOT_NUMBERS: unknown[] = ['x', '1', null, {}, [], true, Symbol('x'), () => 0];
const NOT_INTEGERS = [NaN, 1.5, Infinity, -Infinity, 2 ** 53, 1e300];
const NOT_VIEWS: unknown[] = [
  undefined,
  null,
  5,
  'x',
  {},
  [],
  new ArrayBuffer(8),
  new SharedArrayBuffer(8),
  { byteLength: 8, buffer: new ArrayBuffer(8) },
];

function detached(): Uint8Array {
  const view = new Uint8Array(512);
  structuredClone(view, { transfer: [view.buffer] });
  return view;
}

/** Views that exist but cannot take part in an I/O. */
function badViews(): NodeJS.ArrayBufferView[] {
  const resizable = new (ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer)(512, { maxByteLength: 4096 });
  return [
    detached(),
    new DataView(new SharedArrayBuffer(512)),
    new Uint8Array(new SharedArrayBuffer(512)),
    Buffer.from(new SharedArrayBuffer(512)),
    new Uint8Array(resizable),
    new DataView(resizable),
  ];
}

function device(): BlockDevice {
  return bench.device(bench.image(pattern(8192)), { mode: 'r+' });
}

type AnyCall = (...values: any[]) => unknown;
type Transfer = [name: string, call: (target: BlockDevice) => AnyCall];
const TRANSFERS: Transfer[] = [
  [
    'readSync',
    (target) =>
      (...values) =>
        target.readSync(...(values as [Buffer, number])),
  ],
  [
    'read',
    (target) =>
      (...values) =>
        target.read(...(values as [Buffer, number])),
  ],
  [
    'writeSync',
    (target) =>
      (...values) =>
        target.writeSync(...(values as [Buffer, number])),
  ],
  [
    'write',
    (target) =>
      (...values) =>
        target.write(...(values as [Buffer, number])),
  ],
];
const STRATEGIES: Transfer[] = [
  ['strategySync', (target) => (request) => target.strategySync(request)],
  ['strategy', (target) => (request) => target.strategy(request)],
];

describe.each(TRANSFERS)('%s', (name, of) => {
  const view = Buffer.alloc(512);

  test('refuses a position that is none', async () => {
    const call = of(device());
    for (const wrong of [...NOT_NUMBERS, undefined]) expect(await refusal(() => call(view, wrong))).toBe(TYPE);
    for (const wrong of [...NOT_INTEGERS, -1, -1n, -(2n ** 70n)]) expect(await refusal(() => call(view, wrong))).toBe(RANGE);
    for (const wide of [2n ** 53n, 2n ** 63n, 2n ** 64n, 2n ** 100n]) {
      expect((await thrownBy(() => call(view, wide))) as NodeJS.ErrnoException).toMatchObject({
        code: expect.stringMatching(/^(EINVAL|ERR_OUT_OF_RANGE)$/),
      });
    }
  });

  test('refuses what is no view, and views whose memory may move or change', async () => {
    const call = of(device());
    for (const wrong of NOT_VIEWS) expect(await refusal(() => call(wrong, 0))).toBe(TYPE);
    for (const wrong of badViews()) expect(await refusal(() => call(wrong, 0))).toBe(VALUE);
  });

  test('refuses an offset and a length outside the view', async () => {
    const call = of(device());
    for (const key of ['offset', 'length']) {
      for (const wrong of [...NOT_NUMBERS, 1n]) expect(await refusal(() => call(view, 0, { [key]: wrong }))).toBe(TYPE);
      for (const wrong of [...NOT_INTEGERS, -1, 513, 2 ** 32, 2 ** 52])
        expect(await refusal(() => call(view, 0, { [key]: wrong }))).toBe(RANGE);
    }
    expect(await refusal(() => call(view, 0, { offset: 500, length: 13 }))).toBe(RANGE);
    for (const wrong of [null, 5, 'x', true]) expect(await refusal(() => call(view, 0, wrong))).toBe(TYPE);
    if (name.startsWith('write')) {
      for (const wrong of [0, 1, 'x', null, {}]) expect(await refusal(() => call(view, 0, { fua: wrong }))).toBe(TYPE);
    }
  });

  test('is not fooled by a view that says other than it is', async () => {
    const target = device();
    const liar = Buffer.alloc(16, 1);
    Object.defineProperty(liar, 'byteLength', { value: 1 << 20 });
    Object.defineProperty(liar, 'length', { value: 1 << 20 });
    Object.defineProperty(liar, 'buffer', { value: new ArrayBuffer(4) });
    const result = await of(target)(liar, 0);
    expect(typeof result === 'number' ? result : Object.values(result as object)).toEqual(typeof result === 'number' ? 16 : [16, liar]);
    class Odd extends Uint8Array {
      override get byteOffset(): number {
        return 1 << 30;
      }
    }
    await of(target)(new Odd(512), 0);
    await thrownBy(() => of(target)(new Proxy(new Uint8Array(512), {}), 0));
  });

  test('survives options whose getters detach the view', async () => {
    const call = of(device());
    const victim = new Uint8Array(4096);
    const options = {
      get offset() {
        if (victim.byteLength > 0) structuredClone(victim, { transfer: [victim.buffer] });
        return 0;
      },
    };
    await refusal(() => call(victim, 0, options));
    await expect(async () =>
      call(view, 0, {
        get length() {
          throw new Error('mine');
        },
      }),
    ).rejects.toThrow('mine');
  });
});

test.each(TRANSFERS)('%s refuses a view that it took before and that was detached since', async (_name, of) => {
  const call = of(device());
  const used = new Uint8Array(512);
  await call(used, 0);
  await call(used, 0);
  structuredClone(used, { transfer: [used.buffer] });
  expect(await refusal(() => call(used, 0))).toBe(VALUE);
});

describe.each(STRATEGIES)('%s', (_name, of) => {
  test('refuses each wrong field', async () => {
    const call = of(device());
    const good = { op: 'read', blkno: 0, data: Buffer.alloc(512) };
    for (const wrong of [undefined, null, 5, 'x', Symbol('x')]) expect(await refusal(() => call(wrong))).toBe(TYPE);
    for (const wrong of [undefined, null, 5, {}]) expect(await refusal(() => call({ ...good, op: wrong }))).toBe(TYPE);
    for (const wrong of ['x', '', 'READ', 'toString', '__proto__']) expect(await refusal(() => call({ ...good, op: wrong }))).toBe(VALUE);
    for (const wrong of [...NOT_NUMBERS, undefined]) expect(await refusal(() => call({ ...good, blkno: wrong }))).toBe(TYPE);
    for (const wrong of NOT_INTEGERS) expect(await refusal(() => call({ ...good, blkno: wrong }))).toBe(RANGE);
    for (const wrong of NOT_VIEWS) expect(await refusal(() => call({ ...good, data: wrong }))).toBe(TYPE);
    for (const wrong of badViews()) expect(await refusal(() => call({ ...good, data: wrong }))).toBe(VALUE);
    for (const wrong of [0, 1, 'x', null, {}]) expect(await refusal(() => call({ ...good, deferred: wrong }))).toBe(TYPE);
  });
});

describe('BlockDriver', () => {
  const OPENS: [string, (driver: BlockDriver, options: any) => unknown][] = [
    ['openSync', (driver, options) => driver.openSync(0, options)],
    ['open', (driver, options) => driver.open(0, options)],
    ['openSync(path)', (driver, options) => openSync(driver.minors()[0]!.path, options)],
    ['open(path)', (driver, options) => open(driver.minors()[0]!.path, options)],
  ];

  test.each(OPENS)('%s refuses each wrong option', async (_name, call) => {
    const driver = bench.driver();
    driver.registerSync(bench.image(pattern(512)));
    for (const wrong of [null, 5, 'r+', true]) expect(await refusal(() => call(driver, wrong))).toBe(TYPE);
    for (const key of ['mode', 'access', 'cache']) {
      for (const wrong of ['', 'x', 'w', 'R', 'toString']) expect(await refusal(() => call(driver, { [key]: wrong }))).toBe(VALUE);
      for (const wrong of [null, 5, {}, true, Symbol('x')]) expect(await refusal(() => call(driver, { [key]: wrong }))).toBe(TYPE);
    }
    for (const key of ['raw', 'direct', 'lock']) {
      for (const wrong of [0, 1, 'x', null, {}]) expect(await refusal(() => call(driver, { [key]: wrong }))).toBe(TYPE);
    }
    expect(driver.minors()[0]?.openCount).toBe(0);
  });

  test('minors that are none', async () => {
    const driver = bench.driver();
    const calls: AnyCall[] = [(minor) => driver.openSync(minor), (minor) => driver.open(minor), (minor) => driver.deregister(minor)];
    for (const call of calls) {
      for (const wrong of [...NOT_NUMBERS, undefined, 0n]) expect(await refusal(() => call(wrong))).toBe(TYPE);
      for (const wrong of [...NOT_INTEGERS, -1]) expect(await refusal(() => call(wrong))).toBe(RANGE);
      expect((await thrownBy(() => call(2 ** 31))) as NodeJS.ErrnoException).toMatchObject({
        code: expect.stringMatching(/^(ENXIO|ERR_OUT_OF_RANGE)$/),
      });
    }
  });

  test('paths and ranges', async () => {
    const driver = bench.driver();
    const file = bench.image(pattern(512));
    const calls: AnyCall[] = [
      (...values) => driver.registerSync(...(values as [string])),
      (...values) => driver.register(...(values as [string])),
      (...values) => openSync(...(values as [string])),
      (...values) => open(...(values as [string])),
    ];
    for (const call of calls) {
      for (const wrong of [undefined, null, 5, {}, [], true, new Uint16Array(2)]) expect(await refusal(() => call(wrong))).toBe(TYPE);
      for (const wrong of ['a\0b', Buffer.from('a\0b')]) expect(await refusal(() => call(wrong))).toBe(VALUE);
      for (const key of ['offset', 'size']) {
        for (const wrong of NOT_NUMBERS) expect(await refusal(() => call(file, { [key]: wrong }))).toBe(TYPE);
        for (const wrong of [...NOT_INTEGERS, -1, -1n]) expect(await refusal(() => call(file, { [key]: wrong }))).toBe(RANGE);
      }
      for (const wrong of [null, 5, 'x']) expect(await refusal(() => call(file, wrong))).toBe(TYPE);
    }
    expect(driver.minors()).toEqual([]);
    for (const wrong of [null, 5, 'x', {}, bench]) expect(await refusal(() => open(file, { driver: wrong as BlockDriver }))).toBe(TYPE);
  });

  test('tunables', async () => {
    for (const key of ['minorCount', 'windowSize', 'windowCount', 'queueDepth', 'workers']) {
      for (const wrong of [0, -1, 1.5, NaN, 2 ** 53]) await refusal(() => new BlockDriver({ [key]: wrong }));
      for (const wrong of [null, {}, true, '16']) await refusal(() => new BlockDriver({ [key]: wrong }));
    }
    for (const wrong of [null, 5, 'x']) expect(await refusal(() => new BlockDriver(wrong as unknown as DriverOptions))).toBe(TYPE);
    expect(await refusal(() => BlockDriver.fromEnv(5 as unknown as NodeJS.ProcessEnv))).toBe(TYPE);
    expect(await thrownBy(() => (BlockDriver as unknown as () => void)())).toBeInstanceOf(TypeError);
  });
});

describe('a foreign this', () => {
  const classes: [string, object][] = [
    ['BlockDevice', BlockDevice.prototype],
    ['BlockDriver', BlockDriver.prototype],
  ];

  test.each(classes)('every member of %s answers with a TypeError', async (_name, prototype) => {
    // What console.log asks of an object shows a foreign one as it is: it must not throw in a report of something else.
    const keys = Reflect.ownKeys(prototype).filter((key) => key !== 'constructor' && key !== inspect.custom);
    expect(keys.length).toBeGreaterThan(8);
    const foreigners: unknown[] = [undefined, null, 5, {}, Object.create(prototype), new Proxy(device(), {}), new Map()];
    for (const key of keys) {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
      const member = (descriptor?.get ?? descriptor?.value) as (...values: unknown[]) => unknown;
      if (typeof member !== 'function') continue;
      for (const foreigner of foreigners) {
        const error = await thrownBy(() => member.call(foreigner, Buffer.alloc(512), 0));
        expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_THIS' });
      }
    }
  });

  test('devices and errors of one class do not pass for another', async () => {
    expect(await thrownBy(() => BlockDriver.prototype.minors.call(device() as never))).toBeInstanceOf(TypeError);
    expect(await thrownBy(() => BlockDevice.prototype.windows.call(bench.driver() as never))).toBeInstanceOf(TypeError);
  });

  test('only open makes a BlockDevice', async () => {
    expect(await thrownBy(() => new (BlockDevice as unknown as new () => BlockDevice)())).toBeInstanceOf(TypeError);
    expect(await thrownBy(() => Reflect.construct(BlockDevice, [Symbol('createDevice'), {}, {}, {}]))).toBeInstanceOf(TypeError);
    expect(Object.keys(rumpblk)).toEqual(expect.arrayContaining(['BlockDevice', 'BlockDeviceError', 'BlockDriver', 'open', 'openSync']));
  });
});

test('after all that a good request still works, and refused ones were not counted', async () => {
  const target = device();
  await refusal(() => target.read(detached(), 0));
  await failure(() => target.read(Buffer.alloc(1), 8193), 'EINVAL');
  expect((await target.read(Buffer.alloc(8192), 0)).bytesRead).toBe(8192);
  expect(target.driver.counters().ioTotal).toBe(1);
});

test('the order of a FileHandle is told from ours, before a byte moves', async () => {
  const opened: any = device();
  const said = 'a device takes (buffer, position, { offset, length }), a FileHandle (buffer, offset, length, position)';
  const data = Buffer.alloc(512, 0xff);
  for (const call of ['read', 'write']) {
    await expect(opened[call](data, 0, 512, 4096)).rejects.toMatchObject({ code: TYPE, message: expect.stringContaining(said) });
    expect(() => opened[`${call}Sync`](data, 0, 512, 4096)).toThrow(
      expect.objectContaining({ code: TYPE, message: expect.stringContaining(said) }),
    );
  }
  expect(opened.readSync(data, 0)).toBe(512);
  expect(data.equals(pattern(8192).subarray(0, 512))).toBe(true);
});
