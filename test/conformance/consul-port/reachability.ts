import { expect, it } from 'vitest';
import { type ConsulRig, nameOf, never } from './rig.js';

export function reachability(theRig: () => ConsulRig): void {
  const place = { partition: 'default', namespace: 'default' };

  it('tells the sidecars of a service from the terminating gateways that name it', async () => {
    const { consul, fresh, register, request } = theRig();
    const [orders, exit] = [fresh('orders'), fresh('exit')];
    await register({ ID: orders, Service: orders });
    await register({
      ID: `${orders}-proxy`,
      Service: `${orders}-proxy`,
      Kind: 'connect-proxy',
      Port: 20_000,
      Proxy: { DestinationServiceName: orders },
    });
    await register({ ID: exit, Service: exit, Kind: 'terminating-gateway', Port: 8443 });
    await request('PUT', '/v1/config', {
      Kind: 'terminating-gateway',
      Name: exit,
      Services: [{ Name: orders }],
    });
    const listed = (await request('GET', `/v1/health/connect/${orders}`)) as {
      readonly Service: { readonly ID: string };
    }[];
    expect(listed.map(({ Service }) => Service.ID).toSorted()).toEqual([exit, `${orders}-proxy`].toSorted());
    const service = nameOf(orders);
    expect(await consul.reachability.readHealth(service, never)).toEqual({ registered: 1, passing: 1 });
    expect((await consul.readProxies(service, never)).map(({ id }) => id)).toEqual([`${orders}-proxy`]);
    const gateways = await consul.reachability.readGateways('terminating-gateway', place, never);
    expect(gateways).toContainEqual({
      name: exit,
      routes: [{ service: orders, protocol: '', place: `terminating-gateway ${exit}` }],
    });
    expect(await consul.reachability.readGatewayHealth(nameOf(exit), never)).toEqual({
      registered: 1,
      passing: 1,
    });
    await request('DELETE', `/v1/config/terminating-gateway/${exit}`);
  });

  it('has the ordinary instances of a service as they can be registered again', async () => {
    const { consul, fresh, register } = theRig();
    const name = fresh('orders');
    const [second, first] = [`${name}-2`, `${name}-1`];
    const meta = { 'oauth-client-id': 'orders-app', BuildTime: 'noon' };
    await register({
      ID: second,
      Service: name,
      Kind: 'connect-proxy',
      Port: 20_000,
      Proxy: { DestinationServiceName: fresh('web') },
    });
    await register({
      ID: first,
      Service: name,
      Address: '10.0.0.9',
      Port: 8080,
      Tags: ['v2'],
      Meta: meta,
      Weights: { Passing: 3, Warning: 1 },
      EnableTagOverride: true,
    });
    const [found, ...others] = await consul.reachability.readInstances(nameOf(name), never);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ id: first, node: expect.any(String) });
    expect(found?.service).toEqual({
      id: first,
      name,
      address: '10.0.0.9',
      port: 8080,
      tags: ['v2'],
      meta,
      weights: { passing: 3, warning: 1 },
      enable_tag_override: true,
    });
  });

  it('has the listeners of ingress gateways, and no API gateway where none is', async () => {
    const { consul, fresh, request, setProtocol } = theRig();
    const [web, raw, edge] = [fresh('web'), fresh('raw'), fresh('edge')];
    await setProtocol(web, 'http');
    await request('PUT', '/v1/config', {
      Kind: 'ingress-gateway',
      Name: edge,
      Listeners: [
        { Port: 443, Protocol: 'HTTP', Services: [{ Name: web, Hosts: ['web.example.com'] }, { Name: '*' }] },
        { Port: 9000, Protocol: 'tcp', Services: [{ Name: raw }] },
      ],
    });
    const gateways = await consul.reachability.readGateways('ingress-gateway', place, never);
    expect(gateways.find(({ name }) => name === edge)?.routes).toEqual([
      { service: web, protocol: 'http', place: 'port 443' },
      { service: '*', protocol: 'http', place: 'port 443' },
      { service: raw, protocol: 'tcp', place: 'port 9000' },
    ]);
    await request('DELETE', `/v1/config/ingress-gateway/${edge}`);
    expect(await consul.reachability.readGateways('api-gateway', place, never)).toEqual([]);
  });
}
