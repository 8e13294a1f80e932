import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { RejectedEvent } from '../../../src/errors.js';
import { LOGGED_TYPES } from '../../../src/identity/okta/event-types.js';
import { OktaNames } from '../../../src/identity/okta/names.js';
import { createOktaSource } from '../../../src/identity/okta/webhook.js';
import type { RawRequest } from '../../../src/identity/source.js';
import { Secret } from '../../../src/model/secret.js';
import { anyCharacter } from '../../support/any-character.js';
import { shape, type Wire } from '../../support/okta/shapes.js';

const SECRET = 'Basic dXNlcjpwYXNz';
const options = { provider: 'main', secrets: [new Secret(SECRET)], names: new OktaNames() };
const source = createOktaSource(options);

const get = (headers: Readonly<Record<string, string>>): RawRequest => ({
  method: 'GET',
  headers,
  query: {},
  body: new Uint8Array(),
  receivedAt: '2026-01-01T00:00:00.000Z',
});
const post = (events: readonly Wire[]): RawRequest => ({
  ...get({ authorization: SECRET }),
  method: 'POST',
  body: new TextEncoder().encode(JSON.stringify(shape('event-hook', { data: { events } }))),
});
const event = (eventType: string, fields: Wire = {}) =>
  shape('log-event', {
    eventType,
    uuid: `u-${eventType.replaceAll('.', '-')}`,
    target: [
      { id: '0oaexample00000000001', type: 'AppInstance' },
      { id: '00uexample0000000001', type: 'User', alternateId: 'ada@example.com' },
    ],
    ...fields,
  });
/** With all parts. */
const receivedParts = async (request: RawRequest) => {
  const reception = await source.receive(request);
  if (reception.kind !== 'events') throw new Error('no events');
  return reception.events;
};
const received = async (request: RawRequest) =>
  (await receivedParts(request)).filter(({ partOf }) => partOf === undefined);

describe('the one-time verification', () => {
  it('is answered with only its challenge', async () => {
    const reception = await source.receive(get({ 'x-okta-verification-challenge': 'a-challenge_0123' }));
    expect(reception).toEqual({
      kind: 'reply',
      status: 200,
      contentType: 'application/json',
      body: '{"verification":"a-challenge_0123"}',
    });
  });

  it.each([undefined, '', 'two words', '<script>\n', 'x'.repeat(513)])(
    'is refused without a valid challenge: %s',
    async (text) => {
      const headers: Record<string, string> =
        text === undefined ? {} : { 'x-okta-verification-challenge': text };
      await expect(source.receive(get(headers))).rejects.toMatchObject({ status: 400 });
    },
  );

  it('proves nothing: an event after it still needs the secret', async () => {
    const request = post([event('application.lifecycle.update')]);
    const headers = { 'x-okta-verification-challenge': 'abc', authorization: 'another' };
    await expect(source.receive({ ...request, headers })).rejects.toMatchObject({ code: 'ERR_SIGNATURE' });
  });
});

describe('an event hook', () => {
  it('is always a hint and never an order', async () => {
    const events = await receivedParts(post(LOGGED_TYPES.map((type) => event(type))));
    expect(new Set(events.map(({ id, partOf }) => partOf ?? id)).size).toBe(LOGGED_TYPES.length);
    expect(events.flatMap(({ orders }) => orders)).toEqual([]);
    expect(events.every(({ triggers }) => triggers.every(({ order }) => order === undefined))).toBe(true);
  });

  it('is evidence while it is recent, and only a hint once it may be a replay', async () => {
    const sent = { ...post([event('application.lifecycle.deactivate')]) };
    const evidence = async (receivedAt: string) =>
      (await receivedParts({ ...sent, receivedAt })).map(({ triggers }) => triggers[0]?.evidence ?? []);
    const app = [{ provider: 'main', internalIds: ['0oaexample00000000001'] }];
    expect(await evidence('2026-01-01T00:00:05.000Z')).toEqual([app, app]);
    expect(await evidence('2026-01-08T00:00:05.000Z')).toEqual([[]]);
  });

  it('may contain several events, each with its own uuid', async () => {
    const two = [event('application.lifecycle.update'), event('group.user_membership.add')];
    expect((await received(post(two))).map(({ id }) => id)).toEqual([
      'u-application-lifecycle-update',
      'u-group-user_membership-add',
    ]);
  });

  it('of an unknown type is accepted and ignored', async () => {
    const [only] = await received(post([event('user.session.start')]));
    expect(only).toMatchObject({ triggers: [], orders: [] });
  });

  it.each<[string, Wire]>([
    ['an invalid uuid', { uuid: '../x' }],
    ['no uuid', { uuid: undefined }],
    ['no time', { published: 'yesterday' }],
    ['a type that is no text', { eventType: 7 }],
    ['invalid targets', { target: 'everybody' }],
    ['an invalid target', { target: [7] }],
  ])('with %s is refused, the other events are accepted, and the log is read', async (_, fields) => {
    const notify = vi.fn();
    const hook = createOktaSource({ ...options, hints: { notify } });
    const good = event('application.lifecycle.update');
    const reception = await hook.receive(post([{ ...good, ...fields }, good]));
    expect(reception).toMatchObject({
      kind: 'events',
      events: [{ id: good.uuid }, { partOf: good.uuid }],
      rejected: [{ code: 'ERR_EVENT_INVALID', message: expect.stringContaining('look it up') }],
    });
    expect(notify).toHaveBeenCalledTimes(1);
    await hook.receive(post([good]));
    expect(notify).toHaveBeenCalledTimes(1);
  });

  it.each<[string, unknown]>([
    [
      'is not that of a hook',
      { eventType: 'another', data: { events: [event('application.lifecycle.update')] } },
    ],
    ['has no list of events', shape('event-hook', { data: { events: 'all' } })],
    ['has no event', shape('event-hook', { data: { events: [] } })],
  ])('with a body that %s is refused as a whole', async (_, body) => {
    const request = { ...post([]), body: new TextEncoder().encode(JSON.stringify(body)) };
    await expect(source.receive(request)).rejects.toMatchObject({ status: 400 });
  });

  it.each([
    ['login,email', 1],
    ['mobilePhone', 0],
    [undefined, 1],
  ])('about the profile attributes %s leads to %i reads', async (changedAttributes, looks) => {
    const debugContext = { debugData: { changedAttributes } };
    const [only] = await received(post([event('user.account.update_profile', { debugContext })]));
    expect(only?.triggers).toHaveLength(looks);
  });

  it('with any change is accepted or refused, and never fails otherwise', async () => {
    const authentic = JSON.stringify(
      shape('event-hook', { data: { events: [event('application.lifecycle.deactivate')] } }),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(40), fc.string({ unit: anyCharacter }), async (place, cut, text) => {
        const at = place % authentic.length;
        const body = new TextEncoder().encode(authentic.slice(0, at) + text + authentic.slice(at + cut));
        const outcome = await source.receive({ ...post([]), body }).catch((error: unknown) => error);
        if (outcome instanceof RejectedEvent) expect([400, 413]).toContain(outcome.status);
        else expect(outcome).toMatchObject({ kind: 'events' });
      }),
      { numRuns: 500 },
    );
  });

  it('about an app with an impossible ID leads to no such client', async () => {
    const odd = event('application.lifecycle.update', {
      target: [{ id: '../../users', type: 'AppInstance' }],
    });
    const [only] = await received(post([odd]));
    expect(only?.triggers).toMatchObject([{ key: { kind: 'provider' }, fullRead: true }]);
  });
});
