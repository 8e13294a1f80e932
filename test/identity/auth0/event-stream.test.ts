import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shape } from '../../support/auth0/shapes.js';
import { type PollRig, startPollRig } from './poll-rig.js';

const signal = new AbortController().signal;
const MINUTE_MS = 60_000;

let rig: PollRig;
beforeEach(async () => {
  rig = await startPollRig(true);
});
afterEach(() => rig.stop());

const push = (offset: string, type: string, object: unknown) => {
  const time = new Date(rig.clock.now()).toISOString();
  rig.tenant.stream.push({
    offset,
    type,
    data: shape('event', { id: `evt_${offset}`, type, time, data: { object } }),
  });
};
const deleted = (name: string) => push(name, 'user.deleted', { user_id: `auth0|${name}` });
const subjects = async () => (await rig.reported()).orders.map(({ subject }) => subject);
const allow = (isAllowed: boolean) => {
  const others = [...rig.tenant.permissions].filter((each) => each !== 'read:events');
  rig.tenant.permissions = new Set([...others, ...(isAllowed ? ['read:events'] : [])]);
};
/** The next message of the stream, sent whatever was asked for. */
const send = (lines: readonly string[]) => {
  rig.tenant.fault = ({ segments }) =>
    segments[0] === 'events' ? { stream: `:connected\n\n${lines.join('\n')}\n\n` } : undefined;
};
const asked = () => rig.tenant.asked.findLast(({ segments }) => segments[0] === 'events')?.query;

describe('the event stream', () => {
  it('is read until it is silent, as Auth0 keeps the connection open', async () => {
    rig.tenant.streamsEnd = false;
    deleted('1');
    expect(await subjects()).toEqual(['auth0|1']);
    deleted('2');
    expect(await subjects()).toEqual(['auth0|2']);
  });

  it('continues from its last offset', async () => {
    push('1', 'user.deleted', { user_id: 'auth0|1' });
    const first = await rig.reported();
    expect(first.orders).toMatchObject([{ kind: 'session-revoked', subject: 'auth0|1' }]);
    expect(first.triggers).toMatchObject([{ members: true, evidence: [{ people: ['auth0|1'] }] }]);
    push('2', 'user.updated', { user_id: 'auth0|2', blocked: true });
    push('3', 'user.created', { user_id: 'auth0|3' });
    expect(await subjects()).toEqual(['auth0|2']);
    expect((await rig.reported()).triggers).toEqual([]);
  });

  it('loses nothing between polls while a quiet tenant has given no offset', async () => {
    for (const name of ['1', '2', '3']) {
      // Quiet polls, after which the stream has still given nothing to go on from.
      rig.clock.advance(MINUTE_MS);
      expect(await rig.reported()).toMatchObject({ triggers: [], orders: [], gap: false });
      rig.clock.advance(10 * MINUTE_MS);
      deleted(name);
      rig.clock.advance(10 * MINUTE_MS);
      expect(await subjects()).toEqual([`auth0|${name}`]);
      rig.tenant.stream.length = 0;
      // The offset has expired now: once more there is none.
      expect((await rig.reported()).gap).toBe(true);
    }
  });

  it('continues from the offset of a heartbeat', async () => {
    send(['id: beat', 'event: offset-only', 'data: {"offset":"beat"}']);
    await rig.reported();
    rig.tenant.fault = undefined;
    await rig.next();
    expect(asked()?.get('from')).toBe('beat');
  });

  it('leads to a complete comparison if its offset has expired (410), and continues from now', async () => {
    deleted('1');
    await rig.reported();
    rig.tenant.stream.length = 0;
    expect((await rig.reported()).gap).toBe(true);
    rig.clock.advance(MINUTE_MS);
    deleted('2');
    rig.clock.advance(MINUTE_MS);
    expect(await rig.reported()).toMatchObject({ orders: [{ subject: 'auth0|2' }], gap: false });
  });

  it('leads to a complete comparison if a message says that its offset has expired', async () => {
    deleted('1');
    await rig.reported();
    send(['event: error', 'data: {"error":{"code":"cursor_expired","message":"too old"}}']);
    expect((await rig.reported()).gap).toBe(true);
    rig.tenant.fault = undefined;
    expect((await rig.reported()).gap).toBe(false);
    expect(asked()?.has('from_timestamp')).toBe(true);
  });

  it('leads to a complete comparison if its offset is refused (400), and continues', async () => {
    deleted('1');
    await rig.reported();
    rig.tenant.fault = ({ segments, query }) =>
      segments[0] === 'events' && query.has('from') ? { status: 400, json: {} } : undefined;
    expect((await rig.reported()).gap).toBe(true);
    expect((await rig.reported()).gap).toBe(false);
    expect(rig.warnings).toEqual([]);
  });

  it('skips an event that cannot be parsed, names it, and leads to a complete comparison', async () => {
    const cut = ['id: 7', 'event: user.deleted', 'data: {"offset":"7","event":{"id":'];
    // Of another type, and so nothing to anybody here.
    const other = ['id: 8', 'event: user.invented', 'data: {}'];
    send([...cut, '', ...other]);
    const result = await rig.next();
    expect(result).toMatchObject({ events: [], gap: true, rejected: [{ code: 'ERR_EVENT_INVALID' }] });
    expect(result.rejected?.[0]?.message).toMatch(/user\.deleted .*"7"/);
    rig.tenant.fault = undefined;
    await rig.next();
    expect(asked()?.get('from')).toBe('8');
  });

  it('does not stop the log if it cannot be read, and continues later', async () => {
    push('1', 'user.updated', { user_id: 'auth0|1' });
    await rig.reported();
    deleted('2');
    allow(false);
    rig.tenant.changeClient('app', undefined);
    expect((await rig.reported()).orders).toMatchObject([{ kind: 'client-deleted', clientId: 'app' }]);
    allow(true);
    expect(await subjects()).toEqual(['auth0|2']);
  });

  it('that can be read only later is read from the first poll on, even after a restart', async () => {
    await rig.restart('nothing');
    allow(false);
    await rig.next();
    rig.clock.advance(10 * MINUTE_MS);
    deleted('1');
    await rig.next();
    rig.clock.advance(10 * MINUTE_MS);
    await rig.next();
    await rig.restart();
    allow(true);
    expect(await subjects()).toEqual(['auth0|1']);
  });

  it('leads to a complete comparison if it could not be read for longer than its retention', async () => {
    allow(false);
    await rig.next();
    rig.clock.advance(20 * 60 * MINUTE_MS);
    expect((await rig.next()).gap).toBe(false);
    rig.clock.advance(5 * 60 * MINUTE_MS);
    allow(true);
    expect((await rig.next()).gap).toBe(true);
    expect((await rig.next()).gap).toBe(false);
  });

  it('needs a permission, which is named if it is missing', async () => {
    const missing = async () =>
      (await rig.parts.directory.checkAccess?.(signal))?.filter(({ isGranted }) => !isGranted);
    expect(await missing()).toEqual([]);
    allow(false);
    expect(await missing()).toMatchObject([{ permission: 'read:events' }]);
  });
});
