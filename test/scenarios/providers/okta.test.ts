import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { HOOK_TYPES } from '../../../src/identity/okta/event-types.js';
import type { CauseKind } from '../../../src/model/cause.js';
import { personName } from '../../../src/plan/object-names.js';
import { createRig, type Daemon, OWNER, type Rig } from '../../support/daemon.js';
import { EventHook } from '../../support/okta/event-hook.js';
import { AUDIENCE } from '../../support/okta/server.js';
import type { AppRecord } from '../../support/okta/state.js';
import { HOOK_SECRET, type OktaWorld, settingsOf, startOktaWorld } from '../../support/okta/world.js';
import { EDGE, isClosed, isOpen, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let world: OktaWorld;
let rig: Rig;
let daemon: Daemon;
let hook: EventHook;
let web: AppRecord;
/** How many decisions `isClosedBy` has seen. */
let known: number;
afterEach(async () => {
  await rig.close();
  await world.server.stop();
});

interface Options {
  readonly provider?: Readonly<Record<string, unknown>>;
  readonly file?: Readonly<Record<string, unknown>>;
}

/** `web` may read orders; an event hook tells of it, and the log is polled as rarely as `poll` says. */
async function running(poll: string, { provider = {}, file = {} }: Options = {}): Promise<void> {
  known = 0;
  world = await startOktaWorld();
  web = world.addClient({ label: 'web-app', profile: { 'consul-services': 'web' } }, ['orders:read']);
  world.addClient({ label: 'other-app' }, []);
  const none = { directory: undefined, directoryToken: undefined };
  rig = await createRig({
    provider: { ...none, ...settingsOf(world), poll, ...provider },
    file,
    prepare: async ({ mesh }) => {
      await mesh.speaks('orders', 'http');
      await mesh.register('orders');
      await mesh.register('web', { client: web.id });
    },
  });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
  const url = `${daemon.address}/events/main`;
  hook = new EventHook(world.server.org, { url, secret: HOOK_SECRET, types: HOOK_TYPES });
}

const lastly = async () =>
  until('a delivery', () => hook.deliveries.find(({ statuses }) => statuses.length > 0));

/** Closed, and by what. A hook may have the log read before its own event is worked on; the next poll is an hour away. */
async function isClosedBy(...causes: readonly CauseKind[]): Promise<void> {
  await isClosed(rig);
  const { cause } = await rig.decided({ subject: EDGE, action: 'revoke', outcome: 'applied' }, known);
  known = (await rig.decisions()).length;
  expect(causes).toContain(cause.kind);
}

const eventsOf = (result: string) =>
  daemon.metric(`scopemesh_events_total{provider="main",result="${result}"}`);

describe('an event hook of Okta', () => {
  it('is verified by its challenge, whose answer waits for nothing', async () => {
    await running('1h');
    expect(await hook.verify()).toBe(true);
  });

  it('closes what a deactivated app had, without a poll', async () => {
    await running('1h');
    world.server.org.setStatus(web.id, 'INACTIVE');
    await isClosedBy('webhook', 'poll');
    expect(hook.deliveries.at(-1)?.statuses).toEqual([202]);
  });

  it('is answered although Okta does not answer, as the work is not done in the request', async () => {
    await running('1h');
    const waiting: ServerResponse[] = [];
    world.server.fault = (_, response) => {
      waiting.push(response);
      return true;
    };
    world.server.org.setStatus(web.id, 'INACTIVE');
    expect((await lastly()).statuses).toEqual([202]);
    await until('a read that hangs', () => waiting.length > 0);
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    world.server.fault = () => false;
    for (const response of waiting) response.writeHead(503).end();
    rig.clock.advance(2_000);
    await isClosedBy('webhook', 'poll');
  });

  it('is accepted with either of two secrets while one is rotated', async () => {
    await running('1h', { provider: { webhook: { secrets: [HOOK_SECRET, 'the-next-secret'] } } });
    hook.secret = 'the-next-secret';
    world.server.org.setStatus(web.id, 'INACTIVE');
    await isClosedBy('webhook', 'poll');
  });

  it('that was refused is never sent again, so that only the log brings its change', async () => {
    await running('1h', { provider: { fullRead: '3h' } });
    hook.secret = 'a-mistyped-secret';
    world.server.org.setStatus(web.id, 'INACTIVE');
    expect((await lastly()).statuses).toEqual([401]);
    await rig.decided({ outcome: 'refused', reason: 'SignatureInvalid' });
    await daemon.idle();
    await isOpen(rig, READ);
    rig.clock.advance(3_600_000);
    await isClosedBy('poll');
  });

  it('with one unreadable event in its batch brings the others, and the log brings the refused one', async () => {
    await running('1h');
    const { log } = world.server.org;
    const odd = { ...log.write('user.session.start', []), published: 'yesterday' };
    world.server.org.setStatus(web.id, 'INACTIVE');
    const good = log.events.at(-1) ?? odd;
    await isClosedBy('webhook', 'poll');
    const polls = () => world.server.requests.filter((line) => line.includes('/api/v1/logs')).length;
    await daemon.idle();
    const before = polls();
    expect((await hook.send([odd, good])).statuses).toEqual([202]);
    const refused = await rig.decided({ outcome: 'refused', reason: 'EventInvalid' });
    expect(refused.detail).toContain(odd.uuid);
    expect(await daemon.metric('scopemesh_events_total{provider="main",result="rejected"}')).toBe(1);
    await until('a read of the log', () => polls() > before);
  });

  it('and the log bring one event, which leads to one complete read', async () => {
    await running('1h');
    const reads = () => world.server.requests.filter((line) => /\/api\/v1\/apps\?/.test(line)).length;
    const logs = () => world.server.requests.filter((line) => line.includes('/api/v1/logs')).length;
    hook.isCut = true;
    const [before, polled] = [reads(), logs()];
    const [accepted, duplicate] = [(await eventsOf('accepted')) ?? 0, (await eventsOf('duplicate')) ?? 0];
    world.setScopes(web.id, []);
    const event = world.server.org.log.events.at(-1);
    if (event === undefined) throw new Error('nothing was logged');
    expect((await hook.send([event])).statuses).toEqual([202]);
    await isClosedBy('webhook', 'poll');
    await daemon.idle();
    expect(reads()).toBe(before + 1);
    // A hook about sessions has the log read, which brings both events.
    world.server.org.addUser('ada@example.com');
    hook.isCut = false;
    world.server.org.clearSessions('ada@example.com');
    await until('a read of the log', () => logs() > polled);
    await until('the order', async () => (await eventsOf('accepted')) === accepted + 2);
    await daemon.idle();
    expect((await eventsOf('duplicate')) ?? 0).toBe(duplicate + 1);
    expect(reads()).toBe(before + 1);
  });

  it('that is followed by an answer with old state makes scopemesh read again', async () => {
    await running('1h');
    world.server.org.lag();
    world.server.org.setStatus(web.id, 'INACTIVE');
    expect((await lastly()).statuses).toEqual([202]);
    await daemon.idle();
    await isOpen(rig, READ);
    world.server.org.catchUp();
    rig.clock.advance(6_000);
    await isClosedBy('webhook', 'poll');
  });
});

describe('with every event hook lost', () => {
  it('the log brings changes of apps, policies, scopes and servers', async () => {
    await running('200ms');
    hook.isCut = true;
    const { org } = world.server;
    org.setStatus(web.id, 'INACTIVE');
    await isClosedBy('poll');
    org.setStatus(web.id, 'ACTIVE');
    await isOpen(rig, READ);
    world.setScopes(web.id, []);
    await isClosedBy('poll');
    world.setScopes(web.id, ['orders:read']);
    await isOpen(rig, READ);
    org.deleteScope(world.mesh.id, 'orders:read');
    await isClosedBy('poll');
    org.addScope(world.mesh.id, 'orders:read');
    await isOpen(rig, READ);
    org.setServerStatus(world.mesh.id, 'INACTIVE');
    await isClosedBy('poll');
    org.setServerStatus(world.mesh.id, 'ACTIVE');
    await isOpen(rig, READ);
    org.deleteApp(web.id);
    await isClosedBy('poll');
    expect(hook.deliveries).toEqual([]);
  });
});

describe('what the log proves', () => {
  it('closes a deactivated app that can no longer be read, although the hook brought the same event', async () => {
    await running('200ms');
    world.server.fault = (url, response) => {
      if (!url.pathname.startsWith('/api/v1/apps')) return false;
      response.writeHead(503).end();
      return true;
    };
    world.server.org.setStatus(web.id, 'INACTIVE');
    expect((await lastly()).statuses).toEqual([202]);
    await until('it to be closed without a read', async () => {
      rig.clock.advance(1_000);
      return (await rig.mesh.access('orders'))?.web === undefined;
    });
    await rig.decided({ reason: 'RevocationUnconfirmed', outcome: 'applied' });
  });

  it.each([
    ['by the log, where every hook is lost', '200ms', true],
    ['by a hook, which has the log read at once', '1h', false],
  ])(
    'ends the access of a suspended person, and of one whose sessions were cleared, %s',
    async (_, poll, isCut) => {
      await running(poll, {
        provider: { audience: AUDIENCE },
        file: { groups: { oncall: { acl: 'key_prefix "config/" { policy = "read" }' } } },
      });
      const { org } = world.server;
      const [ada, ben] = [org.addUser('ada@example.com'), org.addUser('ben@example.com')];
      const group = org.addGroup('oncall');
      org.setMembers(group.id, [ada, ben]);
      await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
      const ruleOf = (login: string) =>
        `acl-binding-rule/scopemesh-${OWNER}-main-_people/${personName(OWNER, 'main', login, 'oncall')}`;
      await rig.decided({ subject: ruleOf('ben@example.com'), outcome: 'applied' });
      await daemon.idle();
      hook.isCut = isCut;
      const tokens = new Map<string, string>();
      for (const { login, id } of [ada, ben]) tokens.set(login, await logIn(login, id));
      expect([await read(tokens.get(ada.login)), await read(tokens.get(ben.login))]).toEqual([200, 200]);

      org.setUserStatus('ada@example.com', 'SUSPENDED', 'user.lifecycle.suspend');
      await until('a token that is gone', async () => (await read(tokens.get(ada.login))) === 403);
      await rig.decided({
        subject: ruleOf('ada@example.com'),
        reason: 'MembershipRemoved',
        outcome: 'applied',
      });
      expect(await read(tokens.get(ben.login))).toBe(200);

      org.clearSessions('ben@example.com');
      await until('a token that is gone', async () => (await read(tokens.get(ben.login))) === 403);
      await logIn('ben@example.com', ben.id);
    },
  );
});

/** A person's login to Consul with the token that Okta would give: `sub` is the login, `uid` the id. */
async function logIn(login: string, uid: string): Promise<string> {
  const jwt = await world.server.sign({ sub: login, uid, cid: web.id, scp: ['openid'], groups: ['oncall'] });
  const answer = await fetch(`${rig.mesh.consul.address}/v1/acl/login`, {
    method: 'POST',
    body: JSON.stringify({ AuthMethod: `scopemesh-${OWNER}-main-_people`, BearerToken: jwt }),
  });
  const text = await answer.text();
  expect([answer.status, text]).toEqual([200, expect.anything()]);
  return JSON.parse(text).SecretID;
}

async function read(token: string | undefined): Promise<number> {
  const answer = await fetch(`${rig.mesh.consul.address}/v1/kv/config/a`, {
    headers: { 'X-Consul-Token': token ?? '' },
  });
  await answer.text();
  return answer.status;
}
