// The page of `rumpblk bench --html`, in a browser: what is drawn, whether all of it can be read, and that it asks for nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { CHROMIUM, coloursAt, contrast, launch, openFile, type View } from '../../support/browser';
import { cli } from '../../support/cli';
import { at, covered, nanoseconds, probeBars, probeCurves, probeReading } from '../../support/page';
import { peer, testWith } from '../../support/peers';
import { rig } from '../../support/rig';

declare const document: any;

const bench = rig();
const ENGINES = ['sync', 'batch', 'async', 'nbd', 'fs-sync', 'fs-callback', 'fs-promises', 'fio'];
const PANELS = 4; // reads; reads, writes and syncs
const TIMEOUT = 120_000;
type Look = readonly [width: number, colours: 'light' | 'dark'];
const EVERY: readonly Look[] = [1280, 800, 360].flatMap((width): Look[] => [
  [width, 'light'],
  [width, 'dark'],
]);
const SOME: readonly Look[] = [
  [1280, 'light'],
  [360, 'dark'],
];
const withBrowser = testWith(CHROMIUM, peer('fio', 'fio'));

let browser: Promise<Browser> | undefined;
let made: Promise<string> | undefined;
afterAll(async () => (await browser)?.close());

/** The page of two jobs on every engine, with names that are markup. */
function page(): Promise<string> {
  made ??= makePage('all.html', ['--engine', 'all']);
  return made;
}

async function makePage(name: string, options: readonly string[]): Promise<string> {
  const jobs = bench.path('page.fio');
  const lines = [
    '[global]',
    'size=1m',
    'runtime=250ms',
    'time_based',
    '[random <b>&lt reads]',
    'rw=randread',
    'iodepth=8',
    '[mixed]',
    'stonewall',
  ];
  writeFileSync(jobs, [...lines, 'rw=randrw', 'rwmixread=70', 'fsync=16', 'numjobs=2'].join('\n'));
  const file = bench.path(name);
  expect(await cli(['bench', '--jobs', jobs, '--html', file, '--json', ...options])).toMatchObject({ status: 0, stderr: '' });
  return file;
}

async function view(width = 1280, colours: 'light' | 'dark' = 'light', file?: string): Promise<View> {
  browser ??= launch();
  return openFile(await browser, file ?? (await page()), width, colours);
}

/** Runs `check` on the page in each of these looks. */
async function inLooks(looks: readonly Look[], check: (view: View, look: Look) => Promise<void>): Promise<void> {
  for (const look of looks) {
    const seen = await view(...look);
    await check(seen, look);
    await seen.page.close();
  }
}

describe('the page', () => {
  withBrowser(
    'is one document that asks for nothing and complains of nothing',
    async () => {
      const text = readFileSync(await page(), 'utf8');
      expect(text).not.toMatch(/\b(NaN|undefined|Infinity)\b|https?:|<script|@import|url\(/);
      expect(text).not.toContain('<b>');
      const seen = await view();
      expect(seen).toMatchObject({ requests: [], messages: [] });
      const outline = await seen.page.evaluate(() => ({
        title: document.title,
        lang: document.documentElement.lang,
        jobs: [...document.querySelectorAll('h2')].map((heading: any) => heading.textContent),
        named: [...document.querySelectorAll('svg[role=img]')].every((drawing: any) =>
          drawing
            .getAttribute('aria-labelledby')
            .split(' ')
            .every((id: string) => document.getElementById(id)?.textContent),
        ),
        tables: [...document.querySelectorAll('table')].map((table: any) => table.querySelectorAll('tbody tr').length),
      }));
      expect(outline).toEqual({
        title: 'rumpblk bench: random <b>&lt reads, mixed',
        lang: 'en',
        jobs: ['random <b>&lt reads', 'mixed'],
        named: true,
        tables: new Array(PANELS).fill(ENGINES.length),
      });
      await seen.page.close();
    },
    TIMEOUT,
  );

  withBrowser(
    'has a bar for each engine, as long as its throughput, in the colour of the engine',
    async () => {
      await inLooks(SOME, async (seen) => {
        const charts = await seen.page.evaluate(probeBars);
        expect(charts).toHaveLength(PANELS);
        for (const bars of charts) {
          expect(bars.map(({ engine }) => engine)).toEqual(ENGINES);
          const most = Math.max(...bars.map(({ value }) => value));
          for (const { value, share, height } of bars) {
            expect(Math.abs(share - Math.max(0.004, value / most))).toBeLessThan(0.005);
            expect(height).toBeGreaterThanOrEqual(12);
          }
        }
        const wide = charts.flat().filter(({ left, right }) => right - left > 6);
        const drawn = await coloursAt(
          seen,
          wide.flatMap(({ left, right, middle }) => [at((left + right) / 2, middle), at(right - 2, middle)]),
        );
        expect(drawn).toEqual(wide.flatMap(({ colour }) => [colour, colour]));
      });
    },
    TIMEOUT,
  );

  withBrowser(
    'has a curve for each engine that rises, and stands where axes and table say',
    async () => {
      await inLooks(SOME, async (seen, look) => {
        const charts = await seen.page.evaluate(probeCurves);
        expect(charts).toHaveLength(PANELS);
        for (const { x, y, ends, curves } of charts) {
          expect(curves.map(({ engine }) => engine)).toEqual(ENGINES);
          expect(ends.map(({ text }) => text)).toEqual(ENGINES);
          expect(x.map(({ text }) => text)).toEqual(['50', '90', '99', '99.9', '99.99']);
          const nine = x[2]!.x - x[1]!.x; // each nine is as wide as the one before
          expect(nine).toBeGreaterThan(20);
          for (const index of [3, 4]) expect(Math.abs(x[index]!.x - x[index - 1]!.x - nine)).toBeLessThan(1);
          expect(y.length).toBeGreaterThanOrEqual(2);
          // Both axes are logarithmic: where a value stands follows from two ticks.
          const [low, high] = [y[0]!, y.at(-1)!];
          const yOf = (time: number): number =>
            low.y + ((high.y - low.y) * Math.log(time / nanoseconds(low.text))) / Math.log(nanoseconds(high.text) / nanoseconds(low.text));
          for (const tick of y) expect(Math.abs(yOf(nanoseconds(tick.text)) - tick.y)).toBeLessThan(1.5);
          for (const { engine, median, points } of curves) {
            expect(points.every(({ y: here }, step) => step === 0 || here <= points[step - 1]!.y + 0.5)).toBe(true);
            const near = points.filter((point) => Math.abs(point.x - x[0]!.x) < 4).map((point) => point.y);
            const off = Math.min(...near.map((here) => Math.abs(here - yOf(nanoseconds(median)))));
            const between = Math.min(...near) <= yOf(nanoseconds(median)) && Math.max(...near) >= yOf(nanoseconds(median));
            expect({ look, engine, good: between || off < 4 }).toEqual({ look, engine, good: true });
          }
        }
        const lines = charts.map(({ curves }) => curves[0]!);
        const around = lines.flatMap(({ points }) =>
          points.slice(150, 250).flatMap(({ x, y }) => [-1, 0, 1].map((shift) => at(x, y + shift))),
        );
        const drawn = await coloursAt(seen, around);
        const each = around.length / lines.length;
        for (const [index, { colour }] of lines.entries()) {
          expect(drawn.slice(index * each, (index + 1) * each).some((seenColour) => contrast(seenColour, colour) < 1.1)).toBe(true);
        }
      });
    },
    TIMEOUT,
  );

  withBrowser(
    'can be read: nothing scrolls sideways, no text covers another or is cut, all of it has contrast',
    async () => {
      const backgrounds: Record<string, number[]> = {};
      await inLooks(EVERY, async (seen, look) => {
        const found = await seen.page.evaluate(probeReading);
        const [width, colours] = look;
        backgrounds[colours] = found.page;
        expect({ look, scroll: found.scroll }).toEqual({ look, scroll: width });
        expect(found.texts.length).toBeGreaterThan(200);
        expect({ look, cut: found.texts.filter(({ left, right }) => left < 0 || right > width) }).toEqual({ look, cut: [] });
        expect({ look, small: found.texts.filter(({ size }) => size < 12) }).toEqual({ look, small: [] });
        expect({ look, covered: covered(found.texts) }).toEqual({ look, covered: [] });
        const pale = [...found.texts, ...found.lines].filter(({ colour, behind }) => contrast(colour, behind) < 4.5);
        expect({ look, pale }).toEqual({ look, pale: [] });
      });
      expect(contrast(backgrounds['light']!, [0, 0, 0])).toBeGreaterThan(15);
      expect(contrast(backgrounds['dark']!, [255, 255, 255])).toBeGreaterThan(15);
    },
    TIMEOUT,
  );

  withBrowser(
    'holds with one engine, one request and one latency',
    async () => {
      const file = bench.path('one.html');
      const one = ['--rw', 'read', '--size', '4k', '--loops', '1', '--json'];
      expect(await cli(['bench', ...one, '--html', file])).toMatchObject({ status: 0, stderr: '' });
      expect(readFileSync(file, 'utf8')).not.toMatch(/\b(NaN|undefined|Infinity)\b/);
      const seen = await view(360, 'light', file);
      expect(await seen.page.evaluate(() => document.querySelectorAll('.bar, .curve').length)).toBe(2);
      expect(await seen.page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
      await seen.page.close();
    },
    TIMEOUT,
  );
});
