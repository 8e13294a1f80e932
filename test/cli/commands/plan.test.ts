// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { type Mesh, startMesh } from '../../support/mesh.js';
import { bot, makeOrders, web } from '../../support/orders-command-line.js';

let mesh: Mesh;
let cli: CommandLine;

// Nothing here but an apply writes to Consul, so all tests share it.
beforeAll(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  await makeOrders(mesh, cli);
});
beforeEach(() => {
  cli.configure({});
  cli.idp(web, bot);
});
afterAll(async () => {
  cli.close();
  await mesh.consul.close();
});

describe('plan in mode observe', () => {
  it('counts what would change, says that it is not written, and exits 2 with --detailed-exitcode', async () => {
    cli.configure({ mode: 'observe' });
    const { status, out } = await cli.run(['plan', '--detailed-exitcode']);
    expect(status).toBe(2);
    expect(out).toContain('Mode observe writes nothing. In mode enforce, scopemesh would write to Consul:');
    expect(out).toContain('Plan: 2 to open (mode observe: not written), 0 held.');
    const { json } = await cli.run(['plan', '--json']);
    expect(json()).toMatchObject({
      mode: 'observe',
      isWritten: false,
      holds: [],
      summary: { open: 2, held: 0 },
    });
  });

  it('lists what every mode holds, and does not count it as pending', async () => {
    cli.configure({ mode: 'observe', guards: { protected: ['orders', 'billing'] } });
    const { status, out } = await cli.run(['plan', '--detailed-exitcode']);
    expect(status).toBe(0);
    expect(out).toContain('0 to close (mode observe: not written), 2 held.');
  });

  it('shows the claim records that would be made, and what they open', async () => {
    cli.configure({ mode: 'observe', services: { claims: 'first' } });
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({ summary: { open: 2, claims: 2 } });
  });
});

describe('plan on reach', () => {
  it('says which opened edge no call arrives over, and asks for what mends it', async () => {
    const { out } = await cli.run(['plan']);
    expect(out).toContain('Open, but calls do not arrive, or not all (scopemesh explain SOURCE DESTINATION');
    expect(out).toMatch(/^ {4}web -> orders +web has no sidecar, so it cannot call through the mesh$/m);
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({
      reach: { checked: 2, unchecked: 0, edges: [{ source: { name: 'bot' } }, { source: { name: 'web' } }] },
    });
  });
});

describe('plan --format markdown', () => {
  const markdown = async () => (await cli.run(['plan', '--format', 'markdown'])).out;

  it('has a table of the changes, one of the holds, and the summary', async () => {
    cli.idp(web, { ...bot, attributes: {} });
    const out = await markdown();
    expect(out).toContain(
      '| open | `web` | `orders` | `nothing -> GET,HEAD /v1/orders and below` | ScopeGranted | `orders:read` | `main/web-app` |',
    );
    expect(out).toMatch(/^\| ClaimUnconfirmed \| `bot` \| `the client does not name this service/m);
    expect(out).toContain('**Plan: 1 to open, 0 to change, 0 to close, 1 held.**');
  });

  it('shows hostile names as text: no link, mention, markup or new row', async () => {
    const hostile = 'a`|@team [x](http://evil) <img src=x>\\| # y';
    cli.idp({ ...web, clientId: hostile }, bot);
    await mesh.register('web', { client: hostile });
    const out = await markdown();
    await mesh.register('web', { client: 'web-app' });
    const row = out.split('\n').find((line) => line.includes('<code>'));
    const inside = /<code>([^<]*)<\/code>/.exec(row ?? '')?.[1] ?? '';
    expect(inside).toMatch(/^(?:[A-Za-z0-9 ]|&#\d+;)+$/);
    expect(inside).toContain('a&#96;&#124;&#64;team');
    expect(row?.split('|')).toHaveLength(9);
  });

  it('names a record without a client ID by its subject', async () => {
    cli.idp(web, bot, { ...bot, clientId: '\u0007' });
    expect(await markdown()).toMatch(/^\| ClientUnreadable \| `client\/main\/` \|/m);
  });

  it('stays below what a comment may hold', async () => {
    const scopes = Array.from({ length: 600 }, (_, at) => `service-number-${at}:connect`);
    cli.idp({ ...web, scopes }, bot);
    const out = await markdown();
    expect(out.length).toBeLessThan(60_000);
    expect(out).toMatch(/^and \d+ more$/m);
    expect(out).toContain('**Plan: 601 to open');
  });
});

describe('plan --what-if', () => {
  beforeAll(async () => {
    cli.configure({});
    cli.idp(web, bot);
    await cli.run(['apply', '--yes']);
  });

  it('plans as if a client had and lacked scopes, and writes nothing', async () => {
    const assumption = 'client=web-app,+scope=orders:write,-scope=orders:read,+scope=billing:connect';
    const { status, out } = await cli.run(['plan', '--what-if', assumption]);
    expect(status).toBe(0);
    expect(out).toContain(`What if ${assumption}:`);
    expect(out).toContain('~ web  GET,HEAD /v1/orders and below -> POST /v1/orders and below');
    expect(out).toContain('Plan: 1 to open, 1 to change, 0 to close, 0 held.');
    expect(await mesh.access('orders')).toEqual({ web: 'GET+HEAD /v1/orders and below' });
  });

  it('plans as if another file were the configuration, its mode included', async () => {
    const file = join(cli.directory, 'new.json');
    const old = JSON.parse(readFileSync(cli.configFile, 'utf8'));
    const scopes = { '{service}:connect': { to: '{service}', methods: ['GET'] } };
    writeFileSync(file, JSON.stringify({ ...old, mode: 'observe', scopes }));
    await mesh.speaks('billing', 'http');
    const { status, out } = await cli.run(['plan', '--what-if', `file=${file}`, '--detailed-exitcode']);
    expect(status).toBe(2);
    expect(out).toContain('~ bot  everything -> GET any path');
    expect(out).toContain('Plan: 1 to change, 1 to close (mode observe: not written), 0 held.');
  });

  it('counts the changes that are pending anyway', async () => {
    cli.idp(web, { ...bot, scopes: [] });
    const run = (...args: string[]) =>
      cli.run(['plan', '--what-if', 'client=main/web-app,+scope=orders:write', ...args]);
    expect((await run()).out).toContain('1 of these changes is pending without this assumption.');
    expect((await run('--json')).json()).toMatchObject({
      whatIf: { assumptions: [expect.any(String)], alreadyPending: 1 },
      summary: { change: 1, close: 1 },
    });
  });

  it.each([
    ['client=web-app,+scope=orders:read', 'client main/web-app already has the scope orders:read'],
    ['client=web-app,-scope=orders:write', 'client main/web-app does not have the scope orders:write'],
    ['client=nobody,+scope=x', 'no provider has the client nobody'],
    ['client=web-app', 'write client=CLIENT-ID,+scope=NAME'],
    ['web-app', 'write client=CLIENT-ID,+scope=NAME'],
    ['file=none.yaml', 'none.yaml:1:1: the file cannot be read'],
  ])('refuses %s', async (assumption, message) => {
    const { status, err } = await cli.run(['plan', '--what-if', assumption]);
    expect([status, err]).toEqual([1, expect.stringContaining(message)]);
  });

  it('puts no secret of the process into the plan for a reference in the other file', async () => {
    const file = join(cli.directory, 'new.json');
    const old = JSON.parse(readFileSync(cli.configFile, 'utf8'));
    for (const reference of ['${SECRET}', `\${file:${cli.configFile}}`]) {
      const scopes = { 'orders:read': { to: 'orders', pathExact: `/${reference}` } };
      writeFileSync(file, JSON.stringify({ ...old, scopes }));
      const { status, out, err } = await cli.run(['plan', '--what-if', `file=${file}`], {
        environment: { SECRET: 's3cret' },
      });
      expect([status, out, err]).toEqual([1, '', expect.stringContaining('new.json:1:')]);
      expect(err).not.toContain('s3cret');
    }
  });

  it('refuses a file of another owner or with other providers', async () => {
    const old = JSON.parse(readFileSync(cli.configFile, 'utf8'));
    const file = join(cli.directory, 'new.json');
    writeFileSync(file, JSON.stringify({ ...old, owner: 'others' }));
    expect((await cli.run(['plan', '--what-if', `file=${file}`])).err).toContain('has another owner');
    writeFileSync(file, JSON.stringify({ ...old, providers: [{ ...old.providers[0], name: 'other' }] }));
    expect((await cli.run(['plan', '--what-if', `file=${file}`])).err).toContain('has other providers');
  });
});

describe('plan of a file that closes more than the mass guard lets pass', () => {
  it('says that what only the mapping closes is not held, as apply shows', async () => {
    await cli.run(['apply', '--yes']);
    const maxRevocations = { percent: 1, atLeast: 1 };
    cli.configure({ scopes: { 'other:read': { to: 'other' } }, guards: { maxRevocations } });
    const planned = await cli.run(['plan']);
    expect(planned.out).toContain('2 held.');
    expect(planned.out).toContain(
      'a daemon that loads the mapping, or scopemesh apply, closes that at once.',
    );
    expect((await cli.run(['apply'], { typed: 'no\n' })).out).toContain('2 to close, 0 held.');
    cli.configure({ guards: { maxRevocations } });
    expect((await cli.run(['plan'])).out).not.toContain('closes that at once');
  });
});

describe('a client whose record cannot be read', () => {
  it('is a hold, and explain says why too', async () => {
    cli.brokenIdp('{ "clients": [{ "clientId": "web-app", "scopes": ["a b"] }] }');
    const { out } = await cli.run(['explain', 'web', 'orders']);
    expect(out).toContain(
      'main/web-app has a record at the identity provider that cannot be read (ClientUnreadable)',
    );
    expect(out).toMatch(/ held +ClientUnreadable: .*scopes.*correct its record at the identity provider/);
    expect(out).not.toContain('does not exist');
    const hold = { reason: 'ClientUnreadable', subject: 'client/main/web-app' };
    expect((await cli.run(['explain', 'web', 'orders', '--json'])).json()).toMatchObject({
      client: { isReadable: false },
      holds: [hold],
    });
    expect((await cli.run(['plan', '--json'])).json().holds).toContainEqual(expect.objectContaining(hold));
  });

  it('is named in the text of a plan, and a record without a readable client id by its subject', async () => {
    cli.brokenIdp('{ "clients": [{ "clientId": "web-app", "scopes": ["a b"] }, { "clientId": 5 }] }');
    const { out } = await cli.run(['plan']);
    expect(out).toMatch(/^ {4}! web-app +client +client main\/web-app \(unknown\)$/m);
    expect(out).toMatch(/^ {4}! client\/main\/ +client$/m);
  });
});
