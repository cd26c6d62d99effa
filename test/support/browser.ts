// A page in Debian's chromium, headless: what it asks for, what it complains of, and the colours it draws.
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { Need } from './peers';

// Names of the browser, in the functions that run there.
declare const document: any;
declare const Image: any;

const PROGRAM = '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];

export const CHROMIUM: Need = { met: existsSync(PROGRAM), why: `${PROGRAM} is missing: apt-get install chromium`, installable: true };

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: PROGRAM, args: [...FLAGS, '--disable-component-update', '--disable-sync'] });
}

export interface View {
  page: Page;
  /** Requests other than the page itself and data: URLs. */
  requests: string[];
  /** Console messages and uncaught errors. */
  messages: string[];
}

export async function openFile(browser: Browser, file: string, width: number, colorScheme: 'light' | 'dark'): Promise<View> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
  const view: View = { page, requests: [], messages: [] };
  const url = pathToFileURL(file).href;
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) view.requests.push(request.url());
  });
  page.on('console', (message) => view.messages.push(message.text()));
  page.on('pageerror', (error) => view.messages.push(String(error)));
  await page.goto(url, { waitUntil: 'load' });
  return view;
}

export interface Point {
  x: number;
  y: number;
}

/** The colours at these points of the whole page, `[r, g, b]` each. */
export async function coloursAt(view: View, points: readonly Point[]): Promise<number[][]> {
  const png = (await view.page.screenshot({ fullPage: true })).toString('base64');
  const blank = await view.page.context().browser()!.newPage();
  try {
    return await blank.evaluate(
      async ([data, places]) => {
        const image = new Image();
        image.src = `data:image/png;base64,${data}`;
        await image.decode();
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [image.width, image.height];
        const context = canvas.getContext('2d')!;
        context.drawImage(image, 0, 0);
        return places.map(({ x, y }) => [...context.getImageData(Math.round(x), Math.round(y), 1, 1).data].slice(0, 3));
      },
      [png, points] as const,
    );
  } finally {
    await blank.close();
  }
}

/** How much two colours differ for the eye: 1 for equal ones, 21 for black and white (WCAG 2). */
export function contrast(one: readonly number[], other: readonly number[]): number {
  const luminance = (colour: readonly number[]): number => {
    const [r = 0, g = 0, b = 0] = colour.map((part) =>
      part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}
