// Streams of a device one by one: back-pressure, encodings, BYOB readers, ends in the middle of a request.
import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { openFileHandle } from 'rumpblk/fs';
import { content, opener } from '../support/opened';
import { KiB, MiB, rig } from '../support/rig';

const bench = rig();
const writable = opener(bench);

test('a producer is held up while the device is behind', async () => {
  const { handle } = writable();
  const stream = handle.createWriteStream({ highWaterMark: 32 * KiB });
  let accepted = 0;
  while (stream.write(Buffer.alloc(8 * KiB))) accepted += 1;
  expect(accepted).toBeLessThan(5);
  stream.end();
  await finished(stream);
  const web = openFileHandle(handle.device).writableWebStream({ highWaterMark: 32 * KiB });
  const writer = web.getWriter();
  expect(writer.desiredSize).toBe(32 * KiB);
  const first = writer.write(Buffer.alloc(40 * KiB));
  expect(writer.desiredSize).toBeLessThan(0);
  await first;
  await writer.close();
});

test('a read stream takes an encoding, counts, and goes through pipes', async () => {
  const text = Buffer.from('grüße '.repeat(1000));
  const { handle, device } = writable(text);
  let got = '';
  for await (const part of handle.createReadStream({ encoding: 'utf8', highWaterMark: 7 })) got += part as string;
  expect(got).toBe(text.toString());
  const target = writable(Buffer.alloc(text.length + 10));
  const source = openFileHandle(device).createReadStream();
  const sink = target.handle.createWriteStream({ start: 10 });
  await pipeline(source, createGzip(), createGunzip(), sink);
  expect([source.bytesRead, sink.bytesWritten]).toEqual([text.length, text.length]);
  expect(readFileSync(target.image).subarray(10).equals(text)).toBe(true);
});

test('a write stream takes strings', async () => {
  const { handle, image } = writable();
  const stream = handle.createWriteStream({ start: 0, encoding: 'latin1' });
  stream.write('grün');
  stream.end('grün', 'utf8');
  await finished(stream);
  expect(
    readFileSync(image)
      .subarray(0, 9)
      .equals(Buffer.concat([Buffer.from('grün', 'latin1'), Buffer.from('grün')])),
  ).toBe(true);
});

test('a Web stream fills the memory of a BYOB reader, and nothing beyond the range', async () => {
  const { handle } = writable();
  const reader = handle.readableWebStream({ start: 100, end: 1099 }).getReader({ mode: 'byob' });
  const first = await reader.read(new Uint8Array(600));
  const second = await reader.read(new Uint8Array(600));
  expect([first.value?.byteLength, second.value?.byteLength]).toEqual([600, 400]);
  expect(Buffer.concat([first.value!, second.value!]).equals(content.subarray(100, 1100))).toBe(true);
  expect((await reader.read(new Uint8Array(600))).done).toBe(true);
  expect(handle.closed).toBe(true);
});

test('a stream that is destroyed or cancelled in the middle of a read lets go first', async () => {
  const { handle, device } = writable();
  const stream = handle.createReadStream({ highWaterMark: 1 * MiB });
  stream.read(0);
  stream.destroy();
  await finished(stream).catch(() => undefined);
  expect(handle.closed).toBe(true);
  const web = openFileHandle(device);
  const reader = web.readableWebStream({ highWaterMark: 1 * MiB }).getReader();
  const pending = reader.read();
  await reader.cancel('no more');
  await pending;
  expect(web.closed).toBe(true);
  await device.close();
});

test('nothing is lost when a slow consumer and a fast device meet', async () => {
  const { handle } = writable();
  const slow: Buffer[] = [];
  const sink = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, callback) {
      slow.push(chunk);
      setImmediate(callback);
    },
  });
  await pipeline(handle.createReadStream({ highWaterMark: 64 * KiB }), sink);
  expect(Buffer.concat(slow).equals(content)).toBe(true);
});
