import { startConsul } from '../stack/consul.js';
import { describeConsulLease } from './lease.js';

describeConsulLease('a real Consul', async () => {
  const server = await startConsul({ acl: 'deny' });
  const { httpAddress: address, managementToken, datacenter } = server;
  return { address, managementToken, datacenter, stop: () => server.stop() };
});
