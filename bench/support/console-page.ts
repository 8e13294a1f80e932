import type { Page } from 'playwright-core';
import { z } from 'zod';
import { launchBrowser } from '../../test/browser/open-console.js';
import { addressOf } from './console.js';
import type { Scene } from './scene.js';

/** The console of a scene in a browser. Durations are milliseconds. */
export interface PageUnderTest {
  /** Seconds from the request of the page until it shows what is true now. */
  readonly paint: number;
  /** For each text: from its last key until its first result is there. */
  typeInPalette(texts: readonly string[]): Promise<readonly number[]>;
  typeInFilter(texts: readonly string[]): Promise<readonly number[]>;
  showMap(): Promise<void>;
  showMapOf(service: string): Promise<void>;
  /** Resolves once the arrow is there, or has gone. */
  untilArrow(from: string, to: string, isThere: boolean): Promise<void>;
  frames(seconds: number): Promise<readonly number[]>;
  /** Of a page without anything. */
  emptyFrames(seconds: number): Promise<readonly number[]>;
  /** After a collection of garbage: bytes, and nodes of the DOM. */
  memory(): Promise<{ readonly heap: number; readonly nodes: number }>;
  close(): Promise<void>;
}

const METRICS = z.object({ metrics: z.array(z.object({ name: z.string(), value: z.number() })) });

export async function openPage(scene: Scene): Promise<PageUnderTest> {
  const browser = await launchBrowser();
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.goto(await addressOf(scene));
    await shown(page);
    const { origin } = new URL(page.url());
    // The second view of a person who is signed in, with nothing in the browser's cache.
    const fresh = await context.newPage();
    const client = await context.newCDPSession(fresh);
    await client.send('Network.setCacheDisabled', { cacheDisabled: true });
    const begun = performance.now();
    await fresh.goto(`${origin}/map`);
    await shown(fresh);
    const paint = (performance.now() - begun) / 1_000;
    await fresh.close();
    const own = await context.newCDPSession(page);
    await own.send('Performance.enable');
    return {
      paint,
      async typeInPalette(texts) {
        await page.keyboard.press('Control+k');
        const box = page.getByRole('combobox');
        await box.waitFor();
        const took = await typeEach(page, '.palette input', '.hit', texts);
        await page.keyboard.press('Escape');
        return took;
      },
      async typeInFilter(texts) {
        await page.goto(`${origin}/services`);
        await shown(page);
        return typeEach(page, 'search input[type=search]', 'main tbody tr', texts);
      },
      async showMap() {
        await page.goto(`${origin}/map`);
        await shown(page);
      },
      async showMapOf(service) {
        const address = `${origin}/map?focus=${encodeURIComponent(`service:${service}`)}`;
        if (page.url() === address) return;
        await page.goto(address);
        await shown(page);
        await page.locator('svg.picture .node').first().waitFor();
      },
      async untilArrow(from, to, isThere) {
        const title = JSON.stringify(`${from} to ${to}:`);
        await page.evaluate(
          `new Promise((resolve) => {
            const look = () => {
              const titles = [...document.querySelectorAll('svg.picture a.arrow:not(.going) title')];
              if (titles.some(({ textContent }) => textContent.startsWith(${title})) === ${isThere}) resolve();
              else requestAnimationFrame(look);
            };
            look();
          })`,
        );
      },
      frames: (seconds) => framesOf(page, seconds),
      async emptyFrames(seconds) {
        const empty = await context.newPage();
        const frames = await framesOf(empty, seconds);
        await empty.close();
        return frames;
      },
      async memory() {
        await own.send('HeapProfiler.collectGarbage');
        const { metrics } = METRICS.parse(await own.send('Performance.getMetrics'));
        const of = (wanted: string) => metrics.find(({ name }) => name === wanted)?.value ?? Number.NaN;
        return { heap: of('JSHeapUsedSize'), nodes: of('Nodes') };
      },
      close: () => browser.close(),
    };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

/** Resolves once the page shows answers, none of them old. */
async function shown(page: Page): Promise<void> {
  await page.locator('h1').waitFor();
  for (const unfinished of ['.skeleton', '.answer.old'])
    await page.locator(unfinished).first().waitFor({ state: 'detached' });
}

/** In the page itself, so that the way to the browser is no part of it. */
async function typeEach(page: Page, box: string, hit: string, texts: readonly string[]): Promise<number[]> {
  const took: number[] = [];
  for (const text of texts) {
    const measured = await page.evaluate(
      `new Promise((resolve, reject) => {
        const box = document.querySelector(${JSON.stringify(box)});
        const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
        const begun = performance.now();
        set.call(box, ${JSON.stringify(text)});
        box.dispatchEvent(new Event('input', { bubbles: true }));
        const look = () => {
          const found = [...document.querySelectorAll(${JSON.stringify(hit)})];
          if (found.length > 0 && found[0].textContent.includes(${JSON.stringify(text)})) resolve(performance.now() - begun);
          else if (performance.now() - begun > 10000) reject(new Error('nothing was found for ' + ${JSON.stringify(text)}));
          else requestAnimationFrame(look);
        };
        look();
      })`,
    );
    took.push(z.number().parse(measured));
  }
  return took;
}

async function framesOf(page: Page, seconds: number): Promise<readonly number[]> {
  const frames = await page.evaluate(
    `new Promise((resolve) => {
      const gaps = [];
      const begun = performance.now();
      let before = begun;
      const next = (now) => {
        gaps.push(now - before);
        before = now;
        if (now - begun < ${seconds * 1_000}) requestAnimationFrame(next);
        else resolve(gaps.slice(1));
      };
      requestAnimationFrame(next);
    })`,
  );
  return z.array(z.number()).parse(frames);
}
