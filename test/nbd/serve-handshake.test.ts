// The handshake of a server, byte by byte: what a client may send at all, each answer, and what ends a connection.
import { expect, test } from '@jest/globals';
import type { NbdServerOptions } from 'rumpblk/nbd';
import { COMMAND, contexts, ERROR, named, option, OPTION, REPLY, request, u16, u32, WireClient } from '../support/nbd-wire';
import { MiB, pattern, rig } from '../support/rig';
import { serving } from '../support/serving';

const bench = rig();
const content = pattern(MiB);
const serve = serving(bench);
const served: (options?: Partial<NbdServerOptions>) => ReturnType<typeof serve> = (options) => {
  const device = bench.device(bench.image(content), { mode: 'r+' });
  return serve(device, { exports: { disk: { device, writable: true, description: 'a disk' } }, ...options });
};

test('the handshake and a read, in pieces cut at every byte', async () => {
  const { socket } = await served();
  const words = Buffer.concat([
    u32(3),
    option(99, Buffer.from('who knows')),
    option(OPTION.structured),
    option(OPTION.setMeta, contexts('disk', 'base:allocation')),
    option(OPTION.go, named('disk', 1, 2, 3)),
    request({ command: COMMAND.read, cookie: 7, offset: 512, length: 1024 }),
    request({ command: COMMAND.write, cookie: 8, offset: 4096, data: content.subarray(0, 9) }),
    request({ command: COMMAND.disconnect }),
  ]);
  const said = async (send: (client: WireClient) => Promise<void>): Promise<string> => {
    const client = await WireClient.connect(socket);
    await send(client);
    return (await client.end()).toString('hex');
  };
  const whole = await said(async (client) => client.send(words));
  expect(whole).toContain(content.subarray(512, 1536).toString('hex'));
  const sendCut = async (client: WireClient, at: number): Promise<void> => {
    client.send(words.subarray(0, at));
    await new Promise(setImmediate);
    client.send(words.subarray(at));
  };
  for (let at = 1; at < words.length; at += 7) expect(await said((client) => sendCut(client, at))).toBe(whole);
  expect(
    await said(async (client) => {
      client.socket.setNoDelay(true);
      for (const byte of words) {
        client.send(Buffer.from([byte]));
        await new Promise(setImmediate);
      }
    }),
  ).toBe(whole);
});

test('what is unknown, refused or too long is answered, and the stream stays in sync', async () => {
  const { socket } = await served();
  const client = await WireClient.greeted(socket);
  const typeOf = async (number: number, data?: Uint8Array): Promise<number> => (await client.ask(number, data)).at(-1)!.type;
  expect(await typeOf(4, Buffer.alloc(100))).toBe(REPLY.unsupported);
  expect(await typeOf(OPTION.extended)).toBe(REPLY.unsupported);
  expect(await typeOf(OPTION.startTls)).toBe(REPLY.policy);
  expect(await typeOf(OPTION.startTls, Buffer.alloc(65_536))).toBe(REPLY.policy);
  expect(await typeOf(77, Buffer.alloc(300_000))).toBe(REPLY.tooBig);
  expect(await typeOf(OPTION.list, Buffer.from('x'))).toBe(REPLY.invalid);
  expect(await typeOf(OPTION.structured, Buffer.from('x'))).toBe(REPLY.invalid);
  expect(await typeOf(OPTION.listMeta, contexts('disk'))).toBe(REPLY.invalid);
  expect(await typeOf(OPTION.info, named('no such'))).toBe(REPLY.unknown);
  expect(await typeOf(OPTION.go, named('no such'))).toBe(REPLY.unknown);
  for (const bad of [
    Buffer.alloc(0),
    u32(2 ** 32 - 1),
    Buffer.concat([u32(4), Buffer.from('disk')]),
    Buffer.concat([named('disk', 1), Buffer.from('x')]),
  ]) {
    expect(await typeOf(OPTION.go, bad)).toBe(REPLY.invalid);
  }
  expect(await typeOf(OPTION.go, Buffer.concat([named('disk').subarray(0, 8), u16(9)]))).toBe(REPLY.invalid);
  const [listed] = await client.ask(OPTION.list);
  expect([listed!.type, listed!.data.toString()]).toEqual([REPLY.server, '\0\0\0\u0004diska disk']);
  // All of that was no export yet.
  const told = await client.ask(OPTION.go, named('disk', 1, 2, 3));
  expect(told.map(({ type, data }) => [type, data.length && data.readUInt16BE()])).toEqual([
    [REPLY.info, 0],
    [REPLY.info, 1],
    [REPLY.info, 2],
    [REPLY.info, 3],
    [REPLY.ack, 0],
  ]);
  expect(told[0]!.data.readBigUInt64BE(2)).toBe(BigInt(MiB));
  expect(await client.do({ command: COMMAND.read, length: 16 })).toMatchObject({ error: 0, data: content.subarray(0, 16) });
  client.close();
});

test('contexts: the last choice counts, of the export that is then used, and needs structured replies', async () => {
  const { socket } = await served();
  const status = async (...asked: Uint8Array[]): Promise<number> => {
    const client = await WireClient.greeted(socket);
    await client.ask(OPTION.structured);
    client.structured = true;
    for (const one of asked) await client.ask(OPTION.setMeta, one);
    await client.ask(OPTION.go, named('disk'));
    const { error, chunks } = await client.do({ command: COMMAND.status, length: 4096 });
    client.close();
    return error === 0 ? chunks[0]! : error;
  };
  expect(await status(contexts('disk', 'base:allocation'))).toBe(5);
  expect(await status(contexts('disk', 'qemu:x', 'base:allocation', ''))).toBe(5);
  expect(await status()).toBe(ERROR.invalid);
  expect(await status(contexts('disk', 'base:'))).toBe(ERROR.invalid);
  expect(await status(contexts('disk', 'base:allocation'), contexts('disk'))).toBe(ERROR.invalid);
  expect(await status(contexts('disk', 'base:allocation'), contexts('no such', 'base:allocation'))).toBe(ERROR.invalid);
  expect(await status(contexts('disk', 'base:allocation'), u32(9))).toBe(ERROR.invalid);
  const client = await WireClient.greeted(socket);
  await client.ask(OPTION.structured);
  for (const query of [[], ['base:'], ['base:allocation']]) {
    const [listed] = await client.ask(OPTION.listMeta, contexts('disk', ...query));
    expect([listed!.type, listed!.data.subarray(4).toString()]).toEqual([REPLY.meta, 'base:allocation']);
  }
  expect(await client.ask(OPTION.listMeta, contexts('disk', 'other:'))).toHaveLength(1);
  client.close();
});

test('EXPORT_NAME, with zeros behind it and without; ABORT is acknowledged', async () => {
  const { socket } = await served();
  for (const [flags, zeros] of [
    [1, 124],
    [3, 0],
  ] as const) {
    for (const name of ['disk', '']) {
      const client = await WireClient.greeted(socket, flags);
      client.send(option(OPTION.exportName, Buffer.from(name)));
      const answer = await client.take(10 + zeros);
      expect([answer.readBigUInt64BE(), answer.subarray(10).every((byte) => byte === 0)]).toEqual([BigInt(MiB), true]);
      expect((await client.do({ command: COMMAND.read, length: 5 })).data).toEqual(content.subarray(0, 5));
      client.close();
    }
  }
  const client = await WireClient.greeted(socket);
  expect((await client.ask(OPTION.abort)).map(({ type }) => type)).toEqual([REPLY.ack]);
  expect(await client.end()).toHaveLength(0);
});

test('what breaks the rules ends that client, tells of it, and no other', async () => {
  const { server, socket } = await served();
  const errors: (string | undefined)[] = [];
  server.on('error', ({ error }) => errors.push(error?.code));
  const good = await WireClient.ready(socket);
  const ends = async (flags: number, ...words: Buffer[]): Promise<void> => {
    const client = await WireClient.greeted(socket, flags);
    client.send(...words);
    await client.end();
  };
  await ends(7);
  await ends(3, Buffer.alloc(16, 1));
  await ends(3, option(OPTION.exportName, Buffer.from('no such')));
  await ends(3, Buffer.concat([Buffer.from('IHAVEOPT'), u32(5), u32(2 ** 32 - 1)]));
  await ends(3, ...Array.from({ length: 65 }, () => option(OPTION.list)));
  await ends(3, option(OPTION.go, named('')), Buffer.from('GET / HTTP/1.1\r\nHost: example\r\n\r\n'));
  await ends(3, option(OPTION.go, named('')), request({ command: COMMAND.write, length: 2 ** 32 - 1 }));
  expect((await good.do({ command: COMMAND.read, length: 16 })).data).toEqual(content.subarray(0, 16));
  good.close();
  await new Promise(setImmediate);
  expect(errors.length).toBeGreaterThan(0);
  expect(new Set(errors)).toEqual(new Set(['EPROTO']));
});

test('several exports: each by its name, the empty one only where it is said', async () => {
  const [a, b] = [bench.device(bench.image(pattern(8192, 1))), bench.device(bench.image(pattern(4096, 2)))];
  const exports = { a, '': b };
  const sizeOf = async (socket: string, name: string): Promise<bigint | number> => {
    const client = await WireClient.greeted(socket);
    const [answer] = await client.ask(OPTION.info, named(name));
    client.close();
    return answer!.type === REPLY.info ? answer!.data.readBigUInt64BE(2) : answer!.type;
  };
  const { socket } = await served({ exports });
  expect([await sizeOf(socket, 'a'), await sizeOf(socket, ''), await sizeOf(socket, 'b')]).toEqual([8192n, 4096n, REPLY.unknown]);
  const other = await served({ exports: { a, b }, default: 'a' });
  expect([await sizeOf(other.socket, ''), await sizeOf(other.socket, 'b')]).toEqual([8192n, 4096n]);
  const none = await served({ exports: { a, b } });
  expect(await sizeOf(none.socket, '')).toBe(REPLY.unknown);
});
