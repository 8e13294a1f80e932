import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../support/until.js';
import { put } from './large-shop.js';
import { settled } from './look.js';
import { type OpenConsole, openSignedIn } from './open-console.js';
import { PAGES } from './pages.js';

/* What anybody who may name a client, a service, a source or a reason writes there. */

/** Also a scope by RFC 6749, which has neither spaces nor double quotes. */
const MARKUP = "'><img/src=x/onerror=document.title='taken'><script>document.title='taken'</script>";
const CLIENT = `evil${MARKUP}`;
const TURNED = 'evil\u202ereversed\u200bhidden';

const EVENT = z.object({ id: z.string(), subject: z.string() });

let open: OpenConsole;
let decision = '';
beforeAll(async () => {
  open = await openSignedIn();
  const { demo } = open;
  const consul = (path: string, body: object) =>
    put(`${demo.consul}${path}`, { 'x-consul-token': demo.consulManagementToken }, body);
  const client = (id: string) =>
    put(
      `${demo.idp}/clients/${encodeURIComponent(id)}`,
      { authorization: `Bearer ${demo.idpManagementToken}` },
      {
        scopes: ['orders:read', `${MARKUP}:connect`],
        attributes: { 'consul-services': `web,${MARKUP}`, actor: MARKUP },
      },
    );
  await Promise.all([CLIENT, TURNED].map(client));
  for (const Service of [MARKUP, TURNED])
    await consul('/v1/catalog/register', {
      Node: 'machine-1',
      Address: '10.0.0.1',
      Service: { Service, Port: 8080, Meta: { 'oauth-client-id': CLIENT } },
    });
  for (const Name of ['orders', MARKUP, TURNED])
    await consul('/v1/config', {
      Kind: 'service-intentions',
      Name,
      Sources: [MARKUP, TURNED].map((source) => ({ Name: source, Action: 'allow', Description: MARKUP })),
    });
  await open.command('freeze', 'start', '--reason', MARKUP);
  decision = await until('a decision about the name', async () => {
    const listed = (await open.command('decisions', 'list', '--json')).trimEnd().split('\n');
    const events = listed.map((line) => EVENT.parse(JSON.parse(line)));
    return events.find(({ subject }) => subject.includes('img'))?.id;
  });
});
afterAll(() => open?.close());

const hostile = encodeURIComponent(MARKUP);
const ADDRESSES: Readonly<Record<string, string>> = {
  ...PAGES,
  'a service of that name': `/services/${hostile}`,
  'a client of that name': `/clients/main/${encodeURIComponent(CLIENT)}`,
  'a client whose name turns the text': `/clients/main/${encodeURIComponent(TURNED)}`,
  'its reach': `/reach/${encodeURIComponent(`main/${CLIENT}`)}`,
  'a map with it in the middle': `/map?focus=${encodeURIComponent(`service:${MARKUP}`)}`,
  'a call of it': `/why?from=${hostile}&to=orders&method=${hostile}&path=/${hostile}`,
  'a search for it': `/services?q=${hostile}`,
  'what changed about it': `/changes?name=${hostile}`,
  'a decision about it': '/changes/DECISION',
  'the freeze with that reason': '/waiting/freeze',
};

/** Texts and attributes with a mark that turns or hides. */
const RAW = `(() => {
  const raw = (text) => /[\\u202e\\u200b]/.test(text);
  return [...document.querySelectorAll('*')].flatMap((each) => [
    ...[...each.childNodes].filter((node) => node.nodeType === 3 && raw(node.data)).map((node) => each.tagName + ': ' + node.data),
    ...[...each.attributes].filter(({ value }) => raw(value)).map(({ name, value }) => each.tagName + ' ' + name + '=' + value),
  ]);
})()`;

it.each(Object.entries(ADDRESSES))('names are text alone on %s', async (_name, address) => {
  const { page, demo, faults } = open;
  await page.goto(`${demo.scopemesh}${address.replace('DECISION', decision)}`);
  await settled(page);
  await page.getByText('Changes are frozen').first().waitFor();
  expect(await page.locator('img[src=x], script:not([src])').count()).toBe(0);
  expect(await page.title()).not.toBe('taken');
  expect(await page.evaluate(RAW)).toEqual([]);
  expect(faults).toEqual([]);
});

it('a name that hides something is shown with what it hides, and is not proposed', async () => {
  const { page, demo } = open;
  await page.goto(`${demo.scopemesh}/clients?q=evil`);
  await page.getByRole('link', { name: 'evil[U+202E]reversed[U+200B]hidden' }).waitFor();
  await page.getByText("onerror=document.title='taken'").first().waitFor();
  await page.goto(`${demo.scopemesh}/why?from=evil`);
  await settled(page);
  expect(await page.locator('option[value^=evil]').count()).toBe(0);
});
