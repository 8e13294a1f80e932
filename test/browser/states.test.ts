import { afterAll, beforeAll, expect, it } from 'vitest';
import { faultsOfAccess, LOOKS, lookAs, overflowOf, settled } from './look.js';
import { type OpenConsole, openSignedIn } from './open-console.js';
import { PAGES } from './pages.js';

/* What a page shows before its answers, without them, with nothing in them, and in the colours and the size of a reader. */

let open: OpenConsole;
beforeAll(async () => {
  open = await openSignedIn();
});
afterAll(() => open?.close());

/** Who signed in and what the daemon does come always; the page asks the rest. */
const ASKED = /\/api\/(?!session|status|stream|page-errors)/;
const [DAY, NIGHT] = LOOKS;
/** One address of each page: the others show the same in these states. */
const ONCE = [...new Map(Object.values(PAGES).map((at) => [at.replace(/\?.*/, ''), at])).values()];
const path = (at: string) => `${open.demo.scopemesh}${at}`;

it.each(ONCE)('%s can be used while it waits, and without an answer', async (at) => {
  const { page, faults } = open;
  const body = JSON.stringify({ error: { code: 'Unavailable', message: 'Consul does not answer' } });
  let waiting = 0;
  let isAway = false;
  await page.route(ASKED, (route) => {
    if (isAway) return route.fulfill({ status: 503, contentType: 'application/json', body });
    waiting += 1;
  });
  await page.goto(path(at));
  await page.locator('h1').waitFor();
  expect(await faultsOfAccess(page, DAY)).toEqual([]);
  isAway = true;
  await page.goto(path(at));
  await settled(page);
  if (waiting > 0) await page.getByRole('alert').first().waitFor();
  await lookAs(page, NIGHT);
  expect(await faultsOfAccess(page, NIGHT)).toEqual([]);
  await lookAs(page, DAY);
  await page.unroute(ASKED);
  expect(faults).toEqual([]);
});

it.each(ONCE)('%s fits at 200 %, in the colours of its reader', async (at) => {
  const { page, faults } = open;
  await lookAs(page, { ...DAY, width: 720 });
  await page.emulateMedia({ forcedColors: 'active' });
  await page.goto(path(at));
  await settled(page);
  expect(await overflowOf(page)).toBe(0);
  await page.emulateMedia({ forcedColors: null });
  expect(faults).toEqual([]);
});

it.each(['/services?q=nothing', '/clients?q=nothing', '/changes?name=nothing'])(
  '%s says that nothing is there',
  async (at) => {
    const { page } = open;
    await lookAs(page, DAY);
    await page.goto(path(at));
    await settled(page);
    expect(await page.locator('main table tbody tr').count()).toBe(0);
    expect(await faultsOfAccess(page, DAY)).toEqual([]);
  },
);
