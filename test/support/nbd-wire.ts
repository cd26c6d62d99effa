// A client of NBD that says what a test wants it to, byte by byte: for what no well-behaved client says.
import { once } from 'node:events';
import net from 'node:net';

export const OPTION = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structured: 8,
  listMeta: 9,
  setMeta: 10,
  extended: 11,
};
export const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, cache: 5, zeroes: 6, status: 7 };
export const FLAG = { fua: 1, noHole: 2, df: 4, reqOne: 8, fastZero: 16 };
export const REPLY = {
  ack: 1,
  server: 2,
  info: 3,
  meta: 4,
  unsupported: 2 ** 31 + 1,
  policy: 2 ** 31 + 2,
  invalid: 2 ** 31 + 3,
  unknown: 2 ** 31 + 6,
  tooBig: 2 ** 31 + 9,
};
export const ERROR = { permission: 1, io: 5, memory: 12, invalid: 22, noSpace: 28, notSupported: 95, shutdown: 108 };
export const CHUNK = { none: 0, data: 1, hole: 2, status: 5, error: 32769 };

const IHAVEOPT = Buffer.from('IHAVEOPT');
const REPLY_MAGIC = 0x0003e889045565a9n;

export const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

export const option = (number: number, data: Uint8Array = Buffer.alloc(0)): Buffer =>
  Buffer.concat([IHAVEOPT, u32(number), u32(data.length), data]);
export const named = (name: string, ...infos: number[]): Buffer =>
  Buffer.concat([u32(Buffer.byteLength(name)), Buffer.from(name), u16(infos.length), ...infos.map(u16)]);
export const contexts = (name: string, ...queries: string[]): Buffer =>
  Buffer.concat([
    u32(Buffer.byteLength(name)),
    Buffer.from(name),
    u32(queries.length),
    ...queries.flatMap((query) => [u32(query.length), Buffer.from(query)]),
  ]);

export interface Sent {
  command: number;
  flags?: number;
  cookie?: number;
  offset?: number | bigint;
  length?: number;
  data?: Uint8Array;
  magic?: number;
}
export function request({ command, flags = 0, cookie = 0, offset = 0, length, data, magic = 0x25609513 }: Sent): Buffer {
  const header = [u32(magic), u16(flags), u16(command), u64(BigInt(cookie)), u64(BigInt(offset)), u32(length ?? data?.length ?? 0)];
  return Buffer.concat(data === undefined ? header : [...header, data]);
}

export interface OptionAnswer {
  option: number;
  type: number;
  data: Buffer;
}
export interface Answer {
  cookie: number;
  error: number;
  /** What structured chunks came, by their types; a simple reply has none. */
  chunks: number[];
  data: Buffer;
  /** Of a block status, by the number of the context: lengths and flags. */
  extents: Map<number, [length: number, flags: number][]>;
}

export class WireClient {
  #chunks: Buffer[] = [];
  #size = 0;
  #ended = false;
  #wake: () => void = () => undefined;
  structured = false;

  private constructor(readonly socket: net.Socket) {
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    // A server that cuts a client off may reset it.
    socket.on('error', end).on('end', end).on('close', end);
  }

  static async connect(at: string | number): Promise<WireClient> {
    const socket = net.connect(typeof at === 'string' ? { path: at } : { port: at, host: '127.0.0.1' });
    const client = new WireClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Connects, and comes to the options. */
  static async greeted(at: string | number, flags = 3): Promise<WireClient> {
    const client = await WireClient.connect(at);
    await client.take(18);
    client.send(u32(flags));
    return client;
  }

  /** The same, up to requests. */
  static async ready(at: string | number, name = '', { structured = false, status = false } = {}): Promise<WireClient> {
    const client = await WireClient.greeted(at);
    if (structured || status) await client.ask(OPTION.structured);
    client.structured = structured || status;
    if (status) await client.ask(OPTION.setMeta, contexts(name, 'base:allocation'));
    await client.ask(OPTION.go, named(name));
    return client;
  }

  send(...bytes: Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** The next bytes; fewer where the connection has ended. */
  async take(size: number): Promise<Buffer> {
    while (this.#size < size && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    const all = Buffer.concat(this.#chunks);
    const taken = all.subarray(0, size);
    this.#chunks = [all.subarray(taken.length)];
    this.#size = all.length - taken.length;
    return taken;
  }

  /** Waits until the server has ended the connection. -> what came before that. */
  async end(): Promise<Buffer> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.take(this.#size);
  }

  async optionAnswer(): Promise<OptionAnswer> {
    const header = await this.take(20);
    if (header.length < 20) throw new Error('the server has ended the connection');
    if (header.readBigUInt64BE() !== REPLY_MAGIC) throw new Error(`no answer to an option: ${header.toString('hex')}`);
    return { option: header.readUInt32BE(8), type: header.readUInt32BE(12), data: await this.take(header.readUInt32BE(16)) };
  }

  /** Sends an option, and takes its answers, up to the one that ends it. */
  async ask(number: number, data?: Uint8Array): Promise<OptionAnswer[]> {
    this.send(option(number, data));
    return this.answers(number);
  }
  async answers(number: number): Promise<OptionAnswer[]> {
    const all: OptionAnswer[] = [];
    do all.push(await this.optionAnswer());
    while (![REPLY.ack].includes(all.at(-1)!.type) && all.at(-1)!.type < 2 ** 31);
    if (all.some((answer) => answer.option !== number)) throw new Error('an answer to another option');
    return all;
  }

  /** The next reply; `sizes` gives the bytes of each read that is under way. */
  async reply(sizes: ReadonlyMap<number, number> = new Map()): Promise<Answer> {
    const answer: Answer = { cookie: 0, error: 0, chunks: [], data: Buffer.alloc(0), extents: new Map() };
    if (!this.structured) {
      const header = await this.take(16);
      if (header.length < 16 || header.readUInt32BE() !== 0x67446698) throw new Error(`no simple reply: ${header.toString('hex')}`);
      answer.error = header.readUInt32BE(4);
      answer.cookie = Number(header.readBigUInt64BE(8));
      if (answer.error === 0) answer.data = await this.take(sizes.get(answer.cookie) ?? 0);
      return answer;
    }
    for (let done = false; !done;) {
      const header = await this.take(20);
      if (header.length < 20 || header.readUInt32BE() !== 0x668e33ef) throw new Error(`no chunk: ${header.toString('hex')}`);
      const type = header.readUInt16BE(6);
      const payload = await this.take(header.readUInt32BE(16));
      done = (header.readUInt16BE(4) & 1) !== 0;
      answer.cookie = Number(header.readBigUInt64BE(8));
      answer.chunks.push(type);
      if (type >= 2 ** 15) answer.error = payload.readUInt32BE();
      else if (type === CHUNK.data) answer.data = Buffer.concat([answer.data, payload.subarray(8)]);
      else if (type === CHUNK.status) {
        answer.data = payload.subarray(4);
        const words = Array.from({ length: answer.data.length / 8 }, (_, i): [number, number] => [
          answer.data.readUInt32BE(8 * i),
          answer.data.readUInt32BE(8 * i + 4),
        ]);
        answer.extents.set(payload.readUInt32BE(), words);
      }
    }
    return answer;
  }

  /** Sends a request, and takes its reply. */
  async do(sent: Sent): Promise<Answer> {
    this.send(request(sent));
    return this.reply(new Map([[sent.cookie ?? 0, sent.command === COMMAND.read ? (sent.length ?? 0) : 0]]));
  }

  close(): void {
    this.socket.destroy();
  }
}
