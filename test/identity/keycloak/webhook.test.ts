import { describe, expect, it } from 'vitest';
import type { RawRequest } from '../../../src/identity/source.js';
import { formatKey } from '../../../src/model/key.js';
import { Secret } from '../../../src/model/secret.js';
import { RECEIVED_AT, recordings } from './recordings.js';
import { admin, byId, byUser, CLIENT, inShort, one, open, USER } from './webhook-source.js';

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

  it('turns the whole recording, in order, into the possible changes of each event', async () => {
    const source = open();
    const seen: [string, readonly string[]][] = [];
    for (const { name, request } of recorded) seen.push([name, inShort(await one(source, request))]);
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

  it('gives the same result for an event that comes again', async () => {
    const source = open();
    for (const { request } of recorded) await one(source, request);
    const last = recorded[25]?.request as RawRequest;
    expect(await one(source, last)).toEqual(await one(source, last));
  });

  it('accepts an event that is older than remembered IDs only as a hint', async () => {
    const request = admin('DELETE', `clients/${CLIENT}`, { representation: '{"clientId":"web"}' });
    const later = (days: number) => ({
      ...request,
      receivedAt: new Date(1795560651981 + days * 86_400_000).toISOString(),
    });
    expect(inShort(await one(open(), later(5)))).toEqual([
      'provider/main ! *',
      'provider/main ! @',
      'client/main/web ! < web',
      `client-deleted web ${CLIENT}`,
    ]);
    expect(inShort(await one(open(), later(7)))).toEqual([
      'provider/main ! *',
      'provider/main ! @',
      'client/main/web !',
    ]);
  });

  it('ignores an event of another realm with the same secret', async () => {
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
});
