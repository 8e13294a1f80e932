import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IncompleteRead, NoLog } from '../../../src/errors.js';
import { type AdminApi, createAdminApi } from '../../../src/identity/keycloak/admin-api.js';
import type { KeycloakDirectoryOptions } from '../../../src/identity/keycloak/directory.js';
import { KeycloakNames } from '../../../src/identity/keycloak/names.js';
import { createKeycloakPoll } from '../../../src/identity/keycloak/poll.js';
import { createKeycloakSource } from '../../../src/identity/keycloak/webhook.js';
import type { IdentityEvent, PollResult } from '../../../src/identity/source.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { FakeKeycloak, json } from './fake-keycloak.js';
import { RECEIVED_AT, recordedLog, recordings } from './recordings.js';

const signal = new AbortController().signal;
const MINUTE = 60_000;

describe('the poll of Keycloak’s admin events', () => {
  let keycloak: FakeKeycloak;
  let api: AdminApi;
  const warn = vi.fn();

  const open = (options: Partial<KeycloakDirectoryOptions> = {}) =>
    createKeycloakPoll({
      provider: 'main',
      issuer: keycloak.issuer,
      clientId: 'scopemesh',
      clientSecret: new Secret('s'),
      serviceAccountRoles: true,
      pageSize: 5,
      clock: { now: () => Date.parse(RECEIVED_AT), sleep: async () => {} },
      logger: { ...silentLogger, warn },
      metrics: noMetrics,
      api,
      names: new KeycloakNames(),
      ...options,
    });
  const principalsOf = (result: PollResult) =>
    result.events.map((event) => event.triggers[0]?.cause.principal?.id);
  const idsOf = (result: PollResult) => result.events.map((event) => event.id);
  const add = (id: string, time: number) => {
    const event = { id, time, operationType: 'UPDATE', resourceType: 'CLIENT', resourcePath: 'clients/x' };
    keycloak.events = [event, ...keycloak.events].sort(
      (a, b) => (b as { time: number }).time - (a as { time: number }).time,
    );
  };

  beforeEach(async () => {
    keycloak = await new FakeKeycloak().start();
    warn.mockReset();
    api = createAdminApi({
      provider: 'main',
      issuer: keycloak.issuer,
      clientId: 'scopemesh',
      clientSecret: new Secret('s'),
      clock: { now: () => Date.parse(RECEIVED_AT), sleep: async () => {} },
      metrics: noMetrics,
    });
  });
  afterEach(async () => {
    await api.close();
    await keycloak.stop();
  });

  it('looks up the user names of its realm once each, and keeps the IDs of others', async () => {
    const users = [
      { id: 'u-1', username: 'alice' },
      { id: 'u-2', username: 'bob' },
    ];
    keycloak.fault = (url, response) => {
      if (!url.pathname.endsWith('/users')) return false;
      json(
        response,
        200,
        users.filter(({ id }) => url.searchParams.get('search') === `id:${id}`),
      );
      return true;
    };
    const by = (id: string, time: number, userId: string, realmId: string) => {
      const authDetails = { userId, realmId, clientId: 'c', ipAddress: '127.0.0.1' };
      add(id, time);
      keycloak.events[0] = { ...Object(keycloak.events[0]), realmId: 'r-1', authDetails };
    };
    const poll = open();
    add('e0', 1);
    const { cursor } = await poll.poll(undefined, signal);
    by('e1', 10, 'u-1', 'r-1');
    by('e2', 20, 'u-2', 'r-2');
    by('e3', 30, 'u-3', 'r-1');
    by('e4', 40, 'u-1', 'r-1');
    const first = await poll.poll(cursor, signal);
    expect(principalsOf(first)).toEqual(['alice', 'u-2', 'u-3', 'alice']);
    by('e5', 50, 'u-1', 'r-1');
    by('e6', 60, '../../x', 'r-1');
    expect(principalsOf(await poll.poll(first.cursor, signal))).toEqual(['alice', '../../x']);
    expect(keycloak.count('/users?')).toBe(2);

    const denied = open();
    keycloak.fault = (url, response) => {
      if (!url.pathname.endsWith('/users')) return false;
      json(response, 403, { error: 'HTTP 403 Forbidden' });
      return true;
    };
    expect(principalsOf(await denied.poll(cursor, signal))).toContain('u-1');
  });

  it('gives the same events from the recorded log as the webhook, oldest first', async () => {
    const poll = open();
    const start = await poll.poll(undefined, signal);
    const log = recordedLog();
    keycloak.events = [...log];
    const polled = await poll.poll(start.cursor, signal);
    expect(polled.gap).toBe(false);
    expect(idsOf(polled)).toEqual(log.map((event) => event.id).reverse());

    const source = createKeycloakSource({
      provider: 'main',
      issuer: 'http://127.0.0.1:18080/realms/wh2',
      secrets: [new Secret('whsecret')],
      serviceAccountRoles: true,
      names: new KeycloakNames(),
    });
    const sent = new Map<string, IdentityEvent>();
    for (const { request } of recordings()) {
      const reception = await source.receive(request);
      if (reception.kind === 'events') for (const event of reception.events) sent.set(event.id, event);
    }
    // The log knows the administrator by the id of the user only.
    const bare = (event: IdentityEvent | undefined) =>
      JSON.parse(JSON.stringify(event, (key, value) => (key === 'cause' ? undefined : value)));
    for (const { isSignalled, ...event } of polled.events) {
      expect(isSignalled).toBe(true);
      expect(bare(event)).toEqual(bare(sent.get(event.id)));
    }
    expect(polled.events[0]?.triggers).toEqual([]);
    expect(polled.events.at(-1)?.triggers[0]?.cause).toEqual({
      kind: 'poll',
      eventId: '18e11ffc-e1b7-4088-baf9-f0f58e593417',
      receivedAt: RECEIVED_AT,
      principal: { id: '5ef6d86e-6d2b-466e-bf27-139f7a618803', ip: '127.0.0.1' },
    });
  });

  it('starts with the next event', async () => {
    for (let at = 1; at <= 12; at++) add(`old-${at}`, at * 1000);
    const start = await open().poll(undefined, signal);
    expect(start).toMatchObject({ events: [], gap: false });
    const same = await open().poll(start.cursor, signal);
    expect(same).toMatchObject({ events: [], gap: false, cursor: start.cursor });
    add('new', 13_000);
    expect(idsOf(await open().poll(start.cursor, signal))).toEqual(['new']);
  });

  it('gives each event once over many polls, and again for the same cursor', async () => {
    let { cursor } = await open().poll(undefined, signal);
    const seen: string[] = [];
    for (let at = 1; at <= 30; at++) {
      add(`e-${at}`, at * 7000);
      if (at % 4 !== 0) continue;
      const result = await open().poll(cursor, signal);
      expect(idsOf(await open().poll(cursor, signal))).toEqual(idsOf(result));
      seen.push(...idsOf(result));
      cursor = result.cursor;
    }
    seen.push(...idsOf(await open().poll(cursor, signal)));
    expect(seen).toEqual(Array.from({ length: 30 }, (_, at) => `e-${at + 1}`));
  });

  it('finds an event that was committed after a younger one', async () => {
    add('first', 100_000);
    let { cursor } = await open().poll(undefined, signal);
    add('younger', 130_000);
    ({ cursor } = await open().poll(cursor, signal));
    add('late', 130_000 - MINUTE + 1);
    add('twin', 130_000);
    const result = await open().poll(cursor, signal);
    expect(idsOf(result)).toEqual(['late', 'twin']);
    expect(result.gap).toBe(false);
  });

  it('reports a gap once if the newest known event is gone from the log', async () => {
    add('seen', 100_000);
    let { cursor } = await open().poll(undefined, signal);
    keycloak.events = [];
    const cleared = await open().poll(cursor, signal);
    expect(cleared).toMatchObject({ gap: true, events: [] });
    cursor = cleared.cursor;
    expect(await open().poll(cursor, signal)).toMatchObject({ gap: false, events: [] });
    add('after', 100_001);
    const after = await open().poll(cursor, signal);
    expect(after.gap).toBe(false);
    expect(idsOf(after)).toEqual(['after']);
  });

  it('reports a gap once if the log was restored to an earlier time', async () => {
    add('kept', 90_000);
    add('undone', 100_000);
    const { cursor } = await open().poll(undefined, signal);
    keycloak.events = keycloak.events.slice(1);
    const back = await open().poll(cursor, signal);
    expect(back).toMatchObject({ gap: true, events: [] });
    add('next', 95_000);
    const next = await open().poll(back.cursor, signal);
    expect(next.gap).toBe(false);
    expect(idsOf(next)).toEqual(['next']);
  });

  it('reports a gap and still gives the rest if only the older part of the log is gone', async () => {
    add('seen', 100_000);
    const { cursor } = await open().poll(undefined, signal);
    keycloak.events = [];
    add('left', 500_000);
    const result = await open().poll(cursor, signal);
    expect(result.gap).toBe(true);
    expect(idsOf(result)).toEqual(['left']);
    expect(await open().poll(result.cursor, signal)).toMatchObject({ gap: false, events: [] });
  });

  it.each([
    '',
    'x',
    'null',
    '[]',
    '{}',
    '{"time":"1","ids":[]}',
    '{"time":-1,"ids":[]}',
    '{"time":1,"ids":[2]}',
  ])('starts again with a gap for the unknown cursor %j', async (cursor) => {
    add('old', 1000);
    const result = await open().poll(cursor, signal);
    expect(result).toMatchObject({ events: [], gap: true });
    expect(await open().poll(result.cursor, signal)).toMatchObject({ events: [], gap: false });
  });

  it('says how to switch on admin events in a realm that does not save them', async () => {
    keycloak.eventConfig = { adminEventsEnabled: false };
    const failure = open().poll(undefined, signal);
    await expect(failure).rejects.toBeInstanceOf(IncompleteRead);
    await expect(failure).rejects.toBeInstanceOf(NoLog);
    await expect(failure).rejects.toThrow(/Save events/);
    await expect(failure).rejects.toThrow('kcadm.sh update events/config -r main -s adminEventsEnabled=true');
    await expect(failure).rejects.toMatchObject({ retriable: false });
  });

  it('warns once about a realm without details', async () => {
    keycloak.eventConfig = { adminEventsEnabled: true, adminEventsDetailsEnabled: false };
    const poll = open();
    const { cursor } = await poll.poll(undefined, signal);
    await poll.poll(cursor, signal);
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['no entry has a time', [{ id: 'x' }]],
    ['no entry has a possible time', [{ id: 'x', time: 1e300 }]],
    ['no entry is more than nothing', [null]],
    ['the log is no list', { error: 'x' }],
  ])('fails instead of giving a part if %s', async (_, body) => {
    const { cursor } = await open().poll(undefined, signal);
    keycloak.fault = (url, response) => {
      if (!url.pathname.endsWith('admin-events')) return false;
      json(response, 200, body);
      return true;
    };
    await expect(open().poll(cursor, signal)).rejects.toBeInstanceOf(IncompleteRead);
  });

  it('continues after an entry that cannot be parsed: it is refused by ID, and everything is compared', async () => {
    add('seen', 1_000);
    const { cursor } = await open().poll(undefined, signal);
    // As an extension may write: without a resource type, or what is no admin's doing.
    for (let at = 1; at <= 9; at++) add(`e-${at}`, at * 2_000);
    const spoil = (id: string, fields: object) => {
      keycloak.events = keycloak.events.map((each) =>
        Object(each).id === id ? { ...Object(each), ...fields } : each,
      );
    };
    spoil('e-3', { resourceType: undefined });
    spoil('e-5', { operationType: undefined, resourceType: undefined, type: 'LOGIN' });
    spoil('e-9', { id: '<script>', operationType: 7 });
    const result = await open().poll(cursor, signal);
    expect(idsOf(result)).toEqual(['e-1', 'e-2', 'e-4', 'e-6', 'e-7', 'e-8']);
    expect(result.gap).toBe(true);
    expect(result.rejected?.map(({ code, message }) => [code, message])).toEqual([
      ['ERR_EVENT_INVALID', expect.stringMatching(/ e-3 .*end them again/)],
      ['ERR_EVENT_INVALID', expect.stringMatching(/ e-5 /)],
      ['ERR_EVENT_INVALID', expect.stringMatching(/ with an impossible id /)],
    ]);
    const after = await open().poll(result.cursor, signal);
    expect(after).toMatchObject({ events: [], rejected: [], gap: false });
    add('e-10', 20_000);
    expect(idsOf(await open().poll(after.cursor, signal))).toEqual(['e-10']);
  });

  it('continues after entries without an id or a time, and refuses each once', async () => {
    add('seen', 1_000);
    const { cursor } = await open().poll(undefined, signal);
    for (let at = 1; at <= 9; at++) add(`e-${at}`, at * 2_000);
    keycloak.events = keycloak.events.map((each) => {
      const { id, time, ...rest } = Object(each);
      if (id === 'e-3') return { time, ...rest };
      if (id === 'e-5') return { id, ...rest };
      return id === 'e-9' ? { id, time: 1e300, ...rest } : each;
    });
    const answer = keycloak.events.toReversed();
    keycloak.fault = (url, response) => {
      if (!url.pathname.endsWith('admin-events')) return false;
      const [first, max] = [Number(url.searchParams.get('first')), Number(url.searchParams.get('max'))];
      const isNewestFirst = url.searchParams.get('direction') === 'desc';
      json(response, 200, (isNewestFirst ? answer.toReversed() : answer).slice(first, first + max));
      return true;
    };
    const result = await open().poll(cursor, signal);
    expect(idsOf(result)).toEqual(['e-1', 'e-2', 'e-4', 'e-6', 'e-7', 'e-8']);
    expect(result.rejected).toHaveLength(3);
    expect(result.gap).toBe(true);
    const after = await open().poll(result.cursor, signal);
    expect(after).toMatchObject({ events: [], rejected: [], gap: false });
    // The first poll of another process finds the end of the log.
    expect((await open().poll(undefined, signal)).events).toEqual([]);
  });

  it('reports once that an administrator ended a session of an unknown person', async () => {
    add('seen', 1_000);
    const count = vi.fn();
    const { cursor } = await open().poll(undefined, signal);
    const resourcePath = 'sessions/4d5e1f3c-8a4b-4a1e-9f0e-1c2d3e4f5a6b';
    const more = { operationType: 'DELETE', resourceType: 'USER_SESSION', resourcePath };
    add('of-one', 2_000);
    keycloak.events[0] = { ...Object(keycloak.events[0]), ...more, representation: '{"offline":false}' };
    add('failed', 3_000);
    keycloak.events[0] = { ...Object(keycloak.events[0]), ...more, error: 'unknown_error' };
    const poll = open({ metrics: { ...noMetrics, count } });
    const result = await poll.poll(cursor, signal);
    await poll.poll(result.cursor, signal);
    expect(result).toMatchObject({ rejected: [], gap: false });
    expect(result.events.flatMap(({ triggers, orders }) => [...triggers, ...orders])).toEqual([]);
    expect(count.mock.calls).toEqual([
      ['scopemesh_events_total', { provider: 'main', result: 'unresolved' }],
    ]);
    expect(warn.mock.calls).toEqual([
      [
        expect.objectContaining({
          eventId: 'of-one',
          remedy: expect.stringContaining('Logout all sessions'),
        }),
        expect.stringContaining('does not name its person'),
      ],
    ]);
  });

  it('gives nothing if a later page fails', async () => {
    const { cursor } = await open().poll(undefined, signal);
    for (let at = 1; at <= 12; at++) add(`e-${at}`, at * 1000);
    keycloak.fault = (url, response) => {
      if (url.searchParams.get('first') !== '4') return false;
      response.writeHead(500).end();
      return true;
    };
    await expect(open().poll(cursor, signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
  });

  it('continues in the next poll if more happened than one poll reads', async () => {
    let { cursor } = await open().poll(undefined, signal);
    const total = 20_500;
    keycloak.events = Array.from({ length: total }, (_, at) => ({
      id: `e-${total - at}`,
      time: (total - at) * 1000,
      operationType: 'UPDATE',
      resourceType: 'CLIENT',
      resourcePath: 'clients/x',
    }));
    const first = await open({ pageSize: 500 }).poll(cursor, signal);
    cursor = first.cursor;
    const second = await open({ pageSize: 500 }).poll(cursor, signal);
    expect([first.gap, second.gap]).toEqual([false, false]);
    expect(new Set([...idsOf(first), ...idsOf(second)]).size).toBe(total);
    expect(idsOf(second).at(-1)).toBe(`e-${total}`);
  });
});
