import { expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.js';
import { type AclRig, MARK, methodOf, never, policy, roleOf, ruleOf } from './rig.js';

export function aclReads(theRig: () => AclRig): void {
  it('what was written is read whole, under the ids of its writes, and nothing of others is', async () => {
    const { acl, fresh, method, read, request } = theRig();
    const name = fresh();
    await request('PUT', '/v1/acl/policy', { Name: `other-${name}`, Rules: 'key "a" { policy = "read" }' });
    await request('PUT', '/v1/acl/role', { Name: `other-${name}` });
    const written = [
      await acl.write(undefined, policy(name), never),
      await acl.write(undefined, roleOf(name, [name], { serviceIdentities: ['api', 'web'] }), never),
      await acl.write(undefined, methodOf(method(name)), never),
      await acl.write(undefined, ruleOf(name), never),
    ];
    const { policies, roles, authMethods, bindingRules } = await read();
    const found = [
      policies.find(({ object }) => object.name === name),
      roles.find(({ object }) => object.name === name),
      authMethods.find(({ object }) => object.name === name),
      bindingRules.find(({ object }) => object.authMethod === name),
    ];
    expect(found).toEqual(written);
    expect(found.map((each) => each?.isAltered)).toEqual([false, false, false, false]);
    expect(found[2]?.object).toEqual(method(name));
    const names = [...policies, ...roles, ...authMethods].map(({ object }) => object.name);
    expect(names.filter((each) => !each.startsWith('scopemesh-payments-'))).toEqual([]);
  });

  it('an existing name is read in any case, with any author, and a missing one is nothing', async () => {
    const { acl, client, fresh, read, request } = theRig();
    const name = fresh();
    await client(name);
    await client(fresh());
    const foreign = `Other-${name}`;
    await request('PUT', '/v1/acl/role', { Name: foreign, Description: 'mine' });
    const all = await read();
    const isIt = (each: string) => each === name;
    expect(await acl.readNamed([name.toUpperCase()], [name.toUpperCase()], never)).toEqual({
      policies: all.policies.filter(({ object }) => isIt(object.name)),
      roles: all.roles.filter(({ object }) => isIt(object.name)),
      authMethods: all.authMethods.filter(({ object }) => isIt(object.name)),
      bindingRules: all.bindingRules.filter(({ object }) => isIt(object.authMethod)),
    });
    const others = await acl.readNamed([foreign.toLowerCase(), fresh()], [fresh()], never);
    expect(others.roles.map(({ object }) => object)).toEqual([
      { name: foreign, description: 'mine', policies: [], serviceIdentities: [] },
    ]);
    expect({ ...others, roles: [] }).toEqual({
      policies: [],
      roles: [],
      authMethods: [],
      bindingRules: [],
    });
  });

  it('which are ours is asked by name and Description, for binding rules by the name of their method', async () => {
    const { acl, client, fresh } = theRig();
    const name = fresh();
    await client(name);
    const asked = new Set<string>();
    const { otherIdentities, ...ours } = await acl.read((each, description) => {
      asked.add(`${each} ${description}`);
      return false;
    }, never);
    expect(otherIdentities?.get('web')).toContain(name);
    expect(ours).toEqual({ policies: [], roles: [], authMethods: [], bindingRules: [] });
    expect(asked).toContain(`${name} ${MARK}`);
    expect([...asked].some((each) => each.startsWith('global-management '))).toBe(true);
  });

  it('each way in which a person can edit what is not modelled shows as altered', async () => {
    const { client, fresh, idp, read, request } = theRig();
    const name = fresh();
    const { roleId, ruleId } = await client(name);
    const policyId = (await read()).policies.find(({ object }) => object.name === name)?.id ?? '';
    const Config = { JWKSURL: idp.jwksUrl, BoundIssuer: idp.address, BoundAudiences: ['consul'] };
    const putMethod = (change: object) =>
      request('PUT', `/v1/acl/auth-method/${name}`, {
        Name: name,
        Type: 'jwt',
        Description: MARK,
        MaxTokenTTL: '5m',
        Config,
        ...change,
      });
    const putRole = (change: object) =>
      request('PUT', `/v1/acl/role/${roleId}`, { Name: name, Description: MARK, ...change });
    const edits: readonly (readonly [string, () => Promise<unknown>])[] = [
      [
        'policies',
        () =>
          request('PUT', `/v1/acl/policy/${policyId}`, {
            Name: name,
            Description: MARK,
            Rules: '{}',
            Datacenters: ['dc1'],
          }),
      ],
      ['roles', () => putRole({ NodeIdentities: [{ NodeName: 'n', Datacenter: 'dc1' }] })],
      ['roles', () => putRole({ ServiceIdentities: [{ ServiceName: 'web', Datacenters: ['dc1'] }] })],
      ['authMethods', () => putMethod({ DisplayName: 'for people' })],
      ['authMethods', () => putMethod({ TokenLocality: 'global' })],
      ['authMethods', () => putMethod({ Config: { ...Config, ExpirationLeeway: 3600 } })],
      ['authMethods', () => putMethod({ Config: { ...Config, BoundAudiences: 'consul' } })],
      ['authMethods', () => putMethod({ Config: { JWKSURL: idp.jwksUrl, boundissuer: idp.address } })],
    ];
    for (const [table, edit] of edits) {
      await edit();
      const snapshot = await read();
      const all =
        table === 'policies' ? snapshot.policies : table === 'roles' ? snapshot.roles : snapshot.authMethods;
      expect([table, all.find(({ object }) => object.name === name)?.isAltered]).toEqual([table, true]);
    }
    await putMethod({});
    await putRole({});
    const mended = await read();
    expect(mended.authMethods.find(({ object }) => object.name === name)).toMatchObject({
      isAltered: false,
      object: { config: { boundIssuer: idp.address, boundAudiences: ['consul'], signingAlgorithms: [] } },
    });
    expect(mended.roles.find(({ object }) => object.name === name)?.isAltered).toBe(false);
    await request('PUT', `/v1/acl/binding-rule/${ruleId}`, {
      Description: MARK,
      AuthMethod: name,
      BindType: 'node',
      BindName: 'machine',
      Selector: '',
    });
    const { bindingRules } = await read();
    expect(bindingRules.find(({ id }) => id === ruleId)?.object).toEqual({
      description: MARK,
      authMethod: name,
      bindType: 'node',
      bindName: 'machine',
      selector: '',
    });
  });

  it('a method without a limit on its tokens is read with the lifetime 0, and fractions are kept', async () => {
    const { fresh, idp, read, request } = theRig();
    const name = fresh();
    const ttls = [
      [undefined, 0],
      ['0s', 0],
      ['60500ms', 60.5],
      ['24h', 86_400],
    ] as const;
    for (const [MaxTokenTTL, seconds] of ttls) {
      const Config = { JWKSURL: idp.jwksUrl };
      await request('PUT', '/v1/acl/auth-method', { Name: name, Type: 'jwt', MaxTokenTTL, Config });
      const { authMethods } = await read();
      expect(authMethods.find(({ object }) => object.name === name)?.object.maxTokenTtlSeconds).toBe(seconds);
    }
  });

  it('a role follows the names of its policies, and loses one that is deleted', async () => {
    const { acl, fresh, read } = theRig();
    const [name, other] = [fresh(), fresh()];
    const { id } = await acl.write(undefined, policy(name), never);
    await acl.write(undefined, roleOf(name, [name]), never);
    const links = async () =>
      (await read()).roles.find(({ object }) => object.name === name)?.object.policies;
    await acl.write(id, policy(other), never);
    expect(await links()).toEqual([other]);
    await acl.delete('acl-policy', id, never);
    expect(await links()).toEqual([]);
  });

  it('a token that may not read ACL objects gets an error that names the missing permission', async () => {
    const { connect, tokenWith } = theRig();
    const weak = connect(await tokenWith('node_prefix "" { policy = "read" }'));
    for (const act of [() => weak.read(() => true, never), () => weak.tokens('all', never)]) {
      const failure = await failureOf(act());
      expect(failure).toMatchObject({ code: 'ERR_CONSUL_DENIED', retriable: false });
      expect(failure.message).toContain('acl = "read"');
    }
  });

  it('a token that may only read reads all of it, and an error names what it lacks for a write', async () => {
    const { client, connect, fresh, read, tokenWith } = theRig();
    const name = fresh();
    const { roleId } = await client(name);
    const reader = connect(await tokenWith('acl = "read"'));
    expect(await reader.read((each) => each.startsWith('scopemesh-payments-'), never)).toEqual(await read());
    for (const act of [
      () => reader.write(roleId, roleOf(name, []), never),
      () => reader.delete('acl-role', roleId, never),
      () => reader.deleteTokens(['00000000-0000-0000-0000-00000000000a'], never),
    ]) {
      const failure = await failureOf(act());
      expect(failure).toMatchObject({ code: 'ERR_CONSUL_DENIED', retriable: false });
      expect(failure.message).toContain('acl = "write"');
    }
    expect((await read()).roles.find(({ id }) => id === roleId)?.object.policies).toEqual([name]);
  });

  it('a token that Consul does not know is said to be unknown, whatever it asks for', async () => {
    const { client, connect, fresh, read } = theRig();
    const name = fresh();
    await client(name);
    const id = (await read()).policies.find(({ object }) => object.name === name)?.id ?? '';
    const stranger = connect('00000000-0000-0000-0000-0000000000ff');
    for (const act of [
      () => stranger.read(() => true, never),
      () => stranger.delete('acl-policy', id, never),
      () => stranger.tokens('all', never),
    ]) {
      const failure = await failureOf(act());
      expect(failure).toMatchObject({ code: 'ERR_CONSUL_DENIED' });
      expect(failure.message).toContain('does not know this ACL token');
    }
  });
}
