import { expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.js';
import { type AclRig, methodOf, never, policy, roleOf, ruleOf } from './rig.js';

export function aclDeletes(theRig: () => AclRig): void {
  it('says whether there was something to delete', async () => {
    const { acl, fresh, method } = theRig();
    const name = fresh();
    const objects = [policy(name), roleOf(name, []), methodOf(method(name)), ruleOf(name)];
    const written = [];
    for (const object of objects) {
      written.push({ kind: object.kind, id: (await acl.write(undefined, object, never)).id });
    }
    for (const { kind, id } of written.toReversed()) {
      expect([kind, await acl.delete(kind, id, never)]).toEqual([kind, true]);
      expect([kind, await acl.delete(kind, id, never)]).toEqual([kind, false]);
    }
  });

  it('leaves what is not theirs any more who want it deleted', async () => {
    const { acl, fresh } = theRig();
    const object = policy(fresh());
    const { id } = await acl.write(undefined, object, never);
    const isMine = (description: string) => description === 'Mine';
    expect(await failureOf(acl.delete('acl-policy', id, never, isMine))).toMatchObject({
      code: 'ERR_CONSUL_CONFLICT',
    });
    const isTheirs = (description: string) => description === object.object.description;
    expect(await acl.delete('acl-policy', id, never, isTheirs)).toBe(true);
    expect(await acl.delete('acl-policy', id, never, isMine)).toBe(false);
  });

  it('refuses what is no id, which would name something else', async () => {
    const { acl } = theRig();
    for (const id of ['', '..', 'name/x', 'a?b']) {
      expect(await failureOf(acl.delete('acl-policy', id, never))).toMatchObject({
        code: 'ERR_CONSUL_REJECTED',
      });
    }
  });

  it('a method goes with its rules and its tokens, at once', async () => {
    const { acl, client, fresh, login, read, status } = theRig();
    const [name, other] = [fresh(), fresh()];
    const [gone, kept] = [await client(name), await client(other)];
    const [dead, alive] = [await login(name), await login(other)];
    expect(await status('GET', '/v1/acl/token/self', dead.secret)).toBe(200);
    expect(await acl.delete('acl-auth-method', name, never)).toBe(true);
    expect(await status('GET', '/v1/acl/token/self', dead.secret)).toBe(403);
    expect(await status('GET', '/v1/acl/token/self', alive.secret)).toBe(200);
    const { bindingRules } = await read();
    const ids = bindingRules.map(({ id }) => id);
    expect([ids.includes(gone.ruleId), ids.includes(kept.ruleId)]).toEqual([false, true]);
    expect(await acl.tokens({ authMethod: name }, never)).toEqual([]);
  });

  it('a role goes from its tokens, which are then worth nothing', async () => {
    const { acl, client, fresh, login, status } = theRig();
    const name = fresh();
    const { roleId } = await client(name);
    const { accessorId, secret } = await login(name);
    const key = `/v1/kv/${name}`;
    expect(await status('GET', key, secret)).toBe(404);
    await acl.delete('acl-role', roleId, never);
    expect(await status('GET', key, secret)).toBe(403);
    expect(await acl.tokens({ authMethod: name }, never)).toMatchObject([{ accessorId, roles: [] }]);
  });
}
