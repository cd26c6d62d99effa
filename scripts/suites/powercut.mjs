// powercut: a virtual machine writes through the package, acknowledges on its console, and loses its power, again and again. What
// was acknowledged as durable has to be on the disk, and no commit of a journal without its records; with cache 'unsafe' something
// has to be missing, or the test proves nothing.
// RUMPBLK_POWERCUTS: how often, 5 unless told. RUMPBLK_POWERCUT_SEED: the moments.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeDisks, readImages, serve } from '../powercut/disks.mjs';
import { makeMachine, startMachine } from '../powercut/machine.mjs';
import records from '../powercut/records.cjs';
import { ROOT, installed } from '../support/run.mjs';
import { emptyTally, failedTally, lackingTally } from '../support/tally.mjs';

const PACKAGES = '.ci/packages-powercut.txt';
const PROGRAMS = ['apt-get', 'busybox', 'cpio', 'debugfs', 'dpkg-deb', 'mkfs.ext4', 'nbdkit', 'qemu-system-x86_64'];
const BOOT_MINUTES = 5;
/** What the slow disk takes for each block that leaves its cache. */
const SLOW_MS = 20;
/** The power goes after 2 to this many rounds of all writers. */
const MOST_ROUNDS = 40;

const isUnsafe = (name) => name.startsWith('unsafe');

/** What is missing, in words. */
function lacking() {
  if (process.arch !== 'x64') return 'the virtual machine is one for x64';
  process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  const missing = PROGRAMS.filter((program) => !installed(program));
  if (missing.length === 0) return undefined;
  const text = readFileSync(path.join(ROOT, PACKAGES), 'utf8').replace(/#.*/g, '');
  return `${missing.join(', ')} missing: apt-get install ${text.split(/\s+/).filter(Boolean).join(' ')} (${PACKAGES})`;
}

/** Numbers from 0 to 1, the same for a seed. */
function randomFrom(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** The last round of each writer that the console tells of. */
function acknowledgedOn(console) {
  const rounds = new Map(Object.keys(records.WRITERS).map((name) => [name, 0]));
  for (const [, name, round] of console.matchAll(/^ack (\S+) (\d+)\r?$/gm)) rounds.set(name, Number(round));
  return rounds;
}

/** Boots, lets the writers write until `acks` are told, waits `more` ms, and kills machine and disks. @returns the console */
async function cutAfter(machine, sockets, servers, acks, more) {
  const vm = startMachine(machine, sockets);
  let text = '';
  let enough = () => undefined;
  const seen = new Promise((resolve) => (enough = resolve));
  vm.stdout.setEncoding('latin1').on('data', (piece) => {
    text += piece;
    if (text.includes('FAILED') || text.split('\nack ').length > acks) enough();
  });
  vm.stderr.setEncoding('latin1').on('data', (piece) => (text += piece));
  const ended = new Promise((resolve) => vm.on('close', resolve));
  const late = new Promise((resolve) => setTimeout(resolve, BOOT_MINUTES * 60_000, 'late').unref());
  const how = await Promise.race([seen, ended, late]);
  await sleep(more);
  vm.kill('SIGKILL');
  await Promise.all([ended, ...servers.map((server) => server.cut())]);
  // What the guest itself says goes before that it was slow.
  const failure = /FAILED.*/.exec(text)?.[0] ?? (how === 'late' ? `no ${acks} acknowledgements in ${BOOT_MINUTES} minutes` : undefined);
  // The last line may be cut short: only whole ones count.
  return { console: text.slice(0, text.lastIndexOf('\n') + 1), failure };
}

/** One cut. @returns {Promise<{ problems: string[], acknowledged: number, lostUnsafe: number }>} */
async function oneCut(machine, folder, random) {
  const disks = makeDisks(folder);
  const servers = await Promise.all([serve(disks.quick), serve(disks.bare), serve(disks.slow, SLOW_MS)]);
  const writers = Object.keys(records.WRITERS).length;
  const acks = Math.ceil(writers * (2 + random() * (MOST_ROUNDS - 2)) + random() * writers);
  const sockets = servers.map(({ socket }) => socket);
  const { console: text, failure } = await cutAfter(machine, sockets, servers, acks, random() * 100);
  const problems = failure === undefined ? [] : [`${failure}\n${text.slice(-2000)}`];
  let acknowledged = 0;
  let lostUnsafe = 0;
  const images = readImages(disks, folder);
  for (const [name, round] of acknowledgedOn(text)) {
    const { lost } = records.lostSlots(images.get(name), name, round);
    for (const each of records.brokenCommits(images.get(name), name)) problems.push(`${name}: ${JSON.stringify(each)}`);
    if (isUnsafe(name)) lostUnsafe += lost.length;
    else {
      acknowledged += round;
      for (const each of lost) problems.push(`${name}: acknowledged up to ${round}, but ${JSON.stringify(each)}`);
    }
  }
  if (acknowledged === 0) problems.push(`nothing was acknowledged\n${text.slice(-2000)}`);
  return { problems, acknowledged, lostUnsafe };
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export async function powercut() {
  const lacks = lacking();
  if (lacks !== undefined) return lackingTally('powercut', lacks);
  const cuts = Number(process.env.RUMPBLK_POWERCUTS ?? 5);
  const seed = Number(process.env.RUMPBLK_POWERCUT_SEED ?? Math.floor(Math.random() * 2 ** 32));
  const random = randomFrom(seed);
  const tally = emptyTally();
  const folder = mkdtempSync(path.join(tmpdir(), 'rumpblk-powercut-'));
  try {
    const machine = makeMachine(folder);
    let unsafe = 0;
    for (let i = 1; i <= cuts; i += 1) {
      const { problems, acknowledged, lostUnsafe } = await oneCut(machine, path.join(folder, String(i)), random);
      unsafe += lostUnsafe;
      console.log(`cut ${i} of ${cuts}: ${acknowledged} durable rounds, ${problems.length} problems; unsafe lost ${lostUnsafe} blocks`);
      if (problems.length === 0) tally.passed += 1;
      else tally.failed.push({ name: `power cut ${i} (seed ${seed})`, detail: problems.join('\n') });
      rmSync(path.join(folder, String(i)), { recursive: true });
    }
    if (unsafe > 0) tally.passed += 1;
    else tally.failed.push({ name: "cache 'unsafe'", detail: 'lost nothing: these cuts show nothing of the others either' });
    return tally;
  } catch (error) {
    return failedTally('powercut', String(error.stack));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
