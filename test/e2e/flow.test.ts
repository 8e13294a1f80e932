import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../stack/process.js';
import { writesOf } from '../support/decisions.js';
import type { Expected } from './decision-topic.js';
import { digestForeign, MARK, seedForeign } from './foreign.js';
import { type Scene, startScene } from './scene.js';
import type { Scopemesh } from './scopemesh.js';

const GET = { from: 'web', to: 'orders', method: 'GET', path: '/v1/orders/7' };
const POST = { ...GET, method: 'POST' };
const EDGE = 'intention/default/default/orders/web';

let scene: Scene;
let daemon: Scopemesh;
const configuration = {
  scopes: {
    'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/' },
    'orders:write': { to: 'orders', methods: ['POST', 'PUT', 'DELETE'], path: '/' },
    'billing:read': { to: 'billing', methods: ['GET'], path: '/v1' },
  },
};
let foreignBefore: Readonly<Record<string, string>>;

beforeAll(async () => {
  scene = await startScene();
  const { consul, keycloak, realm } = scene.stack;
  await consul.request('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'billing', Protocol: 'http' });
  await keycloak.admin.createClientScope(realm, 'billing:read');
  await seedForeign(consul);
  foreignBefore = await digestForeign(consul);
  daemon = await scene.startDaemon({ configuration });
});

afterAll(() => scene?.stop());

/** Does something, then waits until the call has the wanted answer and kcat reads the decision. */
async function act(
  doing: () => Promise<unknown>,
  call: { from: string; to: string; method: string; path: string },
  status: number,
  decision: Expected,
) {
  const mark = await scene.topic.mark();
  await doing();
  const tookMs = await scene.stack.mesh.waitForStatus(status, call);
  const seen = await scene.topic.waitFor({ outcome: 'applied', ...decision }, mark);
  return { tookMs, seen };
}

const status = (call: typeof GET) => scene.stack.mesh.call(call.from, call.to, call.method, call.path);

async function entry(name: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const found = await scene.stack.consul
    .request('GET', `/v1/config/service-intentions/${name}?consistent`)
    .catch(() => undefined);
  return found === undefined ? undefined : Object.fromEntries(Object.entries(Object(found)));
}

async function sourcesOf(name: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const sources = (await entry(name))?.Sources;
  return Array.isArray(sources) ? sources.map((each: unknown) => Object(each)) : [];
}

const owned = async (name: string) =>
  (await sourcesOf(name)).filter(({ Description }) => String(Description).startsWith(`${MARK} `));

describe('a scope of an OAuth client, through Keycloak, Redis, Consul, Envoy and Kafka', () => {
  it('opens exactly what it says when it is granted', async () => {
    const { mesh } = scene.stack;
    await mesh.waitForStatus(200, GET);
    expect(await status(POST)).toBe(403);
    const seen = await scene.topic.waitFor({ subject: EDGE, outcome: 'applied' }, new Set());
    expect(seen).toMatchObject({
      reason: 'ScopeGranted',
      action: 'grant',
      type: 'dev.scopemesh.intention.created',
      client: { provider: 'main', clientId: 'web-app' },
      scopes: ['orders:read'],
      revision: 1,
      before: null,
      after: { access: 'http', permissions: [{ methods: ['GET', 'HEAD'], pathPrefix: '/' }] },
    });
  });

  it('widens by a second scope, narrows when it goes, closes when the last one goes, and opens again', async () => {
    const { admin } = scene.stack.keycloak;
    const { realm } = scene.stack;
    const widened = await act(() => admin.addScope(realm, 'web-app', 'orders:write'), POST, 200, {
      subject: EDGE,
      reason: 'ScopeGranted',
      cause: 'webhook',
    });
    expect(widened.seen).toMatchObject({
      principal: { id: 'admin' },
      type: 'dev.scopemesh.intention.updated',
    });
    expect(widened.seen.cause.eventId).toBeDefined();
    expect(await status(GET)).toBe(200);

    const narrowed = await act(() => admin.removeScope(realm, 'web-app', 'orders:write'), POST, 403, {
      subject: EDGE,
      reason: 'ScopeRevoked',
      cause: 'webhook',
    });
    expect(narrowed.seen).toMatchObject({ scopes: ['orders:write'] });
    expect(await status(GET)).toBe(200);

    const revoked = await act(() => admin.removeScope(realm, 'web-app', 'orders:read'), GET, 403, {
      subject: EDGE,
      reason: 'ScopeRevoked',
      action: 'revoke',
    });
    expect(revoked.seen).toMatchObject({ after: null, type: 'dev.scopemesh.intention.deleted' });
    expect(revoked.tookMs).toBeLessThan(10_000);
    expect(await owned('orders')).toEqual([]);

    await act(() => admin.addScope(realm, 'web-app', 'orders:read', 'optional'), GET, 200, {
      subject: EDGE,
      reason: 'ScopeGranted',
    });
    await act(() => admin.removeScope(realm, 'web-app', 'orders:read', 'optional'), GET, 403, {
      subject: EDGE,
      reason: 'ScopeRevoked',
    });
    await act(() => admin.addScope(realm, 'web-app', 'orders:read'), GET, 200, {
      subject: EDGE,
      reason: 'ScopeGranted',
    });
  });

  it('closes when the client is disabled, opens when it is enabled, closes when it is deleted', async () => {
    const { admin } = scene.stack.keycloak;
    const { realm } = scene.stack;
    await act(() => admin.updateClient(realm, 'web-app', { enabled: false }), GET, 403, {
      subject: EDGE,
      reason: 'ClientDisabled',
    });
    await act(() => admin.updateClient(realm, 'web-app', { enabled: true }), GET, 200, {
      subject: EDGE,
      action: 'grant',
    });
    await act(() => admin.deleteClient(realm, 'web-app'), GET, 403, {
      subject: EDGE,
      reason: 'ClientDeleted',
    });
    await admin.createClient(realm, 'web-app', { attributes: { 'consul-services': 'web' } });
    await act(() => admin.addScope(realm, 'web-app', 'orders:read'), GET, 200, {
      subject: EDGE,
      action: 'grant',
    });
  });

  it('closes when the scope itself is deleted for all', async () => {
    const { admin } = scene.stack.keycloak;
    const { realm } = scene.stack;
    await act(() => admin.deleteClientScope(realm, 'orders:read'), GET, 403, {
      subject: EDGE,
      reason: 'ScopeRevoked',
    });
    await admin.createClientScope(realm, 'orders:read');
    await act(() => admin.addScope(realm, 'web-app', 'orders:read'), GET, 200, {
      subject: EDGE,
      action: 'grant',
    });
  });

  it('opens for a service that is newly registered and tagged without any event, and closes when the tag goes', async () => {
    const { keycloak, mesh, realm } = scene.stack;
    const call = { from: 'reports', to: 'orders', method: 'GET', path: '/v1/orders' };
    const subject = 'intention/default/default/orders/reports';
    const before = (await daemon.status()).directories[0]?.clients ?? 0;
    await keycloak.admin.createClient(realm, 'reports-app', {
      attributes: { 'consul-services': 'reports' },
      defaultClientScopes: ['orders:read'],
    });
    await until('the daemon knows the client', async () => {
      const { directories } = await daemon.status();
      return (directories[0]?.clients ?? 0) > before;
    });
    const opened = await act(
      () => mesh.add({ name: 'reports', upstreams: ['orders'], tags: ['oauth-client=reports-app'] }),
      call,
      200,
      { subject, reason: 'ClaimAdded', cause: 'consul-watch' },
    );
    expect(opened.seen).toMatchObject({ client: { clientId: 'reports-app' } });
    expect(await status({ ...call, method: 'POST' })).toBe(403);
    await act(() => mesh.update('reports', { tags: [] }), call, 403, { subject, reason: 'ClaimRemoved' });
    expect(await status(GET)).toBe(200);
  });

  it('is corrected when somebody changes an intention with our mark by hand', async () => {
    const { consul, mesh } = scene.stack;
    const drifted = { subject: EDGE, reason: 'DriftCorrected', cause: 'consul-watch' } as const;
    const put = async (change: (source: Readonly<Record<string, unknown>>) => unknown) => {
      const now = await entry('orders');
      const sources = (await sourcesOf('orders')).flatMap((source) =>
        source.Name === 'web' ? [change(source)].filter((each) => each !== undefined) : [source],
      );
      await consul.request('PUT', `/v1/config?cas=${now?.ModifyIndex}`, { ...now, Sources: sources });
    };
    const good = await owned('orders');

    const mark = await scene.topic.mark();
    await put(({ Permissions: _, ...source }) => ({ ...source, Action: 'allow' }));
    const widened = await scene.topic.waitFor({ outcome: 'applied', ...drifted }, mark);
    expect(widened).toMatchObject({ before: { access: 'allow' }, after: { access: 'http' } });
    expect(await owned('orders')).toEqual(good);
    await mesh.waitForStatus(403, POST);
    expect(await status(GET)).toBe(200);

    const again = await scene.topic.mark();
    await put(() => undefined);
    await scene.topic.waitFor({ outcome: 'applied', ...drifted, action: 'grant' }, again);
    expect(await owned('orders')).toEqual(good);
    await mesh.waitForStatus(200, GET);
  });

  it('is corrected when somebody deletes an entry that is all ours', async () => {
    const { consul, keycloak, realm } = scene.stack;
    const subject = 'intention/default/default/billing/web';
    const mark = await scene.topic.mark();
    await keycloak.admin.addScope(realm, 'web-app', 'billing:read');
    await scene.topic.waitFor({ subject, outcome: 'applied', reason: 'ScopeGranted' }, mark);
    const good = await sourcesOf('billing');
    expect(good).toHaveLength(1);
    await consul.request('DELETE', '/v1/config/service-intentions/billing');
    await scene.topic.waitFor(
      { subject, outcome: 'applied', reason: 'DriftCorrected', cause: 'consul-watch' },
      mark,
    );
    expect(await sourcesOf('billing')).toEqual(good);
    await keycloak.admin.removeScope(realm, 'web-app', 'billing:read');
    await scene.topic.waitFor({ subject, outcome: 'applied', reason: 'ScopeRevoked' }, mark);
    expect(await entry('billing')).toBeUndefined();
  });

  it('writes a deny intention if a wider foreign allow intention would take over', async () => {
    const { consul, keycloak, mesh, realm } = scene.stack;
    const wildcard = {
      Kind: 'service-intentions',
      Name: '*',
      Sources: [{ Name: '*', Action: 'allow', Description: 'by hand' }],
    };
    const probe = { from: 'reports', to: 'orders', method: 'GET', path: '/' };
    await consul.request('PUT', '/v1/config', wildcard);
    // A service of which nothing exact is said shows that the wildcard has come to Envoy.
    await mesh.waitForStatus(200, probe);
    const denied = await act(() => keycloak.admin.removeScope(realm, 'web-app', 'orders:read'), GET, 403, {
      subject: EDGE,
      reason: 'WildcardWouldAllow',
    });
    expect(denied.seen).toMatchObject({ after: { access: 'deny' } });
    expect(await owned('orders')).toMatchObject([{ Name: 'web', Action: 'deny' }]);
    expect(await status(POST)).toBe(403);
    expect(await status(probe)).toBe(200);

    await consul.request('DELETE', '/v1/config/service-intentions/*');
    await until('the denial is taken back', async () => (await owned('orders')).length === 0);
    await mesh.waitForStatus(403, probe);
    expect(await status(GET)).toBe(403);
    await act(() => keycloak.admin.addScope(realm, 'web-app', 'orders:read'), GET, 200, {
      subject: EDGE,
      action: 'grant',
    });
  });

  it('has exactly one decision for each write', async () => {
    await daemon.idle();
    expect(await scene.topic.faults()).toEqual([]);
    const applied = (await scene.topic.read()).filter(
      ({ outcome, resource }) => outcome === 'applied' && resource.kind === 'intention',
    );
    expect(writesOf(applied)).toBe(scene.consulWrites.accepted().length);
    expect((await daemon.status()).parked).toEqual([]);
  });

  it('changed nothing foreign', async () => {
    expect(await digestForeign(scene.stack.consul)).toEqual(foreignBefore);
    expect(Object.keys(foreignBefore).length).toBeGreaterThan(10);
  });

  it('closes within a poll where the realm saves no admin events and no webhook comes', async () => {
    const { keycloak, realm } = scene.stack;
    await keycloak.admin.request('PUT', `/${realm}/events/config`, { adminEventsEnabled: false });
    await daemon.stop();
    daemon = await scene.startDaemon({ configuration, provider: { poll: '5s', webhook: undefined } });
    const opened = await act(() => keycloak.admin.addScope(realm, 'web-app', 'orders:write'), POST, 200, {
      subject: EDGE,
      reason: 'ScopeGranted',
    });
    const closed = await act(() => keycloak.admin.removeScope(realm, 'web-app', 'orders:write'), POST, 403, {
      subject: EDGE,
      reason: 'ScopeRevoked',
    });
    console.log(`opened after ${Math.round(opened.tookMs)} ms, closed after ${Math.round(closed.tookMs)} ms`);
    expect(closed.tookMs).toBeLessThan(15_000);
  });
});
