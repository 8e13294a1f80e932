import { afterAll, beforeAll, expect, it } from 'vitest';
import { faultsOfAccess, LOOKS, lookAs, overflowOf, settled } from './look.js';
import { type OpenConsole, openSignedIn } from './open-console.js';

let open: OpenConsole;
beforeAll(async () => {
  open = await openSignedIn();
});
afterAll(() => open?.close());

const visit = async (path: string) => {
  await open.page.goto(`${open.demo.scopemesh}${path}`);
  await settled(open.page);
};
const button = (name: string) => open.page.getByRole('button', { name, exact: true });
const arrow = (call: string) => open.page.locator('.arrow').filter({ hasText: call });
const scope = async (method: string, client: string, name: string) => {
  const { idp, idpManagementToken: token } = open.demo;
  const headers = { authorization: `Bearer ${token}` };
  expect((await fetch(`${idp}/clients/${client}/scopes/${name}`, { method, headers })).ok).toBe(true);
};
const why = (text: string) => open.page.getByLabel('Why').fill(text);

it('freezes from the page: each page says until when and by whom, a grant waits, a revocation passes', async () => {
  const { page } = open;
  await visit('/waiting');
  await page.getByRole('link', { name: 'Freeze' }).click();
  const freeze = page.getByRole('dialog').getByRole('button', { name: 'Freeze' });
  expect(await freeze.isDisabled()).toBe(true);
  await why('release weekend');
  await freeze.click();
  await page.locator('.done').getByText('Changes are frozen by you').waitFor();
  await visit('/services');
  const bar = page.getByRole('note').filter({ hasText: 'Changes are frozen' });
  expect(await bar.textContent()).toMatch(/until .+ by .+: release weekend/);
  await visit('/map');
  await scope('POST', 'web-app', 'shipping:connect');
  await scope('DELETE', 'reports-job', 'orders:read');
  await arrow('reports to orders').waitFor({ state: 'detached' });
  await arrow('web to shipping').and(page.locator('.held')).waitFor();
  await visit('/why?from=web&to=shipping');
  await page.getByText('Frozen').first().waitFor();
  await bar.getByRole('link', { name: 'End it' }).click();
  await why('released');
  await button('End the freeze').click();
  await page.locator('.done').getByText('Ended by you').waitFor();
  await bar.waitFor({ state: 'detached' });
  await visit('/map');
  await arrow('web to shipping').and(page.locator('.all')).waitFor();
});

it('closes a client, shows the result in place, and ends the quarantine with a comment in the decision', async () => {
  const { page } = open;
  await visit('/clients/main/web-app');
  await page.getByRole('link', { name: 'Quarantine' }).click();
  await why('laptop stolen');
  await button('Close the client').click();
  await page.locator('.done').getByRole('link', { name: 'decision' }).waitFor();
  await button('Close').click();
  await page.getByRole('link', { name: 'End the quarantine' }).click();
  await page.getByRole('heading', { name: 'is in quarantine' }).waitFor();
  await why('the secret is new');
  await button('End the quarantine').click();
  const result = page.locator('.done').filter({ hasText: 'Ended by you' });
  await result.filter({ hasText: 'after' }).getByRole('link', { name: 'decision' }).click();
  await page.getByText('the secret is new').first().waitFor();
});

it('opens an edge by break-glass with a countdown, and ends it', async () => {
  const { page } = open;
  await visit('/waiting?act=break-glass&source=web&destination=ledger');
  await why('incident 7');
  await button('Open it').click();
  await page.getByRole('heading', { name: 'web to ledger is open by break-glass' }).waitFor();
  const left = page.getByText(/\d+ s left/);
  const first = await left.textContent();
  await expect.poll(() => left.textContent()).not.toBe(first);
  for (const look of LOOKS) {
    await lookAs(page, look);
    expect(await faultsOfAccess(page, look)).toEqual([]);
    expect(await overflowOf(page)).toBe(0);
  }
  await why('incident over');
  await button('End it').click();
  await page.locator('.done').getByText('Ended by you').waitFor();
  await page.getByText('This does not wait for a person any more.').waitFor();
});

it('what another person ended meanwhile is refused, and the text stays', async () => {
  const { page } = open;
  await visit('/waiting?act=deny&source=shipping&destination=inventory');
  await why('odd calls');
  await button('Deny it').click();
  await page.locator('.done').getByText('may not call inventory').waitFor();
  await visit('/waiting');
  await page.getByRole('link', { name: 'shipping to inventory is denied' }).click();
  await why('it was a test');
  // Another deny of the same edge takes the place of the one that the page shows.
  const other = await page.context().newPage();
  await other.route('**/api/stream*', (route) => route.abort());
  await other.goto(page.url());
  await settled(other);
  // Nothing may show it the newer state before the click.
  await other.route('**/api/status*', (route) => route.abort());
  await other.getByLabel('Why').fill('it was a test');
  await visit('/waiting?act=deny&source=shipping&destination=inventory');
  await why('odd calls again');
  await button('Deny it').click();
  await page.locator('.done').getByText('may not call inventory').waitFor();
  await other.getByRole('button', { name: 'End the deny' }).click();
  expect(await other.getByRole('alert').textContent()).toContain('not what you saw');
  expect(await other.getByLabel('Why').inputValue()).toBe('it was a test');
  await other.close();
  await visit('/waiting?tab=done');
  await page.locator('.decision').filter({ hasText: 'PersonDenied' }).first().waitFor();
  expect(open.faults).toEqual([]);
});
