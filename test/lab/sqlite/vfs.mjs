// A VFS of SQLite over block devices: one for each of three names, one for the directory that says which of them exist.
// Metadata is as POSIX has it and no better: the length of a file is durable when the file is synced, that it exists when the directory is.
//
// The directory: a sector for each name, [exists, incarnation]. Each incarnation of a file has a region of its own on the device, zeros at first, as the
// blocks of a new file are: sector 0 is [magic, length], the data behind it.
import * as VFS from 'wa-sqlite/src/VFS.js';

const SECTOR = 512;
const MAGIC = 0x53464c31;
export const NAMES = ['main.db', 'main.db-journal', 'main.db-wal'];
/** Bytes of a file, with its sector. */
const REGION = 128 * 1024;
const REGIONS = 64;
/** Bytes of each device. */
export const SIZE = REGIONS * REGION;
/** Devices: the files, and the directory. */
export const DEVICES = NAMES.length + 1;

/** Where an incarnation lies on its device. */
function begin(incarnation) {
  return (incarnation % REGIONS) * REGION;
}

export class DeviceVFS extends VFS.Base {
  name = 'devices';
  /** Files that are open: index of the name by SQLite's id. */
  #open = new Map();
  /** `{ device, exists, incarnation, length }` of each name. */
  #files = [];
  #directory;
  #isNew = new Set();
  /** Syncs that SQLite asked for, of files and with a deletion. */
  syncs = 0;
  /** The sync that does nothing, from 1. */
  skip = 0;

  /** Takes other devices, and what they hold. */
  mount(devices) {
    this.#open.clear();
    this.#isNew.clear();
    this.#directory = devices[NAMES.length];
    const sector = Buffer.alloc(SECTOR);
    this.#files = NAMES.map((_, index) => {
      this.#directory.readSync(sector, index * SECTOR);
      const [exists, incarnation] = [sector.readUInt32LE(0) === 1, sector.readUInt32LE(4)];
      const device = devices[index];
      let length = 0;
      if (exists) {
        device.readSync(sector, begin(incarnation));
        if (sector.readUInt32LE(0) === MAGIC) length = sector.readUInt32LE(4);
      }
      return { index, device, exists, incarnation, length };
    });
  }

  xOpen(name, fileId, flags, outFlags) {
    const file = this.#files[NAMES.indexOf(name)];
    if (file === undefined) return VFS.SQLITE_CANTOPEN;
    if (!file.exists) {
      if ((flags & VFS.SQLITE_OPEN_CREATE) === 0) return VFS.SQLITE_CANTOPEN;
      Object.assign(file, { exists: true, incarnation: file.incarnation + 1, length: 0 });
      this.#writeEntry(file);
      this.#isNew.add(file);
    }
    this.#open.set(fileId, file);
    outFlags.setInt32(0, flags, true);
    return VFS.SQLITE_OK;
  }

  xClose(fileId) {
    this.#open.delete(fileId);
    return VFS.SQLITE_OK;
  }

  xRead(fileId, data, offset) {
    const file = this.#open.get(fileId);
    const length = Math.max(0, Math.min(data.length, file.length - offset));
    if (length > 0) {
      // The memory of WebAssembly may move; a copy does not.
      const bytes = Buffer.allocUnsafe(length);
      file.device.readSync(bytes, begin(file.incarnation) + SECTOR + offset);
      data.set(bytes);
    }
    if (length === data.length) return VFS.SQLITE_OK;
    data.fill(0, length);
    return VFS.SQLITE_IOERR_SHORT_READ;
  }

  xWrite(fileId, data, offset) {
    const file = this.#open.get(fileId);
    if (SECTOR + offset + data.length > REGION) return VFS.SQLITE_FULL;
    file.device.writeSync(Buffer.from(data), begin(file.incarnation) + SECTOR + offset);
    if (offset + data.length > file.length) this.#setLength(file, offset + data.length);
    return VFS.SQLITE_OK;
  }

  xTruncate(fileId, size) {
    const file = this.#open.get(fileId);
    if (size < file.length) this.#setLength(file, size);
    return VFS.SQLITE_OK;
  }

  xSync(fileId) {
    const file = this.#open.get(fileId);
    this.syncs += 1;
    if (this.syncs === this.skip) return VFS.SQLITE_OK;
    file.device.flushSync();
    // What SQLite does on Unix for a file that it has created.
    if (this.#isNew.delete(file)) this.#directory.flushSync();
    return VFS.SQLITE_OK;
  }

  xFileSize(fileId, size) {
    size.setBigInt64(0, BigInt(this.#open.get(fileId).length), true);
    return VFS.SQLITE_OK;
  }

  xDelete(name, syncDirectory) {
    const file = this.#files[NAMES.indexOf(name)];
    if (file === undefined || !file.exists) return VFS.SQLITE_OK;
    file.exists = false;
    this.#writeEntry(file);
    if (syncDirectory !== 0) {
      this.syncs += 1;
      if (this.syncs !== this.skip) this.#directory.flushSync();
    }
    return VFS.SQLITE_OK;
  }

  xAccess(name, flags, out) {
    out.setInt32(0, this.#files[NAMES.indexOf(name)]?.exists === true ? 1 : 0, true);
    return VFS.SQLITE_OK;
  }

  #writeEntry({ index, exists, incarnation }) {
    const sector = Buffer.alloc(SECTOR);
    sector.writeUInt32LE(exists ? 1 : 0, 0);
    sector.writeUInt32LE(incarnation, 4);
    this.#directory.writeSync(sector, index * SECTOR);
  }

  #setLength(file, length) {
    file.length = length;
    const sector = Buffer.alloc(SECTOR);
    sector.writeUInt32LE(MAGIC, 0);
    sector.writeUInt32LE(length, 4);
    file.device.writeSync(sector, begin(file.incarnation));
  }
}
