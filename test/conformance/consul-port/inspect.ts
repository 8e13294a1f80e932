import { expect, it } from 'vitest';
import { type ConsulRig, never } from './rig.js';

export function inspect(theRig: () => ConsulRig): void {
  it('tells the version, the datacenter, the default policy and how long agents keep ACL objects', async () => {
    const { consul, server } = theRig();
    const facts = await consul.inspect(never);
    expect(facts).toMatchObject({
      datacenter: server.datacenter,
      defaultPolicy: 'deny',
      aclsEnabled: true,
      aclCache: { role: 0, policy: 30, token: 30 },
    });
    expect(facts.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('says unknown to a token without agent:read, and still names the datacenter', async () => {
    const { connect, server, tokenWith } = theRig();
    const weak = connect(await tokenWith('service_prefix "" { policy = "read" }'));
    expect(await weak.inspect(never)).toEqual({
      version: 'unknown',
      datacenter: server.datacenter,
      defaultPolicy: 'unknown',
      aclsEnabled: true,
      serverTime: expect.anything(),
    });
  });
}
