// What the command line prints of names from elsewhere: a medium, a path, a job file. Nothing in them reaches the terminal as a command.
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { cli } from '../support/cli';
import { MiB, rig } from '../support/rig';

const bench = rig();

describe('names that would steer a terminal are shown, not obeyed', () => {
  const EVIL = '\x1b]0;owned\x07\x1b[2Jx\u009b31m\x7f\u202efdp.\u2066\nrumpblk: all is well\r';
  // What is left once the layout's own line ends are taken away.
  // eslint-disable-next-line no-control-regex -- these are what it is about
  const UNFIT = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

  async function fit(args: readonly string[], input?: Buffer): Promise<{ status: number | null; text: string; stdout: Buffer }> {
    const { status, stdout, stderr } = await cli(args, input === undefined ? {} : { input });
    const text = `${stdout.toString()}${stderr}`;
    expect(text).not.toMatch(UNFIT);
    expect(text).not.toMatch(/^(rumpblk: )?rumpblk: all is well/m);
    return { status, text, stdout };
  }

  test('in labels of a GPT, packname and typename of a disklabel, and paths', async () => {
    const file = bench.path(EVIL.replaceAll('/', ''));
    writeFileSync(file, Buffer.alloc(4 * MiB));
    const label = EVIL.slice(0, 36);
    const table = { scheme: 'gpt', partitions: [{ start: MiB, size: MiB, type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', label }] };
    const written = await fit(['partitions', file, '--write', '-'], Buffer.from(JSON.stringify(table)));
    expect(written).toMatchObject({ status: 0, text: expect.stringContaining('\\x1b]0;owned\\x07') });
    expect((await fit(['partitions', file])).text).toContain('\\u202efdp.');
    expect((await fit(['read', file, '--partition', 'p2', '-o', '-'])).text).toContain('p1 \\x1b]0;owned');
    const bare = bench.path('bare\x1b[31m');
    writeFileSync(bare, Buffer.alloc(MiB));
    const names = { typename: 'a\x1b[2J\nb', packname: '\x9b31m\x7f' };
    expect((await fit(['label', bare, '--edit', '-'], Buffer.from(JSON.stringify(names)))).text).toContain('disk: \\x9b31m\\x7f');
    for (const command of [['info', '--verbose'], ['label']]) expect((await fit([...command, bare])).text).toContain('a\\x1b[2J\\x0ab');
    // JSON says exactly what is there, in other words.
    const { stdout } = await fit(['partitions', file, '--json']);
    expect(JSON.parse(stdout.toString())).toMatchObject({ file, table: { partitions: [{ label }] } });
    expect(JSON.parse((await fit(['label', bare, '--json'])).stdout.toString())).toMatchObject({ file: bare, label: names });
  });

  test('in errors: of a path that leads nowhere, of an option, of a job file', async () => {
    expect(await fit(['info', EVIL])).toMatchObject({ status: 1, text: expect.stringContaining('\\x0arumpblk: all is well\\x0d') });
    expect(await fit(['info', EVIL, '--json'])).toMatchObject({ status: 1 });
    expect(await fit(['read', 'x', '--length', EVIL])).toMatchObject({ status: 2, text: expect.stringContaining('\\x1b[2J') });
    expect((await fit(['read', 'x', `--${EVIL}`])).status).toBe(2);
    const job = bench.path('evil.fio');
    writeFileSync(job, `[\x1b[31mjob]\nrw=\x1b[2J\x9b\n`);
    expect(await fit(['bench', '--jobs', job, '--parse-only'])).toMatchObject({ text: expect.stringContaining('\\x1b[2J') });
    writeFileSync(job, `[\x1b[31mjob]\nrw=read\nsize=64k\n`);
    expect(await fit(['bench', '--jobs', job, '--parse-only'])).toMatchObject({ status: 0, text: expect.stringContaining('\\x1b[31mjob') });
  });

  test('in the page of the bench', async () => {
    const [job, page] = [bench.path('page.fio'), bench.path('page.html')];
    writeFileSync(job, '[\x1b[31mjob\u202e]\nrw=write\nsize=64k\n');
    const { status } = await fit(['bench', '--jobs', job, '--engine', 'sync', '--html', page]);
    expect(status).toBe(0);
    const html = readFileSync(page, 'utf8');
    expect(html).not.toMatch(UNFIT);
    expect(html).toContain('\\x1b[31mjob\\u202e');
  });
});
