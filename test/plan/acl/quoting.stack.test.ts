import fc from 'fast-check';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AclAuthMethod, AclBindingRule, AclRole } from '../../../src/model/acl.js';
import { desiredPeople } from '../../../src/plan/acl/desired-people.js';
import type { DesiredAcl } from '../../../src/plan/acl/login.js';
import { rulesString, selectorString } from '../../../src/plan/acl/quote.js';
import { grantRules, parseRules } from '../../../src/plan/acl/rules-text.js';
import { ConsulAnswer, type ConsulHandle, startConsul } from '../../stack/consul.js';
import {
  aclRule,
  client,
  desire,
  hostileText,
  ISSUER,
  loginProvider,
  mapping,
  READ_CONFIG,
  settings,
} from './acl-scene.js';
import { admits } from './selector-model.js';

let consul: ConsulHandle;
let sign: (claims: Record<string, unknown>) => Promise<string>;
let publicKey: string;

beforeAll(async () => {
  consul = await startConsul();
  const pair = await generateKeyPair('RS256', { extractable: true });
  publicKey = await exportSPKI(pair.publicKey);
  sign = (claims) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer(ISSUER)
      .setAudience('consul')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(pair.privateKey);
});

afterAll(async () => {
  await consul?.stop();
});

const staticKeys = () =>
  settings({
    providers: new Map([['main', loginProvider({ keys: { validationPubKeys: [publicKey] } })]]),
  });

function methodBody({ name, description, maxTokenTtlSeconds, config }: AclAuthMethod) {
  return {
    Name: name,
    Type: 'jwt',
    Description: description,
    MaxTokenTTL: `${maxTokenTtlSeconds}s`,
    Config: {
      JWTValidationPubKeys: config.validationPubKeys,
      BoundIssuer: config.boundIssuer,
      BoundAudiences: config.boundAudiences,
      JWTSupportedAlgs: config.signingAlgorithms,
      ClaimMappings: config.claimMappings,
      ListClaimMappings: config.listClaimMappings,
    },
  };
}

function roleBody(role: AclRole) {
  return {
    Name: role.name,
    Description: role.description,
    Policies: role.policies.map((Name) => ({ Name })),
    ServiceIdentities: role.serviceIdentities.map((ServiceName) => ({ ServiceName })),
  };
}

function ruleBody(rule: AclBindingRule) {
  return {
    Description: rule.description,
    AuthMethod: rule.authMethod,
    BindType: rule.bindType,
    BindName: rule.bindName,
    Selector: rule.selector,
  };
}

async function put(desired: DesiredAcl): Promise<void> {
  for (const policy of desired.policies) {
    await consul
      .request('PUT', '/v1/acl/policy', {
        Name: policy.name,
        Description: policy.description,
        Rules: policy.rules,
      })
      .catch((error: unknown) => {
        if (!(error instanceof ConsulAnswer) || !error.message.includes('already exists')) throw error;
      });
  }
  for (const role of desired.roles) await consul.request('PUT', '/v1/acl/role', roleBody(role));
  for (const method of desired.authMethods)
    await consul.request('PUT', '/v1/acl/auth-method', methodBody(method));
  for (const rule of desired.bindingRules)
    await consul.request('PUT', '/v1/acl/binding-rule', ruleBody(rule));
}

/** The roles of a login with these claims; undefined where Consul refuses it. */
async function login(method: string, claims: Record<string, unknown>): Promise<string[] | undefined> {
  try {
    const answer = await consul.request('POST', '/v1/acl/login', {
      AuthMethod: method,
      BearerToken: await sign(claims),
    });
    return namesIn(answer, 'Roles');
  } catch (error) {
    if (error instanceof ConsulAnswer && error.status === 403) return undefined;
    throw error;
  }
}

function namesIn(answer: unknown, field: string): string[] {
  const all = field in Object(answer) ? Object(answer)[field] : [];
  return Array.isArray(all) ? all.map((each) => String(Object(each).Name)) : [];
}

/** Texts that differ from `text` only a little, and the shapes that an escape could give it. */
function lookalikes(text: string): string[] {
  return [
    ...new Set([`${text} `, text.toUpperCase(), text.normalize('NFKC'), `${text}"`, text.slice(1), 'web']),
  ].filter((each) => each !== text && each.isWellFormed());
}

describe('on a real Consul, the selector of a client', () => {
  const ids = fc
    .sample(hostileText, { numRuns: 60, seed: 5 })
    .filter((id) => id !== '' && id.isWellFormed() && !id.includes('\ud800'));

  test('admits this client for itself and nobody else, whatever its id looks like', async () => {
    expect(ids.length).toBeGreaterThan(30);
    for (const clientId of new Set(ids)) {
      const { desired } = desire(client(clientId, ['config:read']), { settings: staticKeys() });
      await put(desired);
      const [method] = desired.authMethods;
      const name = method?.name ?? '';
      expect(await login(name, { azp: clientId, client_id: clientId })).toEqual([name]);
      expect(await login(name, { azp: clientId })).toBeUndefined();
      expect(await login(name, { client_id: clientId })).toBeUndefined();
      for (const other of lookalikes(clientId))
        expect(await login(name, { azp: other, client_id: other })).toBeUndefined();
      expect(await login(name, {})).toBeUndefined();
      // The evaluator of the property tests reads the selector as Consul does.
      const selector = desired.bindingRules[0]?.selector ?? '';
      const list = {};
      expect(admits(selector, { value: { client_id: clientId, own_token: clientId }, list })).toBe(true);
      expect(admits(selector, { value: { client_id: clientId }, list })).toBe(false);
      await consul.request('DELETE', `/v1/acl/auth-method/${name}`);
      await deleteRoles(desired);
    }
  });

  test('admits a delegate only with its actor and a subject that is somebody else', async () => {
    const { desired } = desire(
      client('agent-1', ['config:read'], { attributes: {}, grantTypes: ['client_credentials'] }),
      {
        mapping: {
          rules: [aclRule('config:read', READ_CONFIG)],
          classify: [{ clientId: 'agent-*', kind: 'agent' }],
          limits: {
            human: { never: [] },
            workload: { never: [] },
            agent: { never: [], onBehalfOf: 'human' },
          },
        },
        settings: staticKeys(),
      },
    );
    await put(desired);
    const name = desired.authMethods[0]?.name ?? '';
    const act = { sub: 'agent-1' };
    expect(await login(name, { azp: 'agent-1', act, sub: 'alice' })).toEqual([name]);
    expect(await login(name, { azp: 'agent-1', act, sub: 'agent-1' })).toBeUndefined();
    expect(await login(name, { azp: 'agent-1', act })).toBeUndefined();
    expect(await login(name, { azp: 'agent-1', sub: 'alice' })).toBeUndefined();
    expect(await login(name, { azp: 'agent-1', act: { sub: 'agent-2' }, sub: 'alice' })).toBeUndefined();
    const profiled = (actor: unknown, subject: unknown) =>
      login(name, {
        azp: 'agent-1',
        act: { ...act, sub_profile: actor },
        sub: 'alice',
        sub_profile: subject,
      });
    expect(await profiled('service AI_Agent', 'user')).toEqual([name]);
    expect(await profiled('service', 'user')).toBeUndefined();
    expect(await profiled('ai_agent', 'service ai_agent')).toBeUndefined();
    await expect(profiled(['ai_agent'], 'user')).rejects.toThrow();
    await consul.request('DELETE', `/v1/acl/auth-method/${name}`);
    await deleteRoles(desired);
  });

  test('is refused by Consul where a quote is escaped in another way, and where half a pair is written', async () => {
    await consul.request('PUT', '/v1/acl/auth-method', {
      ...methodBody({ ...someMethod(), name: 'plain' }),
    });
    const rule = { AuthMethod: 'plain', BindType: 'role', BindName: 'x' };
    for (const Selector of ['value.client_id == "a\\"b"', 'value.client_id == "a\\ud800"'])
      await expect(consul.request('PUT', '/v1/acl/binding-rule', { ...rule, Selector })).rejects.toThrow();
    const Selector = `value.client_id == ${selectorString('a"b')}`;
    await consul.request('PUT', '/v1/acl/binding-rule', { ...rule, Selector });
    await consul.request('DELETE', '/v1/acl/auth-method/plain');
  });
});

describe('on a real Consul, a person', () => {
  test('has the roles of exactly the groups that both the directory and the token tell', async () => {
    const subjects = ['auth0|1', 'a@b.c', 'A@b.c', 'x" or "" == "', 'ßİ😀\u2028\u0000'];
    const groups = ['platform-oncall', '/a/"b"', 'ops\n'];
    const { desired } = desiredPeople({
      provider: 'main',
      mapping: mapping(),
      settings: {
        ...staticKeys(),
        groups: groups.map((group) => ({ group, acl: READ_CONFIG })),
      },
      members: new Map([
        [groups[0] ?? '', subjects],
        [groups[1] ?? '', subjects],
        [groups[2] ?? '', subjects.slice(0, 1)],
      ]),
    });
    if (desired === undefined) throw new Error('the members are known');
    await put(desired);
    const name = desired.authMethods[0]?.name ?? '';
    const all = new Set<string>();
    for (const sub of subjects) {
      const first = await login(name, { sub, groups: [groups[0]] });
      const both = await login(name, { sub, groups: [groups[0], groups[1], 'other'] });
      expect(first).toHaveLength(1);
      expect(both).toHaveLength(2);
      expect(both).toEqual(expect.arrayContaining(first ?? []));
      for (const role of both ?? []) all.add(role);
      expect(await login(name, { sub, groups: ['platform-oncall-not'] })).toBeUndefined();
      expect(await login(name, { sub, groups: [] })).toBeUndefined();
      expect(await login(name, { sub })).toBeUndefined();
    }
    expect(all.size).toBe(subjects.length * 2);
    expect(await login(name, { sub: 'auth0|1', groups: [groups[2]] })).toHaveLength(1);
    expect(await login(name, { sub: 'a@b.c', groups: [groups[2]] })).toBeUndefined();
    expect(await login(name, { sub: 'nobody', groups })).toBeUndefined();
    expect(await login(name, { groups })).toBeUndefined();
    await consul.request('DELETE', `/v1/acl/auth-method/${name}`);
    await deleteRoles(desired);
  });
});

describe('on a real Consul, the JSON of rules', () => {
  const names = fc
    .sample(hostileText, { numRuns: 80, seed: 9 })
    .filter((name) => rulesString(name) !== undefined && !name.includes(['$', '{'].join('')));

  test('means exactly the names that were written, whatever they look like', async () => {
    const wanted = [...new Set([...names, 'policy', 'service', 'a.b', 'a/b'])];
    expect(wanted.length).toBeGreaterThan(40);
    for (const [index, name] of wanted.entries()) {
      const other = `${name}x`;
      const source = JSON.stringify({
        service: { [name]: { policy: 'write' }, [`${name}-r`]: { policy: 'read' } },
        key_prefix: { [`${name}/`]: { policy: 'list' } },
      });
      const granted = braced(name) ? undefined : grantRules(parseRules(source), {});
      if (granted === undefined) continue;
      const secret = await tokenWith(`rules-${index}`, granted.text);
      const may = (resource: string, access: string, segment: string) => ({ resource, access, segment });
      const asked = [
        may('service', 'write', name),
        may('service', 'read', `${name}-r`),
        may('service', 'write', `${name}-r`),
        may('service', 'read', other),
        may('key', 'read', `${name}/a`),
        may('key', 'list', `${name}/a`),
        may('key', 'write', `${name}/a`),
        may('key', 'read', `z${name}/a`),
        may('operator', 'read', ''),
      ];
      expect({ name, allowed: await authorized(secret, asked) }).toEqual({
        name,
        allowed: [true, true, false, false, true, true, false, false, false],
      });
    }
  });

  test('gives what the HCL that it was read from gives', async () => {
    const hcl = `
      # every kind of rule
      operator = "read"
      keyring  = "read"
      agent_prefix "" { policy = "read" }
      event "deploy" { policy = "write" }
      key_prefix "config/" { policy = "read" }
      key "config/secret" { policy = "deny" }
      node_prefix "" { policy = "read" }
      query "q" { policy = "read" }
      service "web" { policy = "write" intentions = "read" }
      service_prefix "" { policy = "read" }
      session "n1" { policy = "write" }`;
    const asked = ['agent', 'event', 'key', 'node', 'query', 'service', 'session', 'intention'].flatMap(
      (resource) =>
        ['read', 'write'].flatMap((access) =>
          ['web', 'deploy', 'config/a', 'config/secret', 'n1', 'q', 'other'].map((segment) => ({
            resource,
            access,
            segment,
          })),
        ),
    );
    const canonical = grantRules(parseRules(hcl), {})?.text ?? '';
    const [direct, ours] = [await tokenWith('direct', hcl), await tokenWith('canonical', canonical)];
    const answer = await authorized(direct, asked);
    expect(await authorized(ours, asked)).toEqual(answer);
    expect(new Set(answer)).toEqual(new Set([true, false]));
  });
});

async function deleteRoles(desired: DesiredAcl): Promise<void> {
  for (const { name } of desired.roles) {
    const role = await consul.request('GET', `/v1/acl/role/name/${name}`);
    await consul.request('DELETE', `/v1/acl/role/${String(Object(role).ID)}`);
  }
}

function someMethod(): AclAuthMethod {
  const [method] = desire(client('web', ['config:read']), { settings: staticKeys() }).desired.authMethods;
  if (method === undefined) throw new Error('no method is desired');
  return method;
}

/** Braces with a name are captures, which a rule of the mapping fills. */
function braced(name: string): boolean {
  return /\{[a-z][a-zA-Z0-9]*\}/.test(name);
}

async function tokenWith(name: string, rules: string): Promise<string> {
  await consul.request('PUT', '/v1/acl/policy', { Name: name, Rules: rules });
  const made = await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name: name }] });
  return String(Object(made).SecretID);
}

/** What Consul itself says that a token may do, in the order asked; it answers 64 questions at a time. */
async function authorized(
  secret: string,
  asked: readonly { resource: string; access: string; segment: string }[],
): Promise<boolean[]> {
  const answers: boolean[] = [];
  for (let from = 0; from < asked.length; from += 64) {
    const questions = asked.slice(from, from + 64).map(({ resource, access, segment }) => ({
      Resource: resource,
      Access: access,
      ...(segment === '' ? {} : { Segment: segment }),
    }));
    const answer = await fetch(`${consul.httpAddress}/v1/internal/acl/authorize`, {
      method: 'POST',
      headers: { 'X-Consul-Token': secret },
      body: JSON.stringify(questions),
      signal: AbortSignal.timeout(10_000),
    });
    const body: unknown = await answer.json();
    if (Array.isArray(body)) answers.push(...body.map((each) => Object(each).Allow === true));
  }
  return answers;
}
