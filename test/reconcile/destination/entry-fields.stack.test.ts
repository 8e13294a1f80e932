import { startConsul } from '../../stack/consul.js';
import { describeEntryFields } from './entry-fields.js';

describeEntryFields(async () => {
  const server = await startConsul({ acl: 'deny' });
  const register = (service: string) =>
    server.request('PUT', '/v1/catalog/register', {
      Node: 'machine-1',
      Address: '10.0.0.1',
      Service: { ID: service, Service: service, Port: 8080, Meta: { 'oauth-client-id': `${service}-app` } },
    });
  return {
    // JWT requirements need a newer Consul than this one.
    fields: { Meta: { team: 'security', 'a key': 'ä value with "quotes"' } },
    prepare: async (request) => {
      await request('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'orders', Protocol: 'http' });
      for (const service of ['web', 'other']) await register(service);
    },
    real: {
      consul: { address: server.httpAddress, token: server.managementToken },
      request: (method, path, body) => server.request(method, path, body),
      stop: () => server.stop(),
    },
  };
});
