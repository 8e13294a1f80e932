import { expect, it } from 'vitest';
import { protocolIn } from '../../src/state/protocols.js';

it('is the protocol of the service-defaults that have the name in another case, which to Consul are the same', () => {
  const catalog = {
    services: [],
    protocols: new Map([['web', 'http'] as const]),
    defaultProtocol: 'tcp',
  } as const;
  const web = { partition: 'default', namespace: 'default', name: 'Web' };
  expect(protocolIn(catalog, web)).toBe('http');
  expect(protocolIn(catalog, { ...web, name: 'api' })).toBe('tcp');
});
