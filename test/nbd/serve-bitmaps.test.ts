// Issue 15, item 6: dirty bitmaps over NBD, as contexts of QEMU's kind; its programs and libnbd's ask for them.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { createQcow2, open, type BlockDevice, type DirtyBitmap } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { startChild } from '../support/child';
import { failure, refusal } from '../support/failure';
import { COMMAND, contexts, ERROR, FLAG, named, OPTION, REPLY, WireClient } from '../support/nbd-wire';
import { NO_SANITIZER, peer, testWith } from '../support/peers';
import { KiB, MiB, rig } from '../support/rig';
import { serving, type Serving } from '../support/serving';

const bench = rig();
const serve = serving(bench);
const SIZE = 8 * MiB;
const DIRTY = 'qemu:dirty-bitmap:';
const ALLOCATION = 'base:allocation';
const NBDINFO = peer('nbdinfo', 'libnbd-bin');
const QEMU_IMG = peer('qemu-img', 'qemu-utils');
const say = async (program: string, ...args: string[]): Promise<string> => (await promisify(execFile)(program, args)).stdout;

const made = async (): Promise<BlockDevice> => bench.keep(await open(memory({ size: SIZE }), { mode: 'r+' }));
const served = (device: BlockDevice, bitmaps: Record<string, DirtyBitmap>, writable = true): Promise<Serving> =>
  serve(device, { exports: { disk: { device, writable, bitmaps } } });

/** A client that has chosen contexts of the export. */
async function asking(socket: string, ...queries: string[]): Promise<WireClient> {
  const client = await WireClient.greeted(socket);
  await client.ask(OPTION.structured);
  client.structured = true;
  await client.ask(OPTION.setMeta, contexts('disk', ...queries));
  await client.ask(OPTION.go, named('disk'));
  return client;
}

describe('contexts', () => {
  test('are listed by wildcards and by name, chosen by name alone, and have numbers of their own', async () => {
    const device = await made();
    const [a, b] = [device.track(), device.track()];
    const { socket } = await served(device, { a, 'a b': b });
    const client = await WireClient.greeted(socket);
    const ask = async (option: number, ...queries: string[]): Promise<[number, string][]> => {
      const answers = await client.ask(option, contexts('disk', ...queries));
      expect(answers.at(-1)!.type).toBe(REPLY.ack);
      return answers.slice(0, -1).map(({ data }) => [data.readUInt32BE(), data.toString('utf8', 4)]);
    };
    expect((await client.ask(OPTION.listMeta, contexts('disk')))[0]!.type).toBe(REPLY.invalid);
    await client.ask(OPTION.structured);
    const names = async (...queries: string[]): Promise<string[]> => (await ask(OPTION.listMeta, ...queries)).map(([, name]) => name);
    const both = [`${DIRTY}a`, `${DIRTY}a b`];
    expect(await names()).toEqual([ALLOCATION, ...both]);
    expect(await names('qemu:')).toEqual(both);
    expect(await names(DIRTY, DIRTY, `${DIRTY}a`)).toEqual(both);
    expect(await names(`${DIRTY}a b`, ALLOCATION)).toEqual([ALLOCATION, `${DIRTY}a b`]);
    expect(await names('base:', `${DIRTY}none`, 'qemu:allocation-depth', 'qemu', 'a', '')).toEqual([ALLOCATION]);
    expect(await ask(OPTION.setMeta, 'qemu:', DIRTY, 'base:')).toEqual([]);
    const chosen = await ask(OPTION.setMeta, `${DIRTY}a b`, `${DIRTY}a b`, ALLOCATION, `${DIRTY}none`);
    expect(chosen.map(([, name]) => name)).toEqual([ALLOCATION, `${DIRTY}a b`]);
    expect(new Set([0, ...chosen.map(([id]) => id)]).size).toBe(3);
    client.close();
  });

  test('each is a chunk of one reply; a client that chose none has no block status', async () => {
    const device = await made();
    const [coarse, fine] = [device.track({ granularity: 256 * KiB }), device.track({ granularity: 4 * KiB })];
    await device.write(Buffer.alloc(1, 1), MiB + 5000);
    const { socket } = await served(device, { coarse, fine });
    const client = await asking(socket, ALLOCATION, `${DIRTY}fine`, `${DIRTY}coarse`);
    const all = await client.do({ command: COMMAND.status, offset: MiB, length: MiB });
    expect(all).toMatchObject({ error: 0, chunks: [5, 5, 5] });
    expect([...all.extents.keys()]).toEqual([1, 2, 3]);
    const marked = (from: number, to: number): [number, number][] => [
      ...(from === 0 ? [] : [[from, 0] as [number, number]]),
      [to - from, 1],
      [MiB - to, 0],
    ];
    expect([all.extents.get(2), all.extents.get(3)]).toEqual([marked(0, 256 * KiB), marked(4 * KiB, 8 * KiB)]);
    // One extent of each, and no longer than what was asked for, which begins and ends inside of blocks.
    const one = await client.do({ command: COMMAND.status, flags: FLAG.reqOne, offset: MiB + 100, length: 7000 });
    expect([one.extents.get(2), one.extents.get(3)]).toEqual([[[7000, 1]], [[3996, 0]]]);
    const last = await client.do({ command: COMMAND.status, offset: SIZE - 10, length: 10 });
    expect([last.extents.get(2), last.extents.get(3)]).toEqual([[[10, 0]], [[10, 0]]]);
    client.close();
    const none = await asking(socket);
    expect((await none.do({ command: COMMAND.status, length: 512 })).error).toBe(ERROR.invalid);
    none.close();
    // Alone it is the only chunk.
    const only = await asking(socket, `${DIRTY}coarse`);
    expect(await only.do({ command: COMMAND.status, length: MiB })).toMatchObject({ chunks: [5], extents: new Map([[2, [[MiB, 0]]]]) });
    only.close();
  });

  test('a bitmap of more runs than one reply has room for is told in several, and they are shared among contexts', async () => {
    const device = bench.keep(await open(memory({ size: 128 * MiB }), { mode: 'r+' }));
    const [a, b] = [device.track({ granularity: 512 }), device.track({ granularity: 512 })];
    for (let at = 0; at < 128 * MiB; at += KiB) device.writeSync(Buffer.alloc(1), at);
    const { socket } = await served(device, { a, b });
    const client = await asking(socket, `${DIRTY}a`, `${DIRTY}b`);
    for (let at = 0; at < 128 * MiB;) {
      const { extents } = await client.do({ command: COMMAND.status, offset: at, length: 128 * MiB - at });
      const told = extents.get(2)!;
      expect(told.length + extents.get(3)!.length).toBeLessThanOrEqual(65_536);
      expect(told.every(([length, flags], i) => length === 512 && flags === (i + 1) % 2)).toBe(true);
      at += told.length * 512;
    }
    client.close();
  });
});

describe('a bitmap', () => {
  test('is served as it is: marked on by clients, taken from by this program', async () => {
    const device = await made();
    const live = device.track();
    const { socket } = await served(device, { live });
    const client = await asking(socket, `${DIRTY}live`);
    const dirty = async (): Promise<number> => {
      const { extents } = await client.do({ command: COMMAND.status, length: SIZE });
      return extents.get(2)!.reduce((sum, [length, flags]) => sum + length * flags, 0);
    };
    expect(await dirty()).toBe(0);
    expect((await client.do({ command: COMMAND.write, offset: MiB, data: Buffer.alloc(5) })).error).toBe(0);
    expect((await client.do({ command: COMMAND.trim, offset: 3 * MiB, length: 64 * KiB })).error).toBe(0);
    expect(await dirty()).toBe(128 * KiB);
    const taken = live.take();
    expect([await dirty(), taken.count]).toEqual([0, 128 * KiB]);
    live.merge(taken);
    expect(await dirty()).toBe(128 * KiB);
    client.close();
  });

  test('that is disposed, or that its image keeps no more, is EIO, and what else there is goes on', async () => {
    const file = bench.path('kept.qcow2');
    await createQcow2(file, { size: SIZE });
    const device = bench.keep(await open(file, { format: 'qcow2', mode: 'r+' }));
    const [kept, live] = [device.track({ name: 'kept' }), device.track()];
    const taken = live.take();
    const { socket } = await served(device, { kept, live, taken });
    const clients = await Promise.all(['kept', 'live', 'taken'].map((name) => asking(socket, ALLOCATION, DIRTY + name)));
    const errors = (): Promise<number[]> =>
      Promise.all(clients.map(async (client) => (await client.do({ command: COMMAND.status, length: SIZE })).error));
    expect(await errors()).toEqual([0, 0, 0]);
    taken[Symbol.dispose]();
    expect(await errors()).toEqual([0, 0, ERROR.io]);
    live[Symbol.dispose]();
    expect(await errors()).toEqual([0, ERROR.io, ERROR.io]);
    device.removeBitmap('kept');
    expect(await errors()).toEqual([ERROR.io, ERROR.io, ERROR.io]);
    expect((await clients[0]!.do({ command: COMMAND.read, length: 4 })).data).toEqual(Buffer.alloc(4));
    for (const client of clients) client.close();
    const message = (await failure(() => served(device, { live }), 'EBADF')).message;
    expect(message).toContain('disposed');
    await failure(() => served(device, { kept }), 'EBADF');
  });

  test('is one of the bytes that are served, through whichever open, and has a name that fits', async () => {
    const driver = bench.driver();
    const minor = await driver.register(bench.sparse(SIZE));
    const [writer, reader] = [await driver.open(minor, { mode: 'r+' }), await driver.open(minor)];
    const [other, part] = [await made(), await driver.open(await driver.register(bench.sparse(SIZE), { offset: MiB }), { mode: 'r+' })];
    for (const device of [writer, reader, part]) bench.keep(device);
    const bitmap = writer.track();
    const { server } = await served(reader, { bitmap }, false);
    await server.close();
    for (const device of [other, part]) expect(await refusal(() => served(device, { bitmap }))).toBe('ERR_INVALID_ARG_VALUE');
    for (const name of ['', 'a\0b', 'n'.repeat(1024), '\ud800']) {
      expect(await refusal(() => served(writer, { [name]: bitmap }))).toBe('ERR_INVALID_ARG_VALUE');
    }
    for (const bad of [1, null, {}, bitmap.extents()]) {
      expect(await refusal(() => served(writer, { bad: bad as never }))).toBe('ERR_INVALID_ARG_TYPE');
    }
    expect(await refusal(() => served(writer, 'bitmap' as never))).toBe('ERR_INVALID_ARG_TYPE');
    const longest = await served(writer, { ['n'.repeat(1023)]: bitmap });
    const client = await asking(longest.socket, DIRTY + 'n'.repeat(1023));
    expect((await client.do({ command: COMMAND.status, length: SIZE })).error).toBe(0);
    client.close();
  });

  test('that nobody but the server holds is not collected, and goes on to be marked', async () => {
    const script = `
      const { memory } = require('rumpblk/media');
      const { serve } = require('rumpblk/nbd');
      const device = await open(memory({ size: 1 << 20 }), { mode: 'r+' });
      let gone = false;
      const registry = new FinalizationRegistry(() => (gone = true));
      const begin = () => {
        const bitmap = device.track();
        registry.register(bitmap, 0);
        return serve({ exports: { '': { device, writable: true, bitmaps: { bitmap } } }, socket: args.socket });
      };
      const server = await begin();
      for (let more = 3; more > 0; more -= gone ? 1 : 0) { gc(); await new Promise(setImmediate); }
      await device.write(Buffer.alloc(1), 70000);
      report('ready');
      await new Promise((resolve) => server.on('disconnect', resolve));
      await server.close();`;
    const socket = bench.path('collected');
    const child = startChild(script, { args: { socket }, nodeFlags: ['--expose-gc', '--no-warnings'] });
    expect(await child.next()).toBe('ready');
    const client = await WireClient.greeted(socket);
    await client.ask(OPTION.structured);
    client.structured = true;
    await client.ask(OPTION.setMeta, contexts('', `${DIRTY}bitmap`));
    await client.ask(OPTION.go, named(''));
    const { extents } = await client.do({ command: COMMAND.status, length: MiB });
    expect(extents.get(2)).toEqual([
      [64 * KiB, 0],
      [64 * KiB, 1],
      [MiB - 128 * KiB, 0],
    ]);
    client.close();
    expect((await child.ended).code).toBe(0);
  });
});

interface Range {
  start: number;
  length: number;
}
const RANGES: Range[] = [
  { start: MiB, length: 64 * KiB },
  { start: 5 * MiB, length: 128 * KiB },
];

testWith(
  NBDINFO,
  QEMU_IMG,
  NO_SANITIZER,
)('nbdinfo and qemu-img tell what is dirty, and that alone makes an old copy a new one', async () => {
  const device = bench.device(bench.image(Buffer.alloc(SIZE, 1)), { mode: 'r+' });
  const changes = device.track();
  const copy = Buffer.alloc(SIZE, 1);
  await device.write(Buffer.alloc(10, 2), MiB + 70);
  await device.write(Buffer.alloc(10, 3), 5 * MiB + 64 * KiB - 5);
  const taken = changes.take();
  await device.write(Buffer.alloc(10, 3), 7 * MiB);
  const { socket, server } = await served(device, { taken, changes }, false);
  const uri = server.url!.href;
  expect(await say('nbdinfo', uri)).toContain(`contexts:\n\t\t${ALLOCATION}\n\t\t${DIRTY}taken\n\t\t${DIRTY}changes\n`);
  const info = JSON.parse(await say('nbdinfo', `--map=${DIRTY}taken`, '--json', uri)) as { offset: number; length: number; type: number }[];
  expect(info.filter(({ type }) => type === 1).map(({ offset, length }) => ({ start: offset, length }))).toEqual(RANGES);
  const node = `driver=nbd,server.type=unix,server.path=${socket},export=disk,x-dirty-bitmap=${DIRTY}`;
  const map = JSON.parse(await say('qemu-img', 'map', '--output=json', '--image-opts', `${node}taken`)) as (Range & { data: boolean })[];
  // QEMU takes the flag of what is dirty for that of a hole.
  const dirty = map.filter(({ data }) => !data);
  expect(dirty.map(({ start, length }) => ({ start, length }))).toEqual(RANGES);
  const client = await open(server.url!);
  for (const { start, length } of dirty) await client.read(copy.subarray(start, start + length), start);
  await client.close();
  await device.writeZeroes(7 * MiB, 64 * KiB);
  copy.fill(0, 7 * MiB, 7 * MiB + 64 * KiB);
  expect(bench.bytes(device).equals(copy)).toBe(true);
  await expect(say('qemu-img', 'map', '--image-opts', `${node}none`)).rejects.toThrow('Could not open');
});
