// A small key-value store on a device, for the test beside it (kv-store.test.mjs): two slots, of which the newer whole one counts.
// A save writes the slot that does not count, with a checksum over it, and returns when it is durable.
import { crc32 } from './crc32.mjs';

const SLOT = 4096;
const HEADER = 16; // generation, length, checksum

export class Store {
  #device;
  #generation = 0;
  #values = new Map();

  /** Reads what is there; a disk of zeros is an empty store. */
  static async open(device) {
    const store = new Store();
    store.#device = device;
    for (const slot of [0, 1]) {
      const { buffer } = await device.read(Buffer.alloc(SLOT), slot * SLOT);
      const [generation, length, checksum] = [0, 4, 8].map((at) => buffer.readUInt32LE(at));
      if (generation <= store.#generation || length > SLOT - HEADER) continue;
      const body = buffer.subarray(HEADER, HEADER + length);
      if (crc32(body, generation) !== checksum) continue;
      store.#generation = generation;
      store.#values = new Map(JSON.parse(body.toString()));
    }
    return store;
  }

  get(key) {
    return this.#values.get(key);
  }

  /** Keeps the value; durable when the promise is fulfilled. When it rejects, the store is as it was before. */
  async set(key, value) {
    const values = new Map(this.#values).set(key, value);
    const generation = this.#generation + 1;
    const body = Buffer.from(JSON.stringify([...values]));
    if (body.length > SLOT - HEADER) throw new RangeError('the store is full');
    const slot = Buffer.alloc(SLOT);
    [generation, body.length, crc32(body, generation)].forEach((number, index) => slot.writeUInt32LE(number, index * 4));
    body.copy(slot, HEADER);
    await this.#device.write(slot, (generation % 2) * SLOT);
    await this.#device.flush();
    this.#generation = generation;
    this.#values = values;
  }
}
