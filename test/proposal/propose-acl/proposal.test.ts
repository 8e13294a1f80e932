import { describe, expect, it } from 'vitest';
import type { AclToken } from '../../../src/model/acl.js';
import type { ProposedClaim } from '../../../src/proposal/proposal.js';
import type { AclProposal } from '../../../src/proposal/propose-acl.js';
import type { HolderProof } from '../../../src/proposal/token-holder.js';
import { aclToken, loginProvider, READ_CONFIG, settings } from '../../acl/plan/acl-scene.js';
import { client, named } from '../../plan/scene.js';
import { claimOf, type Given, login, proposed } from '../scene-proposal-acl.js';

const CONFIG = '{"key_prefix":{"config/":{"policy":"read"}}}';
const texts = ({ rules }: AclProposal) => rules.map(({ rule, evidence }) => [rule.scope, rule.acl, evidence]);
const ofWeb = aclToken('t', { description: 'token of web', policies: ['config-read'] });

describe('a proposal of acl: rules', () => {
  it.each<readonly [string, Partial<AclToken>, Pick<HolderProof, 'by' | 'text'>]>([
    ['says whose it is', { description: 'Token of web' }, { by: 'Description', text: 'Token of web' }],
    ['has its ID alone as Description', { description: ' web ' }, { by: 'Description', text: 'web' }],
    ['marks its ID', { description: 'by Ann (client=web)' }, { by: 'Description', text: 'client=web' }],
    ['has a role of its name', { roles: ['web'], policies: [] }, { by: 'role', text: 'web' }],
  ])('finds the scope that gives a client what its token gives, if the token %s', (_, changes, text) => {
    const tokens = [aclToken('t', { policies: ['config-read'], ...changes })];
    const found = proposed({ clients: [client('web', ['config:read'])], tokens });
    expect(texts(found)).toEqual([['config:read', CONFIG, 'policy']]);
    const of = { client: { provider: 'main', clientId: 'web' } };
    const proof = { kind: 'acl-token', name: 't', ...text };
    expect(found.rules.map(({ proofs }) => proofs)).toEqual([[{ ...of, ...proof }]]);
    expect([...found.explained]).toEqual([['t', { ...of, proof, scopes: ['config:read'], services: [] }]]);
  });

  it.each<readonly [string, Partial<AclToken>, readonly ProposedClaim[]]>([
    ['has its ID as a word of its Description', { description: 'key for web of KV' }, []],
    ['says that it is of something longer', { description: 'token of web of KV' }, []],
    ['marks a longer ID', { description: 'client=web-2' }, []],
    ['is for a service of its name', { serviceIdentities: ['web'] }, [claimOf('web', 'name')]],
    ['is for a service that alone claims it', { serviceIdentities: ['x'] }, [claimOf('x', 'unconfirmed')]],
    ['is also for another service', { serviceIdentities: ['shop', 'x'] }, [claimOf('shop')]],
    [
      'is for a service of this name elsewhere',
      { serviceIdentities: ['shop'] },
      [{ ...claimOf('shop'), service: { ...named('shop'), namespace: 'team' } }],
    ],
  ])('believes no client that a token %s', (_, changes, claims) => {
    const tokens = [aclToken('t', { policies: ['config-read'], ...changes })];
    const found = proposed({ clients: [client('web', ['config:read'])], tokens, claims });
    expect([found.rules, [...found.explained]]).toEqual([[], []]);
  });

  it('takes the client that claims the services of a token', () => {
    const tokens = [aclToken('t', { serviceIdentities: ['shop'], policies: ['config-read'] })];
    const found = proposed({ clients: [client('web', ['config:read'])], tokens, claims: [claimOf('shop')] });
    expect(found.explained.get('t')).toMatchObject({ services: ['shop'], scopes: ['config:read'] });
  });

  it('takes the scope whose clients are exactly those with the rights', () => {
    const tokens = ['web', 'job'].map((id) => aclToken(id, { description: id, policies: ['config-read'] }));
    const clients = [client('web', ['insights', 'x']), client('job', ['insights']), client('bot', ['x'])];
    expect(texts(proposed({ clients, tokens }))).toEqual([['insights', CONFIG, 'holders']]);
  });

  it.each([
    [
      'a scope',
      '"config" in list.scopes',
      { listClaimMappings: { scopes: 'scopes' } },
      [['config', CONFIG, 'login']],
    ],
    ['a client ID', 'value.id == "web"', { claimMappings: { azp: 'id' } }, [['config', CONFIG, 'policy']]],
    ['another claim', 'value.id == "web"', { claimMappings: { sub: 'id' } }, []],
    ['more than one thing', 'value.id == "web" or value.id == "x"', { claimMappings: { azp: 'id' } }, []],
    [
      'a client ID of another issuer',
      'value.id == "web"',
      { claimMappings: { azp: 'id' }, boundIssuer: 'x' },
      [],
    ],
    [
      'a scope in tokens of the audience of the provider',
      '"config" in list.scopes',
      { listClaimMappings: { scopes: 'scopes' }, boundAudiences: ['consul', 'ops'] },
      [['config', CONFIG, 'login']],
    ],
    [
      'a scope in tokens of another audience',
      '"config" in list.scopes',
      { listClaimMappings: { scopes: 'scopes' }, boundAudiences: ['ops'] },
      [],
    ],
    [
      'a client ID in tokens of another audience',
      'value.id == "web"',
      { claimMappings: { azp: 'id' }, boundAudiences: ['ops'] },
      [],
    ],
  ])('reads a login of others that compares %s', (_, selector, config, expected) => {
    const objects = login(selector, config as Parameters<typeof login>[1]);
    const found = proposed({ clients: [client('web', ['config'])], objects });
    expect(texts(found)).toEqual(expected);
    for (const { proofs } of found.rules)
      expect(proofs).toMatchObject([
        { kind: 'acl-auth-method', name: 'sso', by: 'selector', text: selector },
      ]);
  });

  it.each(['authMethods', 'bindingRules'] as const)(
    'reads no login of others with more fields in its %s than scopemesh knows',
    (kind) => {
      const objects = login('"config" in list.scopes', { listClaimMappings: { scopes: 'scopes' } });
      const altered = { ...objects, [kind]: objects[kind].map((each) => ({ ...each, isAltered: true })) };
      expect(texts(proposed({ clients: [client('web', ['config'])], objects: altered }))).toEqual([]);
    },
  );

  it.each<readonly [string, Given]>([
    [
      'another client with the scope lacks the rights',
      { clients: [client('web', ['config:read']), client('job', ['config:read'])], tokens: [ofWeb] },
    ],
    [
      'a disabled client with the scope lacks the rights',
      {
        clients: [client('web', ['config:read']), client('job', ['config:read'], { enabled: false })],
        tokens: [ofWeb],
      },
    ],
    [
      'people sign in at the client',
      {
        clients: [client('web', ['config:read'], { grantTypes: ['authorization_code'] })],
        tokens: [ofWeb],
      },
    ],
    ['the scope says that it writes', { clients: [client('web', ['config:write'])], tokens: [ofWeb] }],
    [
      'Consul could not verify the tokens of the provider',
      {
        clients: [client('web', ['config:read'])],
        tokens: [ofWeb, aclToken('u', { serviceIdentities: ['web'] })],
        claims: [claimOf('web')],
        mapping: {
          acl: settings({ providers: new Map([['main', loginProvider({ audience: undefined })]]) }),
        },
      },
    ],
    [
      'the rules are for a protected service',
      {
        clients: [client('web', ['vault:write'])],
        tokens: [aclToken('t', { description: 'web', policies: ['vault'] })],
        mapping: { protectedServices: ['vault'] },
      },
    ],
    [
      'the token has more than scopemesh can read',
      {
        clients: [client('web', ['config:read'])],
        tokens: [aclToken('t', { description: 'web', policies: ['config-read', 'odd'] })],
      },
    ],
    [
      'the token has ended',
      {
        clients: [client('web', ['config:read'])],
        tokens: [
          aclToken('t', { description: 'web', policies: ['config-read'], expiresAt: '2020-01-01T00:00:00Z' }),
        ],
      },
    ],
    [
      'the token came from a login',
      {
        clients: [client('web', ['config:read'])],
        tokens: [aclToken('t', { description: 'web', policies: ['config-read'], authMethod: 'sso' })],
      },
    ],
    [
      'the texts of the token name two clients',
      {
        clients: [client('web', ['config:read']), client('job', [])],
        tokens: [aclToken('t', { description: 'web, job', policies: ['config-read'] })],
      },
    ],
    [
      'the token is for management',
      { clients: [client('web', ['config:read'])], tokens: [{ ...ofWeb, isManagement: true }] },
    ],
  ])('has no rule if %s', (_, given) => {
    const found = proposed(given);
    expect([found.rules, [...found.explained]]).toEqual([[], []]);
  });

  it('keeps the rules of the file, and explains tokens by them', () => {
    const rules = [{ scope: 'config:*', acl: READ_CONFIG, userRequired: false }];
    const found = proposed({
      clients: [client('web', ['config:read'])],
      tokens: [ofWeb],
      mapping: { rules },
    });
    expect([found.rules, [...found.explained.keys()]]).toEqual([[], ['t']]);
  });

  it('says what it knows about a token that no scope explains', () => {
    const clients = [client('web', []), client('job', [])];
    const tokens = [
      ofWeb,
      aclToken('u', { description: 'web job', policies: ['config-read'] }),
      aclToken('v'),
      aclToken('w', { description: 'key for web' }),
    ];
    expect([...proposed({ clients, tokens }).unexplained]).toEqual([
      ['t', 'it is a token of the client main/web, whose scopes do not give all of it'],
      ['u', 'its texts and identities name several clients: main/job, main/web'],
      ['w', expect.stringContaining('make "token of web" its Description')],
    ]);
  });
});
