// Issue 15, items 4 and 5: overlays in qcow2 images over exports of NBD servers: the image names the URL, as QEMU's programs have it, and
// whoever opens the overlay brings the export.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { createQcow2, open } from 'rumpblk';
import { nbd } from 'rumpblk/nbd';
import { openOverlay, overlayInfo } from 'rumpblk/overlay';
import { cli, documentOf } from '../support/cli';
import { failure } from '../support/failure';
import { newSocket, QEMU_NBD, qemuNbd, type ForeignServer } from '../support/nbd-servers';
import { all, changesIn, overlays, withText } from '../support/overlays';
import { testWith } from '../support/peers';
import { checkImage, img, QEMU, readByQemu } from '../support/qemu-img';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const over = overlays(bench);
const content = pattern(2 * MiB);
const word = Buffer.from('overlay');
const withWord = (at: number, bytes = content): Buffer => withText(bytes, word, at);
const fresh = (): string => changesIn(bench, 'qcow2');
const when = testWith(...QEMU_NBD, ...QEMU);

/** A server of a file with `bytes`. */
async function served(bytes = content, ...args: string[]): Promise<ForeignServer & { image: string }> {
  const image = bench.image(bytes);
  return { ...(await qemuNbd(newSocket(bench), image, ...args)), image };
}

when('the image names the URL, and QEMU reads it through a client of its own', async () => {
  const { url, image } = await served();
  const changes = fresh();
  const overlay = await openOverlay(url(), { changes });
  expect(overlay).toMatchObject({ durable: true, path: changes, size: content.length });
  await overlay.write(word, 5000);
  await overlay.writeZeroes(200_000, 300_001);
  await overlay.close();
  const changed = withWord(5000).fill(0, 200_000, 500_001);
  expect(checkImage(changes)).toBe(0);
  expect(JSON.parse(img('info', '-U', '--output=json', changes))).toMatchObject({
    'backing-filename': url().href,
    'backing-filename-format': 'raw',
  });
  expect(readByQemu(bench, changes).equals(changed)).toBe(true);
  const again = await over(nbd(url()), { changes });
  expect(all(again).equals(changed)).toBe(true);
  expect(readFileSync(image).equals(content)).toBe(true);
});

when('overlayInfo() gives it as a URL, which opens it', async () => {
  const { url } = await served();
  const changes = fresh();
  await (await openOverlay(url(), { changes })).close();
  const { base, backing, format } = await overlayInfo(changes);
  expect([base, backing, format]).toEqual([url(), url().href, 'raw']);
  const overlay = await over(base as URL, { changes });
  expect(all(overlay).equals(content)).toBe(true);
});

when('images of qemu-img create, however they spell the URL', async () => {
  const { url, socket } = await served(content, '-x', 'a disk');
  const spellings = [`nbd+unix:///%61%20disk?socket=${socket}`, `nbd:unix:${socket}:exportname=a disk`, url('a disk').href];
  for (const spelling of spellings) {
    const changes = fresh();
    img('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', spelling, changes);
    const overlay = await openOverlay(url('a disk'), { changes });
    await overlay.write(word, 0);
    await overlay.close();
    expect((await overlayInfo(changes)).backing).toBe(spelling);
    expect(checkImage(changes)).toBe(0);
    expect(readByQemu(bench, changes).equals(withWord(0))).toBe(true);
  }
});

test('names that are no export, and such as have no path', async () => {
  const names = [
    'nbd:relative',
    'nbd:///',
    'nbds://host/x',
    'nbd://host/x?tls-psk-file=y',
    'nbd:host',
    'json:{"driver":"nbd"}',
    'http://host/x',
  ];
  const expected = [undefined, new URL('nbd:///'), undefined, undefined, undefined, undefined, undefined];
  for (const [i, backing] of names.entries()) {
    const changes = fresh();
    await createQcow2(changes, { size: MiB, backing });
    expect([backing, (await overlayInfo(changes)).base]).toEqual([backing, expected[i]]);
  }
  const changes = fresh();
  await createQcow2(changes, { size: MiB, backing: 'nbd:HOST:77:exportname=a/b' });
  expect((await overlayInfo(changes)).base).toEqual(new URL('nbd://HOST:77/a%2Fb'));
});

when('no image reaches a server by itself', async () => {
  const { url } = await served();
  const changes = fresh();
  await (await openOverlay(url(), { changes })).close();
  const { message } = await failure(() => open(changes, { format: 'qcow2' }), 'ENOTSUP');
  expect(message).toContain('openOverlay(nbd(url), { changes: image })');
  const above = fresh();
  await createQcow2(above, { size: content.length, backing: changes, backingFormat: 'qcow2' });
  await failure(() => openOverlay(changes, { changes: above, format: 'qcow2' }), 'ENOTSUP');
});

when('another export, another file or another format is another base', async () => {
  const { url } = await served();
  const other = await served();
  const changes = fresh();
  await (await openOverlay(url(), { changes })).close();
  const before = readFileSync(changes);
  const { message } = await failure(() => openOverlay(other.url(), { changes }), 'ESTALE');
  expect(message).toContain(`'${url().href}', not '${other.url().href}'`);
  await failure(() => openOverlay(url('name'), { changes }), 'ENOENT');
  const image = bench.image(content);
  await failure(() => openOverlay(image, { changes }), 'ENOTSUP');
  const local = fresh();
  await (await openOverlay(image, { changes: local })).close();
  await failure(() => openOverlay(other.url(), { changes: local }), 'ESTALE');
  expect(readFileSync(changes).equals(before)).toBe(true);
});

when('a qcow2 image in an export, and a device of an export, are bases too', async () => {
  const inner = fresh();
  await createQcow2(inner, { size: content.length });
  const below = await open(inner, { format: 'qcow2', mode: 'r+' });
  await below.write(content, 0);
  await below.close();
  const server = await qemuNbd(newSocket(bench), inner);
  const changes = fresh();
  const device = bench.keep(await open(server.url(), { format: 'qcow2' }));
  const overlay = await openOverlay(device, { changes });
  await overlay.write(word, 70_000);
  expect(overlay.base).toBe(device);
  await overlay.close();
  expect(await overlayInfo(changes)).toMatchObject({ base: server.url(), format: 'qcow2' });
  expect(readByQemu(bench, changes).equals(withWord(70_000))).toBe(true);
  await failure(() => openOverlay(server.url(), { changes }), 'ESTALE');
  expect(all(await over(server.url(), { changes, format: 'qcow2' })).equals(withWord(70_000))).toBe(true);
});

when('commit writes into the export, and rebase leads to one and away from it', async () => {
  const [one, two] = [await served(), await served(pattern(2 * MiB, 7))];
  const local = bench.image(pattern(2 * MiB, 9));
  const changes = fresh();
  const overlay = await over(one.url(), { changes });
  await overlay.write(word, 10_000);
  expect(await overlay.commit()).toEqual({ bytes: 4096 });
  expect(readFileSync(one.image).equals(withWord(10_000))).toBe(true);
  await overlay.write(word, 90_000);
  const model = withWord(90_000, withWord(10_000));
  for (const [base, name] of [
    [two.url(), two.url().href],
    [local, local],
    [nbd(two.url()), two.url().href],
  ] as const) {
    await overlay.rebase(base);
    expect(all(overlay).equals(model)).toBe(true);
    expect((await overlayInfo(changes)).backing).toBe(name);
  }
  await overlay.rebase(one.url(), 'unsafe');
  await overlay.close();
  expect(checkImage(changes)).toBe(0);
  expect(readByQemu(bench, changes).equals(model)).toBe(true);
});

when('a server that is killed: what was written is kept, and all of it is there with the next server', async () => {
  const socket = newSocket(bench);
  const image = bench.image(content);
  const server = await qemuNbd(socket, image);
  const changes = fresh();
  const overlay = await over(server.url(), { changes });
  await overlay.write(word, 4096);
  await server.kill();
  // Whole blocks need nothing of the base, parts of others do.
  await overlay.write(pattern(4096, 3), 8192);
  await failure(() => overlay.write(word, 100_000), 'ENOTCONN');
  await failure(() => overlay.read(Buffer.alloc(512), 100_000), 'ENOTCONN');
  await overlay.flush();
  await overlay.close();
  await qemuNbd(socket, image);
  expect(checkImage(changes)).toBe(0);
  const model = withWord(4096);
  pattern(4096, 3).copy(model, 8192);
  expect(all(await over(server.url(), { changes })).equals(model)).toBe(true);
});

describe('rumpblk overlay', () => {
  const overlay = (...words: string[]): ReturnType<typeof cli> => cli(['overlay', ...words]);

  when('takes URLs, and reaches a server that the image names only where the user names it too', async () => {
    const [one, two] = [await served(), await served(pattern(2 * MiB, 7))];
    const changes = fresh();
    const url = one.url().href;
    const made = await overlay('create', changes, '--base', url, '--json');
    expect([made.status, made.stderr]).toEqual([0, '']);
    expect(documentOf(made)).toMatchObject({ file: changes, backing: url, base: url, format: 'raw' });
    const opened = await openOverlay(one.url(), { changes });
    await opened.write(word, 0);
    await opened.close();
    const alone = await overlay('diff', changes);
    expect([alone.status, alone.stderr]).toEqual([
      2,
      `rumpblk: '${changes}' lies over '${url}': no image reaches a server by itself, give it with --over too\n`,
    ]);
    expect(documentOf(await overlay('diff', changes, '--over', url, '--json'))).toEqual([{ position: 0, length: 4096, type: 'data' }]);
    const rebased = await overlay('rebase', changes, '--over', url, '-b', two.url().href);
    expect([rebased.status, rebased.stderr]).toEqual([0, '']);
    expect(readByQemu(bench, changes).equals(withWord(0))).toBe(true);
    expect((await overlay('commit', changes, '--over', two.url().href)).status).toBe(0);
    expect(readFileSync(two.image).equals(withWord(0))).toBe(true);
    expect((await overlay('commit', changes, '--over', url)).stderr).toContain('ESTALE');
  });
});
