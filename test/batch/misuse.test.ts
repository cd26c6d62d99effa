// Batches asked for what cannot be: refused with Node's codes before native code is entered, and never a crash.
import { expect, test } from '@jest/globals';
import { Batch, type BatchOptions, type BlockDevice } from 'rumpblk';
import { failure, refusal, thrownBy } from '../support/failure';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const device = (): BlockDevice => bench.device(bench.image(pattern(64 * KiB)), { mode: 'r+' });

const NOT_NUMBERS: unknown[] = ['x', '1', null, undefined, {}, [], true, 1n];

test('counts', async () => {
  const batch = device().createBatch({ depth: 4 });
  for (const wrong of NOT_NUMBERS) {
    expect(await refusal(() => batch.runSync(wrong as number))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => batch.run(wrong as number))).toBe('ERR_INVALID_ARG_TYPE');
  }
  for (const wrong of [-1, 5, 1.5, NaN, Infinity, 2 ** 32]) {
    expect(await refusal(() => batch.runSync(wrong))).toBe('ERR_OUT_OF_RANGE');
    expect(await refusal(() => batch.run(wrong))).toBe('ERR_OUT_OF_RANGE');
  }
  for (const wrong of [null, 5, 'x', []]) expect(await refusal(() => batch.run(1, wrong as object))).toBe('ERR_INVALID_ARG_TYPE');
  for (const wrong of [null, 5, 'x', {}]) {
    expect(await refusal(() => batch.run(1, { signal: wrong as AbortSignal }))).toBe('ERR_INVALID_ARG_TYPE');
  }
});

test('options', async () => {
  const target = device();
  const detached = new Uint8Array(16);
  structuredClone(detached, { transfer: [detached.buffer] });
  const resizable = new (ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer)(512, { maxByteLength: 4096 });
  const table: [code: string, options: unknown[]][] = [
    ['ERR_INVALID_ARG_TYPE', [null, 5, 'x', []]],
    ['ERR_INVALID_ARG_TYPE', ['x', null, {}, true, 1n].map((depth) => ({ depth }))],
    ['ERR_OUT_OF_RANGE', [0, -1, 1.5, NaN, 65537, 2 ** 32].map((depth) => ({ depth }))],
    [
      'ERR_INVALID_ARG_TYPE',
      ['x', null, {}, true, 1n, new ArrayBuffer(8), new Uint16Array(8), new DataView(new ArrayBuffer(8))].map((arena) => ({ arena })),
    ],
    ['ERR_OUT_OF_RANGE', [-1, 1.5, NaN, 2 ** 32, 2 ** 53].map((arena) => ({ arena }))],
    [
      'ERR_INVALID_ARG_VALUE',
      [detached, new Uint8Array(resizable), new Uint8Array(new SharedArrayBuffer(512))].map((arena) => ({ arena })),
    ],
  ];
  for (const [code, options] of table) {
    for (const wrong of options) expect(await refusal(() => target.createBatch(wrong as BatchOptions))).toBe(code);
  }
});

test('foreign objects, and a class that only createBatch constructs', async () => {
  const target = device();
  const batch = target.createBatch();
  for (const foreigner of [undefined, null, 5, {}, Object.create(Batch.prototype), new Proxy(batch, {}), target]) {
    for (const key of ['runSync', 'run', Symbol.dispose] as const) {
      const error = await thrownBy(() => (Batch.prototype[key] as (...values: unknown[]) => unknown).call(foreigner, 0));
      expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_THIS' });
    }
  }
  expect(await thrownBy(() => new (Batch as unknown as new () => Batch)())).toBeInstanceOf(TypeError);
  expect(await thrownBy(() => Reflect.construct(Batch, [Symbol('createBatch'), {}, {}]))).toBeInstanceOf(TypeError);
  await target.close();
  await failure(() => target.createBatch(), 'EBADF');
});
