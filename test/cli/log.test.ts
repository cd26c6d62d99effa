// rumpblk record, replay, log show and log convert, from the command line, with programs of others as clients and readers.
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { writeLogFile } from 'rumpblk/trace';
import { cli, documentOf, type Finished } from '../support/cli';
import { peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { header, readAllOf, request } from '../support/traces';

const bench = rig();
const QEMU_IO = peer('qemu-io', 'qemu-utils');

const text = ({ status, stdout, stderr }: Finished) => ({ status, stdout: stdout.toString(), stderr });

async function logOf(name = 'log.jsonl'): Promise<string> {
  const file = bench.path(name);
  await writeLogFile(file, header(['disk']), [
    request(0, 'write', 0, 1024, { data: pattern(1024), time: 1500, latency: 2000, moved: 1024, fua: true }),
    request(2, 'read', 512, 512, { time: 9e6, moved: 0, error: 'EIO', injected: 'fault' }),
    request(4, 'flush', 0, 0, { time: 10e6 }),
    { op: 'mark', n: 6, time: 11e6, name: 'a\x1b[31m', data: 7 },
  ]);
  return file;
}

test('log show: a row for each event, and nothing that a terminal would obey', async () => {
  const { status, stdout } = text(await cli(['log', 'show', await logOf()]));
  expect(status).toBe(0);
  expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['n', 'time', 'device', 'op', 'position', 'length', 'took', 'result'],
    ['0', '1.50 µs', 'disk', 'write fua', '0', '1024', '2.00 µs'],
    ['2', '9.00 ms', 'disk', 'read', '512', '512', 'EIO fault'],
    ['4', '10.0 ms', 'disk', 'flush'],
    ['6', '11.0 ms', 'mark', 'a\\x1b[31m 7'],
    [''],
  ]);
  const json = documentOf(await cli(['log', 'show', await logOf(), '--json', '--limit', '1'])) as { events: object[] };
  expect(json).toMatchObject({ format: 'jsonl', devices: [{ name: 'disk' }], events: [{ op: 'write', bytesOfData: 1024 }] });
  expect(json.events).toHaveLength(1);
});

test('log show: what is whole of a damaged log is shown, and the exit status is 1', async () => {
  const log = await logOf();
  writeFileSync(log, readFileSync(log, 'utf8').slice(0, -10));
  const { status, stdout, stderr } = text(await cli(['log', 'show', log]));
  expect([status, stdout.trimEnd().split('\n').length]).toEqual([1, 4]);
  expect(stderr).toMatch(/EIO.*log\.jsonl.*line 5/);
  const none = await cli(['log', 'show', bench.path('none')]);
  expect([none.status, none.stderr]).toEqual([1, expect.stringMatching(/ENOENT.*none/)]);
});

test('log convert: to each format and back, and what has no words is told', async () => {
  const [log, out] = [await logOf(), bench.path('converted')];
  const told = { 'dm-log-writes': /read: 1/, 'fio-iolog-2': /mark: 1/, 'fio-iolog-3': /mark: 1/, perfetto: /^$/, jsonl: /^$/ };
  for (const [format, words] of Object.entries(told)) {
    const { status, stderr } = await cli(['log', 'convert', log, out, '--to', format]);
    expect([format, status]).toEqual([format, 0]);
    expect(stderr).toMatch(words);
    if (format === 'perfetto') continue;
    const { format: found, events } = await readAllOf(out);
    expect([found, events.filter(({ op }) => op === 'write').length]).toEqual([format, 1]);
  }
  await cli(['log', 'convert', log, out, '--to', 'fio-iolog-3', '--file', '/dev/vdb']);
  const again = bench.path('again.jsonl');
  await cli(['log', 'convert', out, again, '--to', 'jsonl']);
  expect((await readAllOf(again)).header.devices).toEqual([{ name: '/dev/vdb' }]);
  const own = await cli(['log', 'convert', log, log, '--to', 'jsonl']);
  expect([own.status, own.stderr]).toEqual([2, expect.stringContaining('itself')]);
  expect((await cli(['log', 'convert', log, out])).status).toBe(2);
});

test('replay: does what the log says, and says how it went', async () => {
  const [log, image] = [await logOf(), bench.sparse(MiB)];
  const { status, stdout } = text(await cli(['replay', log, image]));
  expect([status, stdout]).toEqual([0, expect.stringMatching(/requests +3\n/)]);
  expect(readFileSync(image).subarray(0, 1024).equals(pattern(1024))).toBe(true);
  const report = documentOf(await cli(['replay', log, image, '--json', '--timing', '100x', '--read-only']));
  expect(report).toMatchObject({ requests: 3, errors: { EACCES: 1 }, differing: 2, stats: { flush: { count: 1 } } });
  expect((await cli(['replay', log, image, '--timing', '0'])).status).toBe(2);
  expect((await cli(['replay', image, image])).stderr).toMatch(/EINVAL/);
});

testWith(QEMU_IO)('record: what a command does to the image, and its status', async () => {
  const [image, log] = [bench.sparse(MiB), bench.path('recorded.jsonl')];
  const io = ['qemu-io', '-f', 'raw', '-c', 'write -P 7 64k 8k', '-c', 'flush', '-c', 'read 0 4k', '{}'];
  const { status, stderr } = await cli(['record', image, '--out', log, '--', ...io]);
  expect([status, stderr]).toEqual([0, expect.stringContaining('requests in')]);
  const { header: found, events } = await readAllOf(log);
  expect(found.devices).toMatchObject([{ name: image, size: MiB }]);
  expect(events).toContainEqual(expect.objectContaining({ op: 'write', position: 64 * KiB, length: 8 * KiB, moved: 8 * KiB }));
  expect(events).toContainEqual(expect.objectContaining({ op: 'read', position: 0, length: 4 * KiB }));
  expect(events.some(({ op }) => op === 'flush')).toBe(true);
  expect(readFileSync(image)[64 * KiB]).toBe(7);
  const failed = await cli(['record', image, '--out', log, '--read-only', '--', 'sh', '-c', 'test -n "$RUMPBLK_NBD" && exit 3']);
  expect([failed.status, failed.stderr]).toEqual([1, expect.stringContaining("'sh' ended with status 3")]);
  expect((await readAllOf(log)).events.filter(({ op }) => op !== 'flush')).toEqual([]);
  expect((await cli(['record', image, '--out', image])).status).toBe(2);
});

testWith(QEMU_IO)('record: until a signal, of clients that come by themselves', async () => {
  const [image, log, socket] = [bench.sparse(MiB), bench.path('signalled.log'), bench.path('record.sock')];
  const ended = cli(['record', image, '--out', log, '--to', 'fio-iolog-3', '--socket', socket], {
    watch: (text, kill) => {
      const uri = /recording (\S+)/.exec(text)?.[1];
      if (uri === undefined) return;
      run('qemu-io', '-f', 'raw', '-c', 'write 0 4k', uri);
      kill('SIGTERM');
    },
  });
  expect((await ended).status).toBe(0);
  expect(readFileSync(log, 'utf8')).toMatch(/^fio version 3 iolog\n.* add\n.* open\n.* write 0 4096\n/);
});
