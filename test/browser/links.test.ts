import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { PAGES as PAGE_PATHS } from '../../src/console/pages.js';
import { settled } from './look.js';
import { type OpenConsole, openSignedIn } from './open-console.js';
import { PAGES } from './pages.js';

let open: OpenConsole;
let other: Page;
/** What has an ID of its own on each run. */
const ids: Record<string, string> = { DECISION: '' };
beforeAll(async () => {
  open = await openSignedIn();
  other = await (await open.browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await other.goto(await open.anotherAddress());
  await settled(other);
  await open.command('freeze', 'start', '--reason', 'release week');
  const [first = ''] = (await open.command('decisions', 'list', '--json')).split('\n');
  ids.DECISION = z.object({ id: z.string() }).parse(JSON.parse(first)).id;
});
afterAll(() => open?.close());

const LINKS: Readonly<Record<string, string>> = {
  ...PAGES,
  'services in another order': '/services?q=o&sort=-callers',
  'clients of a filter': '/clients?q=app&sort=-scopes',
  'changes of a filter': '/changes?kind=intention&action=grant&since=2026-01-01T00:00:00.000Z',
  'a decision': '/changes/DECISION',
  'what waits, and one of it': '/waiting/freeze',
  'a map with a chosen arrow and a look left out': '/map?hide=all&from=service:reports&to=service:payments',
  'the reach after a quarantine': '/reach/main%2Fcheckout?quarantine=on',
  'a call in the past': '/why?from=web&to=orders&method=GET&path=/v1/orders&at=2026-01-31T12:00:00.000Z',
  'a difference of two instants': '/audit/diff?from=2026-01-31T12:00:00.000Z&to=2026-02-28T12:00:00.000Z',
  'the evidence of a period': '/audit/evidence?from=2026-01-31T12:00:00.000Z&to=2026-02-28T12:00:00.000Z',
  'the proof of a chosen decision': '/audit/proof?id=DECISION',
};

const VIEW = z.object({
  address: z.string(),
  title: z.string(),
  text: z.string(),
  fields: z.array(z.tuple([z.string(), z.boolean()])),
  drawn: z.array(z.string()),
});

/** What a person sees of a page: its words, what is chosen, and where things are drawn. */
const LOOK = `(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  return {
    address: location.pathname + location.search,
    title: document.title,
    text: all('main, dialog[open]').map((each) => each.textContent).join(' '),
    fields: all('main input, main select, main textarea').map((each) => [each.value, each.checked === true]),
    drawn: all('main svg rect, main svg path.arrow, [aria-pressed], [aria-current]').map((each) =>
      ['x', 'y', 'd', 'class', 'aria-pressed', 'aria-current'].map((name) => each.getAttribute(name)).join(' '),
    ),
  };
})()`;

async function viewOf(page: Page, path: string) {
  await page.goto(`${open.demo.scopemesh}${path}`);
  await settled(page);
  // The bar is on each page, and comes with the state of the daemon.
  await page.getByText('Changes are frozen').first().waitFor();
  // A proof comes after its page.
  if (path.startsWith('/audit/proof?'))
    await expect.poll(() => page.locator('textarea').last().inputValue()).not.toBe('');
  const view = VIEW.parse(await page.evaluate(LOOK));
  // Ages, countdowns and the present go on, and each session has an end of its own.
  const text = view.text
    .replaceAll(/just now|[\d.]+ (ms|s|min|h) ago/g, 'ago')
    .replaceAll(/(\d+ h )?(\d+ min )?\d+ s left/g, 'left')
    .replaceAll(/(As of |Session ends)[-\d/.:TZ, APM]+/g, '$1 then ');
  return { ...view, text };
}

it.each(Object.entries(LINKS))('a link to %s shows another person the same', async (_name, link) => {
  const path = Object.entries(ids).reduce((all, [name, id]) => all.replace(name, id), link);
  const [shown, seen] = await Promise.all([viewOf(open.page, path), viewOf(other, path)]);
  expect(shown.text.length).toBeGreaterThan(20);
  expect(shown.title).not.toContain('Not found');
  expect(seen).toEqual(shown);
});

it('there is a link to each page', () => {
  const paths = Object.values(LINKS).map((link) => link.replace(/\?.*/, ''));
  const missing = PAGE_PATHS.filter((page) => {
    const shape = new RegExp(`^${page.replaceAll(/:\w+/g, '[^/]+')}$`);
    return !paths.some((path) => shape.test(path));
  });
  expect(missing).toEqual([]);
});
