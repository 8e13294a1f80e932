import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { besideDaemon } from '../../support/beside-daemon.js';
import type { CommandLine } from '../../support/command-line.js';
import type { Mesh } from '../../support/mesh.js';
import { bot, startOrdersCommandLine, web } from '../../support/orders-command-line.js';

let mesh: Mesh;
let cli: CommandLine;

beforeEach(async () => {
  ({ mesh, cli } = await startOrdersCommandLine());
});

const OPENED = { web: 'GET+HEAD /v1/orders and below' };

describe('plan', () => {
  it('shows each edge under its destination with access, reason, scope and client, and writes nothing', async () => {
    const { status, out } = await cli.run(['plan']);
    expect(status).toBe(0);
    expect(out).toContain(
      '  orders\n    + web  GET,HEAD /v1/orders and below  ScopeGranted  scopes orders:read, client main/web-app (workload)',
    );
    expect(out).toContain('  billing\n    + bot  everything  ScopeGranted');
    expect(out).toContain('Plan: 2 to open, 0 to change, 0 to close, 0 held.');
    expect(await mesh.access('orders')).toBeUndefined();
    expect(existsSync(join(cli.directory, 'state'))).toBe(false);
  });

  it('as JSON has changes, holds and a summary', async () => {
    const { status, json } = await cli.run(['plan', '--json']);
    expect(status).toBe(0);
    expect(json()).toMatchObject({
      mode: 'enforce',
      changes: [
        {
          subject: 'intention/default/default/orders/web',
          action: 'grant',
          verb: 'created',
          reason: 'ScopeGranted',
          before: null,
          after: { access: 'http' },
          resource: { kind: 'intention', source: 'web', destination: 'orders' },
          client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
          scopes: ['orders:read'],
        },
        { subject: 'intention/default/default/billing/bot', after: { access: 'allow' } },
      ].toSorted((a, b) => (a.subject < b.subject ? -1 : 1)),
      holds: [],
      summary: { open: 2, change: 0, close: 0, held: 0 },
    });
  });

  it('exits 2 with --detailed-exitcode while changes are pending, and 0 once there are none', async () => {
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(2);
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    const after = await cli.run(['plan', '--detailed-exitcode']);
    expect(after.status).toBe(0);
    expect(after.out).toContain('No changes.');
  });

  it('lists holds with their remedies, and does not count them as pending', async () => {
    cli.idp({ ...web, attributes: {} }, { ...bot, scopes: [] });
    const { status, out } = await cli.run(['plan', '--detailed-exitcode']);
    expect(status).toBe(0);
    expect(out).toContain('ClaimUnconfirmed');
    expect(out).toContain('consul-services');
    expect(out).toContain('0 to close, 1 held.');
  });

  it('is an error without a partial plan if the identity provider cannot be read', async () => {
    cli.brokenIdp('{ "clients": [');
    const { status, out, err } = await cli.run(['plan', '--json']);
    expect(status).toBe(1);
    expect(err).toContain('clients.json');
    expect(JSON.parse(out)).toEqual({
      error: { code: 'ERR_DIRECTORY_INCOMPLETE', message: expect.any(String) },
    });
  });

  it('is an error when Consul cannot be reached', async () => {
    cli.configure({ consul: { address: 'http://127.0.0.1:9' } });
    const { status, err } = await cli.run(['plan']);
    expect(status).toBe(1);
    expect(err).toMatch(/127\.0\.0\.1:9/);
  });

  it('shows what the claim records of claims: first will open, before they are made', async () => {
    cli.configure({ services: { claims: 'first' } });
    const { json } = await cli.run(['plan', '--json']);
    expect(json()).toMatchObject({ summary: { open: 2, claims: 2, held: 0 } });
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(await mesh.access('orders')).toEqual(OPENED);
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(0);
  });

  it('prints no control character that a client or a scope brings', async () => {
    cli.idp({ ...web, attributes: {} });
    await mesh.register('web', { client: 'web\u001b[2Japp' });
    const { out } = await cli.run(['plan']);
    expect(out).toContain('web\\u{1b}[2Japp');
    expect(out).not.toContain('\u001b');
  });
});

describe('apply', () => {
  it('writes what was planned, leaves foreign content as it is, and the plan is empty afterwards', async () => {
    await mesh.write('orders', [{ Name: 'legacy', Action: 'allow', Description: 'by hand' }]);
    await mesh.write('untouched', [{ Name: '*', Action: 'deny' }]);
    const before = [await mesh.entry('untouched'), (await mesh.entry('orders'))?.Sources[0]];
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(await mesh.access('orders')).toEqual({ ...OPENED, legacy: 'allow' });
    const legacy = (await mesh.entry('orders'))?.Sources.find((source) => source.Name === 'legacy');
    expect([await mesh.entry('untouched'), legacy]).toEqual(before);
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({ changes: [], holds: [] });
  });

  it('closes what was revoked, and says which scope', async () => {
    await cli.run(['apply', '--yes']);
    cli.idp({ ...web, scopes: [] }, { ...bot, enabled: false });
    const { status, out } = await cli.run(['apply', '--yes']);
    expect(status).toBe(0);
    expect(out).toMatch(/- web {2}GET,HEAD \/v1\/orders and below {2}ScopeRevoked {2}scopes orders:read/);
    expect(out).toContain('ClientDisabled');
    expect(await mesh.access('orders')).toBeUndefined();
    expect(await mesh.access('billing')).toBeUndefined();
  });

  it('publishes its decisions with the person who ran it', async () => {
    await cli.run(['apply', '--yes']);
    const { status, out } = await cli.run(['decisions', 'list', '--json']);
    expect(status).toBe(0);
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toHaveLength(2);
    for (const event of events)
      expect(event).toMatchObject({
        specversion: '1.0',
        type: 'dev.scopemesh.intention.created',
        data: { outcome: 'applied', cause: { kind: 'command' }, principal: { id: 'local', note: 'alice' } },
      });
  });

  it('exits 3 if some changes are held, and applies the others', async () => {
    cli.idp({ ...web, attributes: {} }, bot);
    const { status, json } = await cli.run(['apply', '--yes', '--json']);
    expect(status).toBe(3);
    expect(json()).toMatchObject({
      summary: { applied: 1, held: 1 },
      holds: [{ reason: 'ClaimUnconfirmed' }],
      errors: [],
    });
    expect(await mesh.access('billing')).toEqual({ bot: 'allow' });
  });

  it('reports a client that cannot be read once, and its end', async () => {
    const bad = { clientId: 'bad', scopes: null };
    const reports = async (): Promise<readonly string[]> => {
      await cli.run(['apply', '--yes']);
      const { out } = await cli.run(['decisions', 'list', '--json', '--subject', 'client/main/bad']);
      const lines = out.split('\n').filter((line) => line !== '');
      return lines.map((line) => `${JSON.parse(line).type} ${JSON.parse(line).data.reason}`);
    };
    cli.brokenIdp(JSON.stringify({ clients: [web, bot, bad] }));
    const held = ['dev.scopemesh.client.held ClientUnreadable'];
    expect(await reports()).toEqual(held);
    expect(await reports()).toEqual(held);
    cli.brokenIdp(JSON.stringify({ clients: [web, bot, { ...bad, scopes: [] }] }));
    expect(await reports()).toEqual([...held, 'dev.scopemesh.client.released HoldEnded']);
  });

  it('writes nothing in mode observe and exits 3', async () => {
    cli.configure({ mode: 'observe' });
    const { status, out } = await cli.run(['apply', '--yes']);
    expect(status).toBe(3);
    expect(await mesh.access('orders')).toBeUndefined();
    // As `plan` does, it shows what `enforce` would make.
    expect(out).toBe(
      `${(await cli.run(['plan'])).out
        .split('\n')
        .slice(0, out.split('\n').length - 1)
        .join('\n')}\n`,
    );
    expect(out).toMatch(/^Plan: 2 to open \(mode observe: not written\), 0 held\.$/m);
    const { json } = await cli.run(['apply', '--json']);
    const { json: planned } = await cli.run(['plan', '--json']);
    expect(json()).toMatchObject({
      isWritten: false,
      changes: planned().changes,
      holds: [],
      summary: { open: 2, applied: 0 },
    });
    expect(await mesh.access('orders')).toBeUndefined();
  });

  it('refuses to go on without a terminal and without --yes', async () => {
    const { status, err } = await cli.run(['apply']);
    expect(status).toBe(1);
    expect(err).toContain('--yes');
    expect(await mesh.access('orders')).toBeUndefined();
  });

  it.each([
    ['yes\n', 0, OPENED],
    ['no\n', 1, undefined],
    ['y\n', 1, undefined],
    ['', 1, undefined],
  ])('asked on a terminal and answered %j it exits %i', async (typed, status, access) => {
    expect((await cli.run(['apply'], { typed })).status).toBe(status);
    expect(await mesh.access('orders')).toEqual(access);
  });

  it('asks again if the identity provider has changed before the answer', async () => {
    let isReported = false;
    const onOut = () => {
      if (!isReported) cli.idp({ ...web, enabled: false }, { ...bot, enabled: false });
      isReported = true;
    };
    const { status, err } = await cli.run(['apply'], { typed: 'yes\n', onOut });
    expect(await mesh.access('orders')).toBeUndefined();
    expect(err).toContain('The plan has changed:');
    expect(status).toBe(0);
  });

  it('does not ask if there is nothing to apply', async () => {
    await cli.run(['apply', '--yes']);
    const { status, out } = await cli.run(['apply']);
    expect(status).toBe(0);
    expect(out).toContain('No changes.');
  });

  it('exits 1 and names the destination that Consul refuses, and applies the others', async () => {
    const token = await mesh.tokenWith(
      'service_prefix "" { policy = "read" intentions = "read" } service "billing" { policy = "read" intentions = "write" } node_prefix "" { policy = "read" } session_prefix "" { policy = "write" } key_prefix "scopemesh/payments/" { policy = "write" }',
    );
    cli.configure({ consul: { address: mesh.consul.address, token } });
    const { status, err } = await cli.run(['apply', '--yes']);
    expect(status).toBe(1);
    expect(err).toContain('destination/default/default/orders');
    expect(await mesh.access('billing')).toEqual({ bot: 'allow' });
  });
});

describe('adopt', () => {
  const equal = { Name: 'bot', Action: 'allow', Description: 'by hand' };

  it('adopts an equal source with a decision, and changes nothing else', async () => {
    await mesh.write('billing', [equal, { Name: 'other', Action: 'allow' }]);
    expect((await cli.run(['plan'])).out).toContain('ForeignSource');
    const { status, json } = await besideDaemon(cli, () => cli.run(['adopt', '--yes', '--json']));
    expect(status).toBe(0);
    expect(json()).toMatchObject({ changes: [{ reason: 'Adopted' }], summary: { adopted: 1 }, errors: [] });
    const sources = (await mesh.entry('billing'))?.Sources ?? [];
    expect(sources.map(({ Name, Action, Description }) => [Name, Action, Description ?? ''])).toEqual([
      ['bot', 'allow', 'scopemesh:payments client=main/bot text=by hand'],
      ['other', 'allow', ''],
    ]);
    expect((await cli.run(['decisions', 'list'])).out).toContain('Adopted');
    expect((await cli.run(['plan'])).out).not.toContain('ForeignSource');
  });

  it.each([
    ['another access', { ...equal, Action: 'deny' }],
    ['the mark of another instance', { ...equal, Description: 'scopemesh:other client=main/bot' }],
    ['a service that nobody opens', { ...equal, Name: 'other' }],
  ])('leaves a source with %s alone', async (_what, source) => {
    await mesh.write('billing', [source]);
    const [before] = (await mesh.entry('billing'))?.Sources ?? [];
    const { status, out } = await besideDaemon(cli, () => cli.run(['adopt', '--yes']));
    expect(status).toBe(0);
    expect(out).toContain('Nothing to adopt.');
    expect((await mesh.entry('billing'))?.Sources).toContainEqual(before);
  });

  it('asks first', async () => {
    await mesh.write('billing', [equal]);
    await besideDaemon(cli, async () => {
      expect((await cli.run(['adopt'])).status).toBe(1);
      expect((await cli.run(['adopt'], { typed: 'no\n' })).status).toBe(1);
      expect((await mesh.entry('billing'))?.Sources[0]?.Description).toBe('by hand');
      expect((await cli.run(['adopt'], { typed: 'yes\n' })).status).toBe(0);
    });
    expect((await mesh.entry('billing'))?.Sources[0]?.Description).toContain('scopemesh:payments');
  });
});

describe('decisions', () => {
  it('lists nothing and creates no file if there is no decision', async () => {
    expect(await cli.run(['decisions', 'list', '--json'])).toMatchObject({ status: 0, out: '' });
    expect(existsSync(join(cli.directory, 'state'))).toBe(false);
  });

  it('lists by subject, by age and the newest only', async () => {
    await cli.run(['apply', '--yes']);
    const count = async (...args: string[]) =>
      (await cli.run(['decisions', 'list', '--json', ...args])).out.split('\n').length - 1;
    expect(await count()).toBe(2);
    expect(await count('--subject', 'intention/default/default/orders/web')).toBe(1);
    expect(await count('--subject', 'intention/default/default/')).toBe(2);
    expect(await count('--limit', '1')).toBe(1);
    expect(await count('--since', '1h')).toBe(2);
    expect(await count('--since', '2100-01-01T00:00:00Z')).toBe(0);
    expect((await cli.run(['decisions', 'list', '--since', 'soon'])).status).toBe(1);
  });

  it('prints one line per decision with time, action, edge, reason and client', async () => {
    await cli.run(['apply', '--yes']);
    const { out } = await cli.run(['decisions', 'list', '--subject', 'intention/default/default/orders/web']);
    expect(out).toMatch(
      /^\S+Z {2}applied {3}grant {3}web -> orders {2}ScopeGranted {2}main\/web-app {2}orders:read {2}by local \(alice\)\n$/,
    );
  });

  it('tail prints the decisions since an instant and new ones, and exits 0 at ctrl-c', async () => {
    await cli.run(['apply', '--yes']);
    const stop = new AbortController();
    const { status, out } = await cli.run(['decisions', 'tail', '--since', '1h', '--json'], {
      signal: stop.signal,
      onOut: (text) => {
        if (text.split('\n').length === 3) stop.abort(new Error('stopped by a signal'));
      },
    });
    expect(status).toBe(0);
    expect(out.trim().split('\n')).toHaveLength(2);
  });

  it('verify accepts the log as it was written, and an export of it with the key', async () => {
    await cli.run(['apply', '--yes']);
    expect(await cli.run(['decisions', 'verify'])).toMatchObject({
      status: 0,
      out: expect.stringContaining('the chain of 2 decisions is intact and signed, with 2 checkpoints'),
    });
    const file = join(cli.directory, 'decisions.jsonl');
    const key = join(cli.directory, 'state', 'trail-key.pub');
    writeFileSync(file, (await cli.run(['decisions', 'export'])).out);
    const { status, json } = await cli.run(['decisions', 'verify', '--input', file, '--key', key, '--json']);
    expect(status).toBe(0);
    expect(json()).toMatchObject({ verified: true, signaturesChecked: true, decisions: 2, checkpoints: 2 });
  });

  it('verify names the first decision that somebody changed, and exits 5', async () => {
    await cli.run(['apply', '--yes']);
    const file = join(cli.directory, 'decisions.jsonl');
    const { out } = await cli.run(['decisions', 'list', '--json']);
    writeFileSync(file, out.replace('"grant"', '"revoke"'));
    const { id } = JSON.parse(out.split('\n')[0] ?? '');
    expect(await cli.run(['decisions', 'verify', '--input', file])).toMatchObject({
      status: 5,
      out: expect.stringContaining(`BROKEN at event 1: changed ${id}`),
    });
    writeFileSync(file, '{"specversion":"1.0"}\n');
    expect((await cli.run(['decisions', 'verify', '--input', file])).status).toBe(5);
  });

  it('verify says that it checked no signature, and exits 1 if there is no chain', async () => {
    await cli.run(['apply', '--yes']);
    const file = join(cli.directory, 'decisions.jsonl');
    const { out } = await cli.run(['decisions', 'list', '--json']);
    writeFileSync(file, out);
    expect(await cli.run(['decisions', 'verify', '--input', file])).toMatchObject({
      status: 0,
      out: expect.stringContaining('no signature was checked'),
    });
    writeFileSync(file, '');
    expect(await cli.run(['decisions', 'verify', '--input', file])).toMatchObject({
      status: 1,
      err: expect.stringContaining('nothing was verified: there are no decisions'),
    });
  });
});
