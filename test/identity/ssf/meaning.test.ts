import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { EVENTS_REQUESTED } from '../../../src/identity/ssf/meaning.js';
import { CAEP, ISSUER, JANE, type Receiver, RISC, SSF, startReceiver } from './receiver.js';

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.close());

const PROVIDER = { kind: 'provider', name: 'main' };
const WEB = { format: 'complex', application: { format: 'iss_sub', iss: ISSUER, sub: 'web-app' } };

/** What an event of this type says of this subject. */
const tell = (type: string, said: object, sub_id: unknown, rest: Record<string, unknown> = {}) =>
  receiver.push(receiver.transmitter.claims({ [type]: said }, { sub_id, ...rest }));

const ended = (event: Awaited<ReturnType<typeof tell>>) =>
  event.orders.map(({ kind, subject, clientId }) => `${kind} ${subject ?? clientId}`);

describe('what an event means for a person', () => {
  test.each<[string, object, 'ends' | 'nothing', 'reads' | '']>([
    [`${CAEP}session-revoked`, {}, 'ends', ''],
    [`${CAEP}token-claims-change`, { claims: { role: 'ro-admin' } }, 'ends', 'reads'],
    [`${CAEP}credential-change`, { credential_type: 'password', change_type: 'create' }, 'nothing', ''],
    [`${CAEP}credential-change`, { credential_type: 'password', change_type: 'update' }, 'ends', ''],
    [`${CAEP}credential-change`, { credential_type: 'fido2-roaming', change_type: 'revoke' }, 'ends', ''],
    [`${CAEP}credential-change`, { credential_type: 'x509', change_type: 'delete' }, 'ends', ''],
    [`${CAEP}credential-change`, {}, 'ends', ''],
    [`${CAEP}assurance-level-change`, { namespace: 'NIST-AAL', change_direction: 'increase' }, 'nothing', ''],
    [`${CAEP}assurance-level-change`, { namespace: 'NIST-AAL', change_direction: 'decrease' }, 'ends', ''],
    [`${CAEP}assurance-level-change`, { namespace: 'NIST-AAL', current_level: 'nist-aal1' }, 'ends', ''],
    [`${CAEP}device-compliance-change`, { current_status: 'compliant' }, 'nothing', ''],
    [`${CAEP}device-compliance-change`, { current_status: 'not-compliant' }, 'ends', ''],
    [`${CAEP}risk-level-change`, { principal: 'USER', current_level: 'LOW' }, 'nothing', ''],
    [`${CAEP}risk-level-change`, { principal: 'USER', current_level: 'MEDIUM' }, 'nothing', ''],
    [`${CAEP}risk-level-change`, { principal: 'USER', current_level: 'HIGH' }, 'ends', ''],
    [`${CAEP}session-established`, {}, 'nothing', ''],
    [`${CAEP}session-presented`, {}, 'nothing', ''],
    [`${RISC}account-disabled`, { reason: 'hijacking' }, 'ends', 'reads'],
    [`${RISC}account-purged`, {}, 'ends', 'reads'],
    [`${RISC}account-enabled`, {}, 'nothing', 'reads'],
    [`${RISC}account-credential-change-required`, {}, 'ends', ''],
    [`${RISC}credential-compromise`, { credential_type: 'password' }, 'ends', ''],
    [`${RISC}sessions-revoked`, {}, 'ends', ''],
    [`${RISC}identifier-changed`, { 'new-value': 'x' }, 'nothing', ''],
    [`${RISC}opt-in`, {}, 'nothing', ''],
    ['urn:example:another', {}, 'nothing', ''],
  ])('%s %j: %s %s', async (type, said, ends, reads) => {
    const event = await tell(type, said, JANE);
    expect(ended(event)).toEqual(ends === 'ends' ? ['session-revoked jane'] : []);
    expect(event.triggers).toEqual(
      reads === ''
        ? []
        : [
            {
              key: PROVIDER,
              urgent: true,
              members: true,
              evidence: [{ provider: 'main', people: ['jane'] }],
              cause: { kind: 'webhook', eventId: event.id, receivedAt: expect.any(String) },
            },
          ],
    );
  });
});

describe('what an event means for a client', () => {
  test.each<[string, object, readonly string[], boolean]>([
    [`${CAEP}session-revoked`, {}, ['session-revoked web-app'], false],
    [`${CAEP}token-claims-change`, { claims: { scope: '' } }, ['session-revoked web-app'], true],
    [`${CAEP}credential-change`, { change_type: 'update' }, [], true],
    [`${CAEP}risk-level-change`, { current_level: 'HIGH' }, ['session-revoked web-app'], false],
    [`${RISC}account-disabled`, {}, ['client-disabled web-app'], true],
    [`${RISC}account-purged`, {}, ['client-deleted web-app'], true],
    [`${RISC}account-enabled`, {}, [], true],
    [`${RISC}credential-compromise`, {}, ['secret-compromised web-app'], true],
  ])('%s %j: %j', async (type, said, orders, isEvident) => {
    const event = await tell(type, said, WEB);
    expect(ended(event)).toEqual(orders);
    expect(event.triggers).toHaveLength(1);
    expect(event.triggers[0]).toMatchObject({
      key: { kind: 'client', provider: 'main', by: 'clientId', value: 'web-app' },
      urgent: true,
    });
    expect(event.triggers[0]?.evidence).toEqual(
      isEvident ? [{ provider: 'main', clients: ['web-app'] }] : undefined,
    );
  });

  it('does not apply to a person’s account: the client keeps what it has', async () => {
    for (const type of ['account-disabled', 'account-purged', 'credential-compromise']) {
      const event = await tell(`${RISC}${type}`, {}, { ...WEB, user: JANE });
      expect(ended(event)).toEqual(['session-revoked jane']);
      expect(event.triggers.filter(({ key }) => key.kind === 'client')).toEqual([]);
    }
  });

  it('may be in its tenant', async () => {
    const tenant = { format: 'opaque', id: 'acme' };
    expect(ended(await tell(`${RISC}account-disabled`, {}, { ...WEB, tenant }))).toEqual([
      'client-disabled web-app',
    ]);
  });

  it('leads to a read without an order for a client that is named only by an ID', async () => {
    const event = await tell(
      `${RISC}account-disabled`,
      {},
      {
        format: 'complex',
        application: { format: 'opaque', id: 'web-app' },
      },
    );
    expect(event.orders).toEqual([]);
    expect(event.triggers).toMatchObject([{ key: { value: 'web-app' }, urgent: true }]);
    expect(event.triggers[0]?.evidence).toBeUndefined();
  });

  it('is only a hint in an old event, because its ID is not remembered any more', async () => {
    const iat = Math.floor(receiver.clock.now() / 1000) - 7 * 86_400;
    const event = await tell(`${RISC}account-disabled`, {}, WEB, { iat });
    expect(event.orders).toEqual([]);
    expect(event.triggers[0]?.evidence).toBeUndefined();
    expect(ended(await tell(`${CAEP}session-revoked`, {}, JANE, { iat }))).toEqual(['session-revoked jane']);
  });
});

describe('a compromise with a time too far from now', () => {
  beforeEach(() => {
    receiver.logs.length = 0;
    receiver.counted.length = 0;
  });

  test.each([-7 * 86_400, 2 * 86_400])(
    'by %i seconds quarantines nothing again, ends what the client got before it, and is logged and counted',
    async (bySeconds) => {
      const iat = Math.floor(receiver.clock.now() / 1000) + bySeconds;
      const event = await tell(`${RISC}credential-compromise`, { event_timestamp: 1_700_000_000 }, WEB, {
        iat,
      });
      expect(event.orders).toMatchObject([
        { kind: 'session-revoked', clientId: 'web-app', at: '2023-11-14T22:13:21.000Z' },
      ]);
      expect(event.triggers).toMatchObject([{ key: { value: 'web-app' }, urgent: true }]);
      expect(event.triggers[0]?.evidence).toBeUndefined();
      expect(receiver.logs).toContainEqual({
        message:
          'a shared signal says that a client is compromised, but its time is too far from now to quarantine the client: rotate its secret, or disable it',
        fields: expect.objectContaining({ provider: 'main', clientId: 'web-app', eventId: event.id }),
      });
      expect(receiver.counted).toEqual(['scopemesh_events_total untimely']);
    },
  );

  it('is not logged if it is timely, about a person, or about an uncertain client', async () => {
    const iat = Math.floor(receiver.clock.now() / 1000) - 7 * 86_400;
    const type = `${RISC}credential-compromise`;
    await tell(type, {}, WEB);
    expect(ended(await tell(type, {}, JANE, { iat }))).toEqual(['session-revoked jane']);
    const application = { format: 'opaque', id: 'web-app' };
    const uncertain = await tell(type, {}, { format: 'complex', application }, { iat });
    expect(uncertain.orders).toEqual([]);
    expect(receiver.logs).toEqual([]);
    expect(receiver.counted).toEqual([]);
  });
});

describe('a set with several types', () => {
  const tellAll = (events: object) => receiver.push(receiver.transmitter.claims(events, { sub_id: JANE }));

  it('has the effects of each of them, and equal ones once', async () => {
    const both = { event_timestamp: 1_700_000_000 };
    const same = await tellAll({ [`${CAEP}session-revoked`]: both, [`${RISC}sessions-revoked`]: both });
    expect(ended(same)).toEqual(['session-revoked jane']);
    const harmless = { [`${CAEP}credential-change`]: { change_type: 'create' }, 'urn:example:other': {} };
    expect(ended(await tellAll({ ...harmless, [`${CAEP}session-revoked`]: {} }))).toEqual([
      'session-revoked jane',
    ]);
    const verification = { [`${SSF}verification`]: {}, [`${CAEP}session-revoked`]: {} };
    expect(ended(await tellAll(verification))).toEqual(['session-revoked jane']);
  });
});

describe('the subject of an event', () => {
  const session = { format: 'opaque', id: 'dMTlD|1600802906337.16' };
  test.each<[string, unknown]>([
    ['iss_sub', JANE],
    [
      'aliases of which one is iss_sub',
      { format: 'aliases', identifiers: [{ format: 'email', email: 'j@x.org' }, JANE] },
    ],
    [
      'a session of a person',
      { format: 'complex', session, user: JANE, tenant: { format: 'opaque', id: '1' } },
    ],
    ['a person at an application', { format: 'complex', user: JANE, application: WEB.application }],
    ['a device of a person', { format: 'complex', user: JANE, device: { ...JANE, sub: 'a-device' } }],
  ])('is known by %s, in both places', async (_, subject) => {
    const type = `${CAEP}session-revoked`;
    expect(ended(await tell(type, {}, subject))).toEqual(['session-revoked jane']);
    expect(ended(await tell(type, { subject }, undefined))).toEqual(['session-revoked jane']);
  });

  it('in the older forms is a complex subject without a format, or has a subject_type', async () => {
    const type = `${CAEP}session-revoked`;
    expect(ended(await tell(type, { subject: { user: JANE, session } }, undefined))).toEqual([
      'session-revoked jane',
    ]);
    for (const subject_type of ['iss-sub', 'iss_sub']) {
      const subject = { subject_type, iss: ISSUER, sub: 'jane' };
      expect(ended(await tell(`${RISC}account-disabled`, { subject }, undefined))).toEqual([
        'session-revoked jane',
      ]);
    }
  });

  it('is the one at the top, whatever is inside the event', async () => {
    const event = await tell(`${CAEP}session-revoked`, { subject: { ...JANE, sub: 'john' } }, JANE);
    expect(ended(event)).toEqual(['session-revoked jane']);
  });

  test.each<[string, unknown]>([
    ['another issuer', { ...JANE, iss: 'https://other.example.com' }],
    ['the issuer with a slash behind it', { ...JANE, iss: `${ISSUER}/` }],
    ['an email', { format: 'email', email: 'jane@example.com' }],
    ['a telephone number', { format: 'phone_number', phone_number: '+12065550123' }],
    ['an opaque id', session],
    ['an account', { format: 'account', uri: 'acct:jane@example.com' }],
    ['a token', { format: 'jwt_id', iss: ISSUER, jti: '1' }],
    [
      'a person at an application who is named otherwise',
      { format: 'complex', user: { format: 'email', email: 'j@x.org' }, application: WEB.application },
    ],
    ['a session at an application', { format: 'complex', session, application: WEB.application }],
    ['a device alone', { format: 'complex', device: JANE }],
    ['a complex subject in a complex one', { format: 'complex', user: { format: 'complex', user: JANE } }],
    ['a sub with a line break', { ...JANE, sub: 'jane\n' }],
    ['a sub that is longer than any', { ...JANE, sub: 'j'.repeat(256) }],
    ['a sub that is a number', { ...JANE, sub: 7 }],
    ['nothing', undefined],
    ['a text', 'jane'],
    ['a list', [JANE]],
  ])('is unknown for %s: that is logged, and a session leads to no read', async (_, subject) => {
    receiver.logs.length = 0;
    const event = await tell(`${CAEP}session-revoked`, {}, subject);
    expect(event).toMatchObject({ triggers: [], orders: [] });
    expect(receiver.logs.map(({ message }) => message)).toEqual([
      'the subject of a shared signal is unknown: it names neither the sub of a token nor a client',
    ]);
    expect(receiver.counted).toContain('scopemesh_events_total unresolved');
  });

  it.each<[string, object]>([
    [`${CAEP}token-claims-change`, { members: true }],
    [`${RISC}account-disabled`, { fullRead: true }],
    [`${RISC}account-enabled`, { fullRead: true }],
  ])('is unknown, so %s leads to a read of everybody', async (type, read) => {
    const event = await tell(type, {}, { format: 'email', email: 'jane@example.com' });
    expect(event.orders).toEqual([]);
    expect(event.triggers).toEqual([
      { key: PROVIDER, urgent: true, ...read, cause: expect.objectContaining({ eventId: event.id }) },
    ]);
  });

  it('is unknown and gained something, which leads to nothing', async () => {
    const event = await tell(
      `${CAEP}credential-change`,
      { change_type: 'create' },
      { format: 'email', email: 'j@x.org' },
    );
    expect(event).toMatchObject({ triggers: [], orders: [] });
  });
});

describe('when an event happened', () => {
  const atOf = async (said: object, rest: Record<string, unknown> = {}) =>
    (await tell(`${CAEP}session-revoked`, said, JANE, rest)).orders[0]?.at;

  it('is its own time, or that of the token, or when it was signed, to the end of the second', async () => {
    const iat = 1_700_000_300;
    expect(await atOf({ event_timestamp: 1_700_000_000 }, { iat, toe: 1_700_000_200 })).toBe(
      '2023-11-14T22:13:21.000Z',
    );
    expect(await atOf({}, { iat, toe: 1_700_000_200 })).toBe('2023-11-14T22:16:41.000Z');
    expect(await atOf({}, { iat })).toBe('2023-11-14T22:18:21.000Z');
    expect(await atOf({ event_timestamp: 'yesterday' }, { iat })).toBe('2023-11-14T22:18:21.000Z');
  });

  it('is exact if it is stated exactly', async () => {
    const iat = 1_700_000_300;
    expect(await atOf({ event_timestamp: 1_700_000_000.25 }, { iat })).toBe('2023-11-14T22:13:20.250Z');
  });

  it('is never later than it was signed or received: later tokens stay valid', async () => {
    const before = receiver.clock.now();
    const seconds = Math.floor(before / 1000);
    for (const ahead of [100, 1e9, seconds * 1000]) {
      const at = Date.parse((await atOf({ event_timestamp: seconds + ahead }, { iat: seconds })) ?? '');
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeLessThanOrEqual(receiver.clock.now());
      const ofAhead = await atOf({ event_timestamp: seconds + ahead }, { iat: seconds + 50 });
      expect(ofAhead).toBe(new Date((seconds + 50) * 1000).toISOString());
    }
  });
});

describe('a set from the future', () => {
  const AHEAD = 'the time of a shared signal is in the future; it counts, but compare the clocks';
  const inSeconds = (seconds: number) => Math.floor(receiver.clock.now() / 1000) + seconds;
  const said = () => receiver.logs.filter(({ message }) => message === AHEAD);
  beforeEach(() => {
    receiver.logs.length = 0;
  });

  it('counts as any other, by its own time, and is logged if synchronized clocks differ less', async () => {
    const iat = inSeconds(1_000);
    const event = await tell(`${CAEP}session-revoked`, {}, JANE, { iat });
    // What was issued while this clock did not move is void too.
    expect(event.orders).toMatchObject([
      { kind: 'session-revoked', subject: 'jane', at: new Date(iat * 1000).toISOString() },
    ]);
    expect(said()).toEqual([
      {
        message: AHEAD,
        fields: { provider: 'main', eventId: event.id, aheadSeconds: expect.any(Number) },
      },
    ]);
    const compromise = `${RISC}credential-compromise`;
    expect(ended(await tell(compromise, {}, WEB, { iat }))).toEqual(['secret-compromised web-app']);
    await tell(compromise, {}, WEB, { iat: inSeconds(200) });
    expect(said()).toHaveLength(2);
  });

  it('closes no client from a day on, because its ID may be forgotten before it seems old', async () => {
    expect(ended(await tell(`${RISC}account-disabled`, {}, WEB, { iat: inSeconds(86_300) }))).toEqual([
      'client-disabled web-app',
    ]);
    const iat = inSeconds(87_000);
    const event = await tell(`${RISC}account-disabled`, {}, WEB, { iat });
    expect(event.orders).toEqual([]);
    expect(event.triggers).toMatchObject([{ key: { value: 'web-app' }, urgent: true }]);
    expect(ended(await tell(`${CAEP}session-revoked`, {}, JANE, { iat }))).toEqual(['session-revoked jane']);
  });
});

describe('an event about the stream', () => {
  it('that stops it is logged and leads to a complete comparison', async () => {
    receiver.logs.length = 0;
    for (const status of ['paused', 'disabled', 'enabled']) {
      const event = await tell(`${SSF}stream-updated`, { status }, { format: 'opaque', id: 'a-stream' });
      expect(event.triggers).toMatchObject([{ key: PROVIDER, fullRead: true }]);
      expect(receiver.logs.at(-1)?.fields).toMatchObject({ status });
    }
  });

  it('that verifies it without a request has no effect', async () => {
    const event = await tell(`${SSF}verification`, {}, { format: 'opaque', id: 'a-stream' });
    expect(event).toMatchObject({ triggers: [], orders: [] });
    expect(event.isProof).toBeUndefined();
  });
});

test('a stream requests all types with a meaning', () => {
  expect(EVENTS_REQUESTED).toContain(`${CAEP}session-revoked`);
  expect(EVENTS_REQUESTED).not.toContain(`${CAEP}session-established`);
  expect(EVENTS_REQUESTED).toHaveLength(12);
});
