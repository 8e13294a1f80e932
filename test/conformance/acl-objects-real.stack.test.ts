import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { failureOf } from '../support/failure-of.js';
import { type AclRig, never, roleOf, ruleOf, startAclRig } from './acl-objects/rig.js';
import { describeAclObjects } from './acl-objects.js';

describeAclObjects('a real Consul', async () => underTest(await startConsul({ acl: 'deny' })));

function underTest(server: ConsulHandle) {
  return {
    address: server.httpAddress,
    managementToken: server.managementToken,
    datacenter: server.datacenter,
    stop: () => server.stop(),
  };
}

describe('a real Consul with a new leader', () => {
  let server: ConsulHandle;
  let rig: AclRig;

  beforeAll(async () => {
    server = await startConsul({ acl: 'deny' });
    rig = await startAclRig(async () => underTest(server));
  });

  afterAll(() => rig?.stop());

  it('asks the identity provider for a rule, and not for a role or what is deleted', async () => {
    const { acl, client, connect, fresh, idp, read } = rig;
    const name = fresh();
    const { roleId, ruleId } = await client(name);
    await server.restart();
    const other = ruleOf(name, { description: 'scopemesh:payments again' });
    idp.setHealth('failing');
    expect(await failureOf(acl.write(undefined, other, never))).toMatchObject({
      code: 'ERR_CONSUL_REJECTED',
      retriable: true,
    });
    idp.setHealth('hanging');
    const hasty = connect(server.managementToken, 300);
    expect(await failureOf(hasty.write(ruleId, other, never))).toMatchObject({ code: 'ERR_TIMEOUT' });
    await acl.write(roleId, roleOf(name, []), never);
    expect(await acl.delete('acl-binding-rule', ruleId, never)).toBe(true);
    expect(await acl.delete('acl-auth-method', name, never)).toBe(true);
    idp.setHealth('well');
    const { authMethods, bindingRules } = await read();
    expect([authMethods, bindingRules]).toEqual([[], []]);
  });
});
