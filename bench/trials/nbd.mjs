// NBD on Unix sockets: our server, nbdkit and qemu-nbd under one client, in C++ and without Node; fio, which is a client of its own;
// and our client from JavaScript on our server. The image is in memory: what is measured is the way there.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ROOT } from '../../scripts/support/run.mjs';
import { ring } from '../support/context.mjs';
import { BLOCK, promiseLanes } from '../support/lanes.mjs';
import { nbdReads } from '../support/native.mjs';
import { hasProgram, serving } from '../support/nbd.mjs';
import { DEPTH, batchPromise } from './batch.mjs';
import { checked } from './promise.mjs';

const SERVERS = ['our server', 'nbdkit', 'qemu-nbd'];
const BASE = { places: ['disk'], files: ['big'], native: true };
const against = (of, to, limits = {}) => ({ label: `${of} against ${to}`, kind: 'speed', of, to, ...limits });

/** Reads by the native client: as many under way as `depth` says. */
function nativeReads(context, socket, { block, depth, ops }) {
  let found;
  return {
    figures: (pass) => {
      const seed = context.seed + context.round * 100 + pass;
      found = nbdReads(socket, { size: context.size, block, depth, ops, seed });
      return { ns: found.ns, cpu: found.cpu };
    },
    after: () => found.wrong,
  };
}

async function onAll(names, make) {
  const entries = [];
  for (const name of names) {
    const contender = await make(name);
    if (contender !== undefined) entries.push([name, contender]);
  }
  return Object.fromEntries(entries);
}

function servers(id, title, work, limits) {
  return {
    ...BASE,
    id,
    title,
    checks: [against('our server', 'nbdkit', limits), against('our server', 'qemu-nbd')],
    contenders: (context) =>
      onAll(SERVERS, async (name) => {
        const socket = await serving(context, name);
        return socket && nativeReads(context, socket, work(context));
      }),
  };
}

/** One run of fio, whose requests are libnbd's. */
function fio(context, socket, depth) {
  const args = [
    '--name=nbd',
    '--ioengine=nbd',
    `--uri=nbd+unix:///?socket=${socket}`,
    '--rw=randread',
    '--bs=4k',
    `--size=${context.size}`,
  ];
  const timed = [`--iodepth=${depth}`, '--time_based', `--runtime=${context.short ? 1 : 2}`, '--output-format=json', '--randrepeat=0'];
  return {
    figures: () => {
      const said = execFileSync('fio', [...args, ...timed], { encoding: 'utf8' });
      // A line of its own comes before.
      const { read, error } = JSON.parse(said.slice(said.indexOf('{'))).jobs[0];
      if (error !== 0) throw new Error(`fio: error ${error}`);
      return { ns: 1e9 / read.iops };
    },
  };
}

const byFio = {
  ...BASE,
  id: 'nbd-4k-depth-1-fio',
  title: 'fio over NBD, random reads of 4 KiB, depth 1',
  skip: () => (hasProgram('fio') ? undefined : 'fio is not here'),
  checks: [against('our server', 'nbdkit', { min: 1.3 }), against('our server', 'qemu-nbd')],
  contenders: (context) =>
    onAll(SERVERS, async (name) => {
      const socket = await serving(context, name);
      return socket && fio(context, socket, 1);
    }),
};

/** The client of npm, which speaks TCP alone, where it is installed beside this package. */
async function vates(context, at, depth) {
  const load = createRequire(path.join(ROOT, 'package.json'));
  let Client;
  try {
    ({ default: Client } = load('@vates/nbd-client'));
  } catch {
    return {};
  }
  const { serve } = context.load('rumpblk/nbd');
  const server = await serve({ exports: { disk: context.blk.openSync(context.file) }, port: 0 });
  const client = new Client({ address: server.url.hostname, port: Number(server.url.port), exportname: 'disk' });
  await client.connect();
  context.closers.push(() => client.disconnect().then(() => server.close()));
  const read = async (memory, position) => (await client.readBlock(position / BLOCK, BLOCK)).copy(memory);
  return { '@vates/nbd-client': checked(promiseLanes(at, depth, read)) };
}

const fromNode = {
  ...BASE,
  id: 'nbd-4k-node',
  title: 'our client from JavaScript on our server, random reads of 4 KiB, depth 32',
  checks: [
    against('read', 'native client', { min: 0.5 }),
    against('batch of 32', 'native client', { min: 0.8 }),
    against('read', '@vates/nbd-client', { min: 5 }),
    { label: 'CPU of a read', kind: 'value', metric: 'cpu', of: 'read', max: 4000 },
  ],
  contenders: async (context) => {
    const socket = await serving(context, 'our server');
    const device = await context.blk.open(new URL(`nbd+unix:///?socket=${socket}`));
    context.closers.push(() => device.close());
    const at = ring(context, 'uniform');
    return {
      'native client': nativeReads(context, socket, { block: BLOCK, depth: DEPTH, ops: context.short ? 20_000 : 100_000 }),
      read: checked(promiseLanes(at, DEPTH, (memory, position) => device.read(memory, position))),
      'batch of 32': batchPromise(context, device, at),
      ...(await vates(context, at, DEPTH)),
    };
  },
};

export default [
  servers(
    'nbd-4k-depth-32',
    'servers of NBD under our native client, random reads of 4 KiB, depth 32',
    ({ short }) => ({ block: 4096, depth: 32, ops: short ? 20_000 : 200_000 }),
    { min: 2.5 },
  ),
  servers('nbd-4k-depth-1', 'the same, depth 1', ({ short }) => ({ block: 4096, depth: 1, ops: short ? 5_000 : 20_000 }), {}),
  servers('nbd-1m-depth-4', 'the same, 1 MiB, depth 4', ({ short }) => ({ block: 2 ** 20, depth: 4, ops: short ? 500 : 2_000 }), {
    min: 1.5,
  }),
  byFio,
  fromNode,
];
