// Which flush, or close, tells which bytes are lost: each loss once, to who has those bytes; the missing end of an image as long as
// it is missing. In processes of their own, whose pages and syncs are made to fail.
import { describe, expect, test } from '@jest/globals';
import { reportsFrom } from '../support/child';
import { testWith } from '../support/peers';
import { ACCESSES, MiB, pattern, rig } from '../support/rig';
import { STRACE, SYNC_CALLS, strace } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);

const LOST_BY = `
  const MiB = 1048576;
  /** Of each action: the code of its error, and which bytes it calls lost. */
  const lostBy = async (...actions) => {
    const answers = [];
    for (const action of actions) {
      const { code = 'none', lost } = await attempt(action);
      answers.push(lost === undefined ? code : [code, lost.position, lost.length]);
    }
    return answers;
  };`;

const DISK = `${LOST_BY}
  const driver = new BlockDriver();
  const minor = driver.registerSync(args.file);
  const whole = driver.openSync(minor, { mode: 'r+', access: args.access });
  rumpblk.writePartitionsSync(whole, { scheme: 'mbr', partitions: [1, 2, 3].map((i) => ({ start: i * MiB, size: MiB, type: 0x83 })) });
  const [first, second, third] = ['s1', 's2', 's3'].map((name) =>
    driver.openSync(driver.registerPartitionSync(minor, name), { mode: 'r+', access: args.access }));
  /** Stores to pages of the third partition that are cut off, through a view, and gives the image its size again. */
  const lose = (view) => {
    fs.truncateSync(args.file, 4 * MiB - view.bytes.length);
    view.bytes.fill(1);
    fs.truncateSync(args.file, 4 * MiB);
  };`;

describe.each(['auto', 'mmap'] as const)('partitions under %s', (access) => {
  test('a loss is told to the partition that has it, once, whichever flushes first', async () => {
    const script = `${DISK}
      lose(third.mapSync(MiB - 8192, 8192));
      report({
        others: await lostBy(() => first.flush(), () => second.flushSync(), () => first.close()),
        own: await lostBy(() => third.flush(), () => third.flushSync()),
        disk: await lostBy(() => whole.flush()),
      });
      await lostBy(() => second.close(), () => third.close(), () => whole.close());`;
    expect(await reportsFrom(script, { args: { file: bench.image(pattern(4 * MiB)), access } })).toEqual([
      { others: ['EIO', 'EIO', 'EIO'], own: [['EIO', MiB - 8192, 8192], 'EIO'], disk: ['EIO'] },
    ]);
  });

  test('the disk has the bytes of all its partitions; what it tells they do not tell again', async () => {
    const script = `${DISK}
      const view = third.mapSync(MiB - 8192, 8192);
      lose(view);
      report({
        disk: await lostBy(() => whole.flush()),
        own: await lostBy(() => third.flush(), () => view.release(), () => third.close()),
      });
      await lostBy(() => first.close(), () => second.close(), () => whole.close());`;
    expect(await reportsFrom(script, { args: { file: bench.image(pattern(4 * MiB)), access } })).toEqual([
      { disk: [['EIO', 4 * MiB - 8192, 8192]], own: ['EIO', ['EIO', MiB - 8192, 8192], 'EIO'] },
    ]);
  });
});

describe.each(ACCESSES)('under %s', (access) => {
  traced(`after a sync that failed, an image that is shorter still says so, for as long as it is (${access})`, async () => {
    const script = `${LOST_BY}
      const device = openSync(args.file, { mode: 'r+', access: args.access, lock: false });
      device.writeSync(Buffer.alloc(4096), 0);
      const sound = await lostBy(() => device.flush());
      fs.truncateSync(args.file, 3 * MiB);
      const shorter = await lostBy(() => device.flush(), () => device.flushSync(), () => device.ioctl('DIOCCACHESYNC'));
      fs.truncateSync(args.file, 4 * MiB);
      const again = await lostBy(() => device.flush());
      fs.truncateSync(args.file, 2 * MiB);
      report({ sound, shorter, again, close: await lostBy(() => device.close()) });`;
    const inject = ['fdatasync:error=ENOSPC:when=1'];
    const file = bench.image(pattern(4 * MiB));
    const result = await strace(script, { args: { file, access }, calls: SYNC_CALLS, inject });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    // The first code sticks; what is missing is told beside it.
    expect(result.reports).toEqual([
      {
        sound: ['ENOSPC'],
        shorter: Array(3).fill(['ENOSPC', 3 * MiB, MiB]),
        again: ['ENOSPC'],
        close: [['ENOSPC', 2 * MiB, 2 * MiB]],
      },
    ]);
  });
});
