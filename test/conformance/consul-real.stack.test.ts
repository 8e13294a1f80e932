import { startConsul } from '../stack/consul.js';
import { describeConsulApi } from './consul-api.js';

describeConsulApi('a real Consul', async () => {
  const consul = await startConsul({ acl: 'deny' });
  return {
    address: consul.httpAddress,
    managementToken: consul.managementToken,
    stop: () => consul.stop(),
  };
});
