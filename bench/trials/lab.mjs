// The laboratory: what a recording and a trace cost a request, that nothing is left of them once they have ended, and how fast the
// states of a power cut are made.
import { closeSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expectedAt, isRight } from '../support/images.mjs';
import { openDevice, ring } from '../support/context.mjs';
import { lab } from '../support/native.mjs';

const PAGE = 4096;
const HOT = 16 << 20;
const PIECE = 1 << 20;
/** Writes of a pass that is recorded: their data is kept in memory, 16 MiB, and as much of what they overwrite. */
const RECORDED = 4_000;
const TRACED = 1 << 18;
const SPARSE = 8 * 2 ** 30;

/** Of no file system. */
const BASE = { places: ['none'], files: [] };

function entry({ load }, name) {
  try {
    return load(name);
  } catch {
    return undefined; // a build from before there was any
  }
}

const skip = (context) =>
  entry(context, 'rumpblk/lab') === undefined || entry(context, 'rumpblk/trace') === undefined ? 'this build has no laboratory' : undefined;

/** A disk in memory with the content of an image. */
function openMemory(context) {
  const device = openDevice(context, { file: entry(context, 'rumpblk/media').memory({ size: HOT }), mode: 'r+' });
  for (let at = 0; at < HOT; at += PIECE) device.writeSync(expectedAt(at, PIECE), at);
  return device;
}

function writes(device, at, memory) {
  const mask = at.length - 1;
  return {
    ops: RECORDED,
    run: (from, to) => {
      for (let i = from; i < to; i += 1) device.writeSync(memory, at[i & mask]);
    },
  };
}

function reads(device, at) {
  const mask = at.length - 1;
  const memory = Buffer.alloc(PAGE);
  let last = 0;
  return {
    ops: TRACED,
    run: (from, to) => {
      for (let i = from; i < to; i += 1) device.readSync(memory, at[i & mask]);
      last = at[(to - 1) & mask];
    },
    after: () => (isRight(memory, last) ? 0 : 1),
  };
}

const recorder = {
  ...BASE,
  id: 'lab-recorder',
  title: 'write, 4 KiB, disk in memory: what a recording costs',
  skip,
  checks: [{ label: 'ns more where it is recorded', kind: 'more', of: 'writeSync, recorded', to: 'writeSync', max: 1500 }],
  contenders: (context) => {
    const { recordWrites } = entry(context, 'rumpblk/lab');
    const at = ring(context, 'uniform', { size: HOT });
    const written = Buffer.alloc(PAGE, 'written');
    const [bare, recorded] = [openMemory(context), openMemory(context)];
    let recording;
    return {
      writeSync: writes(bare, at, written),
      'writeSync, recorded': {
        ...writes(recorded, at, written),
        before: () => {
          recording = recordWrites(recorded);
        },
        // It has seen each of them, and what an earlier pass has kept is given back.
        after: () => {
          const missed = recording.requests === RECORDED ? 0 : 1;
          recording.stop();
          recording = undefined;
          globalThis.gc?.();
          return missed;
        },
      },
    };
  },
  nodeFlags: ['--expose-gc'],
};

const trace = {
  ...BASE,
  id: 'lab-trace',
  title: 'read, 4 KiB, disk in memory: what a trace costs',
  skip,
  // It looks at the clock twice, which alone is more than a twentieth of such a read: the row `lab-states` has its cost.
  checks: [
    { label: 'ns more where it is traced', kind: 'more', of: 'readSync, traced', to: 'readSync' },
    { label: 'time of a read that is not traced', kind: 'time', of: 'readSync, traced', to: 'readSync' },
  ],
  contenders: (context) => {
    const { startTrace } = entry(context, 'rumpblk/trace');
    const at = ring(context, 'uniform', { size: HOT });
    const [bare, traced] = [openMemory(context), openMemory(context)];
    const timed = reads(traced, at);
    let running;
    return {
      readSync: reads(bare, at),
      'readSync, traced': {
        ...timed,
        before: () => {
          running = startTrace([traced]);
        },
        after: () => {
          const missed = running.requests === TRACED ? 0 : 1;
          running.stop();
          running = undefined;
          globalThis.gc?.();
          return missed + timed.after();
        },
      },
    };
  },
  nodeFlags: ['--expose-gc'],
};

/** Recorded, traced and with a plan, then without all of them: a recording ends when it is let go, until then it keeps what is overwritten. */
async function openUsed(context) {
  const device = useOnce(context);
  for (let turn = 0; turn < 3; turn += 1) {
    globalThis.gc?.();
    await setImmediate();
  }
  return device;
}

function useOnce(context) {
  const device = openMemory(context);
  const [memory, used] = [Buffer.alloc(PAGE), device.driver];
  const recording = entry(context, 'rumpblk/lab').recordWrites(device);
  const running = entry(context, 'rumpblk/trace').startTrace([device]);
  used.faults.plan({ rules: [{ action: { errno: 'EIO' } }] });
  try {
    device.readSync(memory, 0);
  } catch {
    // What the plan is for.
  }
  used.faults.clear();
  running.stop();
  recording.stop();
  return device;
}

const off = {
  ...BASE,
  id: 'lab-off',
  title: 'read and write, 4 KiB, disk in memory, behind a recording, a trace and a fault plan that have ended',
  skip,
  checks: [
    { label: 'time of a read on a disk that never had any', kind: 'time', of: 'readSync, ended', to: 'readSync', max: 1.05 },
    { label: 'the same of a write', kind: 'time', of: 'writeSync, ended', to: 'writeSync', max: 1.05 },
  ],
  contenders: async (context) => {
    const at = ring(context, 'uniform', { size: HOT });
    const written = Buffer.alloc(PAGE, 'written');
    const [never, ended] = [openMemory(context), await openUsed(context)];
    const [others, endedOthers] = [openMemory(context), await openUsed(context)];
    return {
      readSync: reads(never, at),
      'readSync, ended': reads(ended, at),
      writeSync: { ...writes(others, at, written), ops: TRACED },
      'writeSync, ended': { ...writes(endedOthers, at, written), ops: TRACED },
    };
  },
  nodeFlags: ['--expose-gc'],
};

const states = {
  id: 'lab-states',
  title: 'states of a power cut, in C: 64 changed sectors, and 200 writes to a sparse file of 8 GiB; processor time',
  places: ['disk'],
  files: [],
  native: true,
  short: false,
  rounds: 3,
  passes: 1,
  checks: [
    { label: 'states a second, each read at its 64 sectors', kind: 'value', of: 'C lab', metric: 'states', min: 100_000 },
    { label: 'ns more of a recorded write in C', kind: 'value', of: 'C lab', metric: 'recorder', max: 1500 },
    { label: 'ns of two looks at the clock', kind: 'value', of: 'C lab', metric: 'looks' },
    { label: 's of 100,000 states of 8 GiB', kind: 'value', of: 'C lab', metric: 'seconds', max: 10 },
    { label: 'MiB of memory for them', kind: 'value', of: 'C lab', metric: 'mib', max: 200 },
  ],
  contenders: (context) => {
    const file = path.join(context.folder, 'sparse');
    closeSync(openSync(file, 'w'));
    context.closers.push(() => rmSync(file, { force: true }));
    return {
      'C lab': {
        figures: () => {
          const told = lab(file, { states: 100_000, size: SPARSE });
          return {
            states: told.states_read_per_second_64,
            recorder: told.recorder_ns,
            looks: told.two_looks_ns,
            seconds: told.sparse_seconds,
            mib: told.sparse_rss_mib,
          };
        },
      },
    };
  },
};

export default [recorder, trace, off, states];
