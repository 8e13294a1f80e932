import { createEmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import { describeAclObjects } from './acl-objects.js';

describeAclObjects('an embedded Consul', async () => {
  const server = await createEmbeddedConsul({ defaultPolicy: 'deny' });
  return {
    address: server.address,
    managementToken: server.managementToken,
    datacenter: 'dc1',
    stop: () => server.close(),
  };
});
