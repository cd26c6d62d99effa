// ceph: stores of many machines, on this one, behind our NBD client: a Ceph of a monitor and three OSDs with qemu-nbd before it,
// and an S3 with nbdkit before it. .ci/packages-ceph.txt lists what they need; s3rver comes from npm.
// RUMPBLK_STORES: ceph, s3; both unless told.
import { cephChecks } from '../stores/ceph-checks.mjs';
import { s3Checks } from '../stores/s3-checks.mjs';
import { countsLine, failedTally, sum } from '../support/tally.mjs';
import { timed } from '../support/run.mjs';

const STORES = { ceph: cephChecks, s3: s3Checks };

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export async function ceph() {
  const names = process.env.RUMPBLK_STORES?.split(',') ?? Object.keys(STORES);
  const unknown = names.filter((name) => !Object.hasOwn(STORES, name));
  if (unknown.length > 0) return failedTally('ceph', `no store ${unknown.join(', ')}; there are ${Object.keys(STORES).join(', ')}`);
  const tallies = [];
  for (const name of names) {
    const { value, time } = await timed(STORES[name]);
    console.log(`${name}: ${countsLine(value)} (${time})`);
    tallies.push(value);
  }
  return sum(tallies);
}
