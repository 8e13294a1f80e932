import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { Mesh, Reach } from '../../src/console/answers.js';
import { textOf } from '../docs/manual.js';
import { until } from '../support/until.js';
import { faultsOfAccess, LOOKS, lookAs, overflowOf, settled } from './look.js';
import { type OpenConsole, openConsole } from './open-console.js';
import { PAGES } from './pages.js';

const EVENT = z.object({
  id: z.string(),
  subject: z.string(),
  data: z.looseObject({ action: z.string().optional() }),
});

let open: OpenConsole;
let beforeRevocation = '';
beforeAll(async () => {
  open = await openConsole();
});
afterAll(() => open?.close());

const visit = async (path: string) => {
  await open.page.goto(`${open.demo.scopemesh}${path}`);
  await settled(open.page);
};

it('the printed address opens the console signed in, and its code leaves the address', async () => {
  const { page, demo } = open;
  await page.goto(demo.console);
  await settled(page);
  expect(page.url()).toBe(`${demo.scopemesh}/`);
  expect(await page.locator('h1').textContent()).toContain('Consul equals the identity provider');
});

it('a code works once', async () => {
  const other = await open.browser.newContext();
  const page = await other.newPage();
  await page.goto(open.demo.console);
  await page.getByText('scopemesh console', { exact: true }).waitFor();
  expect(await page.getByRole('alert').textContent()).toContain('code');
  await other.close();
});

it('a link that opens another tab is signed in; a session that has ended shows nothing of the mesh', async () => {
  const page = await open.page.context().newPage();
  await page.goto(`${open.demo.scopemesh}/me`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('alert').waitFor();
  await page.close();
  await open.page.goto(`${open.demo.scopemesh}/services`);
  await open.page.getByText('scopemesh console', { exact: true }).waitFor();
  expect(await open.page.textContent('body')).not.toContain('orders');
  await open.page.goto(await open.anotherAddress());
  await open.page.getByRole('link', { name: 'Now' }).waitFor();
});

it.each(Object.entries(PAGES))('%s can be used by everybody, and fits each window', async (_name, path) => {
  await visit(path);
  for (const look of LOOKS) {
    await lookAs(open.page, look);
    expect(await faultsOfAccess(open.page, look), JSON.stringify(look)).toEqual([]);
    expect(await overflowOf(open.page), JSON.stringify(look)).toBe(0);
  }
  await lookAs(open.page, { width: 320, colorScheme: 'light' });
  expect(await overflowOf(open.page)).toBe(0);
  await lookAs(open.page, { width: 1440, colorScheme: 'light' });
});

it('a scope that is taken away closes the edge on the open page, which says why', async () => {
  const { page, demo } = open;
  await visit('/services/inventory');
  const caller = page.locator('.edge').filter({ hasText: 'shipping' });
  await caller.filter({ hasText: 'open' }).waitFor();
  beforeRevocation = new Date().toISOString();
  const answer = await fetch(`${demo.idp}/clients/shipping/scopes/inventory:read`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${demo.idpManagementToken}` },
  });
  expect(answer.ok).toBe(true);
  await caller.waitFor({ state: 'detached' });

  await page.keyboard.press('g');
  await page.keyboard.press('c');
  await page.locator('.decision').filter({ hasText: 'ScopeRevoked' }).getByRole('link').first().click();
  await page.getByRole('heading', { name: 'shipping' }).waitFor();
  const left = page.locator('section').filter({ hasText: 'What outlives it' });
  expect(await left.getByText(/^access tokens .* end unknown$/).count()).toBe(1);
  await left.getByRole('link', { name: 'what shipping still reaches' }).waitFor();
  await visit('/why?from=shipping&to=inventory&method=GET&path=/v1/stock');
  expect(await page.locator('.verdict').textContent()).toContain('Refused');
  expect(await page.locator('.step.bad').first().textContent()).toContain('Scope');
});

it('on the map an arrow comes with its scope, and goes with it while nothing else moves', async () => {
  const { page, demo } = open;
  await visit('/map?from=service:reports&to=service:payments');
  const arrow = page.locator('.drawn .arrow:not(.going)').filter({ hasText: 'reports to payments' });
  await arrow.waitFor({ state: 'attached' });
  const placesOf = () =>
    page
      .locator('.node rect')
      .evaluateAll((all) => all.map((each) => `${each.getAttribute('x')} ${each.getAttribute('y')}`));
  const before = await placesOf();
  const change = async (method: string) => {
    const answer = await fetch(`${demo.idp}/clients/reports-job/scopes/payments:read`, {
      method,
      headers: { authorization: `Bearer ${demo.idpManagementToken}` },
    });
    expect(answer.ok).toBe(true);
  };
  await change('DELETE');
  await arrow.waitFor({ state: 'detached' });
  await page.locator('.panel').getByText('What outlives it').waitFor();
  expect(await placesOf()).toEqual(before);
  await change('POST');
  await arrow.waitFor({ state: 'attached' });
  expect(await placesOf()).toEqual(before);
});

it('a look of the legend can be left out, and a node leads to its neighbour by an arrow key', async () => {
  const { page, demo } = open;
  await visit('/map');
  await page.getByRole('button', { name: 'everything' }).click();
  await page.waitForURL(`${demo.scopemesh}/map?hide=all`);
  expect(await page.locator('.drawn .arrow.all').count()).toBe(0);
  await page.locator('.node').filter({ hasText: 'orders' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.waitForURL(/focus=service%3A(shipping|ledger)/);
});

it('ten cells of the matrix, opened by keyboard, say what the answer of the daemon says', async () => {
  const { page } = open;
  const answered = page.waitForResponse(/\/api\/map$/);
  await visit('/map?lens=matrix');
  const { services, edges, signs } = Mesh.parse(await (await answered).json());
  const names = services.names.filter((name) => name !== '*');
  const ends = edges.from.map((from, at) => ({
    from,
    to: edges.to[at] ?? 0,
    sign: signs[edges.signs[at] ?? 0],
  }));
  const pairs = Array.from({ length: 10 }, (_, at) => {
    const edge = at % 2 === 0 ? ends[(at * 7) % ends.length] : undefined;
    const [row, column] = [services.names[edge?.from ?? -1], services.names[edge?.to ?? -1]];
    return [row ?? names[at % names.length] ?? '', column ?? names[(at * 3) % names.length] ?? ''] as const;
  });
  await page.getByLabel('Row: caller').focus();
  for (const [row, column] of pairs) {
    await page.getByLabel('Row: caller').fill(row);
    await page.keyboard.press('Tab');
    await page.keyboard.type(column);
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: row, exact: true }).waitFor();
    await page.getByRole('columnheader', { name: `→ ${column}`, exact: true }).waitFor();
    const found = ends.find(({ from, to }) => services.names[from] === row && services.names[to] === column);
    const cell = await page.getByRole('gridcell').textContent();
    expect(cell, `${row} > ${column}`).toContain(found?.sign?.state ?? 'no edge');
  }
});

it('the reach of a client equals that of blast-radius --json, also after a quarantine', async () => {
  const { page } = open;
  const printed: unknown = JSON.parse(await open.command('blast-radius', 'main/checkout', '--json'));
  const { reached } = Reach.parse(printed);
  expect(Reach.parse(printed)).toEqual(printed);
  const shown = async () => (await page.locator('tbody tr td:first-child').allTextContents()).toSorted();
  await visit('/reach/main%2Fcheckout');
  expect(reached.length).toBeGreaterThan(2);
  expect(await shown()).toEqual(reached.map((each) => each.service).toSorted());
  await page.getByLabel('after a quarantine').check();
  const stay = reached.flatMap((each) => (each.staysReachable ? each.service : []));
  expect(stay.length).toBeLessThan(reached.length);
  expect(await shown()).toEqual(stay.toSorted());
});

it('finds a service from everywhere by three letters', async () => {
  const { page } = open;
  await visit('/clients');
  await page.keyboard.press('/');
  await page.keyboard.type('led');
  await page.getByRole('option', { name: 'ledger' }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'ledger' }).waitFor();
});

it('a filter is in the address, and the back button takes it away', async () => {
  const { page, demo } = open;
  await visit('/services');
  await page.getByLabel('Order').selectOption('most callers');
  await page.waitForURL(`${demo.scopemesh}/services?sort=-callers`);
  await settled(page);
  const first = await page.locator('tbody tr').first().textContent();
  await visit('/services?sort=-callers');
  expect(await page.locator('tbody tr').first().textContent()).toBe(first);
  await page.goBack();
});

it('shows the past to whoever has the link, and what went since', async () => {
  const { page, demo, browser } = open;
  const at = new URLSearchParams({ at: beforeRevocation });
  const past = `/services/inventory?${at}`;
  await visit(past);
  const caller = page.locator('tbody tr').filter({ hasText: 'shipping' });
  await caller.first().waitFor();
  /** But for the age, which goes on. */
  const seenBy = async (reader: typeof page) =>
    (await reader.locator('main').textContent())?.replaceAll(/just now|\d+ (s|min) ago/g, 'ago');
  const shown = await seenBy(page);
  const other = await (await browser.newContext()).newPage();
  await other.goto(await open.anotherAddress());
  await settled(other);
  await other.goto(`${demo.scopemesh}${past}`);
  await other.locator('tbody tr').filter({ hasText: 'shipping' }).first().waitFor();
  await settled(other);
  expect(await seenBy(other)).toBe(shown);
  await other.context().close();

  await visit('/audit?name=inventory');
  expect(await page.locator('main').textContent()).not.toContain('shipping');
  await visit(`/audit/diff?${new URLSearchParams({ from: beforeRevocation })}`);
  const row = page.locator('tbody tr').filter({ hasText: 'shipping' });
  expect(await row.textContent()).toContain('went');
});

it('saves as CSV the decisions that the command lists with the same filter', async () => {
  const { page } = open;
  await visit('/changes?action=grant&kind=intention');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save as CSV' }).click(),
  ]);
  const [, ...lines] = readFileSync(await download.path(), 'utf8')
    .trimEnd()
    .split('\r\n');
  const listed = (await open.command('decisions', 'list', '--json')).trimEnd().split('\n');
  const ids = listed
    .map((line) => EVENT.parse(JSON.parse(line)))
    .filter(({ data, subject }) => {
      return data.action === 'grant' && subject.startsWith('intention/');
    });
  expect(ids.length).toBeGreaterThan(3);
  expect(lines.map((line) => line.split(',')[1])).toEqual(ids.map(({ id }) => id));
});

it('verifies a decision with a pasted key while nothing answers, and refuses a changed one', async () => {
  const { page, demo } = open;
  // The first checkpoint comes with the first decisions.
  const [first = ''] = (await open.command('decisions', 'list', '--json')).split('\n');
  const { id } = EVENT.parse(JSON.parse(first));
  await visit(`/changes/${id}`);
  await page.getByRole('link', { name: 'Verify it in this browser' }).click();
  const proof = page.getByLabel('Proof:');
  await until('the proof is there', async () => (await proof.inputValue()) !== '');
  const text = await proof.inputValue();
  expect(JSON.parse(text)).toEqual(JSON.parse(await open.command('decisions', 'prove', id)));
  const [key = ''] = readdirSync(dirname(demo.config), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('trail-key.pub'),
  );
  await page.context().setOffline(true);
  await page.getByLabel('Public key:').fill(readFileSync(join(dirname(demo.config), key), 'utf8'));
  await page.getByText('Checked in your browser').waitFor();
  await proof.fill(text.replace(id, id.toLowerCase()));
  await page.getByText('it was changed').waitFor();
  await page.context().setOffline(false);
});

it('makes the evidence of a period: the files of the command, byte for byte, for whoever may read', async () => {
  const { page } = open;
  const period = { from: '2026-01-01T00:00:00.000Z', to: new Date().toISOString() };
  const byCommand = async () => {
    const out = mkdtempSync(join(tmpdir(), 'evidence-'));
    await open.command('evidence', '--from', period.from, '--to', period.to, '--out', out);
    const files = readdirSync(out).map((name) => [name, readFileSync(join(out, name), 'utf8')]);
    rmSync(out, { recursive: true });
    return Object.fromEntries(files);
  };
  const byJob = async () => {
    await visit(`/audit/evidence?${new URLSearchParams(period)}`);
    await page.getByRole('button', { name: 'Make the report' }).click();
    const report = page.locator('section').first();
    // A report of an earlier turn is proven already.
    await report.getByText('running', { exact: true }).waitFor();
    await report.getByText('log proven').waitFor();
    const files: Record<string, string> = {};
    for (const button of await report.getByRole('button').all()) {
      const [download] = await Promise.all([page.waitForEvent('download'), button.click()]);
      files[download.suggestedFilename()] = readFileSync(await download.path(), 'utf8');
    }
    return files;
  };
  // A checkpoint that comes meanwhile is in the report too.
  await until('the log rests', async () => {
    const before = await byCommand();
    const made = await byJob();
    if (JSON.stringify(before) !== JSON.stringify(await byCommand())) return false;
    expect(made).toEqual(before);
    expect(Object.keys(made)).toContain('report.html');
    return true;
  });
});

it('an error that the page does not expect is counted where a person can see it', async () => {
  const { page, demo } = open;
  await visit('/services');
  const [sent] = await Promise.all([
    page.waitForResponse(/page-errors$/),
    page.evaluate("setTimeout(() => { throw new TypeError('on purpose'); })"),
  ]);
  expect(sent.status()).toBe(204);
  expect(sent.request().postDataJSON()).toEqual({ error: 'TypeError: on purpose', at: [] });
  expect(open.faults.splice(0)).toEqual(['error: on purpose']);
  const metrics = await (await fetch(`${demo.scopemesh}/metrics`)).text();
  expect(metrics).toMatch(/^scopemesh_console_page_errors_total 1$/m);
});

it('asks the daemon only what openapi.yaml describes, and nobody else anything', () => {
  const { paths } = parse(textOf('docs/openapi.yaml')) as { paths: Record<string, Record<string, unknown>> };
  const described = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => ({
      method: method.toUpperCase(),
      path: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    })),
  );
  const unknown = [...open.requests].filter((asked) => {
    const [method, at = ''] = asked.split(' ');
    return !described.some((one) => one.method === method && one.path.test(at));
  });
  expect(open.requests.size).toBeGreaterThan(6);
  expect(unknown).toEqual([]);
  expect(open.faults).toEqual([]);
});

it('is small: at most 150 kB before the first view, and 350 kB in all', () => {
  const folder = fileURLToPath(new URL('../../dist/console', import.meta.url));
  const sizes = readdirSync(folder).map((name) => ({
    name,
    size: gzipSync(readFileSync(`${folder}/${name}`)).length,
  }));
  const shell = readFileSync(`${folder}/index.html`, 'utf8');
  const atFirst = sizes.filter(({ name }) => name === 'index.html' || shell.includes(name));
  const sum = (files: typeof sizes) => files.reduce((all, { size }) => all + size, 0);
  expect(atFirst).toHaveLength(3);
  expect(sum(atFirst)).toBeLessThan(150_000);
  expect(sum(sizes)).toBeLessThan(350_000);
});
