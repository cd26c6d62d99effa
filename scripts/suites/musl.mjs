// musl: the native tests, built by the compiler that makes the binaries for musl, with the musl of that compiler in them, and run: those
// for arm64 by qemu-user. It compiles all of native/ for each, some twenty minutes of a machine that does nothing else.
// RUMPBLK_MUSL: which of them, `x64,arm64` unless told. RUMPBLK_MUSL_TESTS: names of programs, instead of all.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { CPU, PLATFORMS, missingFor, toolsFor } from '../prebuild/platforms.mjs';
import { BUILD_MINUTES } from '../support/native.mjs';
import { ROOT, each, installed, run } from '../support/run.mjs';
import { emptyTally, failedTally, lackingTally, sum } from '../support/tally.mjs';
import { record } from './native.mjs';

/** For a program: qemu-user takes ten times as long, and what takes longer hangs. */
const MINUTES = 60;

/** What a program for the processor is run by; nothing for this one. */
function emulatorOf({ arch }) {
  return arch === process.arch ? [] : [`qemu-${CPU[arch]}-static`];
}

/** @param {import('../prebuild/platforms.mjs').Platform} platform */
async function testsOf(platform) {
  const name = `native tests of ${platform.name}`;
  const emulator = emulatorOf(platform);
  const lacks = missingFor(platform);
  if (lacks !== undefined) return lackingTally(name, lacks);
  const missing = emulator.filter((program) => !installed(program));
  if (missing.length > 0) return lackingTally(name, `${missing[0]} missing: apt-get install qemu-user-static`);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rumpblk-musl-'));
  try {
    const { env } = await toolsFor(platform, folder);
    const out = `build-musl-${platform.arch}`;
    const make = ['-C', 'native', '--no-print-directory', `CXX=${env.CXX}`, `AR=${env.AR}`, `out=${out}`, 'std='];
    const listed = await run('make', [...make, 'list']);
    const chosen = process.env.RUMPBLK_MUSL_TESTS?.split(',');
    const programs = listed.output
      .trim()
      .split(/\s+/)
      .filter((program) => chosen === undefined || chosen.includes(path.basename(program)));
    if (programs.length === 0) return failedTally(name, `no program is called ${chosen}`);
    const wanted = chosen === undefined ? [] : programs;
    const built = await run('make', [...make, '--silent', `-j${os.availableParallelism()}`, ...wanted], { minutes: BUILD_MINUTES });
    if (!built.ok) return failedTally(name, `${built.output.slice(-20_000)}\n${built.why}`);
    const tally = emptyTally();
    await each(programs, async (program) => {
      const [first, ...rest] = [...emulator, path.join(ROOT, 'native', program)];
      record(tally, { name: `${platform.name}: ${path.basename(program)}`, ...(await run(first, rest, { minutes: MINUTES })) });
    });
    return tally;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export async function musl() {
  const chosen = (process.env.RUMPBLK_MUSL ?? 'x64,arm64').split(',');
  const tallies = [];
  for (const platform of PLATFORMS) {
    if (platform.libc === 'musl' && chosen.includes(platform.arch)) tallies.push(await testsOf(platform));
  }
  return sum(tallies);
}
