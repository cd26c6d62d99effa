// interop: our NBD server and client under judges that nobody here wrote. Sources of suites come from Debian's source packages
// (scripts/interop/sources.mjs says how); .ci/packages-interop.txt lists what else they need.
// RUMPBLK_INTEROP: judges to ask, separated by commas; all unless told. RUMPBLK_SERVE: see scripts/interop/server.mjs.
import { client } from '../interop/client.mjs';
import { faults } from '../interop/faults.mjs';
import { formats } from '../interop/formats.mjs';
import { fronts } from '../interop/fronts.mjs';
import { iotests } from '../interop/iotests.mjs';
import { libnbd } from '../interop/libnbd.mjs';
import { tester } from '../interop/tester.mjs';
import { tools } from '../interop/tools.mjs';
import { countsLine, failedTally, sum } from '../support/tally.mjs';
import { timed } from '../support/run.mjs';

const JUDGES = { iotests, tester, libnbd, tools, fronts, client, faults, formats };

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export async function interop() {
  const names = process.env.RUMPBLK_INTEROP?.split(',') ?? Object.keys(JUDGES);
  const unknown = names.filter((name) => !Object.hasOwn(JUDGES, name));
  if (unknown.length > 0) return failedTally('interop', `no judge ${unknown.join(', ')}; there are ${Object.keys(JUDGES).join(', ')}`);
  const tallies = [];
  for (const name of names) {
    const { value, time } = await timed(JUDGES[name]);
    console.log(`${name}: ${countsLine(value)} (${time})`);
    tallies.push(value);
  }
  return sum(tallies);
}
