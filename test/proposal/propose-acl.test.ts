import { describe, expect, it } from 'vitest';
import type { AclToken } from '../../src/model/acl.js';
import { type AclProposal, proposeAcl } from '../../src/proposal/propose-acl.js';
import {
  aclRule,
  aclToken,
  loginProvider,
  READ_CONFIG,
  settings,
  WRITE_ORDERS,
} from '../acl/plan/acl-scene.js';
import { client, mapping, NOW, rule, scene, worldOf } from '../plan/scene.js';
import { acl, claimOf, login, policyOf, proposed, roleOf } from './scene-proposal-acl.js';

const CONFIG = '{"key_prefix":{"config/":{"policy":"read"}}}';
const EVENTS = 'event "orders" { policy = "write" }';
const LIST = '"config" in list.scopes';
const LISTS = { listClaimMappings: { scopes: 'scopes' } };
const found = ({ rules }: AclProposal) =>
  rules.map((each) => [each.rule.scope, each.evidence, each.rule.acl].join(' '));
const ofClient = (clientId: string, changes: Partial<AclToken> = {}) =>
  aclToken(`t-${clientId}`, { description: clientId, policies: ['config-read'], ...changes });
/** Each client has the rights of `config-read` by a token of its own. */
const holding = (
  scopes: Readonly<Record<string, readonly string[]>>,
  changes: Parameters<typeof client>[2] = {},
) => ({
  clients: Object.entries(scopes).map(([id, names]) => client(id, names, changes)),
  tokens: Object.keys(scopes).map((id) => ofClient(id)),
});
const policies = (...each: readonly (readonly [string, string])[]) => ({
  policies: each.map(([name, rules]) => policyOf(name, rules)),
});

describe('an acl: rule is proposed', () => {
  it('also for agents, which log in for themselves', () => {
    expect(found(proposed(holding({ web: ['config:read'] }, { actorKind: 'agent' })))).toHaveLength(1);
  });

  it('beside a rule of the file for intentions or for another scope, and not beside one for the scope', () => {
    const given = holding({ web: ['config:read'] });
    const rules = [rule('config:read', 'config'), aclRule('orders:*', WRITE_ORDERS)];
    expect(found(proposed({ ...given, mapping: { rules } }))).toHaveLength(1);
    const decided = [...rules, aclRule('config:*', WRITE_ORDERS)];
    expect(found(proposed({ ...given, mapping: { rules: decided } }))).toEqual([]);
  });

  it('only if the file can hold it, and the name of its scope', () => {
    const from = scene({ ...holding({ web: ['config:read'] }), mapping: mapping({ acl }) });
    const objects = {
      ...policies(['config-read', READ_CONFIG]),
      roles: [],
      authMethods: [],
      bindingRules: [],
    };
    const proposeIf = (canWrite: boolean) =>
      proposeAcl({ tokens: [ofClient('web')], objects }, [], {
        mapping: from.mapping,
        world: worldOf(from),
        canWrite: () => canWrite,
        now: NOW,
      }).rules.length;
    expect([proposeIf(true), proposeIf(false)]).toEqual([1, 0]);
    expect(found(proposed(holding({ web: ['config:*'] })))).toEqual([]);
  });

  it('never for a scope that a standard defines', () => {
    const named = policies(['config-read', READ_CONFIG], ['profile', READ_CONFIG]);
    expect(found(proposed({ ...holding({ web: ['profile'] }), objects: named }))).toEqual([]);
  });

  it('never for rules with a capture, which would be a pattern', () => {
    const objects = policies(['config-read', 'key_prefix "{team}/" { policy = "read" }']);
    expect(found(proposed({ ...holding({ web: ['team:read', 'config:read'] }), objects }))).toEqual([]);
  });

  it.each([
    ['service "vault" { policy = "read" }', 0],
    ['service_prefix "va" { policy = "read" }', 0],
    ['service_prefix "" { policy = "read" }', 0],
    ['service "vaults" { policy = "read" }', 1],
    ['service_prefix "ault" { policy = "read" }', 1],
    ['key "vault" { policy = "read" }', 1],
    ['service "vault" { policy = "read" } key "x" { policy = "read" }', 0],
  ])('for %s while vault and consul-x are protected: %i', (rules, many) => {
    const objects = policies(['config-read', rules]);
    const given = { ...holding({ web: ['config:read'] }), objects };
    expect(found(proposed({ ...given, mapping: { protectedServices: ['vault', 'consul-x'] } }))).toHaveLength(
      many,
    );
    expect(found(proposed(given))).toHaveLength(1);
  });

  it('for each text, in one order', () => {
    const objects = policies(['b', READ_CONFIG], ['a', EVENTS]);
    const given = {
      clients: [client('web', ['orders:write', 'config:read'])],
      tokens: [ofClient('web', { policies: ['b', 'a'] })],
      objects,
    };
    expect(proposed(given).rules.map((each) => each.rule.scope)).toEqual(['orders:write', 'config:read']);
  });
});

describe('the scope for the rules', () => {
  it('is the one with most clients, and another one only for clients that are left', () => {
    expect(found(proposed(holding({ web: ['config', 'config:read'], job: ['config:read'] })))).toEqual([
      `config:read policy ${CONFIG}`,
    ]);
    const two = { web: ['config:kv', 'config:read'], job: ['config:kv'], bot: ['config:read'] };
    expect(found(proposed(holding(two)))).toHaveLength(2);
  });

  it('says nothing else than the policy does', () => {
    for (const scope of ['config:team', 'read', 'team', 'config:write'])
      expect(found(proposed(holding({ web: [scope] })))).toEqual([]);
    for (const scope of ['config', 'config:read', 'kv.config.reader'])
      expect(found(proposed(holding({ web: [scope] })))).toHaveLength(1);
  });

  it('says that it writes where the rules do, also those for everything', () => {
    const written = (rules: string, scope: string) =>
      found(proposed({ ...holding({ web: [scope] }), objects: policies(['config-read', rules]) })).length;
    expect(written('key_prefix "config/" { policy = "write" }', 'config:write')).toBe(1);
    expect(written('key_prefix "config/" { policy = "write" }', 'config:read')).toBe(0);
    expect(written('key_prefix "config/" { policy = "write" }', 'config')).toBe(1);
    expect(written('operator = "write"', 'config:write')).toBe(1);
    expect(written('operator = "write"', 'config:read')).toBe(0);
    expect(written('operator = "read"', 'config:read')).toBe(1);
  });

  it('is one that names nothing only if its clients alone have the rights, and no other scope has the same clients', () => {
    const both = { web: ['insights'], job: ['insights'] };
    expect(found(proposed(holding(both)))).toEqual([`insights holders ${CONFIG}`]);
    const twins = { web: ['insights', 'figures'], job: ['insights', 'figures'] };
    expect(found(proposed(holding(twins)))).toEqual([]);
    expect(found(proposed(holding({ ...both, bot: [] })))).toEqual([]);
    expect(found(proposed(holding({ web: ['insights'] })))).toEqual([]);
    const named = { web: ['insights', 'config'], job: ['insights', 'config'] };
    expect(found(proposed(holding(named)))).toEqual([`config policy ${CONFIG}`]);
    const people = holding(both, { grantTypes: ['authorization_code'] });
    expect(found(proposed(people))).toEqual([]);
  });

  it("ignores an API's scope for foreign logins, which compare only the name", () => {
    const grants = [{ name: 'config', api: 'shop' }];
    const clients = [{ ...client('web', []), grants }];
    expect(found(proposed({ clients, objects: login(LIST, LISTS) }))).toEqual([]);
    expect(found(proposed({ clients: [client('web', ['config'])], objects: login(LIST, LISTS) }))).toEqual([
      `config login ${CONFIG}`,
    ]);
  });

  it('of a login is proven by that login, and any other by the token of each client', () => {
    const clients = ['web', 'job'].map((id) => client(id, ['config']));
    const tokens = ['web', 'job'].map((id) => ofClient(id));
    const proofs = (given: Parameters<typeof proposed>[0]) =>
      proposed(given).rules.flatMap((each) => each.proofs.map(({ kind, name }) => `${kind} ${name}`));
    expect(proofs({ clients, tokens })).toEqual(['acl-token t-job', 'acl-token t-web']);
    expect(proofs({ clients, tokens, objects: login(LIST, LISTS) })).toEqual(['acl-auth-method sso']);
  });
});

describe('a login of others', () => {
  const read = (changes: object, selector = LIST, config: Parameters<typeof login>[1] = LISTS) => {
    const objects = login(selector, config);
    const bindingRules = objects.bindingRules.map((each) => ({
      ...each,
      object: { ...each.object, ...changes },
    }));
    return found(proposed({ clients: [client('web', ['config'])], objects: { ...objects, bindingRules } }));
  };

  it('gives to the scope that it compares, and to no other', () => {
    const clients = [client('web', ['config', 'x'])];
    expect(found(proposed({ clients, objects: login(LIST, LISTS) }))).toEqual([`config login ${CONFIG}`]);
  });

  it('counts under the name of its method in any case', () => {
    expect(read({ authMethod: 'SSO' })).toHaveLength(1);
  });

  it.each([
    ['gives a service', { bindType: 'service', bindName: 'reader' }],
    ['is one of scopemesh', { description: 'scopemesh:other client=main/web' }],
    ['gives a role whose name depends on the token', { bindName: ['reader$', '{value.x}'].join('') }],
    ['has a method that is not there', { authMethod: 'gone' }],
  ])('does not count where its rule %s', (_how, changes) => {
    expect(read(changes)).toEqual([]);
  });

  it.each([
    ['compares another list', { listClaimMappings: { groups: 'scopes' } }],
    ['has the list under another name', { listClaimMappings: { scopes: 'other' } }],
    ['has no list', {}],
  ])('does not count where its method %s', (_how, config) => {
    expect(read({}, LIST, config as Parameters<typeof login>[1])).toEqual([]);
  });

  it('does not count where the provider writes scopes as one text', () => {
    const given = { clients: [client('web', ['config'])], objects: login(LIST, LISTS) };
    const asText = loginProvider({ scopes: { claim: ['scopes'], isList: false } });
    const providers = new Map([['main', asText]]);
    expect(found(proposed({ ...given, mapping: { acl: settings({ providers }) } }))).toEqual([]);
  });
});

describe('a static token', () => {
  const clients = [client('web', ['config:read', 'orders:write'])];
  const objects = policies(
    ['config-read', READ_CONFIG],
    ['orders', EVENTS],
    ['odd', 'namespace "x" { policy = "read" }'],
  );

  it('is explained by the scopes that give all of it, sorted, and by its services', () => {
    const tokens = [
      ofClient('web', { policies: ['config-read', 'orders'], serviceIdentities: ['web', 'shop'] }),
    ];
    const claims = [claimOf('web'), claimOf('shop')];
    expect(proposed({ clients, tokens, objects, claims }).explained.get('t-web')).toMatchObject({
      client: { provider: 'main', clientId: 'web' },
      scopes: ['config:read', 'orders:write'],
      services: ['shop', 'web'],
    });
  });

  it('with services alone is explained by no scope, though its client has some', () => {
    const tokens = [ofClient('web', { policies: [], serviceIdentities: ['web'] })];
    const given = { rules: [aclRule('config:read', READ_CONFIG)] };
    const { explained } = proposed({ clients, tokens, objects, claims: [claimOf('web')], mapping: given });
    expect(explained.get('t-web')).toMatchObject({ scopes: [], services: ['web'] });
  });

  it.each([
    ['nothing at all', { policies: [] }],
    ['rules that no scope gives', { policies: ['config-read', 'odd'] }],
    ['one text of two that no scope gives', { policies: ['config-read', 'more'] }],
    ['the identity of a node', { nodeIdentities: ['dc1/n1'] }],
    ['a template of Consul', { templatedPolicies: ['builtin/dns'] }],
    ['a service that nobody claims', { serviceIdentities: ['web', 'shop'] }],
    ['a service of another client', { serviceIdentities: ['web', 'theirs'] }],
  ])('is not explained with %s', (_what, changes) => {
    const more = {
      ...objects,
      policies: [...objects.policies, policyOf('more', 'key "x" { policy = "read" }')],
    };
    const claims = [claimOf('web')];
    const tokens = [ofClient('web', { description: 'token of web', ...changes })];
    const given = { rules: [aclRule('config:read', READ_CONFIG)] };
    const { explained, unexplained } = proposed({ clients, tokens, objects: more, claims, mapping: given });
    expect([...explained.keys()]).toEqual([]);
    expect([...unexplained.keys()]).toEqual(['t-web']);
  });

  it('of nobody, or of a client that is not there, is in neither list', () => {
    const tokens = [ofClient('ghost'), aclToken('none')];
    const { explained, unexplained } = proposed({ clients, tokens, objects });
    expect([explained.size, unexplained.size]).toEqual([0, 0]);
  });

  it('that has ended, or ends now, explains nothing; one that ends later does', () => {
    const ending = (atMs: number) =>
      proposed({
        clients,
        tokens: [ofClient('web', { expiresAt: new Date(atMs).toISOString() })],
        objects,
      }).explained.size;
    expect([ending(NOW - 1), ending(NOW), ending(NOW + 1)]).toEqual([0, 0, 1]);
  });

  it('gives its client nothing where it could be of another one', () => {
    const two = [...clients, client('job', [])];
    for (const description of ['web job', 'client=web client=job', 'token of web, client=job']) {
      const { rules, explained } = proposed({
        clients: two,
        tokens: [ofClient('web', { description })],
        objects,
      });
      expect([rules, [...explained]]).toEqual([[], []]);
    }
  });

  it('is not explained while Consul could not verify the tokens of its provider', () => {
    const providers = new Map([['main', loginProvider({ audience: undefined })]]);
    const tokens = [ofClient('web'), ofClient('web', { accessorId: 'w', description: 'key for web' })];
    const { unexplained } = proposed({ clients, tokens, objects, mapping: { acl: settings({ providers }) } });
    const [one, other] = [unexplained.get('t-web'), unexplained.get('w')];
    expect(one).toBe(other);
    expect(one).toContain('audience');
  });
});

describe('the client of a static token', () => {
  const holderOf = (changes: Partial<AclToken>, claims: Parameters<typeof proposed>[0]['claims'] = []) => {
    const { explained } = proposed({
      clients: [client('web', ['config:read'])],
      tokens: [aclToken('t', { policies: ['config-read'], ...changes })],
      objects: { roles: [roleOf('web', [])] },
      ...(claims.length === 0 ? {} : { claims }),
    });
    const proof = explained.get('t')?.proof;
    return proof === undefined ? undefined : `${proof.by}: ${proof.text}`;
  };

  it.each([
    ['web', 'Description: web'],
    ['TOKEN OF web', 'Description: TOKEN OF web'],
    ['client=web', 'Description: client=web'],
    ['made by Ann (client=web).', 'Description: client=web'],
    ['for CI; client=web,', 'Description: client=web'],
    ['the token of web', undefined],
    ['token of web, for CI', undefined],
    ['token of web\nfor CI', undefined],
    ['noclient=web', undefined],
    ['client=web/', undefined],
    ['client=web-2', undefined],
    ['client=we.b', undefined],
  ])('by the Description %j is %s', (description, proof) => {
    expect(holderOf({ description })).toBe(proof);
  });

  it('is the one that claims all its services', () => {
    const claims = [claimOf('shop'), claimOf('store', 'attribute')];
    expect(holderOf({ serviceIdentities: ['shop', 'store'] }, claims)).toBe('service identity: shop, store');
    expect(holderOf({ serviceIdentities: ['shop', 'x'] }, claims)).toBeUndefined();
    expect(holderOf({}, claims)).toBeUndefined();
  });
});
