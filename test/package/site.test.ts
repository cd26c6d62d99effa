// The documentation site: built without a warning, nothing undocumented, no dead link, and readable in a browser on a phone and a
// desktop, light and dark. `npm run docs:site` builds the same into site/.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import * as rumpblk from 'rumpblk';
import { ROOT } from '../support/child';
import { pages } from '../support/documents';
import { NO_SANITIZER, testWith } from '../support/peers';
import { rig } from '../support/rig';
import { brokenLinks, htmlPages, serve } from '../support/site';

jest.setTimeout(600_000);
const CHROMIUM = '/usr/bin/chromium';
const drawn = testWith(NO_SANITIZER, {
  met: existsSync(CHROMIUM),
  why: `${CHROMIUM} is missing: apt-get install chromium`,
  installable: true,
});

// Names of the browser, in the functions that run there.
declare const document: any;
declare const getComputedStyle: any;

const bench = rig();
const site = bench.path('site');
let said = '';

beforeAll(async () => {
  const typedoc = path.join(ROOT, 'node_modules', 'typedoc', 'bin', 'typedoc');
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [typedoc, '--out', site], { cwd: ROOT });
  said = stdout + stderr;
});

test('it is built without a warning', () => {
  expect(said).not.toMatch(/warning|error/i);
});

test('every export and every page of docs/ is there', () => {
  const navigation = htmlPages(site).map((page) => path.basename(page, '.html'));
  const exported = Object.keys(rumpblk).filter((name) => name !== 'default' && name !== '__esModule');
  expect(exported.filter((name) => !navigation.includes(`rumpblk.${name}`))).toEqual([]);
  const documents = pages().filter((page) => !['README.md', 'docs/api.md'].includes(page));
  expect(navigation.filter((name) => !name.includes('.'))).toEqual(expect.arrayContaining(['index', 'modules']));
  expect(htmlPages(site).filter((page) => page.startsWith('documents/'))).toHaveLength(documents.length);
});

test('no link is dead', () => {
  expect(brokenLinks(site)).toEqual([]);
  expect(readFileSync(path.join(site, 'index.html'), 'utf8')).toContain('href="documents/The_first_device.html"');
});

describe('in a browser', () => {
  let browser: Browser | undefined;
  let server: Server | undefined;
  let root = '';

  beforeAll(async () => {
    ({ server, root } = await serve(site));
    if (NO_SANITIZER.met && existsSync(CHROMIUM))
      browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  /** A new window, and what its pages complain of. */
  async function look(width: number, colorScheme: 'light' | 'dark'): Promise<{ page: Page; complaints: string[] }> {
    if (browser === undefined) throw new Error('no browser');
    const page = await browser.newPage({ viewport: { width, height: 844 }, colorScheme });
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('requestfailed', (request) => complaints.push(request.url()));
    page.on('response', (response) => {
      if (!response.ok() && !response.url().endsWith('/favicon.ico')) complaints.push(`${response.status()} ${response.url()}`);
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(root)) complaints.push(`asks for ${request.url()}`);
    });
    return { page, complaints };
  }

  /** Lightness from 0 to 255 of a colour as browsers name it. */
  const lightness = (colour: string): number => {
    const [r = 0, g = 0, b = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };

  drawn('every page fits a phone, and asks for nothing from elsewhere', async () => {
    const { page, complaints } = await look(390, 'light');
    for (const file of htmlPages(site)) {
      await page.goto(`${root}/${file}`);
      const wide: boolean = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
      if (wide) complaints.push(`${file} is wider than the screen`);
      if ((await page.locator('h1').count()) === 0) complaints.push(`${file} has no heading`);
    }
    expect(complaints).toEqual([]);
  });

  drawn('issue 19.9: a block of code in README and guides needs no scrolling where there is room for a list beside it', async () => {
    const written = htmlPages(site).filter((file) => file.startsWith('documents/') && !/api|Performance|Architecture|Seed/.test(file));
    for (const width of [1024, 1200, 1280]) {
      const { page } = await look(width, 'light');
      for (const file of ['index.html', ...written]) {
        await page.goto(`${root}/${file}`);
        // Those of a guide alone have at most 72 columns.
        const cut: number = await page.evaluate(
          () =>
            [...document.querySelectorAll('.col-content pre')].filter(
              (block: any) =>
                block.scrollWidth > block.clientWidth && block.innerText.split('\n').every((line: string) => line.length <= 72),
            ).length,
        );
        expect([width, file, cut]).toEqual([width, file, 0]);
      }
      await page.close();
    }
  });

  for (const width of [390, 1280]) {
    for (const scheme of ['light', 'dark'] as const) {
      drawn(`text stands out from what is behind it, ${scheme}, ${width} pixels wide`, async () => {
        const { page, complaints } = await look(width, scheme);
        for (const file of ['index.html', 'documents/Durable_writes.html', 'classes/rumpblk.BlockDevice.html']) {
          await page.goto(`${root}/${file}`);
          for (const selector of ['body', 'pre', 'a']) {
            const [text, ground] = await page.evaluate((chosen) => {
              const shown = document.querySelector(`.col-content ${chosen}`) ?? document.body;
              let behind = shown;
              while (/^rgba\(.*, 0\)$|^transparent$/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
              return [getComputedStyle(shown).color, getComputedStyle(behind).backgroundColor] as [string, string];
            }, selector);
            expect(Math.abs(lightness(text) - lightness(ground))).toBeGreaterThan(80);
            expect(lightness(ground) > 128).toBe(scheme === 'light');
          }
          // The list of pages stands beside the text where there is room.
          expect(await page.locator('.site-menu').isVisible()).toBe(width > 1000);
        }
        expect(complaints).toEqual([]);
      });
    }
  }

  drawn('the search finds a method', async () => {
    const { page } = await look(1280, 'light');
    await page.goto(`${root}/index.html`);
    await page.locator('#tsd-search-trigger').click();
    await page.locator('#tsd-search-input').fill('strategySync');
    await page.locator('#tsd-search-results a', { hasText: 'strategySync' }).first().click();
    await page.waitForURL(/BlockDevice\.html#strategysync/);
  });
});
