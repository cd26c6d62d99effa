// Whatever is open when an environment ends, by exit or by terminate(), in the main thread or in workers: the process ends as it was told to.
import { expect, test } from '@jest/globals';
import { runChild } from '../support/child';
import { rig } from '../support/rig';

const bench = rig();

/** Each leaves something behind; its name is in the test's. `keep` holds it until the end. */
const LEFT: Record<string, string> = {
  'two drivers whose faults are listened to': `
    for (let i = 0; i < 2; i += 1) keep(new BlockDriver()).faults.on('fault', () => {});`,
  'faults that are told at the end': `
    const driver = keep(new BlockDriver());
    driver.faults.on('fault', () => {});
    driver.faults.plan({ rules: [{ match: { op: 'read' }, action: { errno: 'EIO' } }] });
    const device = keep(driver.openSync(driver.registerSync(memory({ size: 65536 }))));
    for (let i = 0; i < 50; i += 1) device.read(Buffer.alloc(512), 0).catch(() => {});`,
  'a request that a plan lets hang, and one on a virtual clock': `
    for (const [plan, options] of [[{ hang: 'lost' }], [{ delay: 1000 }, { clock: keep(virtualClock()) }]]) {
      const driver = keep(new BlockDriver());
      driver.faults.on('fault', () => {});
      driver.faults.plan({ rules: [{ action: plan }] }, options);
      keep(driver.openSync(driver.registerSync(memory({ size: 65536 })))).read(Buffer.alloc(512), 0).catch(() => {});
    }`,
  'two traced devices, one of whose traces is gone through': `
    const [one, two] = [keep(await disk()), keep(await disk())];
    const trace = keep(startTrace([one, two]));
    keep((async () => { for await (const event of trace) keep(event); })());
    for (let i = 0; i < 20; i += 1) two.read(Buffer.alloc(512), 0);`,
  'a recorder, and a device whose changes are tracked': `
    const [one, two] = [keep(await disk()), keep(await disk())];
    keep(recordWrites([one]));
    keep(two.track());
    for (const each of [one, two]) each.write(Buffer.alloc(512), 0);`,
  'a server with listeners, and a client of it with requests under way': `
    const server = keep(await serve({ exports: { disk: await disk() }, port: 0 }));
    server.on('connect', () => {});
    server.on('disconnect', () => {});
    const medium = keep(nbd(server.url, { reconnect: 1000 }));
    medium.on('state', () => {});
    const client = keep(await open(medium));
    for (let i = 0; i < 20; i += 1) client.read(Buffer.alloc(4096), i * 4096).catch(() => {});`,
  'an overlay with a snapshot': `
    const overlay = keep(await openOverlay(memory({ size: 65536 })));
    overlay.snapshot('before');
    overlay.write(Buffer.alloc(4096), 0);`,
  'a view, a batch that runs, and an open under way': `
    const device = keep(openSync(args.file, { mode: 'r+', lock: false }));
    keep(device.mapSync(0, 512));
    const batch = keep(device.createBatch({ depth: 64, arena: 65536 }));
    batch.bcount.fill(512);
    batch.run(64).catch(() => {});
    open(args.file, { lock: false }).catch(() => {});`,
};

const REQUIRES = `
  const { BlockDriver, open, openSync } = require('rumpblk');
  const { memory } = require('rumpblk/media');
  const { nbd, serve } = require('rumpblk/nbd');
  const { openOverlay } = require('rumpblk/overlay');
  const { startTrace } = require('rumpblk/trace');
  const { recordWrites, virtualClock } = require('rumpblk/lab');
  globalThis.kept = [];
  const keep = (value) => (globalThis.kept.push(value), value);
  const disk = () => open(memory({ size: 65536 * 2 }), { mode: 'r+' });
`;

/** How an environment ends in which all that was left is there: what its script does last, and how the environment itself is run. */
interface Ending {
  last: string;
  /** What the process does about each of its two workers; undefined where there are none. */
  worker?: string;
}
const ENDS: Record<string, Ending> = {
  'the process exits': { last: 'process.exit(0);' },
  'two workers exit': { last: 'process.exit(0);', worker: '' },
  'two workers are terminated': {
    last: "require('node:worker_threads').parentPort.postMessage('there'); setInterval(() => {}, 1000);",
    worker: "worker.on('message', () => worker.terminate());",
  },
};

function scriptOf(leave: string, { last, worker }: Ending): string {
  const script = `${REQUIRES}\n${leave}\nrequire('node:fs').writeSync(1, '"left"\\n');\n${last}`;
  if (worker === undefined) return script;
  const code = `const { workerData: args } = require('node:worker_threads'); (async () => {${script}\n})();`;
  return `
    const { Worker } = require('node:worker_threads');
    await Promise.all([1, 2].map(() => new Promise((resolve, reject) => {
      const worker = new Worker(${JSON.stringify(code)}, { eval: true, workerData: args });
      worker.on('error', reject);
      worker.on('exit', resolve);
      ${worker}
    })));`;
}

for (const [what, leave] of Object.entries(LEFT)) {
  test.each(Object.entries(ENDS))(`${what}, and %s`, async (_, ending) => {
    const file = bench.sparse(65536);
    const { code, signal, stderr, reports } = await runChild(scriptOf(leave, ending), { args: { file } });
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    expect(reports).toEqual(ending.worker === undefined ? ['left'] : ['left', 'left']);
  });
}
