import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatKey } from '../../../src/model/key.js';
import { API } from '../../support/auth0/auth0.js';
import type { LogEntry } from '../../support/auth0/tenant.js';
import { type PollRig, startPollRig } from './poll-rig.js';

const signal = new AbortController().signal;

let rig: PollRig;
afterEach(() => rig.stop());

describe('a log entry of Auth0', () => {
  beforeEach(async () => {
    rig = await startPollRig(false);
  });

  it('about an application names it, and a deletion is an order', async () => {
    rig.tenant.changeClient('app', { grant_types: [] });
    expect(await rig.reported()).toMatchObject({
      keys: ['client/main/app'],
      triggers: [{ urgent: true, evidence: [{ provider: 'main', clients: ['app'] }] }],
      orders: [],
    });
    rig.tenant.changeClient('app', undefined);
    expect((await rig.reported()).orders).toMatchObject([
      { kind: 'client-deleted', provider: 'main', clientId: 'app' },
    ]);
  });

  it('about a grant names its client, even if the entry has only the ID of the grant', async () => {
    rig.tenant.grant('app', ['write:orders']);
    expect((await rig.reported()).keys).toEqual(['client/main/app']);
    rig.tenant.grant('app', []);
    expect(await rig.reported()).toMatchObject({
      keys: ['client/main/app'],
      triggers: [{ evidence: [{ clients: ['app'] }] }],
    });
  });

  it('about the grant of an unknown application leads to a complete read', async () => {
    rig.tenant.addClient('late');
    rig.tenant.grant('late', ['read:orders']);
    await rig.reported();
    rig.tenant.grant('late', []);
    expect(await rig.reported()).toMatchObject({ keys: ['provider/main'], triggers: [{ fullRead: true }] });
  });

  it('about an API leads to a complete read, and names its lost scopes', async () => {
    rig.tenant.changeApi(API, ['read:orders']);
    expect((await rig.reported()).triggers).toMatchObject([
      { fullRead: true, evidence: [{ provider: 'main', api: API, scopes: ['write:orders'] }] },
    ]);
    rig.tenant.changeApi(API, undefined);
    expect((await rig.reported()).triggers).toMatchObject([
      { fullRead: true, evidence: [{ api: API, scopes: ['read:orders', 'write:orders'] }] },
    ]);
  });

  it('about a user who is blocked or deleted orders the end of the sessions', async () => {
    rig.tenant.putUser('auth0|1', ['oncall']);
    expect(await rig.reported()).toMatchObject({
      triggers: [{ members: true, evidence: [{ people: ['auth0|1'] }] }],
      orders: [],
    });
    rig.tenant.putUser('auth0|1', ['oncall'], true);
    expect((await rig.reported()).orders).toMatchObject([{ kind: 'session-revoked', subject: 'auth0|1' }]);
    rig.tenant.deleteUser('auth0|1');
    expect((await rig.reported()).orders).toMatchObject([{ kind: 'session-revoked', subject: 'auth0|1' }]);
  });

  it.each([
    ['DELETE', 'sessions'],
    ['DELETE', 'refresh-tokens'],
    ['POST', 'revoke-access'],
  ])("orders an end to a user's sessions where %s %s ended them", async (method, below) => {
    rig.tenant.operate({ method, path: `/users/auth0%7C1/${below}` });
    expect((await rig.reported()).orders).toMatchObject([{ kind: 'session-revoked', subject: 'auth0|1' }]);
    // What only reads it, or is about another thing, ends nothing.
    rig.tenant.operate({ method: 'GET', path: `/users/auth0%7C1/${below}` });
    rig.tenant.operate({ method, path: '/users/auth0%7C1/authenticators' });
    expect((await rig.reported()).orders).toEqual([]);
  });

  it.each([
    ['DELETE', '/sessions/sess_1'],
    ['POST', '/sessions/sess_1/revoke'],
  ])('counts and reports the end of a session of which %s %s has only the ID', async (method, path) => {
    rig.tenant.operate({ method, path });
    const { log_id } = rig.tenant.log.at(-1) as LogEntry;
    expect(await rig.reported()).toMatchObject({ triggers: [], orders: [] });
    const unresolved = { name: 'scopemesh_events_total', provider: 'main', result: 'unresolved' };
    const counted = () => rig.counted.filter((each) => 'result' in each && each.result === 'unresolved');
    expect(counted()).toEqual([unresolved]);
    expect(rig.warnings).toMatchObject([{ provider: 'main', eventId: log_id }]);
    rig.tenant.operate({ method: 'PATCH', path: '/sessions/sess_1' });
    rig.tenant.operate({ method: 'GET', path });
    await rig.next();
    expect(counted()).toHaveLength(1);
  });

  it('names the lost scopes even if a read came between the removal and its entry', async () => {
    rig.tenant.grant('app', []);
    await rig.parts.directory.readAll(signal);
    expect((await rig.reported()).triggers).toMatchObject([{ evidence: [{ clients: ['app'] }] }]);
    rig.tenant.changeApi(API, ['read:orders']);
    await rig.parts.directory.readAll(signal);
    expect((await rig.reported()).triggers).toMatchObject([{ evidence: [{ scopes: ['write:orders'] }] }]);
    rig.tenant.changeApi(API, undefined);
    await rig.parts.directory.readAll(signal);
    expect((await rig.reported()).triggers).toMatchObject([
      { evidence: [{ api: API, scopes: ['read:orders', 'write:orders'] }] },
    ]);
  });

  it('about a new API with an old identifier names only the scopes lost by that API', async () => {
    rig.tenant.changeApi(API, undefined);
    rig.tenant.addApi(API, ['read:bills', 'write:bills']);
    await rig.parts.directory.readAll(signal);
    await rig.next();
    rig.tenant.changeApi(API, ['read:bills']);
    expect((await rig.reported()).triggers).toMatchObject([{ evidence: [{ scopes: ['write:bills'] }] }]);
  });

  it('about a failed operation or a read leads to nothing', async () => {
    const fields = { date: new Date(rig.clock.now()).toISOString(), log_id: '9', client_id: 'app' };
    const request = (method: string) => ({ method, path: '/api/v2/clients/app', body: {} });
    for (const entry of [
      { ...fields, type: 'fapi', details: { request: request('delete') } },
      { ...fields, type: 'sapi', details: { request: request('get') } },
      { ...fields, type: 's' },
    ]) {
      const reception = await rig.receive(JSON.stringify({ log_id: '9', data: entry }));
      expect(reception).toMatchObject({ events: [{ triggers: [], orders: [] }] });
    }
  });

  it('in an unknown form hides no other entry, and leads to a complete read if it may be a change', async () => {
    const login = { request: { ip: '203.0.113.7' } };
    const long = { request: { method: 'patch', path: `/api/v2/clients/app?${'x'.repeat(5_000)}`, body: {} } };
    for (const [type, details] of [
      ['gd_auth_succeed', login],
      ['sapi', long],
    ] as const) {
      rig.tenant.log.push({
        ...(rig.tenant.log.at(-1) as LogEntry),
        log_id: `91${rig.tenant.log.length}`,
        type,
        details,
      });
    }
    const { triggers } = await rig.reported();
    expect(triggers).toMatchObject([{ fullRead: true }, { members: true }]);
  });

  it('names who did it', async () => {
    rig.tenant.changeClient('app', { grant_types: [] });
    expect((await rig.reported()).triggers).toMatchObject([
      { cause: { kind: 'poll', principal: { id: 'alice@example.com', ip: '203.0.113.7' } } },
    ]);
  });
});

describe('a log stream of Auth0', () => {
  beforeEach(async () => {
    rig = await startPollRig(false);
  });

  const entry = (): LogEntry => {
    rig.tenant.changeClient('app', undefined);
    return rig.tenant.log.at(-1) as LogEntry;
  };

  it('is accepted as lines, as an array, as an object and as one entry, under the IDs of the poll', async () => {
    const one = entry();
    const wrapped = { log_id: one.log_id, data: one };
    const line = JSON.stringify(wrapped);
    for (const body of [line, `${line}\n${line}\n`, `[${line}]`, `{"logs":[${line}]}`]) {
      const reception = await rig.receive(body);
      if (reception.kind !== 'events') throw new Error('no events');
      expect(reception.events.length).toBeGreaterThan(0);
      for (const { id, triggers, orders } of reception.events) {
        expect(id).toBe(one.log_id);
        expect(triggers.map(({ key }) => formatKey(key))).toEqual(['client/main/app']);
        // Its only proof is a header that never changes.
        expect(orders).toEqual([]);
      }
    }
    // Of the log's two the stream can only bring the hint: never brought, that is a missed signal.
    expect((await rig.next()).events.map(({ id, isSignalled }) => [id, isSignalled])).toEqual([
      [one.log_id, true],
      [`log/${one.log_id}`, undefined],
    ]);
  });

  it('does not suppress the order in the log when it comes first', async () => {
    rig.tenant.putUser('auth0|1', [], true);
    const received = await rig.receive(JSON.stringify(rig.tenant.log.at(-1)));
    const streamed = received.kind === 'events' ? received.events.map(({ id }) => id) : [];
    expect(streamed).toHaveLength(1);
    // The intake drops what it knows by its id.
    const fresh = (await rig.next()).events.filter(({ id }) => !streamed.includes(id));
    expect(fresh.flatMap(({ orders }) => orders)).toMatchObject([
      { kind: 'session-revoked', subject: 'auth0|1' },
    ]);
  });

  it('without known names does not suppress what the log says with them', async () => {
    await rig.restart();
    // The directory still shows what was there when the stream tells of it.
    rig.tenant.isBehind = true;
    rig.tenant.grant('app', []);
    const ofGrant = rig.tenant.log.at(-1) as LogEntry;
    rig.tenant.changeApi(API, ['read:orders']);
    const ofApi = rig.tenant.log.at(-1) as LogEntry;
    const streamed = new Set<string>();
    for (const one of [ofGrant, ofApi]) {
      const reception = await rig.receive(JSON.stringify({ log_id: one.log_id, data: one }));
      if (reception.kind !== 'events') throw new Error('no events');
      for (const { id, triggers } of reception.events) {
        streamed.add(id);
        expect(triggers.some(({ evidence }) => evidence !== undefined)).toBe(false);
      }
    }
    await rig.parts.directory.readAll(signal);
    // The intake drops what it knows by its id.
    const fresh = (await rig.next()).events.filter(({ id }) => !streamed.has(id));
    expect(fresh.flatMap(({ triggers }) => triggers)).toMatchObject([
      { evidence: [{ clients: ['app'] }] },
      { evidence: [{ api: API, scopes: ['write:orders'] }] },
    ]);
  });

  it('cannot use the ID of what the log proves', async () => {
    const one = entry();
    const log_id = `log/${one.log_id}`;
    const forged = JSON.stringify({ log_id, data: { ...one, log_id } });
    await expect(rig.receive(forged)).rejects.toMatchObject({ code: 'ERR_EVENT_INVALID' });
  });

  it('is refused as a whole if one of its entries is invalid', async () => {
    const line = JSON.stringify({ log_id: '1', data: entry() });
    for (const body of [`${line}\n{}`, `[${line},1]`, `${line}\nx`])
      await expect(rig.receive(body)).rejects.toMatchObject({ code: 'ERR_EVENT_INVALID', status: 400 });
  });
});
