// Hyperbee on a Hypercore over devices: one for each of its files, by a client of random-access-storage as the package's examples have it.
// Of a cut its check tells what the store is like, opened again.
import { setImmediate } from 'node:timers/promises';
import Hyperbee from 'hyperbee';
import Hypercore from 'hypercore';
import RandomAccessStorage from 'random-access-storage';
import { CrashError, crashCheck } from 'rumpblk/lab';

const SECTOR = 512;
const FILES = ['oplog', 'tree', 'bitfield', 'data', 'header'];
const SIZE = 256 * 1024;
const PUTS = 8;

/** A file on a device: sector 0 has its length, the bytes follow. Hypercore asks for no durability; `isSynced`: each call that writes is durable. */
class FileOnDevice extends RandomAccessStorage {
  constructor(device, isSynced) {
    super();
    this.device = device;
    this.isSynced = isSynced;
  }

  #answer(request, work) {
    let value;
    let error = null;
    try {
      value = work();
    } catch (reason) {
      error = reason;
    }
    process.nextTick(() => request.callback(error, value));
  }

  #setLength(length) {
    this.length = length;
    const sector = Buffer.alloc(SECTOR);
    sector.writeUInt32LE(length);
    this.device.writeSync(sector, 0);
    if (this.isSynced) this.device.flushSync();
  }

  _open(request) {
    this.#answer(request, () => {
      const sector = Buffer.alloc(SECTOR);
      this.device.readSync(sector, 0);
      this.length = sector.readUInt32LE();
    });
  }

  _read(request) {
    const { offset, size } = request;
    this.#answer(request, () => {
      if (offset + size > this.length) throw new Error('Could not satisfy length');
      const bytes = Buffer.alloc(size);
      this.device.readSync(bytes, SECTOR + offset);
      return bytes;
    });
  }

  _write(request) {
    const { offset, data } = request;
    this.#answer(request, () => {
      this.device.writeSync(data, SECTOR + offset);
      if (this.isSynced) this.device.flushSync();
      if (offset + data.length > this.length) this.#setLength(offset + data.length);
    });
  }

  _del(request) {
    this.#answer(request, () => {
      const size = Math.min(request.size, this.length - request.offset);
      if (size > 0) this.device.writeZeroesSync(SECTOR + request.offset, size);
      if (request.offset + size === this.length) this.#setLength(request.offset);
    });
  }

  _truncate(request) {
    this.#answer(request, () => this.#setLength(request.offset));
  }

  _stat(request) {
    this.#answer(request, () => ({ size: this.length }));
  }

  _close(request) {
    this.#answer(request, () => undefined);
  }
}

async function opened(devices, isSynced) {
  const core = new Hypercore((name) => new FileOnDevice(devices[FILES.indexOf(name)], isSynced));
  const bee = new Hyperbee(core, { keyEncoding: 'utf-8', valueEncoding: 'utf-8' });
  await bee.ready();
  return bee;
}

const wanted = (puts) => Array.from({ length: puts }, (_, i) => `key-${i}=${'v'.repeat(40 * i)}`).join();

/** Turns of the event loop after which a store that only waits for itself will wait for ever: devices answer at once. */
const TURNS = 2000;

async function forEver(what) {
  for (let turn = 0; turn < TURNS; turn += 1) await setImmediate();
  return `waits for ever: ${what()}`;
}

async function check({ devices, marks }) {
  let doing = 'opening';
  let bee;
  const look = async () => {
    try {
      bee = await opened(devices, false);
      doing = 'reading';
      const found = [];
      for await (const { key, value } of bee.createReadStream()) found.push(`${key}=${value}`);
      if (found.join() !== wanted(found.length)) return 'corrupt: not what any number of puts left';
      return found.length < marks.length ? `lost: ${found.length} of ${marks.length}` : undefined;
    } catch (error) {
      return `unreadable: ${error.message}`;
    }
  };
  const close = async () => {
    await bee?.close().catch(() => undefined);
  };
  const said = await Promise.race([look(), forEver(() => doing)]);
  await Promise.race([close(), forEver(() => 'closing')]);
  return said;
}

/** Puts, and what becomes of them: `isSynced`, and the options of crashCheck. -> how many states were wrong in which way. */
export async function survey(isSynced, options = {}) {
  const spec = {
    size: SIZE,
    devices: FILES.length,
    setup: async (...devices) => {
      const bee = await opened(devices, isSynced);
      await bee.put('key-0', '');
      await bee.close();
      for (const device of devices) device.flushSync();
    },
    run: async (first, mark, ...more) => {
      const bee = await opened([first, ...more], isSynced);
      mark('put', 0);
      for (let i = 1; i < PUTS; i += 1) {
        await bee.put(`key-${i}`, 'v'.repeat(40 * i));
        mark('put', i);
      }
      // The power goes with the store open.
    },
    check,
  };
  const every = { seed: 1, failures: 2 ** 32 - 1, shrink: 0, memo: false, ...options };
  const report = await crashCheck(spec, every).catch((error) => {
    if (error instanceof CrashError) return error.report;
    throw error;
  });
  const kinds = {};
  for (const { error } of report.failures) {
    const kind = String(error).split(':')[0];
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  const { requests, distinct } = report;
  return { requests, distinct, kinds };
}
