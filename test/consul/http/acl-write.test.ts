import { afterEach, describe, expect, it } from 'vitest';
import type { AclObject } from '../../../src/model/acl.js';
import { ABSENT, type AclUnderFault, faultyAcl, rawConfig, rawMethod, rawRule } from './acl-faults.js';
import { type Exchange, failureOf } from './fault-server.js';

const never = new AbortController().signal;
const open: AclUnderFault[] = [];

afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function against(...parameters: Parameters<typeof faultyAcl>): Promise<AclUnderFault> {
  const rig = await faultyAcl(...parameters);
  open.push(rig);
  return rig;
}

const description = 'scopemesh:payments';
const role: AclObject = {
  kind: 'acl-role',
  object: { name: 'ours', description, policies: ['a', 'b'], serviceIdentities: ['web'] },
};
const method: AclObject = {
  kind: 'acl-auth-method',
  object: {
    name: 'new',
    description,
    maxTokenTtlSeconds: 300,
    config: {
      jwksUrl: 'http://idp/jwks',
      boundIssuer: 'http://idp',
      boundAudiences: ['consul'],
      signingAlgorithms: [],
      claimMappings: { azp: 'client_id' },
      listClaimMappings: {},
    },
  },
};
const rule: AclObject = {
  kind: 'acl-binding-rule',
  object: {
    description,
    authMethod: 'ours',
    bindType: 'role',
    bindName: 'ours',
    selector: '"client_id" in value',
  },
};
const rawNewRole = {
  ID: 'role-2',
  Name: 'ours',
  Description: description,
  // Consul keeps links in an order of its own.
  Policies: [
    { ID: '2', Name: 'b' },
    { ID: '1', Name: 'A' },
  ],
  ServiceIdentities: [{ ServiceName: 'web' }],
  CreateIndex: 20,
  ModifyIndex: 20,
};
const rawNewMethod = { ...rawMethod, Name: 'new', Config: rawConfig, CreateIndex: 20, ModifyIndex: 20 };

const puts = (rig: AclUnderFault) => rig.seen.filter((each) => !each.startsWith('GET '));

describe('a write of an ACL object', () => {
  it('is one request, and resolves with what Consul keeps, whatever the order and case of links', async () => {
    const rig = await against(({ method: verb, reply }) => {
      if (verb !== 'PUT') return false;
      reply(200, rawNewRole);
      return true;
    });
    expect(await rig.acl.write(undefined, role, never)).toEqual({
      id: 'role-2',
      object: { name: 'ours', description, policies: ['A', 'b'], serviceIdentities: ['web'] },
      isAltered: false,
      modifyIndex: 20,
    });
    expect(rig.seen).toEqual(['PUT /v1/acl/role']);
  });

  it('that creates what the caller knows to be absent is one request for each kind', async () => {
    for (const [object, answer] of [
      [method, rawNewMethod],
      [rule, { ...rawRule, ID: 'rule-2' }],
    ] as const) {
      const rig = await against(({ method: verb, reply }) => {
        if (verb === 'PUT') reply(200, answer);
        return verb === 'PUT';
      });
      await rig.acl.write(undefined, object, never, { isAbsent: true });
      expect(rig.seen).toHaveLength(1);
    }
  });

  const others: readonly (readonly [string, object])[] = [
    ['another link', { Policies: [{ ID: '1', Name: 'a' }] }],
    ['one link more', { Policies: [...rawNewRole.Policies, { ID: '3', Name: 'c' }] }],
    ['another Description', { Description: 'by hand' }],
    ['no identity', { ServiceIdentities: null }],
    ['a node identity', { NodeIdentities: [{ NodeName: 'n', Datacenter: 'dc1' }] }],
  ];
  for (const [name, change] of others) {
    it(`is a conflict where ${name} is what Consul keeps`, async () => {
      const { acl } = await against(({ method: verb, reply }) => {
        if (verb === 'PUT') reply(200, { ...rawNewRole, ...change });
        return verb === 'PUT';
      });
      expect(await failureOf(acl.write(undefined, role, never))).toMatchObject({
        code: 'ERR_CONSUL_CONFLICT',
        retriable: true,
      });
    });
  }

  it('of an unreadable answer is not taken for done', async () => {
    for (const answer of ['', 'true', '{"ID":"role-2"', '[]', '{}']) {
      const { acl } = await against(({ method: verb, reply }) => {
        if (verb !== 'PUT') return false;
        reply(200, answer);
        return true;
      });
      expect(await failureOf(acl.write(undefined, role, never))).toMatchObject({
        code: 'ERR_CONSUL_INCOMPLETE',
      });
    }
  });

  it('distinguishes an unavailable Consul from an unavailable identity provider', async () => {
    const down = 'get keys failed Get "http://idp/jwks": dial tcp: connect: connection refused';
    const answers = [
      ['No cluster leader', 'ERR_CONSUL_UNREACHABLE', true],
      ['rpc error making call: connection refused', 'ERR_CONSUL_UNREACHABLE', true],
      [
        `Invalid Auth Method: error checking JWKSURL: fetching keys oidc: ${down}`,
        'ERR_CONSUL_REJECTED',
        true,
      ],
      [
        `rpc error making call: Invalid Auth Method: error checking OIDCDiscoveryURL: ${down}`,
        'ERR_CONSUL_REJECTED',
        true,
      ],
      [
        `auth method validator for "a" could not be initialized: error checking JWKSURL: i/o timeout`,
        'ERR_CONSUL_REJECTED',
        true,
      ],
      ['Invalid Auth Method: Invalid supported algorithm: HS256', 'ERR_CONSUL_REJECTED', false],
    ] as const;
    for (const [text, code, retriable] of answers) {
      const { acl } = await against(({ method: verb, reply }) => {
        if (verb !== 'PUT') return false;
        reply(500, text);
        return true;
      });
      const failure = await failureOf(acl.write(undefined, method, never));
      expect([text, failure.code, failure.retriable]).toEqual([text, code, retriable]);
    }
  });

  it('that makes Consul fetch keys has its own shorter time, and says what Consul waits for', async () => {
    const silent = ({ method: verb }: Exchange) => verb === 'PUT';
    const rig = await against(silent, { keyFetchTimeoutMs: 60 });
    for (const object of [method, { ...rule, object: { ...rule.object, selector: 'a in value' } }]) {
      const failure = await failureOf(rig.acl.write(undefined, object, never));
      expect(failure).toMatchObject({ code: 'ERR_TIMEOUT', retriable: true });
      expect(failure.message).toMatch(/within 60 ms.*identity provider/);
    }
    const other = await against(silent, { keyFetchTimeoutMs: 60, requestTimeoutMs: 150 });
    const failure = await failureOf(other.acl.write(undefined, role, never));
    expect(failure.message).toContain('within 150 ms');
    expect(failure.message).not.toContain('identity provider');
  });
});

describe('the creation of an auth method', () => {
  it('is refused if one with its name exists, and nothing is written', async () => {
    const existing = (exchange: Exchange) => {
      if (exchange.url.pathname !== '/v1/acl/auth-method/new') return false;
      exchange.reply(200, { ...rawMethod, Name: 'NEW', Type: 'kubernetes' });
      return true;
    };
    const rig = await against(existing);
    const failure = await failureOf(rig.acl.write(undefined, method, never));
    expect(failure).toMatchObject({ code: 'ERR_CONSUL_REJECTED', retriable: false });
    expect(failure.message).toContain('"NEW"');
    expect(puts(rig)).toEqual([]);
  });

  it('is not tried if it is not certain that none exists', async () => {
    const answers: readonly ((exchange: Exchange) => void)[] = [
      ({ reply }) => reply(404, 'no such page', { 'X-Consul-Index': undefined }),
      ({ reply }) => reply(500, 'No cluster leader'),
      ({ reply }) => reply(200, '{'),
      ({ reply }) => reply(403, "Permission denied: token lacks permission 'acl:read'"),
      ({ response }) => response.destroy(),
    ];
    for (const answer of answers) {
      const rig = await against((exchange) => {
        answer(exchange);
        return true;
      });
      await failureOf(rig.acl.write(undefined, method, never));
      expect(puts(rig)).toEqual([]);
    }
  });

  it('that overwrote one made meanwhile is a conflict', async () => {
    const { acl } = await against(({ method: verb, reply }) => {
      if (verb === 'PUT') reply(200, { ...rawNewMethod, CreateIndex: 19 });
      else return false;
      return true;
    });
    for (const isAbsent of [false, true]) {
      const failure = await failureOf(acl.write(undefined, method, never, { isAbsent }));
      expect(failure).toMatchObject({ code: 'ERR_CONSUL_CONFLICT' });
      expect(failure.message).toContain('overwritten');
    }
  });

  it('and its replacement are addressed by the name in the body', async () => {
    let isThere = false;
    const rig = await against(({ method: verb, reply }) => {
      if (verb === 'PUT') isThere = true;
      if (isThere) reply(200, rawNewMethod);
      else reply(404, '', ABSENT);
      return true;
    });
    await rig.acl.write(undefined, method, never);
    await rig.acl.write('NEW', method, never);
    expect(puts(rig)).toEqual(['PUT /v1/acl/auth-method', 'PUT /v1/acl/auth-method/new']);
  });
});

describe('the creation of a binding rule', () => {
  it('writes nothing if an equal one exists', async () => {
    const rig = await against(() => false);
    expect(await rig.acl.write(undefined, rule, never)).toMatchObject({ id: 'rule-1' });
    expect(rig.seen).toEqual(['GET /v1/acl/binding-rules?authmethod=ours&consistent']);
  });

  it('goes on beside one that differs in anything, by an edit of what is not modelled too', async () => {
    for (const change of [
      { Selector: '"x" in value' },
      { BindName: 'Ours' },
      { BindType: 'service' },
      { Description: '' },
      { BindVars: { Name: 'x' } },
    ]) {
      const rig = await against(({ method: verb, url, reply }) => {
        if (verb === 'PUT') reply(200, { ...rawRule, ID: 'rule-2' });
        else if (url.pathname === '/v1/acl/binding-rules') reply(200, [{ ...rawRule, ...change }]);
        else return false;
        return true;
      });
      expect(await rig.acl.write(undefined, rule, never)).toMatchObject({ id: 'rule-2' });
    }
  });

  it('is not tried where the list of the others is filtered', async () => {
    const rig = await against(({ reply }) => {
      reply(200, [], { 'X-Consul-Results-Filtered-By-ACLs': 'true' });
      return true;
    });
    expect(await failureOf(rig.acl.write(undefined, rule, never))).toMatchObject({
      code: 'ERR_CONSUL_INCOMPLETE',
    });
    expect(puts(rig)).toEqual([]);
  });
});

describe('the deletion of an ACL object', () => {
  it('is done although it is unknown whether a policy existed, and then returns false', async () => {
    const rig = await against(({ method: verb, reply }) => {
      if (verb === 'DELETE') reply(200, 'true');
      else reply(403, 'ACL not found');
      return true;
    });
    expect(await rig.acl.delete('acl-policy', 'policy-1', never)).toBe(false);
    expect(puts(rig)).toEqual(['DELETE /v1/acl/policy/policy-1']);
  });

  it('of a missing object returns false where Consul answers 404, and is denied if Consul does not know the ACL token', async () => {
    for (const [status, expected] of [
      [200, false],
      [403, 'ERR_CONSUL_DENIED'],
    ] as const) {
      const rig = await against(({ method: verb, url, reply }) => {
        if (verb === 'DELETE') reply(404, 'Cannot find policy to delete', ABSENT);
        else if (url.pathname === '/v1/acl/token/self') reply(status, status === 200 ? {} : 'ACL not found');
        else reply(403, 'ACL not found');
        return true;
      });
      const found = await rig.acl.delete('acl-policy', 'policy-1', never).catch((error) => error.code);
      expect(found).toBe(expected);
    }
  });

  it('is not done if only a proxy answers 404', async () => {
    const { acl } = await against(({ method: verb, reply }) => {
      if (verb !== 'DELETE') return false;
      reply(404, '', { 'X-Consul-Index': undefined });
      return true;
    });
    expect(await failureOf(acl.delete('acl-auth-method', 'ours', never))).toMatchObject({
      code: 'ERR_CONSUL_INCOMPLETE',
    });
  });

  it('with an answer other than true is an error', async () => {
    for (const answer of ['false', '', 'ok']) {
      const { acl } = await against(({ method: verb, reply }) => {
        if (verb !== 'DELETE') return false;
        reply(200, answer);
        return true;
      });
      expect(await failureOf(acl.delete('acl-auth-method', 'ours', never))).toMatchObject({
        code: 'ERR_CONSUL_UNREACHABLE',
        retriable: true,
      });
    }
  });
});
