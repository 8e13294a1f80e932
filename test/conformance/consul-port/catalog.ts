import { expect, it } from 'vitest';
import { type ConsulRig, nameOf, never } from './rig.js';

export function catalog(theRig: () => ConsulRig): void {
  it('has every instance with its kind, meta and tags', async () => {
    const { consul, fresh, register } = theRig();
    const web = fresh('web');
    await register({
      ID: `${web}-1`,
      Service: web,
      Tags: ['oauth-client=a'],
      Meta: { 'oauth-client-id': 'a' },
    });
    await register({ ID: `${web}-2`, Service: web });
    await register({
      ID: `${web}-proxy`,
      Service: `${web}-proxy`,
      Kind: 'connect-proxy',
      Port: 20_000,
      Proxy: { DestinationServiceName: web },
    });
    const { services } = await consul.readCatalog(never);
    const found = services.find((service) => service.name.name === web);
    expect(found?.name).toEqual(nameOf(web));
    expect(found?.instances.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
      {
        id: `${web}-1`,
        node: 'machine-1',
        kind: '',
        meta: { 'oauth-client-id': 'a' },
        tags: ['oauth-client=a'],
      },
      { id: `${web}-2`, node: 'machine-1', kind: '', meta: {}, tags: [] },
    ]);
    const proxy = services.find((service) => service.name.name === `${web}-proxy`);
    expect(proxy?.instances).toMatchObject([{ kind: 'connect-proxy', proxyOf: web }]);
  });

  it('has the protocols of config entries, an empty one being tcp', async () => {
    const { consul, fresh, request, setProtocol } = theRig();
    const [http, grpc, empty] = [fresh('p'), fresh('p'), fresh('p')];
    await setProtocol(http, 'http');
    await setProtocol(grpc, 'grpc');
    await request('PUT', '/v1/config', { Kind: 'service-defaults', Name: empty });
    expect((await consul.readCatalog(never)).defaultProtocol).toBe('tcp');
    await request('PUT', '/v1/config', {
      Kind: 'proxy-defaults',
      Name: 'global',
      Config: { protocol: 'http2' },
    });
    const { protocols, defaultProtocol } = await consul.readCatalog(never);
    await request('DELETE', '/v1/config/proxy-defaults/global');
    expect(defaultProtocol).toBe('http2');
    expect([http, grpc, empty].map((each) => protocols.get(each))).toEqual(['http', 'grpc', 'tcp']);
  });

  it('is read again after a change of meta alone', async () => {
    const { consul, fresh, register } = theRig();
    const web = fresh('web');
    for (const client of ['a', 'b', 'a']) {
      await register({ ID: web, Service: web, Meta: { 'oauth-client-id': client } });
      const { services } = await consul.readCatalog(never);
      const meta = services.find((service) => service.name.name === web)?.instances[0]?.meta;
      expect(meta).toEqual({ 'oauth-client-id': client });
    }
  });
}
