import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../stack/process.js';
import { writesOf } from '../support/decisions.js';
import { isSoak } from '../support/soak.js';
import type { Fault } from './fault-proxy.js';
import { digestForeign, MARK, seedForeign } from './foreign.js';
import { type Scene, startScene } from './scene.js';
import type { Scopemesh } from './scopemesh.js';
import { changeOfClient, deliver, type Listener, listenIn, sign, suppressWebhook } from './webhooks.js';

const GET = { from: 'web', to: 'orders', method: 'GET', path: '/v1/orders/7' };
const POST = { ...GET, method: 'POST' };
const EDGE = 'intention/default/default/orders/web';
/** Services without an Envoy, whose clients change while a server is away; more than the mass guard lets go unsaid. */
const OTHERS = Array.from({ length: 12 }, (_, at) => `other-${at}`);

let scene: Scene;
let daemon: Scopemesh;
let webApp: string;
let foreignBefore: Readonly<Record<string, string>>;

beforeAll(async () => {
  scene = await startScene();
  const { consul, keycloak, realm } = scene.stack;
  webApp = await keycloak.admin.clientUuid(realm, 'web-app');
  for (const name of OTHERS) {
    const meta = { 'oauth-client-id': `${name}-app` };
    await consul.request('PUT', '/v1/agent/service/register', { Name: name, Port: 1, Meta: meta });
    await keycloak.admin.createClient(realm, `${name}-app`, { attributes: { 'consul-services': name } });
  }
  await seedForeign(consul);
  foreignBefore = await digestForeign(consul);
});

afterAll(() => scene?.stop());

const status = (call: typeof GET) => scene.stack.mesh.call(call.from, call.to, call.method, call.path);

const grant = (clientId: string, scope: string) =>
  scene.stack.keycloak.admin.addScope(scene.stack.realm, clientId, scope);
const revoke = (clientId: string, scope: string) =>
  scene.stack.keycloak.admin.removeScope(scene.stack.realm, clientId, scope);

/** The services whose sources at `orders` carry our mark. */
async function ownedSources(): Promise<readonly string[]> {
  const entry = Object(
    await scene.stack.consul.request('GET', '/v1/config/service-intentions/orders?consistent'),
  );
  const sources: unknown[] = Array.isArray(entry.Sources) ? entry.Sources : [];
  return sources
    .map((source) => Object(source))
    .filter(({ Description }) => String(Description).startsWith(`${MARK} `))
    .map(({ Name }) => String(Name))
    .sort();
}

const untilOwned = (names: readonly string[], timeoutMs = 60_000) =>
  until(
    `the owned sources are ${names}`,
    async () => (await ownedSources()).join() === [...names].sort().join(),
    { timeoutMs },
  );

const trigger = (body = changeOfClient(scene.stack.realm, webApp)) =>
  deliver(daemon.address, sign(body, scene.stack.webhookSecret));

/** Resolves once so many milliseconds have passed since `began`: as long as an outage lasts. */
const lasting = (began: number, ms: number) =>
  until('the outage is over', () => performance.now() - began >= ms, { timeoutMs: ms + 5000 });

describe('a sick Keycloak', () => {
  beforeAll(async () => {
    daemon = await scene.startDaemon({ provider: { poll: '1s', fullRead: '2s' } });
    await scene.stack.mesh.waitForStatus(200, GET);
  });
  afterEach(() => scene.keycloakFaults.set('none'));
  afterAll(() => daemon?.dispose());

  const faults: readonly (readonly [Fault, string, number])[] = [
    ['empty', 'answers with empty lists', 2],
    ['secondPageFails', 'answers a second page with 500', 2],
    ['secondPageCut', 'breaks off within a second page', 2],
    ['status500', 'answers 500', 2],
    // Each read asks twice, with a new token.
    ['status401', 'answers 401', 3],
    ['hang', 'does not answer', 2],
  ];
  it.each(faults)(
    'that has the fault %s (%s) takes nothing away, and is trusted again afterwards',
    async (...[fault, , lists]) => {
      const { keycloakFaults, consulWrites, stack } = scene;
      const before = consulWrites.accepted().length;
      keycloakFaults.set(fault);
      expect((await trigger()).status).toBe(202);
      const isPartial = fault.startsWith('secondPage');
      await until(
        'the fault is met',
        () => keycloakFaults.met.lists >= lists && (isPartial || keycloakFaults.met.singles >= 1),
        { timeoutMs: 60_000 },
      );
      expect(consulWrites.accepted()).toHaveLength(before);
      expect(await status(GET)).toBe(200);

      await grant('web-app', 'orders:write');
      if (!isPartial) expect(await status(POST)).toBe(403);
      keycloakFaults.set('none');
      await stack.mesh.waitForStatus(200, POST, 60_000);
      await revoke('web-app', 'orders:write');
      await stack.mesh.waitForStatus(403, POST);
      expect(await status(GET)).toBe(200);
      expect((await daemon.status()).parked).toEqual([]);
    },
  );

  it('that cannot be read completely at the start loses what its events say at once, and by no inference', async () => {
    for (const name of OTHERS) await grant(`${name}-app`, 'orders:read');
    await untilOwned(['web', ...OTHERS]);
    await daemon.idle();
    await daemon.kill();
    scene.keycloakFaults.set('secondPageFails');
    await daemon.start();
    await until('the daemon takes events', async () => (await trigger()).status === 202);
    const mark = await scene.topic.mark();
    for (const name of OTHERS) await revoke(`${name}-app`, 'orders:read');
    await until('the fault was met', () => scene.keycloakFaults.met.lists >= 2);
    await untilOwned(['web']);
    scene.keycloakFaults.set('none');
    await daemon.idle();
    const fresh = (await scene.topic.read()).filter(({ id }) => !mark.has(id));
    const revoked = fresh.filter(({ outcome, action }) => outcome === 'applied' && action === 'revoke');
    expect(revoked).toHaveLength(OTHERS.length);
    expect(new Set(revoked.map(({ reason }) => reason))).toEqual(new Set(['ScopeRevoked']));
  });

  it('made the daemon hold nothing, lose nothing and write nothing twice', async () => {
    await daemon.idle();
    // The entry that is managed elsewhere is held from the start.
    const { holds } = await daemon.status();
    expect(holds.filter(({ reason }) => reason !== 'ManagedElsewhere')).toEqual([]);
    expect(await scene.topic.faults()).toEqual([]);
  });
});

describe('events', () => {
  let listener: Listener;
  let putBack: (() => Promise<void>) | undefined;
  let writesBefore: number;

  beforeAll(async () => {
    daemon = await scene.startDaemon({ provider: { poll: '1s' } });
    listener = await listenIn(scene.stack);
    await scene.stack.mesh.waitForStatus(200, GET);
  });
  beforeEach(async () => {
    await daemon.idle();
    writesBefore = scene.consulWrites.accepted().length;
  });
  afterEach(async () => {
    await putBack?.();
    putBack = undefined;
  });
  afterAll(async () => {
    await listener?.stop();
    await daemon?.dispose();
  });

  const untouched = async () => {
    await daemon.idle();
    expect(scene.consulWrites.accepted()).toHaveLength(writesBefore);
  };

  it('that are forged are refused and recorded, and do nothing', async () => {
    const mark = await scene.topic.mark();
    const forged = sign(changeOfClient(scene.stack.realm, webApp), 'not the secret');
    expect((await deliver(daemon.address, forged)).status).toBe(401);
    const decision = await scene.topic.waitFor({ subject: 'event/main', outcome: 'refused' }, mark);
    expect(decision).toMatchObject({ type: 'dev.scopemesh.event.rejected', reason: 'SignatureInvalid' });
    const tampered = { ...sign('{"id":"x"}', scene.stack.webhookSecret), body: '{"id":"y"}' };
    expect((await deliver(daemon.address, tampered)).status).toBe(401);
    expect((await deliver(daemon.address, { body: '{}', signature: '' })).status).toBe(401);
    await untouched();
  });

  it('that are replayed, or repeat an old change under a new id, do nothing', async () => {
    const { mesh } = scene.stack;
    await grant('web-app', 'orders:write');
    await mesh.waitForStatus(200, POST);
    const granted = await until('the delivery of the grant is heard', () =>
      listener.deliveries.findLast(({ body }) => body.includes(`clients/${webApp}/default-client-scopes/`)),
    );
    expect(granted.body).toContain('"operationType":"CREATE"');
    await revoke('web-app', 'orders:write');
    await mesh.waitForStatus(403, POST);
    await daemon.idle();
    writesBefore = scene.consulWrites.accepted().length;

    expect(await deliver(daemon.address, granted)).toEqual({ status: 202, answer: '{"accepted":0}' });
    await untouched();
    const id: string = JSON.parse(granted.body).id;
    const stale = granted.body.replace(id, `${id.slice(0, -4)}0000`);
    expect(await trigger(stale)).toEqual({ status: 202, answer: '{"accepted":1}' });
    await untouched();
    expect(await status(POST)).toBe(403);
    expect(await status(GET)).toBe(200);
  });

  it('for an unknown provider, or too long ones, are refused', async () => {
    const body = changeOfClient(scene.stack.realm, webApp);
    const signed = sign(body, scene.stack.webhookSecret);
    expect((await deliver(daemon.address, signed, 'nobody')).status).toBe(404);
    const long = JSON.stringify({ ...JSON.parse(body), details: 'x'.repeat(2 * 1024 * 1024) });
    expect((await trigger(long)).status).toBe(413);
    await untouched();
  });

  it('that no webhook delivers are found by the poll', async () => {
    const { mesh } = scene.stack;
    putBack = await suppressWebhook(scene.stack, daemon.address);
    const mark = await scene.topic.mark();
    await grant('web-app', 'orders:write');
    await mesh.waitForStatus(200, POST);
    await scene.topic.waitFor({ subject: EDGE, reason: 'ScopeGranted', cause: 'poll' }, mark);
    await revoke('web-app', 'orders:write');
    await mesh.waitForStatus(403, POST);
    const decision = await scene.topic.waitFor(
      { subject: EDGE, reason: 'ScopeRevoked', cause: 'poll' },
      mark,
    );
    // The log names who did it by an internal id.
    expect(decision.principal?.id).toMatch(/^[0-9a-f-]{36}$/);
    await revoke('web-app', 'orders:read');
    await mesh.waitForStatus(403, GET);
    await grant('web-app', 'orders:read');
    await mesh.waitForStatus(200, GET);
  });
});

describe('servers that go away', () => {
  let pid: number;
  beforeAll(async () => {
    daemon = await scene.startDaemon({ provider: { poll: '1s' } });
    await scene.stack.mesh.waitForStatus(200, GET);
    pid = daemon.process.pid;
  });
  afterAll(() => daemon?.dispose());
  // Never by a restart of the daemon.
  afterEach(() => expect(daemon.process.isRunning() && daemon.process.pid === pid).toBe(true));

  // With each the other half: what is granted in the first is revoked in the second.
  it.each([5, isSoak ? 20 : 6])(
    'Redis, for %d s: what cannot be stored is answered 503, and nothing is lost',
    async (seconds) => {
      const { redis } = scene.stack;
      const opening = (await ownedSources()).length === 1;
      await redis.kill();
      const began = performance.now();
      const unstored = sign(changeOfClient(scene.stack.realm, webApp), scene.stack.webhookSecret);
      expect((await deliver(daemon.address, unstored)).status).toBe(503);
      expect((await fetch(`${daemon.address}/readyz`)).status).toBe(503);
      expect((await fetch(`${daemon.address}/healthz`)).status).toBe(200);
      for (const name of OTHERS) await (opening ? grant : revoke)(`${name}-app`, 'orders:read');
      await lasting(began, seconds * 1000);
      await redis.restart();
      await untilOwned(opening ? ['web', ...OTHERS] : ['web']);
      expect((await deliver(daemon.address, unstored)).status).toBe(202);
      await daemon.idle();
      expect((await fetch(`${daemon.address}/readyz`)).status).toBe(200);
    },
  );

  it('Kafka, for 10 s: access changes all the same, and each decision arrives once, later', async () => {
    const { kafka, mesh } = scene.stack;
    const mark = await scene.topic.mark();
    const before = scene.consulWrites.accepted().length;
    await kafka.kill();
    const began = performance.now();
    await grant('web-app', 'orders:write');
    await mesh.waitForStatus(200, POST);
    await revoke('web-app', 'orders:write');
    await mesh.waitForStatus(403, POST);
    for (const name of OTHERS) await grant(`${name}-app`, 'orders:read');
    await untilOwned(['web', ...OTHERS]);
    for (const name of OTHERS) await revoke(`${name}-app`, 'orders:read');
    await untilOwned(['web']);
    await lasting(began, 10_000);
    await kafka.restart();
    await daemon.idle();
    const fresh = (await scene.topic.read()).filter(({ id }) => !mark.has(id));
    const applied = fresh.filter(({ outcome }) => outcome === 'applied');
    expect(writesOf(applied)).toBe(scene.consulWrites.accepted().length - before);
    expect(applied.length).toBeGreaterThanOrEqual(12);
    expect(await scene.topic.faults()).toEqual([]);
  });

  it('Consul, for 10 s: a revocation made meanwhile closes when it is back', async () => {
    const { consul, mesh } = scene.stack;
    const mark = await scene.topic.mark();
    await consul.kill();
    const began = performance.now();
    await revoke('web-app', 'orders:read');
    expect(await status(GET)).toBe(200);
    await lasting(began, 10_000);
    await consul.restart();
    await mesh.waitForStatus(403, GET, 60_000);
    await scene.topic.waitFor({ subject: EDGE, reason: 'ScopeRevoked', outcome: 'applied' }, mark);
    await grant('web-app', 'orders:read');
    await mesh.waitForStatus(200, GET, 60_000);
  });

  it('Consul, restarted: nothing is written for that, and the next change goes through', async () => {
    const { consul, mesh } = scene.stack;
    await daemon.idle();
    const before = scene.consulWrites.accepted().length;
    await consul.restart();
    await trigger();
    await daemon.idle();
    expect(scene.consulWrites.accepted()).toHaveLength(before);
    await grant('web-app', 'orders:write');
    await mesh.waitForStatus(200, POST, 60_000);
    await revoke('web-app', 'orders:write');
    await mesh.waitForStatus(403, POST, 60_000);
  });
});

describe('signals', () => {
  beforeAll(async () => {
    daemon = await scene.startDaemon({ provider: { poll: '1s' } });
    await scene.stack.mesh.waitForStatus(200, GET);
  });
  afterAll(() => daemon?.dispose());
  const stopsLogged = async () => (await daemon.log()).split('"stopping:').length;

  it('the first one lets the running job end, publishes its decision and exits 0', async () => {
    const { consulWrites, stack } = scene;
    await daemon.idle();
    const mark = await scene.topic.mark();
    const release = consulWrites.hold();
    await revoke('web-app', 'orders:read');
    await until('the write is on its way', () => consulWrites.held === 1);
    const exit = daemon.stop();
    const isClosed = () =>
      trigger().then(
        (answer) => answer.status !== 202,
        () => true,
      );
    await until('the daemon takes no more events', isClosed);
    expect(daemon.process.isRunning()).toBe(true);
    release();
    expect(await exit).toBe(0);
    await scene.topic.waitFor({ subject: EDGE, reason: 'ScopeRevoked', outcome: 'applied' }, mark);
    expect(await scene.topic.faults()).toEqual([]);
    await daemon.start();
    await daemon.ready();
    await grant('web-app', 'orders:read');
    await stack.mesh.waitForStatus(200, GET);
  });

  it('a second one exits 1 at once, and the next start settles what it left', async () => {
    const { consulWrites } = scene;
    await daemon.idle();
    const mark = await scene.topic.mark();
    const release = consulWrites.hold();
    await revoke('web-app', 'orders:read');
    await until('the write is on its way', () => consulWrites.held === 1);
    const before = await stopsLogged();
    daemon.signal('SIGTERM');
    await until('the daemon stops', async () => (await stopsLogged()) > before);
    daemon.signal('SIGTERM');
    expect(await daemon.process.exited).toBe(1);
    release();
    await until('the write is made', () => consulWrites.held === 0);
    await daemon.start();
    await daemon.ready();
    const decision = await scene.topic.waitFor({ subject: EDGE, reason: 'ScopeRevoked' }, mark);
    expect(decision.outcome).toBe('applied');
    await daemon.idle();
    expect(await scene.topic.faults()).toEqual([]);
  });
});

describe('after all of it', () => {
  it('nothing foreign changed, and each accepted write has its decision', async () => {
    expect(await digestForeign(scene.stack.consul)).toEqual(foreignBefore);
    const applied = (await scene.topic.read()).filter(({ outcome }) => outcome === 'applied');
    expect(writesOf(applied)).toBe(scene.consulWrites.accepted().length);
  });
});
