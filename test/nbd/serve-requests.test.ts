// What a server answers to requests, over all that a device may be made of: data, errors, and which of them are refused.
import { expect, test } from '@jest/globals';
import { open } from 'rumpblk';
import { lateDisk } from '../support/late';
import { CHUNK, COMMAND, ERROR, FLAG, request, WireClient, type Answer, type Sent } from '../support/nbd-wire';
import { MiB, pattern, rig } from '../support/rig';
import { serving, until } from '../support/serving';

const bench = rig();
const content = pattern(4 * MiB);
const served = serving(bench);
const STATUS = { structured: true, status: true };

for (const { name, access, disk } of bench.grounds) {
  test(`${name}: what is written is read, in pieces of all sizes, simple and structured, many under way`, async () => {
    const device = bench.device(disk(content), { mode: 'r+', access });
    const { server, socket } = await served(device);
    const expected = Buffer.from(content);
    for (const structured of [false, true]) {
      const client = await WireClient.ready(socket, '', { structured });
      const writes = [
        { offset: 1, size: 3 },
        { offset: 511, size: 4098 },
        { offset: 70_000, size: 65_536 },
        { offset: 200_001, size: 65_537 },
        { offset: MiB, size: 2 * MiB },
        { offset: 4 * MiB - 1, size: 1 },
      ];
      const sent = writes.map(({ offset, size }, cookie): Sent => {
        const data = pattern(size, 100 + cookie + Number(structured));
        data.copy(expected, offset);
        return { command: COMMAND.write, flags: cookie % 2 ? FLAG.fua : 0, cookie, offset, data };
      });
      client.send(...sent.map(request));
      for (let i = 0; i < sent.length; i += 1) expect((await client.reply()).error).toBe(0);
      const sizes = new Map<number, number>();
      const asked: Sent[] = [];
      for (let cookie = 0; cookie < 300; cookie += 1) {
        const length = [1, 512, 4096, 4097, 65_536, 65_537, 300_000, 1_200_000][cookie % 8]!;
        const offset = (cookie * 977_777) % (4 * MiB - length);
        sizes.set(cookie, length);
        asked.push({ command: COMMAND.read, cookie, offset, length });
      }
      client.send(...asked.map(request));
      while (sizes.size > 0) {
        const { cookie, error, data } = await client.reply(sizes);
        const { offset = 0 } = asked[cookie]!;
        expect(error).toBe(0);
        expect(data.equals(expected.subarray(Number(offset), Number(offset) + sizes.get(cookie)!))).toBe(true);
        sizes.delete(cookie);
      }
      client.close();
    }
    expect(server.stats()).toMatchObject({ requests: 612, errors: 0 });
    expect(bench.bytes(device).equals(expected)).toBe(true);
  });
}

test('zeros, trims, flushes and hints; status of what is a hole then', async () => {
  const { socket } = await served(bench.device(bench.image(content), { mode: 'r+' }));
  const client = await WireClient.ready(socket, '', STATUS);
  const done = async (sent: Sent): Promise<number> => (await client.do(sent)).error;
  expect(await done({ command: COMMAND.zeroes, offset: 65_536, length: 65_536 })).toBe(0);
  expect(await done({ command: COMMAND.zeroes, flags: FLAG.noHole | FLAG.fua, offset: 3 * 65_536, length: 65_536 })).toBe(0);
  expect(await done({ command: COMMAND.trim, flags: FLAG.fua, offset: 5 * 65_536, length: 65_536 })).toBe(0);
  expect(await done({ command: COMMAND.cache, length: 4 * MiB })).toBe(0);
  expect(await done({ command: COMMAND.flush })).toBe(0);
  expect(await done({ command: COMMAND.flush, flags: FLAG.fua })).toBe(0);
  const extents = ({ data }: Answer): number[][] =>
    Array.from({ length: data.length / 8 }, (_, i) => [data.readUInt32BE(8 * i), data.readUInt32BE(8 * i + 4)]);
  const all = extents(await client.do({ command: COMMAND.status, length: 4 * MiB }));
  expect(all.reduce((sum, [length]) => sum + length!, 0)).toBe(4 * MiB);
  expect(all.slice(0, 2)).toEqual([
    [65_536, 0],
    [65_536, 3],
  ]);
  expect(extents(await client.do({ command: COMMAND.status, flags: FLAG.reqOne, offset: 65_536 + 512, length: 1024 }))).toEqual([
    [1024, 3],
  ]);
  const read = await client.do({ command: COMMAND.read, offset: 0, length: 4 * MiB });
  for (const hole of [1, 3, 5]) expect(read.data.subarray(hole * 65_536, (hole + 1) * 65_536).some(Boolean)).toBe(false);
  expect(read.data.subarray(0, 65_536).equals(content.subarray(0, 65_536))).toBe(true);
  client.close();
});

test('what cannot be is refused by its name, costs nothing, and the next request is served', async () => {
  const { server, socket } = await served(bench.device(bench.image(content), { mode: 'r+' }));
  const client = await WireClient.ready(socket, '', STATUS);
  const end = 4 * MiB;
  const refused: [Sent, number][] = [
    [{ command: COMMAND.read, offset: end, length: 1 }, ERROR.invalid],
    [{ command: COMMAND.read, offset: end - 1, length: 2 }, ERROR.invalid],
    [{ command: COMMAND.read, offset: 2n ** 64n - 1n, length: 2 }, ERROR.invalid],
    [{ command: COMMAND.read, length: 64 * MiB + 1 }, ERROR.invalid],
    [{ command: COMMAND.write, offset: end - 1, data: Buffer.alloc(2) }, ERROR.noSpace],
    [{ command: COMMAND.write, offset: 2n ** 63n, data: Buffer.alloc(70_000) }, ERROR.noSpace],
    [{ command: COMMAND.zeroes, offset: end, length: 1 }, ERROR.noSpace],
    [{ command: COMMAND.zeroes, length: 2 ** 32 - 1 }, ERROR.noSpace],
    [{ command: COMMAND.trim, offset: end, length: 1 }, ERROR.invalid],
    [{ command: COMMAND.cache, offset: end, length: 1 }, ERROR.invalid],
    [{ command: COMMAND.status, offset: end, length: 1 }, ERROR.invalid],
    [{ command: COMMAND.read, length: 0 }, ERROR.invalid],
    [{ command: COMMAND.read, offset: end, length: 0 }, ERROR.invalid],
    [{ command: COMMAND.trim, length: 0 }, ERROR.invalid],
    [{ command: COMMAND.cache, length: 0 }, ERROR.invalid],
    [{ command: COMMAND.zeroes, length: 0 }, ERROR.invalid],
    [{ command: COMMAND.status, length: 0 }, ERROR.invalid],
    [{ command: COMMAND.write, data: Buffer.alloc(0) }, ERROR.invalid],
    [{ command: COMMAND.flush, offset: 1 }, ERROR.invalid],
    [{ command: COMMAND.flush, length: 1 }, ERROR.invalid],
    [{ command: 8, length: 1 }, ERROR.invalid],
    [{ command: 65_535 }, ERROR.invalid],
    [{ command: COMMAND.read, flags: 32, length: 1 }, ERROR.invalid],
    [{ command: COMMAND.read, flags: FLAG.noHole, length: 1 }, ERROR.invalid],
    [{ command: COMMAND.write, flags: FLAG.df, data: Buffer.alloc(1) }, ERROR.invalid],
    [{ command: COMMAND.trim, flags: FLAG.fastZero, length: 1 }, ERROR.invalid],
    [{ command: COMMAND.disconnect, flags: FLAG.reqOne }, ERROR.invalid],
  ];
  for (const [sent, error] of refused) {
    const answer = await client.do({ cookie: 5, ...sent });
    expect([sent, answer.error, answer.cookie]).toEqual([sent, error, 5]);
  }
  expect((await client.do({ command: COMMAND.read, flags: FLAG.fua | FLAG.df, length: 65_536 })).chunks).toEqual([CHUNK.data]);
  expect(server.stats().errors).toBe(refused.length);
  client.close();
});

test('a write that is too long is read for nothing, once twice as much is no request any more', async () => {
  const { socket } = await served(bench.device(bench.image(content), { mode: 'r+' }));
  const client = await WireClient.ready(socket);
  client.send(request({ command: COMMAND.write, cookie: 1, length: 65 * MiB }));
  for (let i = 0; i < 65; i += 1) client.send(Buffer.alloc(MiB));
  expect(await client.reply()).toMatchObject({ cookie: 1, error: ERROR.invalid });
  expect((await client.do({ command: COMMAND.read, length: 8 })).data).toEqual(content.subarray(0, 8));
  client.send(request({ command: COMMAND.write, length: 128 * MiB + 1 }));
  expect(await client.end()).toHaveLength(0);
});

test('an export that is only read: EPERM to all that would change it, whoever else may', async () => {
  const device = bench.device(bench.image(content), { mode: 'r+' });
  const { socket } = await served(device, { writable: false });
  const client = await WireClient.ready(socket);
  expect((await client.do({ command: COMMAND.write, data: Buffer.alloc(5) })).error).toBe(ERROR.permission);
  expect((await client.do({ command: COMMAND.write, data: Buffer.alloc(500_000) })).error).toBe(ERROR.permission);
  expect((await client.do({ command: COMMAND.trim, length: 5 })).error).toBe(ERROR.permission);
  expect((await client.do({ command: COMMAND.zeroes, length: 5 })).error).toBe(ERROR.permission);
  expect((await client.do({ command: COMMAND.flush })).error).toBe(0);
  client.close();
  expect(bench.bytes(device).equals(content)).toBe(true);
});

test('faults, counters and protected ranges of the device are in force', async () => {
  const device = bench.device(bench.image(content), { mode: 'r+', protect: [[0, 512]] });
  const { socket } = await served(device);
  const client = await WireClient.ready(socket);
  device.driver.resetCounters();
  expect((await client.do({ command: COMMAND.read, length: 4096 })).error).toBe(0);
  expect((await client.do({ command: COMMAND.write, offset: 100, data: Buffer.alloc(5) })).error).toBe(ERROR.permission);
  expect((await client.do({ command: COMMAND.write, offset: 1024, data: Buffer.alloc(512) })).error).toBe(0);
  expect(device.driver.counters()).toMatchObject({ ioTotal: 2, bytesRead: 4096, bytesWritten: 512 });
  device.driver.faults.set({ rate: 10_000 });
  expect((await client.do({ command: COMMAND.read, length: 4096 })).error).toBe(ERROR.io);
  expect((await client.do({ command: COMMAND.write, offset: 1024, data: Buffer.alloc(512) })).error).toBe(ERROR.io);
  device.driver.faults.clear();
  expect((await client.do({ command: COMMAND.read, length: 4096 })).error).toBe(0);
  client.close();
});

test('a medium that answers later holds up nobody: what is behind it is answered, and all under way at once', async () => {
  const late = lateDisk(4 * MiB, { held: true });
  const device = bench.keep(await open(late.medium, { mode: 'r+' }));
  const other = bench.device(bench.image(content));
  const { socket } = await served(device, { exports: { '': { device, writable: true }, other } });
  const client = await WireClient.ready(socket);
  client.send(
    ...Array.from({ length: 20 }, (_, cookie) => request({ command: COMMAND.read, cookie, offset: cookie * 4096, length: 4096 })),
  );
  await until(() => late.underWay === 20);
  // Refused at once, behind twenty that wait.
  expect(await client.do({ command: COMMAND.read, cookie: 99, offset: 2n ** 40n, length: 1 })).toMatchObject({
    cookie: 99,
    error: ERROR.invalid,
  });
  const neighbour = await WireClient.ready(socket, 'other');
  expect((await neighbour.do({ command: COMMAND.read, length: 8 })).data).toEqual(content.subarray(0, 8));
  late.release();
  const sizes = new Map(Array.from({ length: 20 }, (_, cookie) => [cookie, 4096]));
  for (let i = 0; i < 20; i += 1) expect((await client.reply(sizes)).error).toBe(0);
  expect(late.peak).toBe(20);
  client.close();
  neighbour.close();
});
