// QEMU's misbehaving server (nbd-fault-injector.py of its iotests) against our client: it ends at a given byte of the handshake or
// of a request. Cases are those of its test 083. The client ends with an error in words, or with the data where it had it all.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { tool } from '../foreign/package.mjs';
import { assert, judged, lacking, until } from '../foreign/checks.mjs';
import { sourcePackage } from './sources.mjs';

const NEEDS = { python3: 'python3', 'apt-get': 'apt', xz: 'xz-utils' };

/** Where it ends: in which message, and behind how many bytes of it. */
const CASES = {
  neg1: ['before', 'after', 8, 16],
  export: ['before', 'after', 4, 12, 16],
  neg2: ['before', 'after', 8, 10],
  request: ['before', 'after'],
  reply: ['before', 'after', 4, 8],
  data: ['before', 'after'],
};
const CLASSIC = ['before', 8, 16, 24, 28, 'after'];

async function readFrom(place, script, { unix, classic, event, when }) {
  const rules = place.path('rules');
  writeFileSync(rules, `[inject-error]\nevent=${event}\nwhen=${when}\n`);
  const at = unix ? place.path('s') : '127.0.0.1:0';
  const server = place.start('python3', [script, ...(classic ? ['--classic-negotiation'] : []), at, rules]);
  await until(() => /Listening on .*\n/.test(server.text), 'the server');
  const [, where] = /Listening on (.*)\n/.exec(server.text);
  const name = classic ? '' : 'foo';
  const uri = unix ? `nbd+unix:///${name}?socket=${where}` : `nbd://${where}/${name}`;
  const out = place.path('out');
  const whole = event === 'data' && when === 'after';
  const text = await tool(place, ['read', uri, '--length', '512', '--output', out], { status: whole ? 0 : 1, minutes: 1 });
  if (whole) assert(readFileSync(out).equals(Buffer.alloc(512)), 'read something else');
  // One line that names the error, and no stack.
  else assert(/^rumpblk: E[A-Z]+: /m.test(text) && !text.includes('    at '), text);
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export const faults = () =>
  judged("QEMU's misbehaving server", lacking(NEEDS), async (checks) => {
    const script = path.join(sourcePackage('qemu'), 'tests', 'qemu-iotests', 'nbd-fault-injector.py');
    for (const unix of [false, true]) {
      const how = unix ? 'unix' : 'tcp';
      for (const [event, moments] of Object.entries(CASES))
        for (const when of moments)
          await checks.check(`${how}, ${event} ${when}`, (place) => readFrom(place, script, { unix, event, when }));
      for (const when of CLASSIC)
        await checks.check(`${how}, old handshake ${when}`, (place) =>
          readFrom(place, script, { unix, classic: true, event: 'neg-classic', when }),
        );
    }
  });
