// Runs SQLite (wa-sqlite, in WebAssembly) on a disk without a file system: a GPT partition for the database, one for its journal.
// SQLite asks a VFS for what it needs of files; this one keeps the length of each in the first sector of its partition.
//
//   npm install rumpblk wa-sqlite
//   node sqlite-on-device.mjs notes.img "CREATE TABLE notes (text)"        makes the disk the first time
//   node sqlite-on-device.mjs notes.img "INSERT INTO notes VALUES ('hello')"
//   node sqlite-on-device.mjs notes.img "SELECT * FROM notes"
import { existsSync, readFileSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { open, openSync, writePartitions } from 'rumpblk';
import * as SQLite from 'wa-sqlite/src/sqlite-api.js';
import * as VFS from 'wa-sqlite/src/VFS.js';

const MiB = 1024 * 1024;
const SECTOR = 512;
const NAMES = ['main.db', 'main.db-journal'];
const EXISTS = 1n << 63n; // of the word in the first sector; the rest of it is the length

class DeviceVFS extends VFS.Base {
  name = 'device';
  #files;
  #opened = new Map();

  constructor(devices) {
    super();
    this.#files = devices.map((device) => {
      const sector = Buffer.alloc(SECTOR);
      device.readSync(sector, 0);
      const word = sector.readBigUInt64LE();
      return { device, exists: (word & EXISTS) !== 0n, length: Number(word & ~EXISTS) };
    });
  }

  #update(file, exists, length) {
    Object.assign(file, { exists, length });
    const sector = Buffer.alloc(SECTOR);
    sector.writeBigUInt64LE(BigInt(length) | (exists ? EXISTS : 0n));
    file.device.writeSync(sector, 0);
    return VFS.SQLITE_OK;
  }

  xOpen(name, id, flags, out) {
    const file = this.#files[NAMES.indexOf(name)];
    if (file === undefined) return VFS.SQLITE_CANTOPEN;
    if (!file.exists) this.#update(file, true, 0);
    this.#opened.set(id, file);
    out.setInt32(0, flags, true);
    return VFS.SQLITE_OK;
  }

  xClose(id) {
    this.#opened.delete(id);
    return VFS.SQLITE_OK;
  }

  xRead(id, data, offset) {
    const file = this.#opened.get(id);
    const bytes = Buffer.alloc(Math.max(0, Math.min(data.length, file.length - offset)));
    if (bytes.length > 0) file.device.readSync(bytes, SECTOR + offset);
    data.fill(0).set(bytes); // SQLite asks for zeros behind the end
    return bytes.length === data.length ? VFS.SQLITE_OK : VFS.SQLITE_IOERR_SHORT_READ;
  }

  xWrite(id, data, offset) {
    const file = this.#opened.get(id);
    if (SECTOR + offset + data.length > file.device.size) return VFS.SQLITE_FULL;
    file.device.writeSync(Buffer.from(data), SECTOR + offset);
    if (offset + data.length > file.length) this.#update(file, true, offset + data.length);
    return VFS.SQLITE_OK;
  }

  xTruncate(id, size) {
    return this.#update(this.#opened.get(id), true, size);
  }

  xSync(id) {
    this.#opened.get(id).device.flushSync();
    return VFS.SQLITE_OK;
  }

  xFileSize(id, size) {
    size.setBigInt64(0, BigInt(this.#opened.get(id).length), true);
    return VFS.SQLITE_OK;
  }

  xDelete(name) {
    const file = this.#files[NAMES.indexOf(name)];
    if (file === undefined) return VFS.SQLITE_OK;
    this.#update(file, false, 0);
    file.device.flushSync(); // a journal that comes back after a power cut would undo the commit
    return VFS.SQLITE_OK;
  }

  xAccess(name, flags, out) {
    out.setInt32(0, this.#files[NAMES.indexOf(name)]?.exists === true ? 1 : 0, true);
    return VFS.SQLITE_OK;
  }
}

const [path, sql] = process.argv.slice(2);
if (sql === undefined) {
  console.error('usage: node sqlite-on-device.mjs IMAGE SQL');
  process.exit(2);
}
if (!existsSync(path)) {
  await writeFile(path, '');
  await truncate(path, 64 * MiB);
  const disk = await open(path, { mode: 'r+' });
  const partitions = NAMES.map((label, index) => ({ start: (1 + index * 31) * MiB, size: 31 * MiB, type: 'linux', label }));
  await writePartitions(disk, { scheme: 'gpt', partitions });
  await disk.close();
}
const devices = NAMES.map((partition) => openSync(path, { partition, mode: 'r+' }));
const wasm = createRequire(import.meta.url).resolve('wa-sqlite/dist/wa-sqlite.wasm');
const { default: instantiate } = await import('wa-sqlite/dist/wa-sqlite.mjs');
const sqlite = SQLite.Factory(await instantiate({ wasmBinary: readFileSync(wasm) }));
sqlite.vfs_register(new DeviceVFS(devices), true);
const db = await sqlite.open_v2(NAMES[0]);
await sqlite.exec(db, sql, (row) => console.log(row.join('\t')));
await sqlite.close(db);
for (const device of devices) device.closeSync();
