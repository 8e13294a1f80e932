import { describe, expect, it } from 'vitest';
import { type Reads, readReach } from '../../src/app/read-reach.js';
import type { ServiceProxy } from '../../src/consul/consul.js';
import type { Catalog, ServiceInstance } from '../../src/model/catalog.js';
import type { ServiceName } from '../../src/model/intention.js';

const never = new AbortController().signal;
const UP = { registered: 1, passing: 1 };
const nameOf = (name: string): ServiceName => ({ partition: 'default', namespace: 'default', name });
const PROXY: ServiceProxy = {
  id: 'proxy',
  node: 'machine-1',
  service: {},
  upstreams: [],
  reachesAll: true,
  upstreamProtocols: new Map(),
};

/** Each service has a sidecar that reaches all; `asked` has what was asked for, and by how many requests. */
function recording() {
  const asked: string[] = [];
  const record =
    <T>(what: string, answer: T) =>
    async ({ name }: ServiceName) => {
      asked.push(`${what} ${name}`);
      return answer;
    };
  const recordAll =
    <T>(what: string, answer: T) =>
    async (services: readonly ServiceName[]) => {
      asked.push(`${what} ${services.map(({ name }) => name).join(' ')}`);
      return services.map(() => answer);
    };
  const reads: Reads = {
    readProxies: recordAll('proxies', [PROXY]),
    reachability: {
      readHealth: record('health', UP),
      readInstances: record('instances', []),
      readTakenPorts: async (node) => {
        asked.push(`ports ${node}`);
        return new Set();
      },
      readGatewayHealth: record('gateway', UP),
      readRoutes: recordAll('routes', []),
      readGateways: async (kind) => {
        asked.push(kind);
        return [];
      },
    },
  };
  return { asked, reads };
}

function catalogOf(services: Readonly<Record<string, readonly Partial<ServiceInstance>[]>>): Catalog {
  return {
    services: Object.entries(services).map(([name, instances]) => ({
      name: nameOf(name),
      instances: instances.map((each) => ({ id: name, node: 'm', kind: '', meta: {}, tags: [], ...each })),
    })),
    protocols: new Map(),
    defaultProtocol: 'tcp',
  };
}

const edge = (source: string, destination: string) => ({
  source: nameOf(source),
  destination: nameOf(destination),
});

const sidecarOf = (proxyOf: string) => ({ kind: 'connect-proxy', proxyOf });

describe('what is read about edges', () => {
  it('is asked once for each service, and once for all proxies and all routing entries', async () => {
    const { asked, reads } = recording();
    const edges = [edge('web', 'orders'), edge('web', 'billing'), edge('cart', 'orders')];
    await readReach(edges, reads, undefined, never);
    expect(asked.toSorted()).toEqual([
      'health billing',
      'health orders',
      'proxies web cart',
      'routes orders billing',
      'terminating-gateway',
    ]);
  });

  it('is not asked of a service whose instances in the catalog are not in the mesh', async () => {
    const { asked, reads } = recording();
    const catalog = catalogOf({ web: [{}], orders: [{}] });
    const [found] = await readReach([edge('web', 'orders')], reads, catalog, never);
    expect(found?.obstacles.map(({ kind }) => kind)).toEqual(['no-sidecar', 'no-endpoint']);
    expect(asked.toSorted()).toEqual([
      'instances orders',
      'instances web',
      'proxies ',
      'routes orders',
      'terminating-gateway',
    ]);
  });

  it.each<[string, Readonly<Record<string, readonly Partial<ServiceInstance>[]>>]>([
    ['has a sidecar', { web: [{}], 'a-proxy': [sidecarOf('web')] }],
    ['has a sidecar that writes its name otherwise', { web: [{}], 'a-proxy': [sidecarOf('WEB')] }],
    ['has native mesh integration', { web: [{ isNative: true }] }],
    ['is not in the catalog', { 'a-proxy': [sidecarOf('other')] }],
    ['may have a sidecar that could not be read', { web: [{}], 'a-proxy': [] }],
  ])('is asked of a service that %s', async (_, services) => {
    const { asked, reads } = recording();
    await readReach([edge('web', 'web')], reads, catalogOf(services), never);
    expect(asked).toEqual(expect.arrayContaining(['proxies web', 'health web']));
  });

  it('is asked of every service if a selection may hide a sidecar', async () => {
    const { asked, reads } = recording();
    await readReach([edge('web', 'web')], reads, catalogOf({ web: [{}] }), never, true);
    expect(asked).toEqual(expect.arrayContaining(['proxies web', 'health web']));
  });

  it('is asked of a service of another namespace than that of the catalog', async () => {
    const { asked, reads } = recording();
    const other = { ...nameOf('web'), namespace: 'team' };
    const catalog = catalogOf({ web: [{}] });
    await readReach([{ source: other, destination: other }], reads, catalog, never);
    expect(asked).toEqual(expect.arrayContaining(['proxies web', 'health web']));
  });
});
