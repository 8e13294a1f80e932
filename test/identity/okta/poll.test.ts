import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HOOK_TYPES, LOGGED_TYPES } from '../../../src/identity/okta/event-types.js';
import type { ProviderParts } from '../../../src/identity/provider-parts.js';
import type { EventPoll, IdentityEvent } from '../../../src/identity/source.js';
import { type OktaWorld, startOktaWorld } from '../../support/okta/world.js';

const signal = new AbortController().signal;
const DAY_MS = 24 * 3600_000;
let world: OktaWorld;
let parts: ProviderParts;
let poll: EventPoll;
let cursor: string | undefined;

beforeEach(async () => {
  world = await startOktaWorld();
  parts = world.open({ pageSize: 10 });
  if (parts.poll === undefined) throw new Error('no poll');
  poll = parts.poll;
  cursor = undefined;
});
afterEach(async () => {
  await parts.directory.close();
  await world.server.stop();
});

const next = async () => {
  const result = await poll.poll(cursor, signal);
  cursor = result.cursor;
  return result;
};
/** Past everything that is in the log. */
const begin = async () => {
  while ((await next()).isMore === true);
};
const proven = (events: readonly IdentityEvent[]) => events.filter(({ id }) => id.startsWith('log/'));
const logRequests = () => world.server.requests.filter((line) => line.includes('/api/v1/logs'));

describe('the System Log', () => {
  it('is read oldest first, from now on, without an end, for the relevant types', async () => {
    await begin();
    const [first = ''] = logRequests();
    const query = new URL(first.split(' ')[1] ?? '', 'http://okta').searchParams;
    expect(query.get('sortOrder')).toBe('ASCENDING');
    expect(query.has('until')).toBe(false);
    const back = world.clock.now() - Date.parse(query.get('since') ?? '');
    expect(back).toBeGreaterThanOrEqual(5 * 60_000);
    expect(back).toBeLessThan(6 * 60_000);
    const types = (query.get('filter') ?? '').split(' or ').map((part) => /"(.*)"/.exec(part)?.[1]);
    expect(types).toEqual(LOGGED_TYPES);
  });

  it('continues only by the links of the answers, and gives nothing twice', async () => {
    await begin();
    expect((await next()).events).toEqual([]);
    const app = world.server.org.addApp();
    world.server.org.log.write('user.session.start', [{ id: '00u1', type: 'User' }]);
    const { events, gap } = await next();
    expect(gap).toBe(false);
    expect(events.map(({ triggers }) => triggers[0]?.key)).toEqual([
      { kind: 'client', provider: 'main', by: 'internalId', value: app.id },
    ]);
    expect((await next()).events).toEqual([]);
    expect(
      logRequests()
        .slice(1)
        .every((line) => line.includes('after=') && !line.includes('since=')),
    ).toBe(true);
  });

  it('continues after an entry with an invalid name', async () => {
    await begin();
    const { log } = world.server.org;
    const displayName = 'x'.repeat(5_000);
    log.write('application.lifecycle.update', [{ id: '0oa1', type: 'AppInstance', displayName }]);
    log.write('application.lifecycle.update', [{ id: '0oa2', type: 'AppInstance' }]);
    expect(proven((await next()).events)).toHaveLength(2);
  });

  it('continues after an entry that cannot be parsed: it is refused by ID, and everything is compared', async () => {
    await begin();
    const { log } = world.server.org;
    const odd = log.write('user.session.clear', [], { published: 'yesterday' });
    log.write('user.session.clear', [], { uuid: '../<script>' });
    log.write('application.lifecycle.update', [{ id: '0oa1', type: 'AppInstance' }]);
    const { events, rejected = [], gap } = await next();
    expect(proven(events)).toHaveLength(1);
    expect(rejected).toMatchObject([{ code: 'ERR_EVENT_INVALID' }, { code: 'ERR_EVENT_INVALID' }]);
    expect(rejected[0]?.message).toMatch(new RegExp(`${odd.uuid}.*end them again`));
    expect(rejected[1]?.message).toMatch(/without a uuid/);
    expect(gap).toBe(true);
    expect(await next()).toMatchObject({ events: [], rejected: [], gap: false });
  });

  it('starts from now if its first entries cannot be parsed, and everything is compared', async () => {
    world.server.org.log.write('user.session.clear', [], { target: 'everybody' });
    expect(await next()).toMatchObject({ rejected: [{ code: 'ERR_EVENT_INVALID' }], gap: true });
    expect(await next()).toMatchObject({ events: [], gap: false });
  });

  it('is read completely if an entry is about more people than any before', async () => {
    await begin();
    const people = Array.from({ length: 1_500 }, (_, at) => ({
      id: `00u${at}`,
      type: 'User',
      alternateId: `p${at}@example.com`,
    }));
    world.server.org.log.write('user.session.clear', people);
    const { events, rejected } = await next();
    expect(rejected).toEqual([]);
    expect(proven(events).flatMap(({ orders }) => orders)).toHaveLength(1_500);
  });

  it('reads several pages at once, and says if there are more', async () => {
    await begin();
    for (let at = 0; at < 64; at++) world.server.org.addApp();
    const first = await next();
    expect(first.isMore).toBe(true);
    const second = await next();
    expect(second.isMore).toBe(false);
    expect(new Set([...first.events, ...second.events].map(({ id }) => id)).size).toBe(64);
  });

  it('that expired before the cursor is a gap, and is read from there', async () => {
    await begin();
    world.clock.advance(91 * DAY_MS);
    const { gap } = await next();
    expect(gap).toBe(true);
    expect((await next()).gap).toBe(false);
  });

  it('with a cursor that Okta does not know any more is a gap, and is read again from that time', async () => {
    await begin();
    world.server.org.log.expire();
    const app = world.server.org.addApp();
    const { gap, events } = await next();
    expect(gap).toBe(true);
    expect(JSON.stringify(events)).toContain(app.id);
    expect((await next()).gap).toBe(false);
  });

  it.each([
    'nonsense',
    '{}',
    JSON.stringify({ next: 'https://evil.example/api/v1/logs?after=1', at: Date.now(), types: 'x' }),
  ])('with a cursor of another version is a gap: %s', async (text) => {
    cursor = text;
    expect((await next()).gap).toBe(true);
    expect((await next()).gap).toBe(false);
  });

  it('never follows a stored cursor to another host', async () => {
    await begin();
    const stored = JSON.parse(cursor ?? '');
    cursor = JSON.stringify({ ...stored, next: 'https://evil.example/api/v1/logs?after=1' });
    expect((await next()).gap).toBe(true);
  });

  const page = (body: unknown, link: string | undefined) => {
    world.server.fault = (url, response) => {
      if (url.pathname !== '/api/v1/logs') return false;
      const headers = link === undefined ? {} : { link };
      response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
      return true;
    };
  };

  it('is refused if the answer has no link, a link to elsewhere, or is no list', async () => {
    await begin();
    const before = cursor;
    const { address } = world.server;
    const answers: [unknown, string | undefined][] = [
      [[], undefined],
      [[], `<${address}/api/v1/logs?after=1&until=2026-01-01T00:00:00Z>; rel="next"`],
      [[], '<https://evil.example/api/v1/logs?after=1>; rel="next"'],
      [[], `<${address}/api/v1/users?after=1>; rel="next"`],
      [['application.lifecycle.update'], `<${address}/api/v1/logs?after=1>; rel="next"`],
      [{ events: [] }, `<${address}/api/v1/logs?after=1>; rel="next"`],
    ];
    for (const [body, link] of answers) {
      page(body, link);
      await expect(next(), String(link)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
      expect(cursor).toBe(before);
    }
  });

  it('states how long to wait if it is rate limited', async () => {
    await begin();
    world.server.remaining = 0;
    await expect(next()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_RATE_LIMITED' });
    world.server.remaining = undefined;
    expect((await next()).gap).toBe(false);
  });
});

describe('an entry of the log', () => {
  beforeEach(async () => {
    world.addClient({ clientId: 'web-app' }, ['orders:read']);
    await parts.directory.readAll(signal);
    await begin();
  });
  const app = () => world.app('web-app');
  /** What the log proves about one event. */
  const one = async () => {
    const parts = proven((await next()).events);
    expect(new Set(parts.map(({ partOf }) => partOf)).size).toBe(1);
    const [{ occurredAt } = { occurredAt: undefined }] = parts;
    return {
      occurredAt,
      triggers: parts.flatMap(({ triggers }) => triggers),
      orders: parts.flatMap(({ orders }) => orders),
    };
  };

  it('about a deactivated app is an order, with evidence', async () => {
    const { id } = app();
    world.server.org.setStatus(id, 'INACTIVE');
    expect(await one()).toMatchObject({
      triggers: [
        {
          key: { kind: 'client', by: 'clientId', value: 'web-app' },
          urgent: true,
          evidence: [{ provider: 'main', internalIds: [id], clients: ['web-app'] }],
          cause: { kind: 'poll', principal: { id: 'admin@example.com', ip: '198.51.100.7' } },
        },
      ],
      orders: [{ kind: 'client-disabled', provider: 'main', clientId: 'web-app', internalId: id }],
    });
  });

  it('about a deleted unknown app is an order, and leads to a complete comparison', async () => {
    const fresh = world.server.org.addApp({ status: 'INACTIVE' });
    world.server.org.deleteApp(fresh.id);
    const { triggers, orders } = await one();
    expect(triggers[0]).toMatchObject({
      key: { kind: 'provider', name: 'main' },
      fullRead: true,
      urgent: true,
    });
    expect(orders).toMatchObject([{ kind: 'client-deleted', internalId: fresh.id }]);
    expect(orders[0]).not.toHaveProperty('clientId');
  });

  it('about a client that is named by its client ID leads to the same client', async () => {
    world.server.org.log.write('app.oauth2.client.lifecycle.deactivate', [
      { id: 'web-app', type: 'PublicClientApp' },
    ]);
    expect((await one()).orders).toMatchObject([{ kind: 'client-disabled', clientId: 'web-app' }]);
  });

  it('about a failed operation has no effect', async () => {
    const target = [{ id: app().id, type: 'AppInstance' }];
    world.server.org.log.write('application.lifecycle.deactivate', target, {
      outcome: { result: 'FAILURE' },
    });
    const { events } = await next();
    expect(events.flatMap(({ triggers, orders }) => [...triggers, ...orders])).toEqual([]);
  });

  it('about a rule of a policy for named clients is evidence about these', async () => {
    world.setScopes('web-app', []);
    expect((await one()).triggers).toMatchObject([
      { key: { kind: 'provider' }, fullRead: true, urgent: true, evidence: [{ clients: ['web-app'] }] },
    ]);
  });

  it('about a policy for all clients is only a hint: the mass guard decides what it takes away', async () => {
    const { org } = world.server;
    const policy = org.addPolicy(world.mesh.id, ['ALL_CLIENTS']);
    await parts.directory.readAll(signal);
    await next();
    org.deletePolicy(world.mesh.id, policy);
    const { events } = await next();
    expect(proven(events)).toEqual([]);
    expect(events[0]?.triggers).toMatchObject([{ fullRead: true, urgent: true }]);
  });

  it('about a deleted scope is evidence about that scope of that API', async () => {
    world.server.org.deleteScope(world.mesh.id, 'orders:read');
    expect((await one()).triggers[0]?.evidence).toEqual([
      { provider: 'main', scopes: ['orders:read'], api: 'api://mesh' },
    ]);
  });

  it.each([
    ['user.lifecycle.suspend', 'SUSPENDED', true],
    ['user.lifecycle.deactivate', 'DEPROVISIONED', true],
    ['user.account.lock', 'LOCKED_OUT', false],
    ['user.account.reset_password', 'RECOVERY', false],
    ['user.account.expire_password', 'PASSWORD_EXPIRED', false],
  ])('about a person: %s', async (type, status, endsSessions) => {
    world.server.org.addUser('ada@example.com');
    world.server.org.setUserStatus('ada@example.com', status, type);
    const { triggers, orders, occurredAt } = await one();
    expect(triggers).toMatchObject([
      { key: { kind: 'provider' }, members: true, urgent: true, evidence: [{ people: ['ada@example.com'] }] },
    ]);
    expect(orders).toMatchObject(
      endsSessions ? [{ kind: 'session-revoked', subject: 'ada@example.com', at: occurredAt }] : [],
    );
  });

  it('about a new password leads to a read of the members, because the user may be active again', async () => {
    world.server.org.addUser('ada@example.com', 'PASSWORD_EXPIRED');
    world.server.org.setUserStatus('ada@example.com', 'ACTIVE', 'user.account.update_password');
    const { events } = await next();
    expect(events).toMatchObject([
      { triggers: [{ key: { kind: 'provider' }, members: true, urgent: false }], orders: [] },
    ]);
    expect(events[0]?.triggers[0]).not.toHaveProperty('evidence');
  });

  it('about cleared sessions ends them, without a read of groups', async () => {
    const { id } = world.server.org.addUser('ada@example.com');
    world.server.org.clearSessions('ada@example.com');
    const { triggers, orders } = await one();
    expect(triggers).toEqual([]);
    // Access tokens have the login, ID tokens the ID.
    expect(orders).toMatchObject([{ kind: 'session-revoked', subject: 'ada@example.com', account: id }]);
  });

  it('about a person who left a group is evidence about that person only', async () => {
    const { org } = world.server;
    const ada = org.addUser('ada@example.com');
    const group = org.addGroup('oncall');
    org.setMembers(group.id, [ada]);
    await begin();
    org.setMembers(group.id, []);
    const { triggers } = await one();
    expect(triggers).toMatchObject([{ members: true, evidence: [{ people: ['ada@example.com'] }] }]);
    expect(triggers[0]?.evidence?.[0]).not.toHaveProperty('groups');
  });

  it('is the same hint under the same ID as from a hook, with evidence and order under other IDs', async () => {
    world.server.org.setStatus(app().id, 'INACTIVE');
    const { events } = await next();
    const uuid = world.server.org.log.events.at(-1)?.uuid;
    const evidence = expect.stringMatching(new RegExp(`^log/${uuid}/`));
    expect(events.map(({ id }) => id)).toEqual([uuid, evidence, `log/${uuid}`]);
    expect(events.map(({ partOf }) => partOf)).toEqual([undefined, uuid, uuid]);
    expect(events.map(({ orders }) => orders.length)).toEqual([0, 0, 1]);
    expect(events.flatMap(({ triggers }) => triggers.map(({ cause }) => cause.eventId))).toEqual([
      uuid,
      uuid,
    ]);
  });
});

describe('the types of events', () => {
  it('of a hook are all read from the log too', () => {
    expect(HOOK_TYPES.filter((type) => !LOGGED_TYPES.includes(type))).toEqual([]);
  });
  it('that Okta does not send by hook are read only from the log', () => {
    for (const type of [
      'oauth2.scope.deleted',
      'oauth2.as.deactivated',
      'policy.lifecycle.delete',
      'policy.lifecycle.overwrite',
      'policy.rule.invalidate',
    ]) {
      expect(HOOK_TYPES).not.toContain(type);
      expect(LOGGED_TYPES).toContain(type);
    }
    expect(HOOK_TYPES).toContain('application.lifecycle.deactivate');
  });
});
