import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Waiting } from '../../src/console/answers.js';
import { PAGES } from '../../src/console/pages.js';
import { type PEOPLE, type PeopleConsole, startPeopleConsole } from '../support/people-console.js';
import { until } from '../support/until.js';
import { settled } from './look.js';
import { launchBrowser, watchFaults } from './open-console.js';

/* Persons of each role, each in a browser of their own, on each page. */

type Acts = Readonly<Record<string, readonly string[]>>;
const APPROVE = ['approver'];
const OPERATE = ['operator'];
const RULE: Acts = { 'Approve!': APPROVE, 'Reject!': APPROVE };
const DENY: Acts = { deny: OPERATE };
const BEGIN: Acts = { Freeze: OPERATE, 'Deny an edge': OPERATE, 'Break glass': OPERATE };

/** Addresses with the roles that each act there is for, in the order of `ROLES_OF`. `!`: of a form. */
const TABLE: Readonly<Record<string, Acts>> = {
  '/services/web': DENY,
  '/clients/main/web-app': { ...DENY, Quarantine: OPERATE },
  '/waiting': BEGIN,
  '/waiting?act=freeze': { ...BEGIN, 'Freeze!': OPERATE },
  '/waiting?act=deny&source=web&destination=orders': { ...BEGIN, 'Deny it!': OPERATE },
  '/waiting?act=break-glass&source=orders&destination=web': { ...BEGIN, 'Open it!': OPERATE },
  '/map?from=service:web&to=service:orders': {},
  '/waiting?act=quarantine&provider=main&id=web-app': { ...BEGIN, 'Close the client!': OPERATE },
  '/why?from=web&to=orders': {},
  '/waiting/hold': RULE,
  '/waiting/asked': RULE,
  '/waiting/break-glass': { 'End it!': OPERATE },
  '/waiting/quarantine': { 'End the quarantine!': APPROVE },
  '/waiting/deny': { 'End the deny!': ['operator', 'approver'] },
  '/waiting/freeze': { 'End the freeze!': OPERATE },
};

const ROLES = ['viewer', 'approver', 'operator'] as const;
const ASKER = 'asker-with-approve-of-thirty-two-ch';
const RULER = 'ruler-with-approve-of-thirty-two-ch';
const faults: string[] = [];
/** What the addresses of the table call `hold` and so on: their IDs. */
const ids = new Map<string, string>();
let open: PeopleConsole;
let browser: Browser;

beforeAll(async () => {
  const tokens = [ASKER, RULER].map((token) => ({ name: token.slice(0, 5), token, approve: 'on' }));
  open = await startPeopleConsole({ tokens });
  browser = await launchBrowser();
  const send = async (path: string, body?: object, token = ASKER): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(open.address + path, { headers, ...sent });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  };
  const waiting = async () => ((await send('/api/holds')) as Waiting).rows;
  const call = { source: 'orders', reason: 'incident 7', forSeconds: 3600 };
  const ask = async (destination: string) =>
    ((await send('/api/break-glass', { ...call, destination })) as { grant: { id: string } }).grant.id;
  await open.scope('DELETE', 'web-app', 'orders:read');
  ids.set('asked', await ask('web')).set('break-glass', await ask('reports'));
  await send(`/api/holds/${ids.get('break-glass')}/approve`, { comment: 'seen' }, RULER);
  await send('/api/denies', { ...call, source: 'web', destination: 'reports' });
  await send('/api/quarantines/main/reports-app', { reason: 'stolen' });
  await send('/api/freeze/start', { reason: 'release' });
  for (const kind of ['hold', 'quarantine', 'deny'] as const)
    ids.set(kind, await until(kind, async () => (await waiting()).find((row) => row.kind === kind)?.id));
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await open?.close();
});

async function newPage(): Promise<Page> {
  const page = await browser.newPage();
  watchFaults(page, faults);
  return page;
}
async function signIn(page: Page, person: keyof typeof PEOPLE): Promise<void> {
  await page.getByRole('link', { name: 'Sign in at main' }).click();
  await page.getByRole('button', { name: person, exact: true }).click();
}
/** As a link of the page does, without a new document. */
async function go(page: Page, path: string): Promise<void> {
  const to = path.replace(/(?<=^\/waiting\/).+/, (name) => encodeURIComponent(ids.get(name) ?? name));
  await page.evaluate(`history.pushState(null, '', '${to}'); dispatchEvent(new PopStateEvent('popstate'))`);
}

/** Each act of the page with `true`, or the sentence that says why it is disabled. `!`: of a form. */
async function actsOf(page: Page): Promise<Readonly<Record<string, true | string>>> {
  for (const field of await page.getByLabel('Why', { exact: true }).all()) await field.fill('because');
  const acts: Record<string, true | string> = {};
  for (const link of await page.locator('a[href*="act="], button[title]:disabled').all())
    acts[(await link.textContent()) ?? ''] = (await link.getAttribute('title')) ?? true;
  for (const form of await page.locator('form.act').all()) {
    const lines = (await form.locator('p.soft').allTextContents()).map((line) => line.trim());
    for (const button of await form.locator('.buttons button').all()) {
      const name = (await button.textContent()) ?? '';
      const why = lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      acts[`${name}!`] = why ?? ((await button.isEnabled()) || 'disabled without a reason');
      if (why !== undefined) expect([name, await button.isDisabled()]).toEqual([name, true]);
    }
  }
  return acts;
}

async function visitAll(role: (typeof ROLES)[number]): Promise<void> {
  const page = await newPage();
  await page.goto(open.origin);
  await signIn(page, role);
  await page.getByRole('link', { name: 'Now', exact: true }).waitFor();
  for (const [path, acts] of Object.entries(TABLE)) {
    await go(page, path);
    await settled(page);
    const right = (roles: readonly string[]) =>
      roles.includes(role) || `this needs the role ${roles.join(' or ')}, and you do not have it`;
    const expected = Object.fromEntries(Object.entries(acts).map(([act, roles]) => [act, right(roles)]));
    await expect.poll(() => actsOf(page), { message: `${role} ${path}`, timeout: 10_000 }).toEqual(expected);
  }
}

it('each act is enabled for the roles of the table, and disabled with the reason for the others', async () => {
  await Promise.all(ROLES.map(visitAll));
  expect(faults).toEqual([]);
});

it('a person without a role reads the name of no service on any page, and in no answer', async () => {
  const page = await newPage();
  const seen: Promise<string | false>[] = [];
  page.on('response', (answer) => {
    const isOurs = answer.url().startsWith(open.origin) && !(answer.status() >= 300 && answer.status() < 400);
    // The script has the names of the other services in its examples.
    if (isOurs) seen.push(answer.text().then((text) => /\breports\b/.test(text) && answer.url()));
  });
  await page.goto(open.origin);
  await signIn(page, 'nobody');
  await page.getByRole('alert').getByText('You have no role here').waitFor();
  for (const path of PAGES.map((each) => each.replace(':provider', 'main').replace(/:\w+/, 'reports'))) {
    await page.goto(open.origin + path);
    await page.getByRole('link', { name: 'Sign in at main' }).waitFor();
    const shown = `${await page.title()} ${await page.textContent('body')}`;
    expect([path, shown]).toEqual([path, expect.not.stringMatching(/\b(orders|reports|web)\b/)]);
  }
  expect(seen.length).toBeGreaterThan(2 * PAGES.length);
  expect((await Promise.all(seen)).filter(Boolean)).toEqual([]);
  expect(faults).toEqual([]);
});
