// In the virtual machine: every writer writes its round and tells on the console that it was acknowledged, until the power goes.
'use strict';
const { writeSync } = require('node:fs');
const { BATCH_FLUSH, BATCH_WRITE, openSync } = require('rumpblk');
const { BLOCK, PER_BATCH, WRITERS, blockOf, commitOf, slotsOf } = require('./records.cjs');

/** The ways in which a single write is durable, one after the other. */
const SINGLE = [
  (device, data, at) => device.write(data, at, { fua: true }),
  (device, data, at) => device.writeSync(data, at, { fua: true }),
  async (device, data, at) => {
    await device.write(data, at);
    await device.flush();
  },
  (device, data, at) => {
    device.writeSync(data, at);
    device.flushSync();
  },
  (device, data, at) => device.strategy({ op: 'write', blkno: at / 512, data }),
];

const FORMS = {
  writes: (device) => (data, slots, round) => SINGLE[round % SINGLE.length](device, data[0], slots[0] * BLOCK),
  plain: (device) => (data, slots, round) =>
    round % 2 ? device.write(data[0], slots[0] * BLOCK) : device.writeSync(data[0], slots[0] * BLOCK),
  batch(device) {
    const batch = device.createBatch({ depth: PER_BATCH + 1, arena: PER_BATCH * BLOCK });
    return async (data, slots, round) => {
      data.forEach((block, i) => {
        batch.arena.set(block, i * BLOCK);
        batch.op[i] = BATCH_WRITE;
        batch.fua[i] = round % 2;
        batch.blkno[i] = (slots[i] * BLOCK) / 512;
        batch.bcount[i] = BLOCK;
        batch.offset[i] = i * BLOCK;
      });
      batch.op[PER_BATCH] = BATCH_FLUSH;
      // Odd rounds are durable by themselves, even ones by the flush behind them.
      const count = PER_BATCH + (round % 2 ? 0 : 1);
      const done = round % 4 < 2 ? batch.runSync(count) : await batch.run(count);
      if (done !== count) throw new Error(`a batch did ${done} of ${count}: ${batch.error}`);
    };
  },
  // Records, a flush, the commit, in one run: when it is over, the records are durable, and the commit is nowhere without them.
  journal(device, name) {
    const batch = device.createBatch({ depth: PER_BATCH + 2, arena: (PER_BATCH + 1) * BLOCK });
    return async (data, slots, round) => {
      const commit = commitOf(round);
      [...slots, undefined, commit].forEach((slot, i) => {
        const place = Math.min(i, PER_BATCH) * BLOCK;
        batch.op[i] = slot === undefined ? BATCH_FLUSH : BATCH_WRITE;
        batch.blkno[i] = ((slot ?? 0) * BLOCK) / 512;
        batch.bcount[i] = slot === undefined ? 0 : BLOCK;
        batch.offset[i] = place;
        if (slot !== undefined) batch.arena.set(data[i] ?? blockOf(name, round, commit), place);
      });
      const count = PER_BATCH + 2;
      const done = round % 2 ? batch.runSync(count) : await batch.run(count);
      if (done !== count) throw new Error(`a journal did ${done} of ${count}: ${batch.error}`);
    };
  },
  view: (device) => async (data, slots) => {
    const view = device.mapSync(slots[0] * BLOCK, BLOCK);
    view.bytes.set(data[0]);
    view.release();
    await device.flush();
  },
};

async function main() {
  const paths = { quick: (name) => `/disk/${name}`, bare: () => '/dev/vdb', slow: (name) => `/slow/${name}` };
  const writers = Object.entries(WRITERS).map(([name, { disk, open, form }]) => {
    const device = openSync(paths[disk](name), { mode: 'r+', ...open });
    return { name, round: FORMS[form](device, name) };
  });
  writeSync(1, '\nready\n');
  for (let round = 1; ; round += 1) {
    for (const writer of writers) {
      const slots = slotsOf(writer.name, round);
      await writer.round(
        slots.map((slot) => blockOf(writer.name, round, slot)),
        slots,
        round,
      );
      writeSync(1, `ack ${writer.name} ${round}\n`);
    }
  }
}

main().catch((error) => writeSync(1, `\nFAILED ${String(error?.stack).replaceAll('\n', ' | ')}\n`));
