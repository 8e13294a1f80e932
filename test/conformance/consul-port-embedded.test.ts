import { createEmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import { describeConsulPort } from './consul-port.js';

describeConsulPort('an embedded Consul', async () => {
  const server = await createEmbeddedConsul({ defaultPolicy: 'deny' });
  return {
    address: server.address,
    managementToken: server.managementToken,
    datacenter: 'dc1',
    stop: () => server.close(),
  };
});
