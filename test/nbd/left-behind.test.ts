// What closed devices and servers leave in the process: no descriptor and no thread, collected or not.
import { readdirSync, readlinkSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { open } from 'rumpblk';
import { nbd } from 'rumpblk/nbd';
import { NBDKIT, nbdkit, newSocket } from '../support/nbd-servers';
import { testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';
import { serving } from '../support/serving';

const bench = rig();
const serve = serving(bench);

const descriptors = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // that of readdir itself
    }
  });
const wakers = (): number => descriptors().filter((what) => what === 'anon_inode:[eventfd]').length;

testWith(...NBDKIT)('a closed device keeps no descriptor, collected or not', async () => {
  const server = await nbdkit(newSocket(bench), 'memory', String(4 * MiB));
  const kept: unknown[] = [];
  const open1 = async (): Promise<void> => {
    const medium = nbd(server.url(), { connections: 4 });
    const device = await open(medium);
    kept.push(medium, device);
    await device.close();
  };
  // The first one starts what the process has once.
  await open1();
  const before = wakers();
  for (let i = 0; i < 10; i += 1) await open1();
  expect(wakers()).toBe(before);
  expect(kept).toHaveLength(22);
  await server.kill();
});

test('servers that have closed leave no descriptor and no thread', async () => {
  const device = bench.device(bench.image(pattern(MiB)));
  const round = async (): Promise<void> => {
    const { server, uri } = await serve(device, { writable: false });
    const client = await open(new URL(uri));
    await client.read(Buffer.alloc(4096), 0);
    await client.close();
    await server.close();
  };
  await round();
  const threads = (): number => readdirSync('/proc/self/task').length;
  const [files, before] = [descriptors().length, threads()];
  for (let i = 0; i < 50; i += 1) await round();
  expect(descriptors()).toHaveLength(files);
  // Of the driver a worker may start in a later round, once; what each round leaves would be 50.
  expect(threads() - before).toBeLessThan(5);
});
