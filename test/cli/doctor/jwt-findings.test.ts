import { beforeEach, describe, expect, it } from 'vitest';
import { jwtFindings, userRuleFindings } from '../../../src/cli/doctor/jwt-findings.js';
import type { Consul, ConsulFacts } from '../../../src/consul/consul.js';
import type { IntentionEntry } from '../../../src/model/intention.js';
import { WorldState } from '../../../src/state/world-state.js';
import { loginProvider, settings } from '../../acl/plan/acl-scene.js';
import { mapping } from '../../plan/scene.js';

const never = new AbortController().signal;
const NEW: ConsulFacts = { version: '1.17.0', datacenter: 'dc1', defaultPolicy: 'deny', aclsEnabled: true };

let world: WorldState;
beforeEach(() => {
  world = new WorldState(mapping(), {
    claimGraceMs: 0,
    clientMeta: 'oauth-client-id',
    clientTag: 'oauth-client=',
  });
  const protocols = new Map([['orders', 'http'] as const]);
  world.putCatalog({ services: [], protocols, defaultProtocol: 'tcp' }, 0);
});

const provider = (name: string, ...claims: (readonly [string[], string])[]) => ({
  Name: name,
  ...(claims.length === 0 ? {} : { VerifyClaims: claims.map(([Path, Value]) => ({ Path, Value })) }),
});

/** An entry as Consul has it, with a requirement for all sources or for the permissions of `web`. */
function existing(name: string, of: 'entry' | 'web', ...providers: readonly object[]): void {
  const JWT = { Providers: providers };
  const raw = {
    Name: 'web',
    Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' }, ...(of === 'web' ? { JWT } : {}) }],
  };
  const place = { partition: 'default', namespace: 'default' };
  const source = {
    ...place,
    name: 'web',
    description: '',
    access: { kind: 'other' } as const,
    isLegacy: false,
    raw,
  };
  const entry: IntentionEntry = {
    destination: { ...place, name },
    sources: [source],
    meta: {},
    modifyIndex: 1,
    raw: { Sources: [raw], ...(of === 'entry' ? { JWT } : {}) },
  };
  world.putEntries([...world.entries.values(), entry], 0);
}

function withProviders(...names: string[]): Consul {
  const list = async () =>
    names.map((name) => ({ name, meta: {}, content: 'other' as const, modifyIndex: 1 }));
  const refuse = () => Promise.reject(new Error('not asked for here'));
  const agentVersions = async () => ['1.16.1'];
  const other: Partial<Consul> = { jwtProviders: { list, write: refuse, delete: refuse, agentVersions } };
  return other as Consul;
}

const findings = async (facts = NEW, consul = withProviders('okta', 'entra')) =>
  (await jwtFindings(consul, facts, world, never)).map(({ id, severity }) => `${id} ${severity}`);

describe('requirements of the token of a user', () => {
  it('cause no finding if there are none', async () => {
    expect(await findings()).toEqual([]);
  });

  it('are ok if the destination speaks http and the one provider exists', async () => {
    existing('orders', 'web', provider('okta', [['department'], 'sales']));
    expect(await findings()).toEqual(['jwt ok']);
  });

  it('are an error if the destination speaks tcp, because Consul ignores them', async () => {
    existing('db', 'entry', provider('okta'));
    expect(await findings()).toEqual(['jwt.protocol error']);
  });

  it('of several providers are alternatives', async () => {
    existing('orders', 'entry', provider('okta'), provider('entra'));
    expect(await findings()).toEqual(['jwt.alternatives warning']);
  });

  it('for one scope in a claim with all scopes are a warning, because hardly any token meets them', async () => {
    existing('orders', 'web', provider('okta', [['realm', 'scope'], 'orders:read'], [['scopes'], 'x']));
    expect(await findings()).toEqual(['jwt.scope-claim warning']);
  });

  it('for one value in a claim that is a list are a warning, because no token with a list meets them', async () => {
    existing('orders', 'web', provider('okta', [['scp'], 'orders:read'], [['realm_access', 'roles'], 'x']));
    expect(await findings()).toEqual(['jwt.list-claim warning', 'jwt.list-claim warning']);
  });

  it('for a missing provider are an error, once for each provider', async () => {
    existing('orders', 'web', provider('gone'), provider('okta'));
    const [several, missing, ...others] = await findings();
    expect([several, missing, others]).toEqual(['jwt.alternatives warning', 'jwt.provider error', []]);
  });

  it('are an error if a provider has a CacheDuration, because proxies then keep their old rules', async () => {
    existing('orders', 'web', provider('okta'));
    const cached = {
      name: 'okta',
      meta: {},
      content: 'other',
      hasCacheDuration: true,
      modifyIndex: 1,
    } as const;
    const consul = withProviders();
    const jwtProviders = { ...consul.jwtProviders, list: async () => [cached] };
    expect(await findings(NEW, { ...consul, jwtProviders })).toEqual(['jwt.provider error']);
  });

  it('are not compared with providers if this Consul version has no JWT providers', async () => {
    existing('orders', 'web', provider('gone'));
    expect(await findings({ ...NEW, version: '1.14.11' })).toEqual(['jwt ok']);
  });

  it('are a notice if their providers cannot be read', async () => {
    existing('orders', 'web', provider('okta'));
    const consul = withProviders();
    const sick = {
      ...consul,
      jwtProviders: { ...consul.jwtProviders, list: () => Promise.reject(new Error('denied')) },
    };
    expect(await findings(NEW, sick)).toEqual(['jwt.provider notice']);
  });
});

describe('rules that require a user', () => {
  const findingsOf = (
    provider: Parameters<typeof loginProvider>[0],
    userRequired = true,
    onBehalfOf?: 'human',
  ) =>
    userRuleFindings(
      mapping({
        rules: [{ scope: 'a', to: 'orders', userRequired }],
        limits: {
          human: { never: [] },
          workload: { never: [] },
          agent: { never: [], ...(onBehalfOf && { onBehalfOf }) },
        },
        acl: settings({ providers: new Map([['main', loginProvider(provider)]]) }),
      }),
    )
      .map(({ id, severity }) => `${id} ${severity}`)
      .filter((each) => each !== SCOPES);
  const SCOPES = 'users.scopes notice';
  const whole = {
    userAudience: 'calls',
    scopes: { claim: ['scope'], isList: false },
    person: { claim: ['idtyp'], equals: 'user' },
    keysCaFile: '/etc/ssl/certs/ca-certificates.crt',
  };

  it('are a warning if proxies do not verify the certificate of the key server', () => {
    const { keysCaFile: _, ...unverified } = whole;
    expect(findingsOf(unverified)).toEqual(['users.keys warning']);
    expect(findingsOf(unverified, false)).toEqual([]);
  });

  it('are told that Consul does not compare scopes in one text', () => {
    const acl = settings({ providers: new Map([['main', loginProvider(whole)]]) });
    const rules = [{ scope: 'a', to: 'orders', userRequired: true }];
    expect(userRuleFindings(mapping({ rules, acl }))).toMatchObject([
      { id: 'users.scopes', severity: 'notice' },
    ]);
  });

  it('may use the one audience if nobody logs in to Consul', () => {
    const one = new Map([['main', loginProvider({ ...whole, userAudience: 'consul' })]]);
    const rules = [{ scope: 'a', to: 'orders', userRequired: true }];
    const findingsWith = (changes: Partial<ReturnType<typeof settings>>, acl?: string) =>
      userRuleFindings(
        mapping({
          rules: [...rules, ...(acl === undefined ? [] : [{ scope: 'b', acl, userRequired: false }])],
          acl: settings({ providers: one, login: false, ...changes }),
        }),
      )
        .map(({ id }) => id)
        .filter((each) => each !== 'users.scopes');
    expect(findingsWith({})).toEqual([]);
    expect(findingsWith({ groups: [{ group: 'oncall', acl: 'operator = "read"' }] })).toEqual([
      'users.forwarded',
    ]);
    expect(findingsWith({ groups: [{ group: 'x', acl: 'operator = "read"', provider: 'other' }] })).toEqual(
      [],
    );
    expect(findingsWith({}, 'operator = "read"')).toEqual(['users.forwarded']);
    expect(findingsWith({ login: true })).toEqual(['users.forwarded']);
  });

  it.each([
    ['stay closed without an audience', { ...whole, userAudience: undefined }, ['users.audience error']],
    [
      'stay closed where scopes are a list, in which Consul finds none',
      { ...whole, scopes: { claim: ['roles'], isList: true } },
      ['users.scopes error'],
    ],
    [
      'hand services a token that logs in to Consul where one audience is for both',
      { ...whole, userAudience: 'consul' },
      ['users.forwarded warning'],
    ],
    [
      "are met by a client's own token where no claim shows a person",
      { ...whole, person: undefined },
      ['users.person warning'],
    ],
    ['have no fault where only the scopes cannot be compared', whole, []],
  ])('%s', (_name, provider, expected) => {
    expect(findingsOf(provider)).toEqual(expected);
    expect(findingsOf(provider, false)).toEqual([]);
    expect(findingsOf(provider, false, 'human')).toEqual(expected);
  });
});
