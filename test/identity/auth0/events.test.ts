import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventPoll, EventSource } from '../../../src/identity/source.js';
import { formatKey } from '../../../src/model/key.js';
import { Secret } from '../../../src/model/secret.js';
import { API, type Auth0, startAuth0 } from '../../support/auth0/auth0.js';
import { shape } from '../../support/auth0/shapes.js';
import type { LogEntry } from '../../support/auth0/tenant.js';
import { createMovableClock } from '../../support/movable-clock.js';
import { openAuth0 } from './open.js';

const signal = new AbortController().signal;
const AUTHORIZATION = 'Bearer stream';
let tenant: Auth0;
let parts: ReturnType<typeof openAuth0>;
let poll: EventPoll;
let cursor: string | undefined;
const clock = createMovableClock();
/** The event stream waits for silence at each poll, so that only its own tests have one. */
async function start(eventStream: boolean): Promise<void> {
  tenant = await startAuth0();
  tenant.addApi(API, ['read:orders', 'write:orders']);
  tenant.addClient('app');
  tenant.grant('app', ['read:orders']);
  parts = openAuth0(tenant, { webhookSecrets: [new Secret(AUTHORIZATION)], eventStream, clock });
  tenant.permissions = new Set([...tenant.permissions, 'read:events']);
  poll = parts.poll;
  await parts.directory.readAll(signal);
  cursor = undefined;
  await next();
}
afterEach(async () => {
  await parts.directory.close();
  await tenant.close();
});

async function next() {
  const result = await poll.poll(cursor, signal);
  cursor = result.cursor;
  return result;
}
async function told() {
  const { events } = await next();
  return {
    keys: events.flatMap(({ triggers }) => triggers.map(({ key }) => formatKey(key))),
    triggers: events.flatMap(({ triggers }) => triggers),
    orders: events.flatMap(({ orders }) => orders),
  };
}
function receive(body: string) {
  const source = parts.source as EventSource;
  const headers = { authorization: AUTHORIZATION };
  const receivedAt = new Date(clock.now()).toISOString();
  return source.receive({
    method: 'POST',
    headers,
    query: {},
    body: new TextEncoder().encode(body),
    receivedAt,
  });
}

describe('a log entry of Auth0', () => {
  beforeEach(() => start(false));

  it('about an application names it, and a deleted one is ordered closed', async () => {
    tenant.changeClient('app', { grant_types: [] });
    expect(await told()).toMatchObject({
      keys: ['client/main/app'],
      triggers: [{ urgent: true, evidence: [{ provider: 'main', clients: ['app'] }] }],
      orders: [],
    });
    tenant.changeClient('app', undefined);
    expect((await told()).orders).toMatchObject([
      { kind: 'client-deleted', provider: 'main', clientId: 'app' },
    ]);
  });

  it('about a grant names its client, also where the entry names the grant alone', async () => {
    tenant.grant('app', ['write:orders']);
    expect((await told()).keys).toEqual(['client/main/app']);
    tenant.grant('app', []);
    expect(await told()).toMatchObject({
      keys: ['client/main/app'],
      triggers: [{ evidence: [{ clients: ['app'] }] }],
    });
  });

  it('about the grant of an application that no read has shown asks for everything', async () => {
    tenant.addClient('late');
    tenant.grant('late', ['read:orders']);
    await told();
    tenant.grant('late', []);
    expect(await told()).toMatchObject({ keys: ['provider/main'], triggers: [{ fullRead: true }] });
  });

  it('about an API asks for everything and says which of its scopes went', async () => {
    tenant.changeApi(API, ['read:orders']);
    expect((await told()).triggers).toMatchObject([
      { fullRead: true, evidence: [{ provider: 'main', api: API, scopes: ['write:orders'] }] },
    ]);
    tenant.changeApi(API, undefined);
    expect((await told()).triggers).toMatchObject([
      { fullRead: true, evidence: [{ api: API, scopes: ['read:orders', 'write:orders'] }] },
    ]);
  });

  it('about a user who is blocked or deleted orders an end to the sessions', async () => {
    tenant.putUser('auth0|1', ['oncall']);
    expect(await told()).toMatchObject({
      triggers: [{ members: true, evidence: [{ people: ['auth0|1'] }] }],
      orders: [],
    });
    tenant.putUser('auth0|1', ['oncall'], true);
    expect((await told()).orders).toMatchObject([{ kind: 'session-revoked', subject: 'auth0|1' }]);
    tenant.deleteUser('auth0|1');
    expect((await told()).orders).toMatchObject([{ kind: 'session-revoked', subject: 'auth0|1' }]);
  });

  it('of something that failed, or was only read, leads to nothing', async () => {
    const base = { date: new Date(clock.now()).toISOString(), log_id: '9', client_id: 'app' };
    const request = (method: string) => ({ method, path: '/api/v2/clients/app', body: {} });
    for (const entry of [
      { ...base, type: 'fapi', details: { request: request('delete') } },
      { ...base, type: 'sapi', details: { request: request('get') } },
      { ...base, type: 's' },
    ]) {
      const reception = await receive(JSON.stringify({ log_id: '9', data: entry }));
      expect(reception).toMatchObject({ events: [{ triggers: [], orders: [] }] });
    }
  });

  it('in another form hides none beside it, and asks for everything where it may be a change', async () => {
    const login = { request: { ip: '203.0.113.7' } };
    const long = { request: { method: 'patch', path: `/api/v2/clients/app?${'x'.repeat(5_000)}`, body: {} } };
    for (const [type, details] of [
      ['gd_auth_succeed', login],
      ['sapi', long],
    ] as const) {
      tenant.log.push({
        ...(tenant.log.at(-1) as LogEntry),
        log_id: `91${tenant.log.length}`,
        type,
        details,
      });
    }
    const { triggers } = await told();
    expect(triggers).toMatchObject([{ fullRead: true }, { members: true }]);
  });

  it('says who did it', async () => {
    tenant.changeClient('app', { grant_types: [] });
    expect((await told()).triggers).toMatchObject([
      { cause: { kind: 'poll', principal: { id: 'alice@example.com', ip: '203.0.113.7' } } },
    ]);
  });
});

describe('a log stream of Auth0', () => {
  beforeEach(() => start(false));

  const entry = (): LogEntry => {
    tenant.changeClient('app', undefined);
    return tenant.log.at(-1) as LogEntry;
  };

  it('is read as lines, as an array, as an object and as one entry, under the ids of the poll', async () => {
    const one = entry();
    const wrapped = { log_id: one.log_id, data: one };
    const line = JSON.stringify(wrapped);
    for (const body of [line, `${line}\n${line}\n`, `[${line}]`, `{"logs":[${line}]}`]) {
      const reception = await receive(body);
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
    expect((await next()).events.map(({ id, isSignalled }) => [id, isSignalled])).toEqual([
      [one.log_id, true],
      [`log/${one.log_id}`, undefined],
    ]);
  });

  it('does not keep back the order in the log by having been faster', async () => {
    tenant.putUser('auth0|1', [], true);
    const received = await receive(JSON.stringify(tenant.log.at(-1)));
    const streamed = received.kind === 'events' ? received.events.map(({ id }) => id) : [];
    expect(streamed).toHaveLength(1);
    // The intake drops what it knows by its id.
    const fresh = (await next()).events.filter(({ id }) => !streamed.includes(id));
    expect(fresh.flatMap(({ orders }) => orders)).toMatchObject([
      { kind: 'session-revoked', subject: 'auth0|1' },
    ]);
  });

  it('cannot take the id of what the log proves', async () => {
    const one = entry();
    const log_id = `log/${one.log_id}`;
    const forged = JSON.stringify({ log_id, data: { ...one, log_id } });
    await expect(receive(forged)).rejects.toMatchObject({ code: 'ERR_EVENT_INVALID' });
  });

  it('is refused whole where one of its entries is none', async () => {
    const line = JSON.stringify({ log_id: '1', data: entry() });
    for (const body of [`${line}\n{}`, `[${line},1]`, `${line}\nx`])
      await expect(receive(body)).rejects.toMatchObject({ code: 'ERR_EVENT_INVALID', status: 400 });
  });
});

describe('the poll of the log', () => {
  beforeEach(() => start(false));

  it('reads on over many pages, each entry once, and then nothing', async () => {
    for (let at = 0; at < 250; at++) tenant.changeClient('app', { name: `app-${at}` });
    const { events, gap } = await next();
    expect(new Set(events.map(({ id }) => id)).size).toBe(250);
    expect(gap).toBe(false);
    expect(await next()).toMatchObject({ events: [], gap: false });
  });

  it('is refused whole where a page leads back to one that was read', async () => {
    const last = tenant.log.at(-1) as LogEntry;
    const page = (from: string) =>
      Array.from({ length: 100 }, (_, at) => ({ ...last, log_id: `${from}${String(at).padStart(3, '0')}` }));
    tenant.fault = ({ segments, query }) =>
      segments[0] === 'logs' && query.has('from')
        ? { json: page(query.get('from')?.startsWith('91') ? '92' : '91') }
        : undefined;
    await expect(next()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
    tenant.fault = undefined;
    expect((await next()).gap).toBe(false);
  });

  it('goes on at once where there is more than one poll reads', async () => {
    const last = tenant.log.at(-1) as LogEntry;
    for (let at = 0; at < 5_001; at++) {
      const id = `91${String(at).padStart(6, '0')}`;
      tenant.log.push({ ...last, type: 's', details: {}, log_id: id });
    }
    expect(await next()).toMatchObject({ isMore: true });
    expect(await next()).toMatchObject({ isMore: false });
  });

  it('sees a gap where it paused longer than a log is kept', async () => {
    clock.advance(25 * 3600_000);
    expect((await next()).gap).toBe(true);
    expect((await next()).gap).toBe(false);
  });

  it.each([400, 404])(
    'sees a gap where the checkpoint is answered %d, and goes on from the end',
    async (status) => {
      tenant.fault = ({ segments, query }) =>
        segments[0] === 'logs' && query.has('from') ? { status, json: { statusCode: status } } : undefined;
      tenant.changeClient('app', { name: 'x' });
      expect(await next()).toMatchObject({ events: [], gap: true });
      tenant.fault = undefined;
      tenant.changeClient('app', { name: 'y' });
      expect(await next()).toMatchObject({ events: [{}], gap: false });
    },
  );

  it('takes a cursor of another making for a gap', async () => {
    for (const text of ['', '{}', 'null', '{"log":1,"at":2}'])
      expect((await poll.poll(text, signal)).gap, text).toBe(true);
  });

  it('is refused whole for an answer that is no log', async () => {
    for (const json of [{}, 'x', [{}], [{ log_id: '1' }]]) {
      tenant.fault = ({ segments }) => (segments[0] === 'logs' ? { json } : undefined);
      await expect(next()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
    }
  });
});

describe('the event stream', () => {
  beforeEach(() => start(true));

  const push = (offset: string, type: string, object: unknown) =>
    tenant.stream.push({
      offset,
      type,
      data: shape('event', { id: `evt_${offset}`, type, data: { object } }),
    });

  it('is resumed where it was left', async () => {
    push('1', 'user.deleted', { user_id: 'auth0|1' });
    const first = await told();
    expect(first.orders).toMatchObject([{ kind: 'session-revoked', subject: 'auth0|1' }]);
    expect(first.triggers).toMatchObject([{ members: true, evidence: [{ people: ['auth0|1'] }] }]);
    push('2', 'user.updated', { user_id: 'auth0|2', blocked: true });
    push('3', 'user.created', { user_id: 'auth0|3' });
    expect((await told()).orders).toMatchObject([{ subject: 'auth0|2' }]);
    expect((await told()).triggers).toEqual([]);
  });

  it('compares everything where its offset has expired (410), and goes on', async () => {
    push('1', 'user.updated', { user_id: 'auth0|1' });
    await told();
    tenant.stream.length = 0;
    expect((await next()).gap).toBe(true);
    expect((await next()).gap).toBe(false);
  });

  it('that cannot be read does not hold up the log, and goes on where it was left', async () => {
    push('1', 'user.updated', { user_id: 'auth0|1' });
    await told();
    push('2', 'user.deleted', { user_id: 'auth0|2' });
    tenant.permissions = new Set([...tenant.permissions].filter((each) => each !== 'read:events'));
    tenant.changeClient('app', undefined);
    expect((await told()).orders).toMatchObject([{ kind: 'client-deleted', clientId: 'app' }]);
    tenant.permissions = new Set([...tenant.permissions, 'read:events']);
    expect((await told()).orders).toMatchObject([{ subject: 'auth0|2' }]);
  });

  it('that can be read only later has everything compared then', async () => {
    await parts.directory.close();
    parts = openAuth0(tenant, { eventStream: true, clock });
    poll = parts.poll;
    tenant.permissions = new Set([...tenant.permissions].filter((each) => each !== 'read:events'));
    cursor = undefined;
    expect((await next()).gap).toBe(false);
    tenant.permissions = new Set([...tenant.permissions, 'read:events']);
    expect((await next()).gap).toBe(true);
    expect((await next()).gap).toBe(false);
  });

  it('takes a permission, which is named where it is missing', async () => {
    const missing = async () =>
      (await parts.directory.checkAccess?.(signal))?.filter(({ isGranted }) => !isGranted);
    expect(await missing()).toEqual([]);
    tenant.permissions = new Set([...tenant.permissions].filter((each) => each !== 'read:events'));
    expect(await missing()).toMatchObject([{ permission: 'read:events' }]);
  });
});
