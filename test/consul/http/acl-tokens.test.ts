import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { assertNoSecret } from '../../support/assert-no-secret.js';
import { createMovableClock } from '../../support/movable-clock.js';
import { ABSENT, type AclUnderFault, faultyAcl } from './acl-faults.js';
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

const SECRET = 'd0662547-7425-cbdd-2a0e-028042576092';
const rawToken = {
  AccessorID: '1dba0000-a592-bab1-c28a-524f4f935fa6',
  SecretID: SECRET,
  Description: 'token created via login: {"pod":"x"}',
  Roles: [{ ID: 'role-1', Name: 'ours' }],
  ServiceIdentities: [{ ServiceName: 'web' }],
  NodeIdentities: [{ NodeName: 'machine-1', Datacenter: 'dc1' }],
  TemplatedPolicies: [{ TemplateName: 'builtin/dns', TemplateID: 'x' }],
  Local: true,
  AuthMethod: 'ours',
  ExpirationTime: '2026-11-25T01:48:45.812405167Z',
  CreateTime: '2026-11-25T01:43:45.812405167Z',
  Hash: 'x',
  CreateIndex: 38,
  ModifyIndex: 38,
};
const tokens = (rows: unknown) => (exchange: Exchange) => {
  if (exchange.url.pathname === '/v1/acl/role/name/ours') exchange.reply(200, { ID: 'role-1', Name: 'ours' });
  else if (exchange.url.pathname === '/v1/acl/tokens') exchange.reply(200, rows);
  else return false;
  return true;
};

describe('a list of tokens', () => {
  it('has no secret in it, nor has any error about it', async () => {
    const { acl } = await against(tokens([rawToken]));
    const list = await acl.tokens('all', never);
    assertNoSecret(inspect(list, { depth: 10, showHidden: true }), [SECRET]);
    expect(list).toEqual([
      {
        accessorId: rawToken.AccessorID,
        description: rawToken.Description,
        policies: [],
        isManagement: false,
        roles: ['ours'],
        serviceIdentities: ['web'],
        nodeIdentities: ['dc1/machine-1'],
        templatedPolicies: ['builtin/dns'],
        authMethod: 'ours',
        isLocal: true,
        createdAt: rawToken.CreateTime,
        expiresAt: rawToken.ExpirationTime,
      },
    ]);
    for (const broken of [
      { AccessorID: '' },
      { CreateTime: 'then' },
      { ExpirationTime: 'x' },
      { Roles: 7 },
    ]) {
      const rig = await against(tokens([{ ...rawToken, ...broken }]));
      const failure = await failureOf(rig.acl.tokens('all', never));
      expect(failure.code).toBe('ERR_CONSUL_INCOMPLETE');
      assertNoSecret(inspect(failure, { depth: 10, showHidden: true }), [SECRET]);
    }
  });

  it('asks by one filter, a role by its id', async () => {
    const rig = await against(tokens([rawToken]));
    for (const by of [{ authMethod: 'OURS' }, { role: 'ours' }, 'all'] as const) {
      expect(await rig.acl.tokens(by, never)).toHaveLength(1);
    }
    expect(rig.seen).toEqual([
      'GET /v1/acl/tokens?authmethod=OURS&consistent',
      'GET /v1/acl/role/name/ours?consistent',
      'GET /v1/acl/tokens?role=role-1&consistent',
      'GET /v1/acl/tokens?consistent',
    ]);
  });

  it('with a token outside the filter is refused', async () => {
    const others = [
      { ...rawToken, AuthMethod: 'theirs', Roles: [{ ID: 'role-2', Name: 'theirs' }] },
      { ...rawToken, AuthMethod: undefined, Roles: undefined },
    ];
    for (const other of others) {
      const { acl } = await against(tokens([rawToken, other]));
      for (const by of [{ authMethod: 'ours' }, { role: 'ours' }]) {
        expect(await failureOf(acl.tokens(by, never))).toMatchObject({ code: 'ERR_CONSUL_INCOMPLETE' });
      }
    }
  });

  it('of a deleted role is empty, and is incomplete if a proxy answers', async () => {
    const { acl, seen } = await against(() => false);
    expect(await acl.tokens({ role: 'gone' }, never)).toEqual([]);
    expect(seen).toEqual(['GET /v1/acl/role/name/gone?consistent']);
    const proxy = await against(({ reply }) => {
      reply(404, '', { 'X-Consul-Index': undefined });
      return true;
    });
    expect(await failureOf(proxy.acl.tokens({ role: 'gone' }, never))).toMatchObject({
      code: 'ERR_CONSUL_INCOMPLETE',
    });
  });

  it('takes no end for no end', async () => {
    const rows = [undefined, null, '0001-01-01T00:00:00Z'].map((ExpirationTime) => ({
      ...rawToken,
      ExpirationTime,
    }));
    const { acl } = await against(tokens(rows));
    const list = await acl.tokens('all', never);
    expect(list.map((token) => 'expiresAt' in token)).toEqual([false, false, false]);
  });
});

describe('the deletion of tokens', () => {
  const ids = Array.from({ length: 100 }, (_, n) => `token-${n}`);

  it('has at most 16 in flight, each once, and counts those that newer versions call not found', async () => {
    let inFlight = 0;
    let most = 0;
    const rig = await against(({ method, target, reply }) => {
      if (method === 'GET') return reply(200, {}) ?? true;
      inFlight += 1;
      most = Math.max(most, inFlight);
      setImmediate(() => {
        inFlight -= 1;
        if (target.endsWith('7')) reply(404, 'Cannot find token to delete', ABSENT);
        else reply(200, 'true');
      });
      return true;
    });
    expect(await rig.acl.deleteTokens([...ids, ...ids], never)).toBe(100);
    const deletions = rig.seen.filter((each) => each.startsWith('DELETE'));
    expect(deletions.sort()).toEqual(ids.map((id) => `DELETE /v1/acl/token/${id}`).sort());
    expect(most).toBeLessThanOrEqual(16);
    expect(most).toBeGreaterThan(1);
  });

  it('is denied, and not done, if Consul does not know the ACL token and so calls all of them not found', async () => {
    const rig = await against(({ method, reply }) => {
      if (method === 'GET') reply(403, 'ACL not found');
      else reply(404, 'Cannot find token to delete', ABSENT);
      return true;
    });
    expect(await failureOf(rig.acl.deleteTokens(ids, never))).toMatchObject({ code: 'ERR_CONSUL_DENIED' });
  });

  it('stops when Consul is sick, and leaves no request behind', async () => {
    let sent = 0;
    const rig = await against(({ reply, response }) => {
      sent += 1;
      if (sent > 20) response.destroy();
      else reply(200, 'true');
      return true;
    });
    expect(await failureOf(rig.acl.deleteTokens(ids, never))).toMatchObject({
      code: 'ERR_CONSUL_UNREACHABLE',
    });
    expect(sent).toBeLessThan(60);
  });

  it('continues after one that Consul refuses, and reports it', async () => {
    const rig = await against(({ target, reply }) => {
      if (target.endsWith('/token-3'))
        reply(500, "Deletion of the request's authorization token is not permitted");
      else reply(200, 'true');
      return true;
    });
    const failure = await failureOf(rig.acl.deleteTokens(ids, never));
    expect(failure).toMatchObject({ code: 'ERR_CONSUL_REJECTED', retriable: false });
    expect(rig.seen).toHaveLength(100);
  });

  it('keeps to a rate where one is given', async () => {
    const clock = createMovableClock();
    const arrived: (() => void)[] = [];
    const rig = await against(
      ({ reply }) => {
        reply(200, 'true');
        for (const tell of arrived.splice(0)) tell();
        return true;
      },
      { clock },
    );
    const next = () => new Promise<void>((resolve) => arrived.push(resolve));
    const first = next();
    // One in 100 s: without the clock being moved a second one would never come.
    const done = rig.acl.deleteTokens(['a', 'b', 'c'], never, 0.01);
    await first;
    for (const count of [2, 3]) {
      expect(rig.seen).toHaveLength(count - 1);
      const another = next();
      clock.advance(100_000);
      await another;
    }
    expect(await done).toBe(3);
  });

  it('ends at once when it is aborted', async () => {
    const stop = new AbortController();
    const rig = await against(() => {
      stop.abort(new Error('enough'));
      return true;
    });
    await expect(rig.acl.deleteTokens(ids, stop.signal, 1_000)).rejects.toThrow('enough');
  });
});
