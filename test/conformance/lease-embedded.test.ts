import { createEmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import { describeConsulLease, describeStoreLease } from './lease.js';

describeStoreLease();
describeConsulLease('an embedded Consul', async () => {
  const consul = await createEmbeddedConsul({ defaultPolicy: 'deny' });
  const { address, managementToken } = consul;
  return { address, managementToken, datacenter: 'dc1', stop: () => consul.close() };
});
