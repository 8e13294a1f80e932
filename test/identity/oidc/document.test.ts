import { describe, expect, test } from 'vitest';
import { ClientUnreadable, IncompleteRead } from '../../../src/errors.js';
import {
  clientIn,
  membersOf,
  parseClient,
  parsePage,
  toSnapshot,
} from '../../../src/identity/oidc/document.js';

const page = (...clients: unknown[]) => parsePage({ clients }, 'main', 'the document');

describe('the oidc document', () => {
  test('a client with every field becomes a client of the model', () => {
    const { clients } = page({
      clientId: 'web-app',
      name: 'Web',
      enabled: false,
      grantTypes: ['client_credentials'],
      scopes: ['orders:read', { api: 'orders', name: 'orders:read' }, 'orders:read'],
      accessTokenLifetimeSeconds: 300,
      secretCreatedAt: '2026-03-01T13:00:00+01:00',
      attributes: { 'consul-services': ['web', 'shop'], actor: 'agent', tier: 3, beta: true },
    });
    expect(clients).toEqual([
      {
        provider: 'main',
        clientId: 'web-app',
        name: 'Web',
        enabled: false,
        grantTypes: ['client_credentials'],
        grants: [{ name: 'orders:read' }, { api: 'orders', name: 'orders:read' }],
        accessTokenLifetimeSeconds: 300,
        secretCreatedAt: '2026-03-01T12:00:00.000Z',
        attributes: { 'consul-services': 'web,shop', actor: 'agent', tier: '3', beta: 'true' },
      },
    ]);
  });

  test('a missing field of a client has its default', () => {
    const { clients, single, next } = page({ clientId: 'web-app', scopes: [] });
    expect(clients[0]).toEqual({
      provider: 'main',
      clientId: 'web-app',
      enabled: true,
      grantTypes: [],
      grants: [],
      attributes: {},
    });
    expect({ single, next }).toEqual({ single: false, next: undefined });
  });

  test('unknown keys are allowed at every level', () => {
    const json = {
      clients: [{ clientId: 'a', scopes: [{ name: 's', note: 1 }], owner: 'x' }],
      generated: 'now',
    };
    expect(parsePage(json, 'main', 'd').clients[0]?.grants).toEqual([{ name: 's' }]);
  });

  test('an attribute named __proto__ stays an attribute and changes no prototype', () => {
    const json: unknown = JSON.parse('{"clientId":"a","scopes":[],"attributes":{"__proto__":"x","b":"c"}}');
    const { attributes } = parseClient(json, 'a', 'main', 'd');
    expect(Object.getPrototypeOf(attributes)).toBe(Object.prototype);
    expect(attributes.b).toBe('c');
  });

  const ok = { clientId: 'a', scopes: [] };
  test.each<[string, unknown, string]>([
    ['a document that is an array', [], 'the document'],
    ['a document without clients', {}, 'clients'],
    ['clients that are null', { clients: null }, 'clients'],
    ['a next that is a number', { clients: [ok], next: 2 }, 'next'],
    ['single as a string', { clients: [ok], single: 'yes' }, 'single'],
  ])('%s is an incomplete read that names the place', (_, json, place) => {
    const read = () => parsePage(json, 'main', 'https://idp/clients');
    expect(read).toThrow(IncompleteRead);
    expect(read).toThrow(`https://idp/clients: ${place}`);
  });

  test.each<[string, unknown, string | undefined, string]>([
    ['null', null, undefined, 'the document'],
    ['a client without an id', { scopes: [] }, undefined, 'clientId'],
    ['an id that is a number', { ...ok, clientId: 7 }, undefined, 'clientId'],
    ['an empty id', { ...ok, clientId: '' }, undefined, 'clientId'],
    ['an id with a line break', { ...ok, clientId: 'a\nb' }, undefined, 'clientId'],
    ['an id with half a character', { ...ok, clientId: '\ud800' }, undefined, 'clientId'],
    ['a client whose scopes were left out', { clientId: 'a' }, 'a', 'scopes'],
    ['scopes as one string', { ...ok, scopes: 'a b' }, 'a', 'scopes'],
    ['a scope with a space', { ...ok, scopes: ['a b'] }, 'a', 'scopes[0]'],
    ['a scope object without a name', { ...ok, scopes: [{ api: 'x' }] }, 'a', 'scopes[0]'],
    ['enabled as a string', { ...ok, enabled: 'false' }, 'a', 'enabled'],
    ['enabled as null', { ...ok, enabled: null }, 'a', 'enabled'],
    ['a lifetime of zero', { ...ok, accessTokenLifetimeSeconds: 0 }, 'a', 'accessToken'],
    ['an attribute as null', { ...ok, attributes: { a: null } }, 'a', 'attributes.a'],
    ['an attribute that is an object', { ...ok, attributes: { a: {} } }, 'a', 'attributes.a'],
    [
      'an attribute of 17,000 characters',
      { ...ok, attributes: { a: 'x'.repeat(17_000) } },
      'a',
      'attributes.a',
    ],
    ['a secret made at no instant', { ...ok, secretCreatedAt: 'now' }, 'a', 'secretCreatedAt'],
  ])('%s affects one client and no other, and the place is named', (_, record, clientId, place) => {
    const others: unknown[] = ['b', 'c', 'd'].map((id) => ({ clientId: id, scopes: [`of-${id}`] }));
    for (let at = 0; at <= others.length; at++) {
      const { clients, unreadable } = parsePage({ clients: others.toSpliced(at, 0, record) }, 'main', 'd');
      expect(clients).toEqual(parsePage({ clients: others }, 'main', 'd').clients);
      expect(unreadable).toEqual([{ why: expect.stringContaining(place), ...(clientId && { clientId }) }]);
      expect(unreadable[0]?.why.startsWith(place)).toBe(true);
    }
  });

  test('a record that cannot be parsed is neither a client nor the absence of one', () => {
    const snapshot = toSnapshot([parsePage({ clients: [ok, { clientId: 'b' }] }, 'main', 'd')], 'd', 1);
    expect(clientIn(snapshot, 'a', 'd')?.clientId).toBe('a');
    expect(() => clientIn(snapshot, 'b', 'd')).toThrow(ClientUnreadable);
    expect(clientIn(snapshot, 'c', 'd')).toBeUndefined();
    // A missing client may be the one whose id cannot be read.
    const unnamed = toSnapshot([parsePage({ clients: [ok, { scopes: [] }] }, 'main', 'd')], 'd', 1);
    expect(clientIn(unnamed, 'a', 'd')?.clientId).toBe('a');
    expect(() => clientIn(unnamed, 'c', 'd')).toThrow(
      /client "c" cannot be read: clientId.*correct its record/,
    );
  });

  test('an untrusted attribute name cannot add lines to the message', () => {
    const json = { clients: [{ ...ok, attributes: { ['x\n'.repeat(5000)]: {} } }] };
    const [{ why = '' } = {}] = parsePage(json, 'main', 'd').unreadable;
    expect(why).toContain('attributes');
    expect(why).not.toContain('\n');
    expect(why.length).toBeLessThan(400);
  });

  test('a client listed on two pages means that the pages overlap', () => {
    const twice = [page({ clientId: 'a', scopes: [] }), page({ clientId: 'a', scopes: ['x'] })];
    expect(() => toSnapshot(twice, 'd', 2)).toThrow(/client "a" is listed twice/);
  });

  test('a document without a client is refused, and the message says what to write instead', () => {
    expect(() => toSnapshot([page()], 'd', 1)).toThrow(IncompleteRead);
    expect(() => toSnapshot([page()], 'd', 1)).toThrow(/set its "enabled" to false/);
  });

  describe('people', () => {
    const clients = [{ clientId: 'a', scopes: [] }];
    const read = (...people: unknown[]) => toSnapshot([parsePage({ clients, people }, 'main', 'd')], 'd', 1);

    test('are members of their groups while they are enabled', () => {
      const snapshot = read(
        { subject: 'ann', groups: ['x', 'y'] },
        { subject: 'ben', enabled: false, groups: ['x'] },
        { subject: 'cy', enabled: true, groups: ['y'] },
      );
      expect(membersOf(snapshot, ['x', 'y', 'z', 'x'], 'd')).toEqual(
        new Map([
          ['x', ['ann']],
          ['y', ['ann', 'cy']],
          ['z', []],
        ]),
      );
      expect(membersOf(read(), ['x'], 'd')).toEqual(new Map([['x', []]]));
    });

    test('are unknown if the document does not mention them', () => {
      const snapshot = toSnapshot([parsePage({ clients }, 'main', 'd')], 'd', 1);
      expect(() => membersOf(snapshot, ['x'], 'd')).toThrow(IncompleteRead);
    });

    test.each<[string, unknown]>([
      ['without groups', { subject: 'ann' }],
      ['with groups that a broken export emptied', { subject: 'ann', groups: null }],
      ['without a subject', { groups: [] }],
      ['with an empty group', { subject: 'ann', groups: [''] }],
    ])('%s are unreadable, and all others are members as before', (_, person) => {
      const ben = { subject: 'ben', groups: ['x'] };
      const snapshot = read(person, ben);
      expect(snapshot.clients).toHaveLength(1);
      const members = membersOf(snapshot, ['x'], 'd');
      expect(members.get('x')).toEqual(['ben']);
      const hasSubject = JSON.stringify(person).includes('ann');
      expect(members.unreadable).toEqual({
        subjects: new Set(hasSubject ? ['ann'] : []),
        groups: new Set(),
        hasUnnamed: !hasSubject,
      });
    });

    test('listed on two pages mean that the pages overlap', () => {
      const person = { subject: 'ann', groups: [] };
      expect(() => read(person, person)).toThrow(/person "ann" is listed twice/);
    });
  });
});
