import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { assertNoSecret } from '../../support/assert-no-secret.js';
import { failureOf } from '../../support/failure-of.js';
import { type AclRig, never, textOf } from './rig.js';

export function aclTokens(theRig: () => AclRig): void {
  it('are found by method and by role, in any case, each with what it can do and how long', async () => {
    const { acl, client, fresh, login } = theRig();
    const [name, other] = [fresh(), fresh()];
    await client(name);
    await client(other);
    const { accessorId } = await login(name);
    await login(other);
    for (const by of [
      { authMethod: name },
      { authMethod: name.toUpperCase() },
      { role: name },
      { role: name.toUpperCase() },
    ]) {
      const [token, ...more] = await acl.tokens(by, never);
      expect(more).toEqual([]);
      expect(token).toMatchObject({
        accessorId,
        policies: [],
        roles: [name],
        serviceIdentities: [],
        authMethod: name,
        isLocal: true,
      });
      const life = Date.parse(token?.expiresAt ?? '') - Date.parse(token?.createdAt ?? '');
      expect(life).toBe(300_000);
    }
  });

  it('a missing role or method has no tokens, and an empty name does not mean all', async () => {
    const { acl } = theRig();
    expect(await acl.tokens({ role: 'not-there' }, never)).toEqual([]);
    expect(await acl.tokens({ authMethod: 'not-there' }, never)).toEqual([]);
    for (const by of [{ role: '' }, { authMethod: '' }, { role: 'x&y' }, { authMethod: '../tokens' }]) {
      expect(await failureOf(acl.tokens(by, never))).toMatchObject({ code: 'ERR_CONSUL_REJECTED' });
    }
  });

  it('are all listed, static ones without a method and without an end, and no secret comes along', async () => {
    const { acl, client, fresh, login, request, server } = theRig();
    const name = fresh();
    await client(name);
    const { accessorId, secret } = await login(name);
    const made = await request('PUT', '/v1/acl/token', {
      Description: 'by hand',
      Policies: [{ Name: name }],
      ServiceIdentities: [{ ServiceName: 'web' }],
      NodeIdentities: [{ NodeName: 'machine-1', Datacenter: 'dc1' }],
    });
    const all = await acl.tokens('all', never);
    const { createdAt: _, ...handMade } = all.find(
      (each) => each.accessorId === textOf(made, 'AccessorID'),
    ) ?? {
      createdAt: '',
    };
    expect(handMade).toEqual({
      accessorId: textOf(made, 'AccessorID'),
      description: 'by hand',
      policies: [name],
      isManagement: false,
      roles: [],
      serviceIdentities: ['web'],
      nodeIdentities: ['dc1/machine-1'],
      templatedPolicies: [],
      isLocal: false,
    });
    expect(all.find((each) => each.accessorId === accessorId)?.authMethod).toBe(name);
    expect(all.filter((each) => each.isManagement)).toMatchObject([{ policies: ['global-management'] }]);
    const shown = inspect(all, { depth: 10, showHidden: true, maxArrayLength: null });
    assertNoSecret(shown, [secret, textOf(made, 'SecretID'), server.managementToken]);
  });

  it('end when they are deleted, and those that are gone already count', async () => {
    const { acl, client, fresh, login, status } = theRig();
    const name = fresh();
    await client(name);
    const tokens = await Promise.all(Array.from({ length: 40 }, () => login(name)));
    const [kept, ...ended] = tokens;
    if (kept === undefined) throw new Error('nobody logged in');
    const gone = '00000000-0000-0000-0000-00000000000a';
    const ids = ended.map(({ accessorId }) => accessorId);
    expect(await acl.deleteTokens([...ids, gone, gone], never)).toBe(40);
    expect(await acl.deleteTokens(ids, never)).toBe(39);
    for (const { secret } of ended.slice(0, 3)) {
      expect(await status('GET', '/v1/acl/token/self', secret)).toBe(403);
    }
    expect(await status('GET', '/v1/acl/token/self', kept.secret)).toBe(200);
    expect(await acl.tokens({ authMethod: name }, never)).toMatchObject([{ accessorId: kept.accessorId }]);
    expect(await acl.deleteTokens([], never)).toBe(0);
  });

  it('one that Consul will not delete is reported, after the others are gone', async () => {
    const { acl, client, fresh, login } = theRig();
    const name = fresh();
    await client(name);
    const { accessorId } = await login(name);
    const anonymous = '00000000-0000-0000-0000-000000000002';
    const failure = await failureOf(acl.deleteTokens([anonymous, accessorId], never));
    expect(failure).toMatchObject({ code: 'ERR_CONSUL_REJECTED', retriable: false });
    expect(failure.message).toContain('anonymous');
    expect(await acl.tokens({ authMethod: name }, never)).toEqual([]);
  });

  it('of logins that race the deletion of their rule none is left after a second list', async () => {
    const { acl, client, fresh, login, status } = theRig();
    const name = fresh();
    const { ruleId } = await client(name);
    const racing = Array.from({ length: 30 }, () => login(name).catch(() => undefined));
    await racing[0];
    await acl.delete('acl-binding-rule', ruleId, never);
    const end = async () => {
      const tokens = await acl.tokens({ authMethod: name }, never);
      return acl.deleteTokens(
        tokens.map((token) => token.accessorId),
        never,
      );
    };
    await end();
    const issued = await Promise.all(racing);
    await end();
    for (const token of issued) {
      if (token !== undefined) expect(await status('GET', '/v1/acl/token/self', token.secret)).toBe(403);
    }
    await expect(login(name)).rejects.toThrow('403');
  });
}
