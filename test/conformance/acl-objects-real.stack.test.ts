import { startConsul } from '../stack/consul.js';
import { describeAclObjects } from './acl-objects.js';

describeAclObjects('a real Consul', async () => {
  const server = await startConsul({ acl: 'deny' });
  return {
    address: server.httpAddress,
    managementToken: server.managementToken,
    datacenter: server.datacenter,
    stop: () => server.stop(),
  };
});
