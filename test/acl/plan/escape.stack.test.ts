import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { desiredPeople } from '../../../src/acl/plan/desired-people.js';
import { rulesString, selectorString } from '../../../src/acl/plan/escape.js';
import { grantRules, parseRules } from '../../../src/acl/plan/rules-text.js';
import type { AclAuthMethod } from '../../../src/model/acl.js';
import { isSoak } from '../../support/soak.js';
import { aclRule, client, desire, HOSTILE_TEXTS, hostileText, mapping, READ_CONFIG } from './acl-scene.js';
import { type AclServer, methodBody, startAclServer } from './acl-server.js';
import { admits } from './selector-model.js';

let server: AclServer;

beforeAll(async () => {
  server = await startAclServer();
});

afterAll(() => server?.consul.stop());

/** The roles of a login with these claims; undefined where Consul refuses it. */
async function login(method: string, claims: Record<string, unknown>) {
  return (await server.login(method, claims))?.roles.slice();
}

/** All that is known to be hostile, and as much again of what nobody thought of. */
function hostileTexts(numRuns: number, seed: number): readonly string[] {
  return [...new Set([...HOSTILE_TEXTS, ...fc.sample(hostileText, { numRuns, seed })])];
}

/** Texts that differ from `text` only a little, and the shapes that an escape could give it. */
function lookalikes(text: string): string[] {
  return [
    ...new Set([`${text} `, text.toUpperCase(), text.normalize('NFKC'), `${text}"`, text.slice(1), 'web']),
  ].filter((each) => each !== text && each.isWellFormed());
}

describe('on a real Consul, the selector of a client', () => {
  const ids = hostileTexts(60, 5).filter((id) => id !== '' && id.isWellFormed());

  test('admits only this client, acting for itself, for every ID', async () => {
    expect(ids.length).toBeGreaterThan(30);
    for (const clientId of ids) {
      const { desired } = desire(client(clientId, ['config:read']), { settings: server.settings });
      await server.put(desired);
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
      await server.remove(desired);
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
        settings: server.settings,
      },
    );
    await server.put(desired);
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
    await server.remove(desired);
  });

  test('is refused by Consul where a quote is escaped in another way, and where half a pair is written', async () => {
    await server.consul.request('PUT', '/v1/acl/auth-method', {
      ...methodBody({ ...someMethod(), name: 'plain' }),
    });
    const rule = { AuthMethod: 'plain', BindType: 'role', BindName: 'x' };
    for (const Selector of ['value.client_id == "a\\"b"', 'value.client_id == "a\\ud800"'])
      await expect(
        server.consul.request('PUT', '/v1/acl/binding-rule', { ...rule, Selector }),
      ).rejects.toThrow();
    const Selector = `value.client_id == ${selectorString('a"b')}`;
    await server.consul.request('PUT', '/v1/acl/binding-rule', { ...rule, Selector });
    await server.consul.request('DELETE', '/v1/acl/auth-method/plain');
  });
});

describe('on a real Consul, a person', () => {
  test('has the roles of exactly the groups that both the directory and the token show', async () => {
    const subjects = ['auth0|1', 'a@b.c', 'A@b.c', 'x" or "" == "', 'ßİ😀\u2028\u0000'];
    const groups = ['platform-oncall', '/a/"b"', 'ops\n'];
    const { desired } = desiredPeople({
      provider: 'main',
      mapping: mapping(),
      settings: {
        ...server.settings,
        groups: groups.map((group) => ({ group, acl: READ_CONFIG })),
      },
      members: new Map([
        [groups[0] ?? '', subjects],
        [groups[1] ?? '', subjects],
        [groups[2] ?? '', subjects.slice(0, 1)],
      ]),
    });
    if (desired === undefined) throw new Error('the members are known');
    await server.put(desired);
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
    await server.remove(desired);
  });

  test('is not an actor for them, for every form of the actor', async () => {
    const { desired } = desiredPeople({
      provider: 'main',
      mapping: mapping(),
      settings: { ...server.settings, groups: [{ group: 'oncall', acl: READ_CONFIG }] },
      members: new Map([['oncall', ['alice']]]),
    });
    if (desired === undefined) throw new Error('the members are known');
    await server.put(desired);
    const name = desired.authMethods[0]?.name ?? '';
    const alice = { sub: 'alice', groups: ['oncall'] };
    expect(await login(name, alice)).toHaveLength(1);
    for (const act of ['agent', '', 7, false]) expect(await login(name, { ...alice, act })).toBeUndefined();
    for (const act of [{ sub: 'agent' }, { client_id: 'agent' }, { sub: ['agent'] }, {}, ['agent'], []])
      await expect(login(name, { ...alice, act })).rejects.toThrow("error converting claim 'act'");
    await server.remove(desired);
  });

  test('has the roles of their own groups and no others, for all names of people and groups', async () => {
    const all = hostileTexts(30, 3).filter((text) => text !== '' && text.isWellFormed());
    // Consul evaluates the rule of each text at each login.
    const texts = isSoak ? all : all.filter((_, at) => at % 2 === 0);
    const odd = new Set(texts);
    const group = 'platform-oncall';
    const desiredOf = (groups: readonly string[], members: ReadonlyMap<string, readonly string[]>) => {
      const { desired, holds } = desiredPeople({
        provider: 'main',
        mapping: mapping(),
        settings: {
          ...server.settings,
          groups: groups.map((each) => ({ group: each, acl: READ_CONFIG })),
        },
        members,
      });
      if (desired === undefined) throw new Error('the members are known');
      expect(holds).toEqual([]);
      return desired;
    };

    const subjects = desiredOf([group], new Map([[group, texts]]));
    expect(subjects.roles).toHaveLength(texts.length);
    await server.put(subjects);
    const name = subjects.authMethods[0]?.name ?? '';
    const roles = new Set<string>();
    for (const sub of texts) {
      const found = (await login(name, { sub, groups: [group] })) ?? [];
      expect([sub, found.length]).toEqual([sub, 1]);
      for (const role of found) roles.add(role);
      for (const other of lookalikes(sub).filter((each) => !odd.has(each)))
        expect([other, await login(name, { sub: other, groups: [group] })]).toEqual([other, undefined]);
    }
    expect(roles.size).toBe(texts.length);
    await server.remove(subjects);

    const groups = desiredOf(texts, new Map(texts.map((each) => [each, ['alice']])));
    await server.put(groups);
    roles.clear();
    for (const each of texts) {
      const found = (await login(name, { sub: 'alice', groups: [each] })) ?? [];
      expect([each, found.length]).toEqual([each, 1]);
      for (const role of found) roles.add(role);
      for (const other of lookalikes(each).filter((text) => !odd.has(text)))
        expect([other, await login(name, { sub: 'alice', groups: [other] })]).toEqual([other, undefined]);
    }
    expect(roles.size).toBe(texts.length);
    await server.remove(groups);
  });
});

describe('on a real Consul, a client of a service', () => {
  test('has the identity of exactly that service, or none if Consul does not accept its name', async () => {
    const plain = ['web', 'web-1', 'a_b', '0', 'x'.repeat(200)];
    let held = 0;
    for (const service of new Set([...plain, ...hostileTexts(60, 11)])) {
      const { desired, holds } = desire(client('web-app', []), {
        services: [service],
        settings: server.settings,
      });
      if (desired.roles.length === 0) {
        expect([service, holds.map(({ reason }) => reason)]).toEqual([service, ['InvalidServiceName']]);
        expect(desired).toEqual({ policies: [], roles: [], authMethods: [], bindingRules: [] });
        held++;
        continue;
      }
      await server.put(desired);
      const name = desired.authMethods[0]?.name ?? '';
      const token = await server.login(name, { azp: 'web-app', client_id: 'web-app' });
      const others = [...lookalikes(service), `${service}x`].filter((other) => other !== '');
      const written = [service, `${service}-sidecar-proxy`, ...others];
      const asked = written.map((segment) => ({ resource: 'service', access: 'write', segment }));
      expect([service, await server.authorized(token?.secret ?? '', asked)]).toEqual([
        service,
        written.map((_, at) => at < 2),
      ]);
      await server.remove(desired);
    }
    expect(held).toBeGreaterThan(50);
  });
});

describe('on a real Consul, the JSON of rules', () => {
  // What looks like an interpolation is refused where rules are read.
  const names = hostileTexts(80, 9).filter(
    (name) => rulesString(name) !== undefined && !name.includes(['$', '{'].join('')),
  );

  test('means exactly the names that were written', async () => {
    const allNames = [...new Set([...names, 'policy', 'service', 'a.b', 'a/b'])];
    expect(allNames.length).toBeGreaterThan(40);
    for (const [index, name] of allNames.entries()) {
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
      expect({ name, allowed: await server.authorized(secret, asked) }).toEqual({
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
    const answer = await server.authorized(direct, asked);
    expect(await server.authorized(ours, asked)).toEqual(answer);
    expect(new Set(answer)).toEqual(new Set([true, false]));
  });
});

function someMethod(): AclAuthMethod {
  const [method] = desire(client('web', ['config:read']), { settings: server.settings }).desired.authMethods;
  if (method === undefined) throw new Error('no method is desired');
  return method;
}

/** Braces with a name are captures, which a rule of the mapping fills. */
function braced(name: string): boolean {
  return /\{[a-z][a-zA-Z0-9]*\}/.test(name);
}

async function tokenWith(name: string, rules: string): Promise<string> {
  await server.consul.request('PUT', '/v1/acl/policy', { Name: name, Rules: rules });
  const made = await server.consul.request('PUT', '/v1/acl/token', { Policies: [{ Name: name }] });
  return String(Object(made).SecretID);
}
