import { expect, it } from 'vitest';
import { toRegistration } from '../../../src/consul/http/registration.js';
import { Reader } from '../../../src/consul/reader.js';

it('a registration for a file has the keys of Consul in snake case, and those of people as they are', () => {
  const raw = {
    Node: 'machine',
    ServiceID: 'web-1',
    ServiceName: 'web',
    ServiceTags: ['blue'],
    ServiceMeta: { 'oauth-client-id': 'web-app', TeamName: 'shop' },
    ServiceWeights: { Passing: 1, Warning: 0 },
    ServiceTaggedAddresses: {
      lan: { Address: '10.0.0.1', Port: 80 },
      'consul-virtual:default': { Address: '240.0.0.1', Port: 80 },
    },
    ServiceProxy: {
      DestinationServiceName: 'web',
      Config: { Envoy_Key: false },
      EnvoyExtensions: [{ Name: 'builtin/lua', Arguments: { ProxyType: 'connect-proxy', Enabled: false } }],
    },
    ServiceSocketPath: '',
  };
  expect(toRegistration(raw, new Reader('instances.read'))).toEqual({
    id: 'web-1',
    node: 'machine',
    service: {
      id: 'web-1',
      name: 'web',
      tags: ['blue'],
      meta: { 'oauth-client-id': 'web-app', TeamName: 'shop' },
      weights: { passing: 1, warning: 0 },
      tagged_addresses: { lan: { address: '10.0.0.1', port: 80 } },
      proxy: {
        destination_service_name: 'web',
        config: { Envoy_Key: false },
        envoy_extensions: [
          { name: 'builtin/lua', arguments: { ProxyType: 'connect-proxy', Enabled: false } },
        ],
      },
    },
  });
});
