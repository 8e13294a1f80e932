import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RejectedEvent, StaleEvent } from '../../../src/errors.js';
import { createOidcSource } from '../../../src/identity/oidc/webhook.js';
import type { IdentityEvent, RawRequest } from '../../../src/identity/source.js';
import { Secret } from '../../../src/model/secret.js';
import { anyCharacter } from '../../support/any-character.js';
import { clockAt, secretOf, signedRequest } from './webhook-request.js';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const AT = '2026-03-01T11:59:59.500Z';
const secret = secretOf(1);
const source = createOidcSource({ provider: 'main', secrets: [secret], clock: clockAt(NOW) });

const signed = (event: unknown, more: { id?: string; atMs?: number; secret?: Secret } = {}): RawRequest => {
  const body = typeof event === 'string' ? event : JSON.stringify(event);
  return signedRequest({ atMs: NOW, secret, body, ...more });
};
const withHeader = (request: RawRequest, name: string, value: string | undefined): RawRequest => ({
  ...request,
  headers: { ...request.headers, [name]: value },
});

async function receive(request: RawRequest): Promise<IdentityEvent | undefined> {
  const reception = await source.receive(request);
  return reception.kind === 'events' ? reception.events[0] : undefined;
}

const updated = { type: 'client.updated', timestamp: AT, data: { clientId: 'web-app' } };

describe('an event of the provider kind oidc', () => {
  const cause = { kind: 'webhook', eventId: 'msg_1', receivedAt: new Date(NOW).toISOString() };
  const trigger = {
    key: { kind: 'client', provider: 'main', by: 'clientId', value: 'web-app' },
    cause,
    evidence: [{ provider: 'main', clients: ['web-app'] }],
  };

  test.each([
    ['client.created', trigger],
    ['client.updated', { ...trigger, urgent: true }],
  ])('%s leads to a read of its client, without an order', async (type, expected) => {
    const event = await receive(signed({ ...updated, type }));
    expect(event).toEqual({ id: 'msg_1', occurredAt: AT, triggers: [expected], orders: [] });
  });

  test.each([
    ['client.deleted', 'client-deleted'],
    ['client.disabled', 'client-disabled'],
    ['client.secret-compromised', 'secret-compromised'],
  ])('%s is urgent and an order', async (type, kind) => {
    expect(await receive(signed({ ...updated, type }))).toEqual({
      id: 'msg_1',
      occurredAt: AT,
      triggers: [{ ...trigger, urgent: true }],
      orders: [{ kind, provider: 'main', clientId: 'web-app', at: AT, cause }],
    });
  });

  test('is refused by its form, with the place of the fault where it is within the event', async () => {
    await expect(receive(signed([]))).rejects.toThrow(/^event: Invalid input/);
    await expect(receive(signed({ ...updated, data: {} }))).rejects.toThrow(
      /^event: data\.clientId: Invalid/,
    );
  });

  test('session.revoked is an order for its subject', async () => {
    const event = { type: 'session.revoked', timestamp: AT, data: { subject: 'alice' } };
    expect(await receive(signed(event))).toEqual({
      id: 'msg_1',
      occurredAt: AT,
      triggers: [],
      orders: [{ kind: 'session-revoked', provider: 'main', subject: 'alice', at: AT, cause }],
    });
  });

  test.each([
    ['group.updated', { group: 'ops' }, { groups: ['ops'] }],
    ['person.updated', { subject: 'alice' }, { people: ['alice'] }],
  ])('%s leads to a read of the members, with evidence about the named ones', async (type, data, named) => {
    expect(await receive(signed({ type, timestamp: AT, data }))).toEqual({
      id: 'msg_1',
      occurredAt: AT,
      triggers: [
        {
          key: { kind: 'provider', name: 'main' },
          cause,
          urgent: true,
          members: true,
          evidence: [{ provider: 'main', ...named }],
        },
      ],
      orders: [],
    });
    await expect(receive(signed({ type, timestamp: AT, data: {} }))).rejects.toMatchObject({ status: 400 });
  });

  test('session.revoked for one client leads to a read of that client, without evidence', async () => {
    const data = { subject: 'alice', clientId: 'web-app' };
    const event = await receive(signed({ type: 'session.revoked', timestamp: AT, data }));
    expect(event?.triggers).toEqual([{ key: trigger.key, cause, urgent: true }]);
    expect(event?.orders[0]).toMatchObject({ subject: 'alice', clientId: 'web-app' });
  });

  test('an unknown type is accepted and ignored', async () => {
    const event = await receive(signed({ type: 'user.created', data: 7 }));
    expect(event).toEqual({ id: 'msg_1', triggers: [], orders: [] });
  });

  test('an event without a time has the time of its signature', async () => {
    const { timestamp: _, ...rest } = updated;
    expect((await receive(signed(rest)))?.occurredAt).toBe(new Date(NOW).toISOString());
  });

  test('an offset is converted to UTC', async () => {
    const timestamp = '2026-03-01T12:59:59+01:00';
    expect((await receive(signed({ ...updated, timestamp })))?.occurredAt).toBe('2026-03-01T11:59:59.000Z');
  });

  test.each<[string, unknown]>([
    ['half a document', '{"type":"client.upd'],
    ['an array', []],
    ['null', null],
    ['no type', { timestamp: AT, data: { clientId: 'a' } }],
    ['no client', { ...updated, data: {} }],
    ['an empty client', { ...updated, data: { clientId: '' } }],
    ['a client that is an object', { ...updated, data: { clientId: { id: 'a' } } }],
    ['a client as long as a page', { ...updated, data: { clientId: 'a'.repeat(5000) } }],
    ['no subject', { type: 'session.revoked', timestamp: AT, data: {} }],
    ['an invalid instant', { ...updated, timestamp: 'yesterday' }],
    ['an instant without its offset', { ...updated, timestamp: '2026-03-01T11:59:59' }],
    ['an instant in the future', { ...updated, timestamp: '2027-03-01T11:59:59Z' }],
  ])('an authentic event with %s is refused with 400', async (_, event) => {
    const refused = expect(receive(signed(event))).rejects;
    await refused.toMatchObject({ code: 'ERR_EVENT_INVALID', status: 400 });
    await expect(receive(signed(event))).rejects.not.toThrow(StaleEvent);
  });
});

describe('the signature by Standard Webhooks', () => {
  test('the example of the specification verifies', async () => {
    // standardwebhooks.com: the secret, id, timestamp, body and signature that its libraries test with.
    const example: RawRequest = {
      method: 'POST',
      headers: {
        'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
        'webhook-timestamp': '1614265330',
        'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
      },
      query: {},
      body: new TextEncoder().encode('{"test": 2432232314}'),
      receivedAt: new Date(NOW).toISOString(),
    };
    const secrets = [new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')];
    const its = createOidcSource({ provider: 'main', secrets, clock: clockAt(1_614_265_330_000) });
    // Authentic, so the complaint is about its content: it has no type.
    await expect(its.receive(example)).rejects.toMatchObject({ status: 400, code: 'ERR_EVENT_INVALID' });
    const forged = { ...example, body: new TextEncoder().encode('{"test": 2432232315}') };
    await expect(its.receive(forged)).rejects.toMatchObject({ status: 401, code: 'ERR_SIGNATURE' });
  });

  test('one matching signature in a list is enough, together with other versions and secrets', async () => {
    const request = signed(updated);
    const foreign = signed(updated, { secret: secretOf(9) }).headers['webhook-signature'];
    const list = `v1a,AAAA ${foreign} ${request.headers['webhook-signature']}`;
    expect(await receive(withHeader(request, 'webhook-signature', list))).toMatchObject({ id: 'msg_1' });
  });

  test('a matching signature after too many others is not checked', async () => {
    const request = signed(updated);
    const foreign = signed(updated, { secret: secretOf(9) }).headers['webhook-signature'];
    const list = `${`${foreign} `.repeat(16)}${request.headers['webhook-signature']}`;
    await expect(receive(withHeader(request, 'webhook-signature', list))).rejects.toThrow(RejectedEvent);
  });

  test('the tolerance is exact to the second, in both directions', async () => {
    for (const skew of [-300_000, 300_000]) {
      await expect(receive(signed(updated, { atMs: NOW + skew }))).resolves.toBeDefined();
    }
    for (const skew of [-301_000, 301_000]) {
      const refused = receive(signed(updated, { atMs: NOW + skew }));
      await expect(refused).rejects.toThrow(StaleEvent);
      await expect(refused).rejects.toMatchObject({ code: 'ERR_EVENT_INVALID', status: 400 });
    }
  });

  test('a forged event is reported as forged, whatever its age', async () => {
    const old = signed(updated, { atMs: NOW - 86_400_000, secret: secretOf(9) });
    await expect(receive(old)).rejects.toMatchObject({ code: 'ERR_SIGNATURE', status: 401 });
  });

  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])(
    'a request without %s is unproven',
    async (name) => {
      await expect(receive(withHeader(signed(updated), name, undefined))).rejects.toMatchObject({
        status: 401,
      });
      await expect(receive(withHeader(signed(updated), name, ''))).rejects.toMatchObject({ status: 401 });
    },
  );

  test('an ID with a dot is refused, because the signed content could be divided elsewhere', async () => {
    await expect(receive(signed(updated, { id: 'msg.1' }))).rejects.toMatchObject({ status: 401 });
  });

  test('a signature with spare bits is refused, because each has one spelling', async () => {
    const request = signed(updated);
    const signature = request.headers['webhook-signature'] ?? '';
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const last = digits.indexOf(signature.at(-2) ?? '');
    const respelt = `${signature.slice(0, -2)}${digits[last + 1]}=`;
    expect(Buffer.from(respelt.slice(3), 'base64')).toEqual(Buffer.from(signature.slice(3), 'base64'));
    await expect(receive(withHeader(request, 'webhook-signature', respelt))).rejects.toMatchObject({
      code: 'ERR_SIGNATURE',
    });
  });

  test('any change of one byte in the body is refused', async () => {
    const request = signed(updated);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: request.body.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const body = request.body.map((byte, index) => (index === at ? byte ^ change : byte));
          await expect(source.receive({ ...request, body })).rejects.toMatchObject({ code: 'ERR_SIGNATURE' });
        },
      ),
    );
  });

  test('any change of one character in a signed header is refused', async () => {
    const request = signed(updated);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('webhook-id', 'webhook-timestamp', 'webhook-signature'),
        fc.nat(),
        fc.string({ unit: anyCharacter, maxLength: 2 }),
        async (name, place, inserted) => {
          const value = request.headers[name] ?? '';
          const at = place % value.length;
          const mutated = value.slice(0, at) + inserted + value.slice(at + 1);
          // A space before or after it leaves the signature itself in the list.
          fc.pre(!mutated.split(' ').includes(value));
          await expect(source.receive(withHeader(request, name, mutated))).rejects.toMatchObject({
            code: 'ERR_SIGNATURE',
            status: 401,
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('any body and headers lead at most to a refusal', async () => {
    const header = fc.option(fc.string({ unit: anyCharacter }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), header, header, header, async (body, id, timestamp, signature) => {
        const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
        const request = { method: 'POST', headers, query: {}, body, receivedAt: AT };
        await expect(source.receive(request)).rejects.toThrow(RejectedEvent);
      }),
    );
  });

  test('any authentic body is an event or a refusal', async () => {
    const body = fc.oneof(
      fc.json(),
      fc.record({ type: fc.constantFrom('client.updated', 'session.revoked'), data: fc.jsonValue() }),
    );
    await fc.assert(
      fc.asyncProperty(body, async (event) => {
        const outcome = await receive(signed(event)).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(RejectedEvent);
        else expect(outcome).toMatchObject({ id: 'msg_1' });
      }),
    );
  });

  test.each([
    ['no secret at all', []],
    ['an empty secret', [new Secret('')]],
    ['no prefix', [new Secret(Buffer.alloc(32, 1).toString('base64'))]],
    ['a key of 8 bytes', [new Secret(`whsec_${Buffer.alloc(8, 1).toString('base64')}`)]],
    ['what is not base64', [new Secret(`whsec_${'hunter2!'.repeat(8)}`)]],
    ['one bad secret beside a good one', [secretOf(1), new Secret('whsec_')]],
  ])('%s is refused at once, without printing it', (_, secrets) => {
    const create = () => createOidcSource({ provider: 'main', secrets, clock: clockAt(NOW) });
    expect(create).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
    expect(create).toThrow(expect.not.objectContaining({ message: expect.stringContaining('hunter2') }));
  });
});
