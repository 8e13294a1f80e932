import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RejectedEvent } from '../../../src/errors.js';
import { createKeycloakNames } from '../../../src/identity/keycloak/names.js';
import { createKeycloakSource, type KeycloakSourceOptions } from '../../../src/identity/keycloak/webhook.js';
import type { IdentityEvent, RawRequest } from '../../../src/identity/source.js';
import { formatKey } from '../../../src/model/key.js';
import { Secret } from '../../../src/model/secret.js';
import { RECEIVED_AT, recordings } from './recordings.js';

const CLIENT = '5cc257c9-81f6-4900-9913-868a79dc25ab';
const USER = 'f370e420-47f2-4557-ad6c-d66db05290f5';
const WRITE_SCOPE = 'ac0d8b5e-09ba-4e68-8b9a-83073717830b';
const byId = `client/main/~id/${CLIENT}`;
const byUser = `client/main/~user/${USER}`;
const person = `provider/main ! @ < ${USER}`;

const open = (options: Partial<KeycloakSourceOptions> = {}) =>
  createKeycloakSource({
    provider: 'main',
    issuer: 'http://127.0.0.1:18080/realms/wh2',
    secrets: [new Secret('whsecret')],
    serviceAccountRoles: true,
    ...options,
  });

async function one(source: ReturnType<typeof open>, request: RawRequest): Promise<IdentityEvent> {
  const reception = await source.receive(request);
  const [event, ...more] = reception.kind === 'events' ? reception.events : [];
  if (event === undefined || more.length > 0) throw new Error('not one event');
  return event;
}

/** `key !` is urgent, `key *` a full read, `key @` one of members, `<` what is evident, and orders stand alone. */
function told(event: IdentityEvent): readonly string[] {
  const triggers = event.triggers.map((trigger) => {
    const evidence = (trigger.evidence ?? []).flatMap((each) => [
      ...(each.clients ?? []),
      ...(each.scopes ?? []).map((scope) => (each.api === undefined ? scope : `${each.api}#${scope}`)),
      ...(each.people ?? []),
      ...(each.groups ?? []),
    ]);
    const marks = `${trigger.urgent ? ' !' : ''}${trigger.fullRead ? ' *' : ''}${trigger.members ? ' @' : ''}`;
    return `${formatKey(trigger.key)}${marks}${evidence.length > 0 ? ` < ${evidence.join()}` : ''}`;
  });
  const orders = event.orders.map(({ kind, subject, clientId, internalId }) =>
    subject === undefined ? `${kind} ${clientId} ${internalId}` : `${kind} ${subject}`,
  );
  return [...triggers, ...orders];
}

function signed(body: unknown, secret = 'whsecret'): RawRequest {
  const bytes =
    typeof body === 'string'
      ? Buffer.from(body)
      : body instanceof Uint8Array
        ? body
        : Buffer.from(JSON.stringify(body));
  const signature = createHmac('sha256', secret).update(bytes).digest('hex');
  return {
    method: 'POST',
    headers: { 'x-keycloak-signature': signature },
    query: {},
    body: bytes,
    receivedAt: RECEIVED_AT,
  };
}

const admin = (operationType: string, resourcePath: string | null, more: object = {}) =>
  signed({
    id: 'e1',
    time: 1795560651981,
    realmName: 'wh2',
    operationType,
    resourcePath,
    resourceType: 'X',
    type: 'admin.X',
    ...more,
  });

describe('the Keycloak webhook', () => {
  // In the order of the recording, by one source: what an event names, a later one may know.
  const expected: readonly (readonly [string, readonly string[]])[] = [
    ['01-client-scope-created', []],
    ['02-client-scope-created', []],
    ['03-client-created', ['client/main/svc-a']],
    ['04-client-scope-default-mapping-added', ['client/main/svc-a']],
    ['05-client-scope-optional-mapping-added', ['client/main/svc-a']],
    ['06-client-credentials-token', []],
    ['07-token-w-optional-scope', []],
    ['08-token-w-unknown-scope', []],
    ['09-token-wrong-secret', []],
    ['10-client-secret-rotated', []],
    ['11-client-secret-rotated', ['client/main/svc-a ! < svc-a']],
    ['12-token-with-OLD-secret-after-rotation', []],
    ['13-realm-role-created', []],
    ['14-service-account-realm-role-mapping-added', [byUser, `provider/main @ < ${USER}`]],
    ['15-service-account-client-role-mapping-added', [byUser, `provider/main @ < ${USER}`]],
    ['16-client-role-created', ['client/main/svc-a']],
    ['17-client-updated-enabled-false', [`${byId} ! < svc-a`, `client-disabled svc-a ${CLIENT}`]],
    ['18-token-when-disabled', []],
    ['19-partial-PUT-enabled-true-', [`${byId} ! < svc-a`]],
    ['20-client-scope-mapping-removed', ['client/main/svc-a ! < svc-a']],
    ['21-client-updated-w-receiver-answering-503-twice', [`${byId} ! < svc-a`]],
    ['22-client-updated-w-receiver-answering-503-twice', [`${byId} ! < svc-a`]],
    ['23-client-updated-w-receiver-answering-503-twice', [`${byId} ! < svc-a`]],
    ['24-client-scope-updated', ['provider/main ! *']],
    ['25-client-scope-deleted', ['provider/main ! * < orders:write']],
    [
      '26-client-deleted',
      [
        'provider/main ! *',
        'provider/main ! @',
        'client/main/svc-a ! < svc-a',
        `client-deleted svc-a ${CLIENT}`,
      ],
    ],
  ];
  const recorded = recordings();

  it('has an expectation for each recording', () => {
    expect(recorded.map((each) => each.name)).toEqual(expected.map(([name]) => name));
  });

  it('turns the whole recording, in order, into what each event may have changed', async () => {
    const source = open();
    const seen: [string, readonly string[]][] = [];
    for (const { name, request } of recorded) seen.push([name, told(await one(source, request))]);
    expect(seen).toEqual(expected);
  });

  it.each(recorded)(
    'reads $name alone, with the id, the time, the cause and who did it',
    async ({ name, request }) => {
      const sent = JSON.parse(Buffer.from(request.body).toString());
      const event = await one(open(), request);
      expect(event.id).toBe(sent.id);
      expect(event.occurredAt).toBe(new Date(sent.time).toISOString());
      const keys = event.triggers.map((trigger) => formatKey(trigger.key));
      const known = expected.find(([each]) => each === name)?.[1] ?? [];
      const alone = known
        .filter((line) => /^(client|provider)\//.test(line))
        .map((line) => line.split(' ')[0])
        // What an earlier event taught is not known here: a part of a client names it by id.
        .map((key) => (/^clients\/[^/]+\//.test(sent.resourcePath ?? '') ? byId : key));
      expect(keys).toEqual(alone);
      for (const { cause } of [...event.triggers, ...event.orders]) {
        expect(cause).toEqual({
          kind: 'webhook',
          eventId: sent.id,
          receivedAt: RECEIVED_AT,
          principal: { id: 'admin', ip: '127.0.0.1' },
        });
      }
    },
  );

  it.each(recorded)(
    'refuses $name when its signature, its secret or its body is another',
    async ({ request }) => {
      const rejected = { status: 401, code: 'ERR_SIGNATURE' };
      await expect(open({ secrets: [new Secret('other')] }).receive(request)).rejects.toMatchObject(rejected);
      await expect(open().receive({ ...request, headers: {} })).rejects.toMatchObject(rejected);
      const body = Buffer.from(request.body);
      body[40] = (body[40] ?? 0) ^ 1;
      await expect(open().receive({ ...request, body })).rejects.toMatchObject(rejected);
      const both = open({ secrets: [new Secret('other'), new Secret('whsecret')] });
      expect((await both.receive(request)).kind).toBe('events');
    },
  );

  it('gives the same for an event that comes again', async () => {
    const source = open();
    for (const { request } of recorded) await one(source, request);
    const last = recorded[25]?.request as RawRequest;
    expect(await one(source, last)).toEqual(await one(source, last));
  });

  it('takes an event that is older than ids are remembered for a hint alone', async () => {
    const request = admin('DELETE', `clients/${CLIENT}`, { representation: '{"clientId":"web"}' });
    const later = (days: number) => ({
      ...request,
      receivedAt: new Date(1795560651981 + days * 86_400_000).toISOString(),
    });
    expect(told(await one(open(), later(5)))).toEqual([
      'provider/main ! *',
      'provider/main ! @',
      'client/main/web ! < web',
      `client-deleted web ${CLIENT}`,
    ]);
    expect(told(await one(open(), later(7)))).toEqual([
      'provider/main ! *',
      'provider/main ! @',
      'client/main/web !',
    ]);
  });

  it('does nothing on an event of another realm that shares the secret', async () => {
    const request = admin('DELETE', `clients/${CLIENT}`, { realmName: 'other', id: 'other-1' });
    expect(await one(open(), request)).toEqual({
      id: 'other-1',
      occurredAt: '2026-11-24T22:50:51.981Z',
      triggers: [],
      orders: [],
    });
    const nameless = admin('DELETE', `clients/${CLIENT}`, { realmName: undefined });
    expect((await one(open(), nameless)).triggers).toEqual([]);
  });

  const cases: readonly (readonly [string, string, string | null, object, readonly string[]])[] = [
    [
      'a deletion without details leads to everything',
      'DELETE',
      `clients/${CLIENT}`,
      {},
      ['provider/main ! @', 'provider/main ! *', `client-deleted undefined ${CLIENT}`],
    ],
    [
      'a client that a partial import made',
      'CREATE',
      `clients/${CLIENT}`,
      { resourceType: 'REALM', representation: '{"clientId":"imp"}' },
      ['client/main/imp'],
    ],
    ['an id that no client can have', 'UPDATE', 'clients/%2e%2e', {}, ['provider/main ! *']],
    [
      'the realm changed',
      'UPDATE',
      null,
      { resourceType: 'REALM', representation: '{"accessTokenLifespan":120}' },
      ['provider/main ! *'],
    ],
    ['the log was switched', 'UPDATE', 'events/config', { resourceType: 'REALM' }, ['provider/main ! *']],
    ['all sessions ended', 'ACTION', 'logout-all', { resourceType: 'REALM' }, []],
    [
      'a role was deleted',
      'DELETE',
      'roles/reader',
      {},
      ['provider/main ! * < reader', 'provider/main ! @ < reader'],
    ],
    [
      'a role was deleted by its id',
      'DELETE',
      'roles-by-id/x',
      { representation: '{"name":"reader"}' },
      ['provider/main ! *', 'provider/main ! @ < reader'],
    ],
    [
      'a role lost another',
      'DELETE',
      'roles/reader/composites',
      {},
      ['provider/main ! *', 'provider/main ! @ < reader'],
    ],
    [
      'a role got another',
      'CREATE',
      'roles/reader/composites',
      {},
      ['provider/main *', 'provider/main @ < reader'],
    ],
    [
      'a role of a client was deleted',
      'DELETE',
      `clients/${CLIENT}/roles/writer`,
      {},
      ['provider/main ! *', 'provider/main ! @'],
    ],
    [
      'a role of a client got another',
      'CREATE',
      `clients/${CLIENT}/roles/writer/composites`,
      {},
      ['provider/main *', 'provider/main @'],
    ],
    [
      'a group got roles',
      'CREATE',
      'groups/g/role-mappings/realm',
      {},
      ['provider/main *', 'provider/main @'],
    ],
    ['a group was deleted', 'DELETE', 'groups/g', {}, ['provider/main ! *', 'provider/main ! @']],
    ['a group was made', 'CREATE', 'groups/g', {}, []],
    ['a user left a group', 'DELETE', `users/${USER}/groups/g`, {}, [`${byUser} !`, person]],
    [
      'a role was taken from a user',
      'DELETE',
      `users/${USER}/role-mappings/realm`,
      {},
      [`${byUser} !`, person],
    ],
    [
      'a role of a client was taken from a user',
      'DELETE',
      `users/${USER}/role-mappings/clients/x`,
      {},
      [`${byUser} !`, person],
    ],
    ['a user was made', 'CREATE', `users/${USER}`, {}, [`provider/main @ < ${USER}`]],
    ['a user was disabled', 'UPDATE', `users/${USER}`, { representation: '{"enabled":false}' }, [person]],
    ['a user was deleted', 'DELETE', `users/${USER}`, {}, [person]],
    ['the sessions of a user ended', 'ACTION', `users/${USER}/logout`, {}, [`session-revoked ${USER}`]],
    ['a password was set', 'ACTION', `users/${USER}/reset-password`, {}, []],
    ['a scope for new clients', 'DELETE', `default-default-client-scopes/${WRITE_SCOPE}`, {}, []],
    ['a scope was deleted that nobody knows', 'DELETE', 'client-scopes/unknown', {}, ['provider/main ! *']],
    ['a mapper of a scope', 'CREATE', `client-scopes/${WRITE_SCOPE}/protocol-mappers/models`, {}, []],
    ['an action that failed', 'DELETE', `clients/${CLIENT}`, { error: 'unknown_error' }, []],
    ['something else', 'UPDATE', 'identity-provider/instances/x', {}, []],
  ];
  it.each(cases)('reads: %s', async (_, operation, path, more, expectation) => {
    expect(told(await one(open(), admin(operation, path, more)))).toEqual(expectation);
  });

  it('takes roles for nothing but memberships where they open nothing', async () => {
    const source = open({ serviceAccountRoles: false });
    expect(told(await one(source, admin('DELETE', `users/${USER}/role-mappings/realm`)))).toEqual([person]);
    expect(told(await one(source, admin('DELETE', `users/${USER}/groups/g`)))).toEqual([person]);
    expect(told(await one(source, admin('DELETE', 'roles/reader')))).toEqual(['provider/main ! @ < reader']);
    expect(told(await one(source, admin('DELETE', 'groups/g')))).toEqual(['provider/main ! @']);
    expect(told(await one(source, admin('DELETE', `clients/${CLIENT}/roles/writer`)))).toEqual([
      'provider/main ! @',
    ]);
  });

  it('names roles of clients and organizations as the mapping may', async () => {
    const names = createKeycloakNames();
    names.learnClient(CLIENT, 'orders-api');
    names.learnRole('r1', { api: 'orders-api', name: 'reader' });
    names.learnGroup('o', 'organization/acme');
    const lines = async (operation: string, path: string, more: object = {}) =>
      told(await one(open({ names, serviceAccountRoles: false }), admin(operation, path, more)));
    const reader = ['provider/main ! @ < client/orders-api/reader'];
    expect(await lines('DELETE', `clients/${CLIENT}/roles/reader`)).toEqual(reader);
    expect(await lines('DELETE', 'roles-by-id/r1')).toEqual(reader);
    expect((await lines('DELETE', `clients/${CLIENT}`))[0]).toEqual(reader[0]);
    const sent = [{ id: 'r1', name: 'reader', clientRole: true, containerId: CLIENT }];
    expect(
      await lines('DELETE', 'roles/bundle/composites', { representation: JSON.stringify(sent) }),
    ).toEqual(['provider/main ! @ < bundle,client/orders-api/reader']);
    for (const operation of ['UPDATE', 'DELETE'])
      expect(await lines(operation, 'organizations/o')).toEqual(['provider/main ! @ < organization/acme']);
    expect(await lines('CREATE', 'organizations/p')).toEqual([]);
    expect(await lines('CREATE', 'organizations/o/members')).toEqual(['provider/main @ < organization/acme']);
    expect(await lines('DELETE', `organizations/o/members/${USER}`)).toEqual([person]);
  });

  it('names a group as the mapping may, and takes a known service account for no person', async () => {
    const names = createKeycloakNames();
    names.learnGroup('g', '/ops/oncall');
    names.learnServiceAccount(USER, CLIENT);
    const source = open({ names, serviceAccountRoles: false });
    expect(told(await one(source, admin('DELETE', 'groups/g')))).toEqual([
      'provider/main ! @ < /ops/oncall,ops/oncall',
    ]);
    expect(told(await one(source, admin('DELETE', `users/${USER}/groups/g`)))).toEqual([]);
  });

  it('follows a client that gets another client id, and a scope that gets another name', async () => {
    const names = createKeycloakNames();
    names.learnClient(CLIENT, 'old');
    names.learnScope(WRITE_SCOPE, 'old:scope');
    const source = open({ names });
    const renamed = admin('UPDATE', `clients/${CLIENT}`, { representation: '{"clientId":"new"}' });
    expect(told(await one(source, renamed))).toEqual([
      'provider/main ! *',
      'provider/main ! @',
      `${byId} ! < old`,
      'client/main/old ! < old',
    ]);
    expect(told(await one(source, renamed))).toEqual([`${byId} ! < new`]);
    const scope = admin('UPDATE', `client-scopes/${WRITE_SCOPE}`, { representation: '{"name":"new:scope"}' });
    expect(told(await one(source, scope))).toEqual(['provider/main ! * < old:scope']);
    expect(told(await one(source, scope))).toEqual(['provider/main ! *']);
  });

  describe('where roles count', () => {
    const API = '0b1b0e35-5a0e-4b43-a7b5-0e6d3d9f5b11';
    const reader = { id: 'r1', name: 'reader', clientRole: true, containerId: API };
    const learned = () => {
      const names = createKeycloakNames();
      names.learnClient(API, 'orders-api');
      names.learnRole('r1', { api: 'orders-api', name: 'reader' });
      names.learnRole('r2', { api: 'orders-api', name: 'writer' });
      names.learnRole('r3', { name: 'writer' });
      return names;
    };
    const list = (...roles: object[]) => ({ representation: JSON.stringify(roles) });
    const all = (...roles: string[]) => [`provider/main ! * < ${roles.join()}`];

    it.each<[string, string, string, object, readonly string[]]>([
      ['one of a client, deleted', 'DELETE', `clients/${API}/roles/reader`, {}, all('orders-api#reader')],
      [
        'one of a client, renamed',
        'UPDATE',
        `clients/${API}/roles/reader`,
        { representation: '{"name":"readers"}' },
        all('orders-api#reader'),
      ],
      [
        'one of a client, described',
        'UPDATE',
        `clients/${API}/roles/reader`,
        { representation: '{"name":"reader","description":"x"}' },
        ['provider/main ! *'],
      ],
      ['one by its id, deleted', 'DELETE', 'roles-by-id/r2', {}, all('orders-api#writer')],
      ['one of the realm by its id, deleted', 'DELETE', 'roles-by-id/r3', {}, all('writer')],
      [
        'one by its id, renamed',
        'UPDATE',
        'roles-by-id/r1',
        { representation: '{"name":"readers"}' },
        all('orders-api#reader'),
      ],
      [
        'two taken out of a role',
        'DELETE',
        'roles/bundle/composites',
        list(reader, { id: 'r3', name: 'writer' }),
        all('orders-api#reader', 'writer'),
      ],
      [
        'one taken out of a role of a client',
        'DELETE',
        `clients/${API}/roles/writer/composites`,
        list(reader),
        all('orders-api#reader'),
      ],
      [
        'one of a client that nobody knows, taken out of a role',
        'DELETE',
        'roles-by-id/r3/composites',
        list({ ...reader, containerId: CLIENT }),
        ['provider/main ! *'],
      ],
      [
        'one taken from a group',
        'DELETE',
        `groups/g/role-mappings/clients/${API}`,
        list(reader),
        all('orders-api#reader'),
      ],
      ['one given to a group', 'CREATE', 'groups/g/role-mappings/realm', list(reader), ['provider/main *']],
      [
        'the client that they belong to, deleted',
        'DELETE',
        `clients/${API}`,
        {},
        all('orders-api#reader', 'orders-api#writer'),
      ],
      [
        'the client that they belong to, under another client id',
        'UPDATE',
        `clients/${API}`,
        { representation: '{"clientId":"orders"}' },
        all('orders-api#reader', 'orders-api#writer'),
      ],
    ])('says which: %s', async (_, operation, path, more, expectation) => {
      const event = await one(open({ names: learned() }), admin(operation, path, more));
      expect(told(event).filter((line) => / \*/.test(line))).toEqual(expectation);
    });

    it('reads nobody for roles of a client that is none of the APIs', async () => {
      const other = { names: learned(), apis: ['billing-api'] };
      const named = { representation: '{"clientId":"orders-api"}' };
      for (const [operation, path, more] of [
        ['DELETE', `clients/${API}/roles/reader`, {}],
        ['DELETE', `clients/${API}`, named],
      ] as const) {
        const lines = async (options: object) => told(await one(open(options), admin(operation, path, more)));
        expect((await lines(other)).filter((line) => / \*/.test(line))).toEqual([]);
        expect(await lines({ ...other, apis: ['orders-api'] })).toContainEqual(
          expect.stringMatching(/^provider\/main ! \*/),
        );
      }
    });
  });

  it('looks at a client that changed itself by dynamic registration', async () => {
    const event = (type: string) =>
      signed({ id: 'e', time: 1, realmName: 'wh2', type, authDetails: { clientId: 'self' } });
    expect(told(await one(open(), event('access.CLIENT_DELETE')))).toEqual(['client/main/self !']);
    expect(told(await one(open(), event('access.CLIENT_REGISTER')))).toEqual(['client/main/self']);
    expect(told(await one(open(), event('access.CLIENT_LOGIN')))).toEqual([]);
  });

  it('refuses what Keycloak never sends, however well it is signed', async () => {
    const event = { id: 'e', time: 1, realmName: 'wh2', type: 'access.LOGIN' };
    expect((await one(open(), signed(event))).id).toBe('e');
    const bad = [
      '',
      '{',
      'null',
      '[]',
      '7',
      '"x"',
      Buffer.from([0xff, 0xfe]),
      `${JSON.stringify(event)}x`,
      { ...event, id: undefined },
      { ...event, id: 7 },
      { ...event, id: 'x'.repeat(101) },
      { ...event, time: '1' },
      { ...event, time: -1 },
      { ...event, time: 1e300 },
      { ...event, time: 9e15 },
      { ...event, time: 1.5 },
      { ...event, type: undefined },
      { ...event, type: 'admin.CLIENT-DELETE' },
    ];
    for (const body of bad) {
      await expect(open().receive(signed(body)), String(body)).rejects.toMatchObject({
        status: 400,
        code: 'ERR_EVENT_INVALID',
      });
    }
  });

  it('refuses a body beyond its limit before anything else', async () => {
    const source = open({ maxBytes: 100 });
    await expect(source.receive(signed('x'.repeat(101)))).rejects.toMatchObject({ status: 413 });
  });

  it('yields no trigger and no other error for any change to a recorded body under its old signature', async () => {
    const source = open();
    const mutation = fc.tuple(fc.nat(25), fc.nat(), fc.uint8Array({ maxLength: 8 }), fc.nat(8));
    await fc.assert(
      fc.asyncProperty(mutation, async ([index, at, insert, remove]) => {
        const { request } = recorded[index] as (typeof recorded)[number];
        const start = at % request.body.length;
        const body = Buffer.concat([
          request.body.slice(0, start),
          insert,
          request.body.slice(start + remove),
        ]);
        fc.pre(!body.equals(request.body));
        await expect(source.receive({ ...request, body })).rejects.toMatchObject({ status: 401 });
      }),
    );
  });

  it('never fails in another way than RejectedEvent on whatever is signed', async () => {
    const source = open();
    const field = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('clients/x', 'UPDATE', 'DELETE', 'CLIENT', '{"enabled":false}', 'wh2'),
    );
    const event = fc.record(
      {
        id: field,
        time: fc.oneof(field, fc.nat()),
        realmName: field,
        operationType: field,
        resourceType: field,
        resourcePath: field,
        representation: field,
        authDetails: field,
        type: field,
        error: field,
      },
      { requiredKeys: [] },
    );
    const body = fc.oneof(
      fc.uint8Array(),
      fc.json(),
      event.map((each) => JSON.stringify(each)),
    );
    await fc.assert(
      fc.asyncProperty(body, async (content) => {
        const outcome = await source.receive(signed(content)).catch((error: unknown) => error);
        if (outcome instanceof RejectedEvent) expect(outcome.status).toBe(400);
        else expect(outcome).toMatchObject({ kind: 'events' });
      }),
      { numRuns: 500 },
    );
  });
});
