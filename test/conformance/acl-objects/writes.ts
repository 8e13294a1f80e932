import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rulesString, selectorString } from '../../../src/acl/plan/escape.js';
import { anyCharacter } from '../../support/any-character.js';
import { failureOf } from '../../support/failure-of.js';
import { until } from '../../support/until.js';
import { type AclRig, MARK, methodOf, never, policy, roleOf, ruleOf } from './rig.js';

export function aclWrites(theRig: () => AclRig): void {
  it('a name that exists in any case cannot be created again, and the existing object stays as it is', async () => {
    const { acl, client, fresh, method, read } = theRig();
    const name = fresh();
    await client(name);
    const before = await read();
    const upper = name.toUpperCase();
    const others = [policy(upper), roleOf(upper, []), methodOf(method(upper, { maxTokenTtlSeconds: 600 }))];
    for (const object of others) {
      const failure = await failureOf(acl.write(undefined, object, never));
      expect(failure).toMatchObject({ code: 'ERR_CONSUL_REJECTED', retriable: false });
      expect(failure.message).toMatch(/already/);
    }
    expect(await read()).toEqual(before);
  });

  it('of somebody else, of whatever type, an auth method is never overwritten', async () => {
    const { acl, fresh, idp, method, request } = theRig();
    const name = fresh();
    const Config = { JWKSURL: idp.jwksUrl };
    const body = { Name: name.toUpperCase(), Type: 'jwt', MaxTokenTTL: '5m', Description: 'by hand', Config };
    await request('PUT', '/v1/acl/auth-method', body);
    const failure = await failureOf(acl.write(undefined, methodOf(method(name)), never));
    expect(failure.message).toContain(name.toUpperCase());
    expect(await request('GET', `/v1/acl/auth-method/${name}`)).toMatchObject({ Description: 'by hand' });
  });

  it('an equal binding rule is made once, and one that differs is made beside it', async () => {
    const { acl, client, fresh, read } = theRig();
    const name = fresh();
    const { ruleId } = await client(name);
    const again = await acl.write(undefined, ruleOf(name), never);
    const inCase = await acl.write(undefined, ruleOf(name, { authMethod: name.toUpperCase() }), never);
    expect([again.id, inCase.id]).toEqual([ruleId, ruleId]);
    const other = await acl.write(undefined, ruleOf(name, { description: `${MARK} other` }), never);
    expect(other.id).not.toBe(ruleId);
    const { bindingRules } = await read();
    expect(bindingRules.filter(({ object }) => object.authMethod === name)).toHaveLength(2);
  });

  it('replacing by id takes back what a person added, and keeps the id', async () => {
    const { acl, client, fresh, method, read, request } = theRig();
    const name = fresh();
    const { roleId, ruleId } = await client(name);
    await request('PUT', `/v1/acl/role/${roleId}`, {
      Name: name,
      Description: MARK,
      NodeIdentities: [{ NodeName: 'n', Datacenter: 'dc1' }],
    });
    await acl.write(roleId, roleOf(name, [name], { serviceIdentities: [] }), never);
    await acl.write(
      name,
      methodOf(method(name, { maxTokenTtlSeconds: 60, description: `${MARK} x` })),
      never,
    );
    await acl.write(ruleId, ruleOf(name, { selector: '"client_id" in value' }), never);
    const { roles, authMethods, bindingRules } = await read();
    expect(roles.find(({ id }) => id === roleId)).toMatchObject({
      isAltered: false,
      object: { policies: [name], serviceIdentities: [] },
    });
    expect(authMethods.find(({ id }) => id === name)?.object).toMatchObject({
      maxTokenTtlSeconds: 60,
      description: `${MARK} x`,
    });
    expect(bindingRules.find(({ id }) => id === ruleId)?.object.selector).toBe('"client_id" in value');
  });

  it('the case of a method can be mended, that of a policy or role cannot', async () => {
    const { acl, client, fresh, method, read } = theRig();
    const name = fresh();
    const { roleId } = await client(name);
    const mixed = name.replace('scopemesh', 'scopeMesh');
    await acl.write(name, methodOf(method(mixed)), never);
    const refused = await failureOf(acl.write(roleId, roleOf(mixed, [name]), never));
    expect(refused).toMatchObject({ code: 'ERR_CONSUL_REJECTED', retriable: false });
    await acl.write(roleId, roleOf(name, [name.toUpperCase()]), never);
    const { authMethods } = await acl.read((each) => each.toLowerCase() === name, never);
    expect(authMethods).toMatchObject([{ id: mixed, object: { name: mixed } }]);
    const { roles } = await read();
    expect(roles.find(({ id }) => id === roleId)?.object.policies).toEqual([name]);
  });

  it("what Consul refuses is rejected with Consul's words", async () => {
    const { acl, fresh, client, method } = theRig();
    const [name, none] = [fresh(), fresh()];
    await client(name);
    const two = { ...method(none).config, oidcDiscoveryUrl: 'http://127.0.0.1:1' };
    const unknown = { jwksUrl: method(none).config.jwksUrl ?? '', signingAlgorithms: ['HS256'] };
    const refused = [
      [policy(`${none} x`), /invalid Name/],
      [policy(none, { rules: 'nonsense' }), /Consul refused/],
      [roleOf(none, ['not-there']), /No such ACL policy/],
      [roleOf(none, [], { serviceIdentities: ['UPPER'] }), /has an invalid name/],
      [methodOf(method(none, { config: two })), /exactly one of/],
      [methodOf(method(none, { config: { ...two, ...unknown, oidcDiscoveryUrl: '' } })), /algorithm/],
      [ruleOf(none), /cannot find auth method/],
      [ruleOf(name, { selector: 'value.client_id ==' }), /Selector is invalid/],
    ] as const;
    for (const [object, words] of refused) {
      const failure = await failureOf(acl.write(undefined, object, never));
      expect(failure.message).toMatch(words);
      expect(failure).toMatchObject({ code: 'ERR_CONSUL_REJECTED', retriable: false });
    }
    const gone = await failureOf(acl.write('00000000-0000-0000-0000-00000000000a', roleOf(none, []), never));
    expect(gone).toMatchObject({ code: 'ERR_CONSUL_REJECTED' });
  });

  it('what Consul would take and must never have is refused before it gets there', async () => {
    const { acl, client, fresh, method, read } = theRig();
    const name = fresh();
    await client(name);
    const before = await read();
    const refused = [
      [name, methodOf(method(name, { maxTokenTtlSeconds: 0 }))],
      [name, methodOf(method(name, { maxTokenTtlSeconds: Number.NaN }))],
      [name, methodOf(method(name, { maxTokenTtlSeconds: 59 }))],
      [name, methodOf(method(name, { maxTokenTtlSeconds: 86_401 }))],
      [name, methodOf(method('another'))],
      [undefined, ruleOf(name, { selector: '' })],
      [undefined, ruleOf(name, { selector: ' ' })],
      [undefined, ruleOf(name, { bindName: `\${value.client_id}` })],
      ['../config', roleOf(name, [])],
      ['', roleOf(name, [])],
    ] as const;
    for (const [id, object] of refused) {
      const failure = await failureOf(acl.write(id, object, never));
      expect(failure).toMatchObject({ code: 'ERR_CONSUL_REJECTED', retriable: false });
    }
    expect(await read()).toEqual(before);
  });

  it('hostile texts come back as they were written', async () => {
    const { acl, fresh, client } = theRig();
    const name = fresh();
    await client(name);
    const { id } = await acl.write(undefined, policy(fresh()), never);
    const text = fc.oneof(
      fc.string({ unit: anyCharacter, maxLength: 40 }),
      fc.constantFrom(
        '"',
        '\\',
        `\${value.x}`,
        '`',
        '%{if}',
        '*',
        '\n',
        '\u2028',
        '<hidden>',
        '__proto__',
        '😀',
      ),
    );
    await fc.assert(
      fc.asyncProperty(text, text, async (key, description) => {
        const rules = `{"key":{${rulesString(key)}:{"policy":"read"}}}`;
        const written = await acl.write(id, policy(name, { name: `${name}-p`, description, rules }), never);
        expect(written.object).toEqual({ name: `${name}-p`, description, rules });
        const literal = selectorString(key);
        if (literal === undefined) throw new Error('the text cannot be quoted');
        const selector = `"client_id" in value and value.client_id == ${literal}`;
        const rule = ruleOf(name, { description, selector });
        const stored = await acl.write(undefined, rule, never);
        expect(stored.object).toEqual(rule.object);
        expect(await acl.delete('acl-binding-rule', stored.id, never)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('static keys and a discovery URL make methods too', async () => {
    const { acl, fresh, idp, login, method } = theRig();
    const { jwksUrl: _, ...config } = method('').config;
    for (const keys of [{ validationPubKeys: [idp.publicKey] }, { oidcDiscoveryUrl: idp.address }]) {
      const name = fresh();
      const expected = method(name, { config: { ...config, ...keys } });
      expect((await acl.write(undefined, methodOf(expected), never)).object).toEqual(expected);
      await acl.write(undefined, roleOf(name, []), never);
      await acl.write(undefined, ruleOf(name), never);
      expect((await login(name)).accessorId).not.toBe('');
    }
  });

  it('an identity provider that is down has the write rejected, and it may be tried again', async () => {
    const { acl, fresh, idp, method, read } = theRig();
    const name = fresh();
    idp.setHealth('failing');
    try {
      const down = { ...method(name).config, jwksUrl: 'http://127.0.0.1:1/jwks' };
      for (const config of [method(name).config, down]) {
        const failure = await failureOf(acl.write(undefined, methodOf(method(name, { config })), never));
        expect(failure).toMatchObject({ code: 'ERR_CONSUL_REJECTED', retriable: true });
        expect(failure.message).toContain("could not fetch the identity provider's keys");
      }
    } finally {
      idp.setHealth('well');
    }
    expect((await read()).authMethods.filter(({ object }) => object.name === name)).toEqual([]);
    expect((await acl.write(undefined, methodOf(method(name)), never)).id).toBe(name);
  });

  it('one that hangs times the write out, which Consul carries out when it answers; deletes go on', async () => {
    const { acl, client, connect, fresh, idp, method, read, server } = theRig();
    const [name, other] = [fresh(), fresh()];
    const { roleId } = await client(other);
    const hasty = connect(server.managementToken, 300);
    idp.setHealth('hanging');
    try {
      const failure = await failureOf(hasty.write(undefined, methodOf(method(name)), never));
      expect(failure).toMatchObject({ code: 'ERR_TIMEOUT', retriable: true });
      expect(failure.message).toMatch(/within 300 ms.*JWKS.*may still complete/);
      await idp.isAwaited();
      expect((await read()).authMethods.filter(({ object }) => object.name === name)).toEqual([]);
      await acl.write(roleId, roleOf(other, []), never);
      expect(await acl.delete('acl-auth-method', other, never)).toBe(true);
    } finally {
      idp.setHealth('well');
    }
    await until('the abandoned write is carried out', async () =>
      (await read()).authMethods.some(({ object }) => object.name === name),
    );
  });
}
