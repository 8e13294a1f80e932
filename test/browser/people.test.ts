import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type PEOPLE, type PeopleConsole, startPeopleConsole } from '../support/people-console.js';
import { launchBrowser } from './open-console.js';

/* Persons who sign in at an identity provider, each in a browser of their own. */

let open: PeopleConsole;
let browser: Browser;
beforeAll(async () => {
  open = await startPeopleConsole();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await open?.close();
});

/** A browser in which nothing else is open. */
async function newPage(): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(15_000);
  return context.newPage();
}
const choose = (page: Page, person: keyof typeof PEOPLE) =>
  page.getByRole('button', { name: person, exact: true }).click();
async function signIn(person: keyof typeof PEOPLE, path = '/'): Promise<Page> {
  const page = await newPage();
  await page.goto(`${open.origin}${path}`);
  await page.getByRole('link', { name: 'Sign in at main' }).click();
  await choose(page, person);
  await page.getByRole('link', { name: 'Now', exact: true }).waitFor();
  return page;
}
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const why = (page: Page, text: string) => page.getByLabel('Why').fill(text);
const held = (page: Page, name: string) => page.getByRole('link', { name: `Close ${name} to orders` });

it('a login that fails answers a page that says why, with the status and without the text of others', async () => {
  const page = await newPage();
  const callback = (query: string) => page.goto(`${open.origin}/login/main/callback?${query}`);
  const alert = page.getByRole('alert');
  const hostile = '&error_description=%3Cimg%20src=x%3Ecall%200900';
  expect((await callback(`state=x${hostile}`))?.status()).toBe(400);
  expect(await alert.textContent()).toContain('was not begun in this browser');
  expect(page.url()).toBe(`${open.origin}/`);

  await page.goto(`${open.origin}/services?q=o`);
  const asked = page.waitForRequest((request) => new URL(request.url()).searchParams.has('code_challenge'));
  await page.getByRole('link', { name: 'Sign in at main' }).click();
  const state = new URL((await asked).url()).searchParams.get('state');
  const iss = encodeURIComponent(open.idp.issuer);
  expect((await callback(`error=access_denied&iss=${iss}&state=${state}${hostile}`))?.status()).toBe(401);
  expect(await alert.textContent()).toContain('did not let you in');
  expect(await page.content()).not.toContain('0900');
  expect(page.url()).toBe(`${open.origin}/services?q=o`);

  await page.getByRole('link', { name: 'Sign in at main' }).click();
  await choose(page, 'nobody');
  await alert.getByText('You have no role here').waitFor();
  expect(await page.textContent('body')).not.toContain('orders');
  await page.close();
});

it('two persons close a held edge, each with a comment, and each page shows the result in place', async () => {
  const [ana, ben] = [await signIn('ana', '/waiting'), await signIn('ben', '/waiting')];
  await open.scope('DELETE', 'web-app', 'orders:read');
  await held(ana, 'web').click();
  expect(await button(ana, 'Approve').isDisabled()).toBe(true);
  await why(ana, 'asked the owner');
  await button(ana, 'Approve').click();
  await ana.locator('.done').getByText('another person must approve too').waitFor();
  await held(ben, 'web').click();
  await ben.getByText('asked the owner').waitFor();
  await why(ben, 'as in the ticket');
  await button(ben, 'Approve').click();
  const done = ben.locator('.done').filter({ hasText: 'approved by you' });
  await done.filter({ hasText: 'in Consul after' }).getByRole('link', { name: 'decision' }).click();
  await ben.getByText('as in the ticket').first().waitFor();
  await ana.getByText('This does not wait for a person any more.').waitFor();
  expect(Object.keys((await open.mesh.access('orders')) ?? {})).toEqual(['reports']);
  for (const page of [ana, ben]) await page.context().close();
});

it('a ruling on what has changed meanwhile is refused, shows the new state, and keeps the comment', async () => {
  const ben = await signIn('ben');
  await open.scope('DELETE', 'reports-app', 'orders:read');
  await ben.goto(`${open.origin}/waiting`);
  await held(ben, 'reports').waitFor();
  await ben.route('**/api/stream*', (route) => route.abort());
  await ben.goto(`${open.origin}${await held(ben, 'reports').getAttribute('href')}`);
  await why(ben, 'not needed any more');
  // Nothing may show it the newer state before the click.
  await ben.route('**/api/status*', (route) => route.abort());
  const ana = await signIn('ana', new URL(ben.url()).pathname);
  await why(ana, 'is in use');
  await button(ana, 'Reject').click();
  await ana.locator('.done').getByText('rejected by you').waitFor();
  await button(ben, 'Approve').click();
  await ben.getByRole('alert').getByText('not what you saw').waitFor();
  await ben.getByText('Rejected by').waitFor();
  expect(await ben.getByLabel('Why').inputValue()).toBe('not needed any more');
  for (const page of [ana, ben]) await page.context().close();
});

it('the second person opens an edge by break-glass, the person who asked cannot, and the time ends it', async () => {
  const ana = await signIn('ana', '/waiting?act=break-glass&source=orders&destination=web');
  // The page offers 15 minutes and more.
  await ana.route('**/api/break-glass', (route) =>
    route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), forSeconds: 10 }) }),
  );
  await why(ana, 'incident 7');
  await button(ana, 'Open it').click();
  await ana.getByRole('heading', { name: 'Open orders to web for some time' }).waitFor();
  await why(ana, 'let me');
  expect(await button(ana, 'Approve').isDisabled()).toBe(true);
  await ana.getByText(/Approve: .*(another|second) person/).waitFor();
  const ben = await signIn('ben', new URL(ana.url()).pathname);
  await why(ben, 'I see the incident too');
  await button(ben, 'Approve').click();
  await ben.locator('.done').getByText('approved by you').waitFor();
  for (const page of [ana, ben]) await page.getByText(/\d+ s left/).waitFor();
  expect(await open.mesh.access('web')).toHaveProperty('orders');
  for (const page of [ana, ben]) await page.getByText('This does not wait for a person any more.').waitFor();
  await expect.poll(async () => (await open.mesh.access('web'))?.orders).toBe(undefined);
  for (const page of [ana, ben]) await page.context().close();
});

it('a freeze shows at once in the browser of another person, by whom and why; a grant waits until its end', async () => {
  const [ana, ben] = [await signIn('ana', '/waiting?act=freeze'), await signIn('ben', '/waiting')];
  await why(ana, 'release weekend');
  await ana.getByRole('dialog').getByRole('button', { name: 'Freeze' }).click();
  const bar = ben.getByRole('note').filter({ hasText: 'Changes are frozen' });
  await bar.filter({ hasText: 'release weekend' }).filter({ hasText: 'ana' }).waitFor();
  await open.scope('POST', 'web-app', 'reports:connect');
  const page = await signIn('viewer', '/changes');
  const waits = page.locator('.decision').filter({ hasText: 'Frozen' }).filter({ hasText: 'reports' });
  await waits.first().waitFor();
  expect((await open.mesh.access('reports'))?.web).toBe(undefined);
  await bar.getByRole('link', { name: 'End it' }).click();
  await why(ben, 'released');
  await button(ben, 'End the freeze').click();
  await ben.locator('.done').getByText('Ended by you').waitFor();
  await ana.getByRole('note').filter({ hasText: 'Changes are frozen' }).waitFor({ state: 'detached' });
  await expect.poll(async () => (await open.mesh.access('reports'))?.web).toBeDefined();
  for (const each of [ana, ben, page]) await each.context().close();
});

it('whose sign-in is too old for an act signs in again, and comes back to the dialog as it was', async () => {
  const page = await signIn('operator', '/waiting?act=deny&source=reports&destination=orders');
  const real = Date.now;
  const later = vi.spyOn(Date, 'now').mockImplementation(() => real() + 16 * 60_000);
  try {
    await page.getByLabel('For').selectOption('4 hours');
    await page.getByLabel('Caller').fill('web');
    await why(page, 'odd calls');
    await button(page, 'Deny it').click();
    await page.getByText('and come back here').waitFor();
    expect(await button(page, 'Deny it').isDisabled()).toBe(true);
    await page.getByRole('link', { name: 'Sign in again' }).click();
    await choose(page, 'operator');
    await page.getByRole('dialog').waitFor();
    expect(page.url()).toBe(`${open.origin}/waiting?act=deny&source=reports&destination=orders`);
    expect(await page.getByLabel('Why').inputValue()).toBe('odd calls');
    expect(await page.getByLabel('For').inputValue()).toBe('14400');
    await button(page, 'Deny it').click();
    await page.locator('.done').getByText('web may not call orders, by you').waitFor();
  } finally {
    later.mockRestore();
  }
  await page.context().close();
});

it('who signs out also leaves the identity provider, and each other browser of the person closes within two seconds', async () => {
  const [page, other] = [await signIn('viewer'), await signIn('viewer', '/services')];
  await other.getByRole('link', { name: 'orders' }).first().waitFor();
  await other.getByText('live', { exact: true }).waitFor();
  await page.goto(`${open.origin}/me`);
  await button(page, 'Sign out').click();
  await page.getByRole('heading', { name: 'Sign out?' }).waitFor();
  await button(page, 'Sign out').click();
  const at = performance.now();
  await other.getByText('Your session has ended.').waitFor();
  expect(performance.now() - at).toBeLessThan(2_000);
  expect(await other.textContent('body')).not.toContain('orders');
  await page.getByRole('link', { name: 'Sign in at main' }).click();
  await page.getByText('Who are you?').waitFor();
  for (const each of [page, other]) await each.context().close();
});
