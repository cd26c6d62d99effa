// Streams that a copy reads, of every kind and in every state: what is copied is all that was left in them, or the error says why not.
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { open as openHandle, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { afterEach, expect, test } from '@jest/globals';
import type { BlockDevice } from 'rumpblk';
import { copy, type CopySource } from 'rumpblk/copy';
import { memory } from 'rumpblk/media';
import { thrownBy } from '../support/failure';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(300_001);
const file = bench.image(content);
const disk = (): BlockDevice => bench.device(memory({ size: MiB }), { mode: 'r+' });
const SKIPPED = 1000;

const handles: FileHandle[] = [];
afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.close();
});

/** A handle of the file, from which the first bytes were read. */
async function moved(): Promise<FileHandle> {
  const handle = await openHandle(file);
  handles.push(handle);
  await handle.read(Buffer.alloc(SKIPPED));
  return handle;
}

const of = (...chunks: unknown[]): ReadableStream =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

/** One that can be read, and not iterated: those of some browsers, and what the types of the DOM promise. */
function bare(stream: ReadableStream): CopySource {
  return { locked: false, getReader: () => stream.getReader(), cancel: (reason?: unknown) => stream.cancel(reason) } as CopySource;
}

test.each<[string, () => unknown, number]>([
  ['a stream of the Web', () => of(content), 0],
  ['one of bytes', () => new Blob([content]).stream(), 0],
  ['one of bare memory', () => of(new Uint8Array(content).buffer), 0],
  ['one that cannot be iterated', () => bare(of(content.subarray(0, 7), content.subarray(7))), 0],
  ['the body of a Response', () => new Response(content).body, 0],
  ['a stream of a handle that was moved', async () => (await moved()).createReadStream(), SKIPPED],
  ['a stream of the Web of a handle that was moved', async () => (await moved()).readableWebStream(), SKIPPED],
  ['a stream that begins somewhere', () => createReadStream(file, { start: SKIPPED }), SKIPPED],
  [
    'a stream that was read a little',
    async () => {
      const stream = createReadStream(file);
      while (stream.read(SKIPPED) === null) await once(stream, 'readable');
      return stream;
    },
    SKIPPED,
  ],
])('%s is copied from where it is', async (_, make, from) => {
  const device = disk();
  expect((await copy((await make()) as CopySource, device)).bytes).toBe(content.length - from);
  expect(bench.bytes(device).subarray(0, content.length - from).equals(content.subarray(from))).toBe(true); // prettier-ignore
});

test.each<[string, () => unknown, string, RegExp]>([
  ['a handle', () => moved(), 'ERR_INVALID_ARG_TYPE', /"source".*FileHandle/],
  ['a Response', () => new Response(content), 'ERR_INVALID_ARG_TYPE', /"source".*Response/],
  ['what only claims to be iterable', () => ({ [Symbol.asyncIterator]: 5 }), 'ERR_INVALID_ARG_TYPE', /"source"/],
  ['text', () => of('text'), 'ERR_INVALID_ARG_TYPE', /chunk of the source/],
  [
    'a stream that is read by somebody else',
    () => {
      const stream = of(content);
      stream.getReader();
      return stream;
    },
    'ERR_INVALID_STATE',
    /locked/,
  ],
  [
    'a stream that has ended',
    async () => {
      const stream = createReadStream(file).resume();
      await finished(stream);
      return stream;
    },
    'ERR_INVALID_ARG_VALUE',
    /read to its end/,
  ],
  ['a stream that flows elsewhere', () => Readable.from([content]).on('data', () => undefined), 'ERR_INVALID_ARG_VALUE', /must not flow/],
])('%s is refused, and nothing is written', async (_, make, code, words) => {
  const device = disk();
  const source = (await make()) as CopySource;
  expect(await thrownBy(() => copy(source, device))).toMatchObject({ code, message: expect.stringMatching(words) as unknown });
  expect(bench.bytes(device).equals(Buffer.alloc(MiB))).toBe(true);
});

test('a stream that cannot be iterated is cancelled when the copy has enough', async () => {
  let cancelled = false;
  const source = new ReadableStream({
    pull: (controller) => controller.enqueue(content),
    cancel: () => {
      cancelled = true;
    },
  });
  expect((await copy(bare(source), disk(), { length: 1000 })).bytes).toBe(1000);
  expect([cancelled, source.locked]).toEqual([true, false]);
});
