import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { launchBrowser } from '../browser/open-console.js';
import { connectKeycloak } from '../stack/connect-keycloak.js';
import { freePort } from '../stack/ports.js';
import { type Stack, startStack } from '../stack/stack.js';
import { type Scopemesh, startScopemesh } from './scopemesh.js';

/* The console of two replicas, with people of a real Keycloak, on real Consul, Redis and Kafka. */

const PERSON = { username: 'ana', password: 'secret' };

let stack: Stack;
let browser: Browser;
const replicas: Scopemesh[] = [];

beforeAll(async () => {
  const listens = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  stack = await startStack({ intake: String(listens[0]), keycloak: connectKeycloak });
  const { admin } = stack.keycloak;
  const { realm } = stack;
  await admin.createClient(realm, 'console', {
    secret: 'console-secret',
    standardFlowEnabled: true,
    redirectUris: listens.map((listen) => `http://${listen}/*`),
    attributes: { 'post.logout.redirect.uris': '+' },
    protocolMappers: [
      {
        name: 'groups',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-group-membership-mapper',
        config: { 'claim.name': 'groups', 'full.path': 'true', 'id.token.claim': 'true' },
      },
    ],
  });
  await admin.request('POST', `/${realm}/groups`, { name: 'platform' });
  await admin.request('POST', `/${realm}/users`, {
    username: PERSON.username,
    enabled: true,
    email: 'ana@example.com',
    firstName: 'Ana',
    lastName: 'Ng',
    groups: ['platform'],
    credentials: [{ type: 'password', value: PERSON.password, temporary: false }],
  });
  for (const listen of listens)
    replicas.push(
      await startScopemesh({
        listen,
        configuration: (state) =>
          stringify({ ...parse(stack.configuration(state)), http: { listen, console: consoleAt(listen) } }),
      }),
    );
  await Promise.all(replicas.map((replica) => replica.idle()));
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  for (const replica of replicas) await replica.dispose();
  await stack?.stop();
});

const consoleAt = (listen: string) => ({
  url: `http://${listen}`,
  login: [{ provider: 'main', clientId: 'console', clientSecret: 'console-secret' }],
  roles: { viewer: ['/platform'], approver: ['/platform'], operator: ['/platform'] },
});

async function signIn(replica: Scopemesh | undefined): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await page.goto(`${replica?.address}/map`);
  await page.getByRole('link', { name: 'Sign in at main' }).click();
  await page.locator('#username').fill(PERSON.username);
  await page.locator('#password').fill(PERSON.password);
  await page.locator('#kc-login').click();
  return page;
}

const arrow = (page: Page) => page.getByRole('row', { name: 'web orders open' });
const liveMark = (page: Page) => page.getByText('live', { exact: true });

it('shows a person of Keycloak the mesh at each replica, and what changes', async () => {
  const pages = await Promise.all(replicas.map(signIn));
  for (const page of pages) {
    await arrow(page).waitFor();
    await liveMark(page).waitFor();
    expect(new URL(page.url()).pathname).toBe('/map');
  }
  await stack.keycloak.admin.removeScope(stack.realm, 'web-app', 'orders:read');
  for (const page of pages) await arrow(page).waitFor({ state: 'detached' });
  await stack.keycloak.admin.addScope(stack.realm, 'web-app', 'orders:read');
  for (const page of pages) await arrow(page).waitFor();
});

it('takes a change at a replica that does not lead, in the name of the person', async () => {
  const statuses = await Promise.all(replicas.map((each) => each.status()));
  const page = await signIn(replicas[statuses.findIndex(({ leader }) => !leader)]);
  await arrow(page).waitFor();
  const { origin } = new URL(page.url());
  await page.goto(`${origin}/waiting?act=deny&source=web&destination=orders`);
  await page.getByLabel('Why').fill('odd calls');
  await page.getByRole('button', { name: 'Deny it' }).click();
  await page.locator('.done').getByText('web may not call orders, by you').waitFor();
  await page.getByText('by oidc:main/').waitFor();
  await page.goto(`${origin}/map`);
  await arrow(page).waitFor({ state: 'detached' });
  await page.goto(`${origin}/waiting`);
  await page.getByRole('link', { name: 'web to orders is denied' }).click();
  await page.getByLabel('Why').fill('it was a test');
  await page.getByRole('button', { name: 'End the deny' }).click();
  await page.goto(`${origin}/map`);
  await arrow(page).waitFor();
});

it('three pages say at once that nobody leads, and show what changed meanwhile without a reload', async () => {
  const statuses = await Promise.all(replicas.map((each) => each.status()));
  const at = statuses.findIndex(({ leader }) => leader);
  const pages = await Promise.all([1, 2, 3].map(() => signIn(replicas[1 - at])));
  let loads = 0;
  for (const page of pages) {
    await arrow(page).waitFor();
    await liveMark(page).waitFor();
    page.on('load', () => (loads += 1));
  }
  await replicas[at]?.kill();
  await Promise.all(pages.map((page) => page.getByText('Live paused').waitFor({ timeout: 5_000 })));
  await stack.keycloak.admin.removeScope(stack.realm, 'web-app', 'orders:read');
  for (const page of pages) {
    await arrow(page).waitFor({ state: 'detached', timeout: 60_000 });
    await liveMark(page).waitFor({ timeout: 60_000 });
  }
  expect(loads).toBe(0);
});
