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
    const [proxies] = await consul.readProxies([service], never);
    expect(proxies?.map(({ id }) => id)).toEqual([`${orders}-proxy`]);
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

  it('has the ports that services and sidecars of a node take', async () => {
    const { consul, fresh, register } = theRig();
    const name = fresh('orders');
    await register({ ID: name, Service: name, Port: 7301 });
    await register({
      ID: `${name}-proxy`,
      Service: `${name}-proxy`,
      Kind: 'connect-proxy',
      Port: 7302,
      Proxy: {
        DestinationServiceName: name,
        Upstreams: [{ DestinationName: fresh('web'), LocalBindPort: 7303 }],
        Expose: { Paths: [{ Path: '/health', LocalPathPort: 7301, ListenerPort: 7304, Protocol: 'http' }] },
      },
    });
    const taken = await consul.reachability.readTakenPorts('machine-1', place, never);
    for (const port of [7301, 7302, 7303, 7304]) expect(taken).toContain(port);
    expect(await consul.reachability.readTakenPorts(fresh('none'), place, never)).toEqual(new Set());
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

  it('has the routing entries of few services and of many alike, also of names that the API cannot address', async () => {
    const { consul, fresh, request, setProtocol } = theRig();
    const [plain, resolved, split, routed] = [
      fresh('plain'),
      fresh('Resolved'),
      fresh('split'),
      fresh('routed'),
    ];
    for (const name of [resolved, split, routed, plain]) await setProtocol(name, 'http');
    await request('PUT', '/v1/config', {
      Kind: 'service-resolver',
      Name: resolved,
      Redirect: { Service: plain, Datacenter: 'dc1' },
    });
    await request('PUT', '/v1/config', {
      Kind: 'service-splitter',
      Name: split,
      Splits: [
        { Weight: 100, Service: plain },
        { Weight: 0, Service: routed },
      ],
    });
    await request('PUT', '/v1/config', {
      Kind: 'service-router',
      Name: routed,
      Routes: [{ Match: { HTTP: { PathPrefix: '/v2' } }, Destination: { Service: plain } }],
    });
    const names = [resolved.toLowerCase(), plain, split, routed, 'a\u0007b', plain];
    const expected = [
      [{ kind: 'service-resolver', targets: [{ service: plain, elsewhere: 'datacenter dc1' }] }],
      [],
      [{ kind: 'service-splitter', targets: [{ service: plain }] }],
      [{ kind: 'service-router', targets: [{ service: plain }] }],
      [],
      [],
    ];
    const read = (all: readonly string[]) => consul.reachability.readRoutes(all.map(nameOf), never);
    expect(await read(names)).toEqual(expected);
    expect((await Promise.all(names.map((name) => read([name])))).flat()).toEqual(expected);
    for (const [kind, name] of [
      ['service-router', routed],
      ['service-splitter', split],
      ['service-resolver', resolved],
    ])
      await request('DELETE', `/v1/config/${kind}/${name}`);
  });

  it('has the modes of sidecars by their registration, by service-defaults and by proxy-defaults, of few and of many', async () => {
    const { consul, fresh, register, request } = theRig();
    const [own, byService, byDefault, native, bare] = [
      'own',
      'by-service',
      'by-default',
      'native',
      'bare',
    ].map(fresh);
    const sidecar = (name = '', Mode = '') =>
      register({
        ID: `${name}-proxy`,
        Service: `${name}-proxy`,
        Kind: 'connect-proxy',
        Port: 20_000,
        Proxy: { DestinationServiceName: name, Mode },
      });
    await sidecar(own, 'transparent');
    await sidecar(byService);
    await sidecar(byDefault);
    await register({ ID: native, Service: native, Port: 80, Connect: { Native: true } });
    await register({ ID: bare, Service: bare });
    await request('PUT', '/v1/config', { Kind: 'service-defaults', Name: byService, Mode: 'transparent' });
    const names = [own, byService, byDefault, native, bare].map((name = '') => name);
    const reaching = async (all: readonly string[]) =>
      (await consul.readProxies(all.map(nameOf), never)).map((proxies) =>
        proxies.map(({ reachesAll }) => reachesAll),
      );
    const before = [[true], [true], [false], [true], []];
    expect(await reaching(names)).toEqual(before);
    expect((await Promise.all(names.map((name) => reaching([name])))).flat()).toEqual(before);
    await request('PUT', '/v1/config', { Kind: 'proxy-defaults', Name: 'global', Mode: 'transparent' });
    try {
      const after = [[true], [true], [true], [true], []];
      expect(await reaching(names)).toEqual(after);
      expect((await Promise.all(names.map((name) => reaching([name])))).flat()).toEqual(after);
    } finally {
      await request('DELETE', '/v1/config/proxy-defaults/global');
    }
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
