// S3 behind our client, in small: its blocks are 64 KiB, so each smaller write reads first.
import { judged, lacking } from '../foreign/checks.mjs';
import { fileSystem, holes, partitions, workload } from '../foreign/disk-checks.mjs';
import { S3, serveS3, startS3 } from './s3.mjs';

const NEEDS = { ...S3, nbdcopy: 'libnbd-bin', npm: 'npm', 'mkfs.ext4': 'e2fsprogs', sfdisk: 'fdisk', debugfs: 'e2fsprogs' };
const MEBIBYTES = 16;

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const s3Checks = () =>
  judged('S3', lacking(NEEDS), async (checks, home) => {
    const port = await startS3(home);
    const check = (name, action) =>
      checks.check(name, async (place) => {
        const key = name.replaceAll(/\W+/g, '-');
        let uri;
        const store = {
          bytes: MEBIBYTES * 1024 * 1024,
          serve: async (where) => {
            const served = await serveS3(where, port, MEBIBYTES, { key });
            ({ uri } = served);
            return served;
          },
          // Nobody else reads a disk of objects: libnbd does, from the same server.
          exported: async (file) => {
            await place.run('nbdcopy', [uri, file]);
            return file;
          },
        };
        await action(place, store);
      });
    await check('itself, by nbdcopy', async (place, store) => {
      const { uri } = await store.serve(place);
      await place.run('nbdcopy', [place.image('zeros', store.bytes), uri]);
    });
    await check('an ext4 copied in, and ext2fs over it', fileSystem);
    await check('partitions', partitions);
    await check('batches, verified', (place, store) => workload(place, store, { rounds: 10 }));
    await check('discard, zeroes, extents', holes);
  });
