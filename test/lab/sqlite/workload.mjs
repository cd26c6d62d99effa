// SQLite over devices: 24 transactions in one of several modes, and what has to be there after a power cut.
import * as SQLite from 'wa-sqlite/src/sqlite-api.js';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { DEVICES, DeviceVFS, SIZE } from './vfs.mjs';

const built = path.join(path.dirname(createRequire(import.meta.url).resolve('wa-sqlite')), '..', 'dist');
const { default: instantiate } = await import(pathToFileURL(path.join(built, 'wa-sqlite.mjs')).href);
const module = await instantiate({ wasmBinary: readFileSync(path.join(built, 'wa-sqlite.wasm')) });
const sqlite = SQLite.Factory(module);
const vfs = new DeviceVFS();
sqlite.vfs_register(vfs, true);

/** Syncs that SQLite asked for in the last workload. */
export const syncs = () => asked;
let asked = 0;

const PAGE = 1024;
const ROWS = 3;

async function opened(mode) {
  const db = await sqlite.open_v2('main.db');
  const [journal, synchronous] = mode.split(' ');
  const first = journal === 'WAL' ? 'PRAGMA locking_mode = EXCLUSIVE;' : '';
  await sqlite.exec(
    db,
    `${first} PRAGMA page_size = ${PAGE}; PRAGMA journal_mode = ${journal}; PRAGMA synchronous = ${synchronous}; PRAGMA wal_autocheckpoint = 12;`,
  );
  return db;
}

/** What a row of a transaction holds. */
function payload(transaction, row) {
  return String.fromCharCode(97 + ((transaction * 7 + row) % 26)).repeat(700 + ((transaction * 131 + row * 17) % 400));
}

/** The database as it is after so many transactions, as one text. */
function contentAfter(transactions) {
  const rows = [];
  for (let id = 0; id < ROWS * 4; id += 1) {
    // The last transaction that wrote the row.
    for (let transaction = transactions; transaction >= 1; transaction -= 1) {
      const at = (id + 12 * 1000 - transaction * ROWS) % (ROWS * 4);
      if (at < ROWS) {
        rows.push(`${id}:${payload(transaction, at)}`);
        break;
      }
    }
  }
  return rows.join();
}

const contents = Array.from({ length: 64 }, (_, transactions) => contentAfter(transactions));

/** A spec of crashCheck: `mode` as 'DELETE EXTRA'; `skip`: the sync of the workload that is left out, from 1. */
export function spec(mode, transactions = 24, skip = 0) {
  return {
    size: SIZE,
    devices: DEVICES,
    setup: async (...devices) => {
      vfs.mount(devices);
      const db = await opened(mode);
      await sqlite.exec(
        db,
        'CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT); CREATE TABLE done (n INTEGER); INSERT INTO done VALUES (0);',
      );
      await sqlite.close(db);
      for (const device of devices) device.flushSync();
    },
    run: async (first, mark, ...more) => {
      vfs.mount([first, ...more]);
      Object.assign(vfs, { syncs: 0, skip });
      const db = await opened(mode);
      for (let transaction = 1; transaction <= transactions; transaction += 1) {
        const rows = Array.from({ length: ROWS }, (_, row) => {
          const id = (transaction * ROWS + row) % (ROWS * 4);
          return `(${id}, '${payload(transaction, row)}')`;
        });
        await sqlite.exec(db, `BEGIN; INSERT OR REPLACE INTO t VALUES ${rows.join()}; UPDATE done SET n = ${transaction}; COMMIT;`);
        mark('committed', transaction);
      }
      asked = vfs.syncs;
      vfs.skip = 0;
      // The power is cut with the database open: nothing is closed. Its memory goes with the module.
    },
    check: (state) => check(mode, state),
  };
}

/** Fails with 'corrupt' or 'lost'. */
async function check(mode, { devices, marks }) {
  vfs.mount(devices);
  let db;
  try {
    db = await sqlite.open_v2('main.db');
    if (mode.startsWith('WAL')) await sqlite.exec(db, 'PRAGMA locking_mode = EXCLUSIVE;');
    const found = [];
    await sqlite.exec(db, 'PRAGMA integrity_check; SELECT n FROM done; SELECT id, text FROM t ORDER BY id;', (row) => void found.push(row));
    const [[integrity], [n], ...rows] = found;
    if (integrity !== 'ok') return `corrupt: ${integrity}`;
    if (rows.map(([id, text]) => `${id}:${text}`).join() !== contents[n]) return `corrupt: not what transaction ${n} left`;
    const acknowledged = marks.length;
    return n < acknowledged ? `lost: ${n} of ${acknowledged}` : undefined;
  } catch (error) {
    return `corrupt: ${error.message}`;
  } finally {
    if (db !== undefined) await sqlite.close(db).catch(() => undefined);
  }
}
