// node scripts/docs/picture.mjs: makes docs/bench.png, the picture in README.md, of the page that the bench writes. It runs the bench on
// this machine, so the figures in the picture are of the day on which it was made. Needs chromium, which the tests need as well.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { ROOT } from '../support/run.mjs';

const PICTURE = path.join(ROOT, 'docs', 'bench.png');
/** README.md names this command: random reads of 4 KiB of a file in the page cache. */
const WORKLOAD = '--rw randread --size 64m --loops 40 --invalidate 0 --engine sync,batch,fs-sync,async,fs-promises'.split(' ');
const LARGEST = 150_000;

const folder = mkdtempSync(path.join(tmpdir(), 'rumpblk-picture-'));
try {
  const page = path.join(folder, 'page.html');
  const { status } = spawnSync(process.execPath, [path.join(ROOT, 'dist/cli/bin.js'), 'bench', ...WORKLOAD, '--html', page], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`the bench ended with ${status}`);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  const window = await browser.newPage({ viewport: { width: 1000, height: 620 }, colorScheme: 'light' });
  await window.goto(pathToFileURL(page).href);
  await window.screenshot({ path: PICTURE });
  await browser.close();
  const { size } = statSync(PICTURE);
  console.log(`${path.relative(ROOT, PICTURE)}: ${size} bytes`);
  if (size > LARGEST) throw new Error(`more than ${LARGEST} bytes`);
} finally {
  rmSync(folder, { recursive: true });
}
