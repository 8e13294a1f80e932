import { expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.js';
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

  it('says of few services and of many which have native mesh integration', async () => {
    const { consul, fresh, register } = theRig();
    const [native, plain] = [fresh('native'), fresh('plain')];
    await register({ ID: native, Service: native, Port: 80, Connect: { Native: true } });
    await register({ ID: plain, Service: plain, Port: 80 });
    const read = async () => {
      const { services } = await consul.readCatalog(never);
      return [native, plain].map(
        (name) => services.find((each) => each.name.name === name)?.instances[0]?.isNative,
      );
    };
    expect(await read()).toEqual([true, undefined]);
    for (let at = 0; at < 70; at++) await register({ ID: `${plain}-${at}`, Service: `${plain}-${at}` });
    expect(await read()).toEqual([true, undefined]);
  });

  it('of many services says the same of each as its own registration, sidecars and moved instances too', async () => {
    const { consul, fresh, register, request } = theRig();
    const prefix = fresh('many');
    await request('PUT', '/v1/catalog/register', { Node: 'machine-2', Address: '10.0.0.2' });
    const names = Array.from({ length: 80 }, (_, at) => `${prefix}-${at}`);
    for (const [at, name] of names.entries()) {
      await register({ ID: name, Service: name, Meta: { at: String(at) } });
      await register({
        ID: `${name}-proxy`,
        Service: `${name}-proxy`,
        Kind: 'connect-proxy',
        Port: 20_000,
        Proxy: { DestinationServiceName: name },
      });
    }
    const [moved = '', cased = '', both = ''] = names;
    const on2 = { Node: 'machine-2', Address: '10.0.0.2', SkipNodeUpdate: true };
    await request('PUT', '/v1/catalog/register', {
      ...on2,
      Service: { ID: both, Service: both, Tags: ['b'] },
    });
    await request('PUT', '/v1/catalog/register', {
      ...on2,
      Service: { ID: 'c', Service: cased.toUpperCase() },
    });
    const read = async () => {
      const { services } = await consul.readCatalog(never);
      return (name: string) =>
        services
          .find((each) => each.name.name === name)
          ?.instances.map(({ id, node, meta, tags, proxyOf }) => [node, id, meta, tags, proxyOf])
          .toSorted();
    };
    const of = await read();
    for (const [at, name] of names.entries()) {
      if (name === both || name === cased) continue;
      expect(of(name)).toEqual([['machine-1', name, { at: String(at) }, [], undefined]]);
      expect(of(`${name}-proxy`)).toEqual([['machine-1', `${name}-proxy`, {}, [], name]]);
    }
    expect(of(both)).toEqual([
      ['machine-1', both, { at: '2' }, [], undefined],
      ['machine-2', both, {}, ['b'], undefined],
    ]);
    // Consul keeps names that differ in case apart in the list, and together in their instances.
    const path = `/v1/catalog/service/${cased}`;
    expect(await request('GET', path)).toHaveLength(2);
    expect(of(cased)?.map(([, id]) => id)).toEqual([cased]);
    expect(of(cased.toUpperCase())?.map(([, id]) => id)).toEqual(['c']);
    await request('PUT', '/v1/catalog/deregister', { Node: 'machine-1', ServiceID: moved });
    await request('PUT', '/v1/catalog/register', { ...on2, Service: { ID: moved, Service: moved } });
    expect((await read())(moved)).toEqual([['machine-2', moved, {}, [], undefined]]);
  });

  it('of many services that hides one of them, or a node, throws ERR_CONSUL_INCOMPLETE', async () => {
    const { connect, tokenWith } = theRig();
    const all = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }';
    for (const but of ['node "machine-1" { policy = "deny" }', 'service_prefix "many" { policy = "deny" }']) {
      const weak = connect(await tokenWith(`${all} ${but}`));
      expect((await failureOf(weak.readCatalog(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
    }
    const able = connect(await tokenWith(all));
    expect((await able.readCatalog(never)).services.length).toBeGreaterThan(160);
  });
}
