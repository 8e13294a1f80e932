import { readFileSync, rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../stack/ports.js';
import type { CommandLine } from '../../support/command-line.js';
import { bot, guards, type HeldRemovals, held, startHeldRemovals, web } from '../../support/held-removals.js';
import { startIdp } from '../../support/idp.js';
import type { Mesh } from '../../support/mesh.js';
import { BOB } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let removals: HeldRemovals;
let mesh: Mesh;
let cli: CommandLine;
let decisions: HeldRemovals['decisions'];
let heldId: HeldRemovals['heldId'];

beforeEach(async () => {
  removals = await startHeldRemovals();
  ({ mesh, cli, decisions, heldId } = removals);
});
afterEach(() => removals.close());

describe('approve and reject beside a running daemon', () => {
  let stop: AbortController;
  let running: Promise<{ readonly status: number }>;
  let origin: string;

  async function startDaemon(
    provider: Readonly<Record<string, unknown>> = {},
    limits: Readonly<Record<string, unknown>> = guards,
  ): Promise<void> {
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    cli.configure({
      guards: limits,
      http: { listen: `127.0.0.1:${port}`, tokens: [{ name: 'bob', token: BOB, approve: 'on' }] },
      providers: [
        {
          name: 'main',
          kind: 'oidc',
          issuer: 'http://127.0.0.1:9',
          directory: `${cli.directory}/clients.json`,
          poll: '100ms',
          fullRead: '1s',
          ...provider,
        },
      ],
    });
    stop = new AbortController();
    running = cli.run(['--log-level', 'error', 'run'], { signal: stop.signal });
    await until('the daemon answers', async () => {
      const answer = await fetch(`${origin}/statusz`).catch(() => undefined);
      const status = answer?.ok
        ? ((await answer.json()) as { directories: { ageSeconds: number | null }[] })
        : undefined;
      return status?.directories.every(({ ageSeconds }) => ageSeconds !== null) ?? false;
    });
  }

  beforeEach(() => startDaemon());
  afterEach(async () => {
    stop.abort(new Error('stopped by a signal'));
    expect((await running).status).toBe(0);
  });

  it('plan and adopt work, apply says that the daemon holds the store, and doctor reports the daemon', async () => {
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(0);
    expect(await cli.run(['apply', '--yes'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('the daemon is running and applies changes itself'),
    });
    expect((await cli.run(['adopt', '--yes'])).status).toBe(0);
    expect((await cli.run(['doctor'])).out).toContain('a daemon uses');
    expect((await cli.run(['explain', 'web', 'orders'])).status).toBe(0);
  });

  it('approve lets it remove the edge at once', async () => {
    cli.idp(web);
    const id = await until('the removal is held', () => heldId('bot'));
    expect((await cli.run(['approve', id], { user: 'carol' })).status).toBe(0);
    await until('the edge is gone', async () => (await mesh.access('orders'))?.bot === undefined);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
    const removal = await until('its decision is published', async () =>
      (await decisions()).find(({ data }) => data.action === 'revoke' && data.outcome === 'applied'),
    );
    expect(removal.data).toMatchObject({ principal: { id: 'local', note: 'carol' } });
  });

  it('plan gets the command that approves a hold from the daemon, before the decision is published', async () => {
    cli.idp(web);
    const id = await until('the removal is held', async () => {
      const [hold] = held(await cli.run(['plan', '--json']));
      return hold?.decisionId ?? undefined;
    });
    expect((await cli.run(['plan'])).out).toContain(`scopemesh approve ${id}\n`);
    expect((await cli.run(['approve', id])).status).toBe(0);
  });

  it('the daemon refuses to approve a rejected removal, and accepts it with --override', async () => {
    cli.idp(web);
    const id = await until('the removal is held', () => heldId('bot'));
    expect((await cli.run(['reject', id], { user: 'bob' })).status).toBe(0);
    expect(await cli.run(['approve', id])).toMatchObject({
      status: 1,
      err: expect.stringMatching(/local \(bob\) rejected this removal at \S+: .*--override/),
    });
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
    expect((await cli.run(['approve', id, '--override'])).status).toBe(0);
    await until('the edge is gone', async () => (await mesh.access('orders'))?.bot === undefined);
  });

  it('approve by a second person opens a break-glass grant, and not by the one who asked', async () => {
    stop.abort(new Error('stopped by a signal'));
    await running;
    cli.idp({ ...web, scopes: [] }, bot);
    await mesh.register('billing');
    await startDaemon({}, { ...guards, breakGlass: {}, approvers: 2 });
    const asked = await until('the request', async () => {
      const grant = ['grant', 'bot', 'billing', '--for', '30m', '--reason', 'INC-1', '--json'];
      const ran = await cli.run(grant, { user: 'ana' });
      return ran.status === 0 && ran;
    });
    expect(asked.json()).toMatchObject({ grant: { state: 'asked' } });
    const { id } = asked.json().grant as { id: string };
    expect(await cli.run(['approve', id], { user: 'ana' })).toMatchObject({
      status: 1,
      err: expect.stringContaining(
        'local (ana) asked for this break-glass grant, so another person must approve',
      ),
    });
    expect(await mesh.access('billing')).toBeUndefined();
    expect((await cli.run(['approve', id], { user: 'bob' })).status).toBe(1);
    expect(await mesh.access('billing')).toBeUndefined();
    const approved = await fetch(`${origin}/api/holds/${id}/approve`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${BOB}` },
      body: '{}',
    });
    expect(approved.status).toBe(200);
    await until('the edge', async () => (await mesh.access('billing'))?.bot === 'allow');
    expect((await cli.run(['grant', 'list', '--json'])).json()).toMatchObject({
      grants: [{ id, state: 'open', askedBy: 'local (ana)', approvedBy: 'token:bob' }],
    });
  });

  it('deny and quarantine close at once, explain and plan say why, and unknown names are errors', async () => {
    const reason = ['--reason', 'INC-1'];
    const denied = await cli.run(['deny', 'web', 'orders', '--for', '2h', ...reason], { user: 'ana' });
    expect(denied).toMatchObject({ status: 0, out: expect.stringContaining('local (ana): INC-1') });
    await until('web is closed', async () => (await mesh.access('orders'))?.web === 'deny');
    const explained = await cli.run(['explain', 'web', 'orders']);
    expect(explained).toMatchObject({
      status: 4,
      out: expect.stringMatching(/deny +local \(ana\) denied this edge/),
    });
    expect((await cli.run(['plan'])).out).toMatch(/deny: web -> orders {2}until/);
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(0);
    expect((await cli.run(['deny', 'wbe', 'orders', '--for', '2h', ...reason])).err).toContain('no service');
    expect((await cli.run(['deny', 'web', 'orders', ...reason])).err).toContain('give --for or --end');
    expect((await cli.run(['deny', 'web', 'orders', '--for', '2h'])).status).toBe(1);
    expect((await cli.run(['deny', 'web', 'orders', '--end', ...reason, '--json'])).json()).toMatchObject({
      deny: { source: 'web', endedAt: expect.any(String) },
    });
    await until('web is open', async () => (await mesh.access('orders'))?.web === 'allow');
    expect((await cli.run(['quarantine', 'main/bot', ...reason])).status).toBe(0);
    await until('bot is closed', async () => (await mesh.access('orders'))?.bot === undefined);
    expect((await cli.run(['quarantine', 'main/bto', ...reason])).err).toContain('has no client main/bto');
    expect((await cli.run(['quarantine', 'bot', ...reason])).err).toContain('write PROVIDER/CLIENT-ID');
  });

  it('nobody approves without the token file, and its API refuses web pages and other content', async () => {
    cli.idp(web);
    const id = await until('the removal is held', () => heldId('bot'));
    const post = async (headers: Readonly<Record<string, string>>, body = '{"user":"eve"}') =>
      (await fetch(`${origin}/api/holds/${id}/approve`, { method: 'POST', headers, body })).status;
    const json = { 'content-type': 'application/json' };
    const [, port] = /:(\d+)$/.exec(origin) ?? [];
    const path = `${cli.directory}/state/api-token-${port}`;
    const authorization = `Bearer ${readFileSync(path, 'utf8').trimEnd()}`;
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await post(json)).toBe(401);
    expect(await post({ ...json, authorization: `${authorization}x` })).toBe(401);
    expect(await post({ ...json, authorization, origin: 'https://evil.example' })).toBe(403);
    expect(await post({ 'content-type': 'text/plain', authorization })).toBe(415);
    expect(await post({ ...json, authorization }, '{}')).toBe(400);
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
    expect(await post({ ...json, authorization })).toBe(200);
  });

  it('approve names the token file and the remedy if it cannot read it', async () => {
    cli.idp(web);
    const id = await until('the removal is held', () => heldId('bot'));
    const [, port] = /:(\d+)$/.exec(origin) ?? [];
    const path = `${cli.directory}/state/api-token-${port}`;
    rmSync(path);
    expect(await cli.run(['approve', id])).toMatchObject({
      status: 1,
      err: expect.stringContaining(`${path} does not exist; use the state.directory of the daemon`),
    });
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
  });

  /** It is in no directory; only the daemon can tell. */
  async function knowTheQuarantine(): Promise<void> {
    const explained = await cli.run(['explain', 'bot', 'orders', '--json']);
    expect(explained.status).toBe(4);
    expect(explained.json()).toMatchObject({
      client: { clientId: 'bot', enabled: true, closure: 'ClientQuarantined' },
      pending: null,
      areOrdersKnown: true,
    });
    const { out } = await cli.run(['explain', '--client', 'main/bot']);
    expect(out).toContain('ClientQuarantined');
    expect(out).not.toContain('no daemon answers');
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(0);
  }

  it('approve ends a quarantine by the name of the client or a decision ID, and reject does not', async () => {
    const idp = await startIdp({ single: false, now: () => Date.now() });
    try {
      stop.abort(new Error('stopped by a signal'));
      await running;
      await startDaemon({ webhook: { secrets: [idp.webhookSecret] } });
      const event = idp.sign({ type: 'client.secret-compromised', data: { clientId: 'bot' } });
      const sent = await fetch(`${origin}/events/main`, { method: 'POST', ...event });
      expect(sent.status).toBe(202);
      await until('the client is closed', async () => (await mesh.access('orders'))?.bot === undefined);
      const { id } = await until('its decision is published', async () =>
        (await decisions()).find(({ data }) => data.reason === 'ClientQuarantined'),
      );
      await knowTheQuarantine();
      expect((await cli.run(['reject', id])).status).toBe(1);
      expect((await cli.run(['approve', 'main/other'])).err).toContain('is not in quarantine');
      const approved = await cli.run(['approve', 'main/bot']);
      expect(approved).toMatchObject({ status: 0, out: expect.stringContaining('quarantine of main/bot') });
      await until('the client is open again', async () => (await mesh.access('orders'))?.bot === 'allow');
      expect(await cli.run(['approve', id])).toMatchObject({
        status: 1,
        err: expect.stringContaining('not in quarantine'),
      });
    } finally {
      await idp.close();
    }
  });

  it('approve ends a quarantine that only Consul has', async () => {
    stop.abort(new Error('stopped by a signal'));
    await running;
    const at = new Date(Date.now() - 60_000).toISOString();
    await mesh.request('PUT', '/v1/kv/scopemesh/payments/quarantine/main/bot', { at, receivedAt: at });
    expect((await cli.run(['plan'])).out).toContain('bot -> orders');
    const planned = (await cli.run(['plan', '--json'])).json();
    expect(planned.holds).toMatchObject([{ reason: 'ClientQuarantined' }]);
    expect((await cli.run(['doctor'])).out).toContain('client main/bot is in quarantine');
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
    await startDaemon();
    expect((await cli.run(['approve', 'main/bot'], { user: 'alice' })).status).toBe(0);
    await until('the client is open again', async () => (await mesh.access('orders'))?.bot === 'allow');
    const about = await until('its release is published', async () => {
      const all = (await decisions()).filter(({ subject }) => subject === 'client/main/bot');
      return all.length > 1 ? all : undefined;
    });
    expect(about.map(({ data }) => [data.reason, data.principal])).toEqual([
      ['ClientQuarantined', undefined],
      ['QuarantineEnded', { id: 'local', note: 'alice' }],
    ]);
  });
});
