import { describe, expect, it } from 'vitest';
import {
  arrivalOf,
  leadsTo,
  obstaclesOf,
  type ReachFacts,
  type SourceProxy,
} from '../../../src/plan/reach.js';

const WELL = { registered: 1, passing: 1 };
const GONE = { registered: 0, passing: 0 };
const SICK = { registered: 2, passing: 0 };
const proxy = (changes: Partial<SourceProxy> = {}): SourceProxy => ({
  id: 'web-proxy',
  node: 'n1',
  service: {},
  upstreams: ['orders'],
  reachesAll: false,
  upstreamProtocols: new Map(),
  ...changes,
});
const FACTS: ReachFacts = {
  source: 'web',
  destination: 'orders',
  proxies: [proxy()],
  sourceInstances: [],
  takenPorts: new Set(),
  protocol: 'http',
  health: WELL,
  destinationInstances: [],
  gateways: [],
  routes: [],
};
type Gateway = NonNullable<ReachFacts['gateway']>;
const gateway = (changes: Partial<Gateway> = {}): Gateway => ({
  kind: 'ingress-gateway',
  ...WELL,
  routes: [{ service: 'orders', protocol: 'http', place: 'port 80' }],
  ...changes,
});
const found = (changes: Partial<ReachFacts>) => obstaclesOf({ ...FACTS, ...changes });
const kinds = (changes: Partial<ReachFacts>) => found(changes).map(({ kind, blocks }) => [kind, blocks]);
const message = (changes: Partial<ReachFacts>) => found(changes)[0]?.message;
const remedy = (changes: Partial<ReachFacts>) => found(changes)[0]?.remedy;

describe('a call arrives', () => {
  it.each<[string, Partial<ReachFacts>]>([
    ['with an upstream at every sidecar', {}],
    ['with a transparent proxy', { proxies: [proxy({ upstreams: [], reachesAll: true })] }],
    [
      'with the protocol of the destination, in any case',
      { proxies: [proxy({ upstreamProtocols: new Map([['orders', 'HTTP']]) })] },
    ],
    [
      'whatever another upstream speaks',
      { proxies: [proxy({ upstreamProtocols: new Map([['billing', 'tcp']]) })] },
    ],
    ['by a terminating gateway alone', { health: GONE, gateways: [{ name: 'out', ...WELL }] }],
    [
      'by a terminating gateway that is well, beside one that is not',
      {
        health: GONE,
        gateways: [
          { name: 'a', ...SICK },
          { name: 'b', ...WELL },
        ],
      },
    ],
    ['from a gateway with a route', { gateway: gateway() }],
    [
      'from a gateway with a route to everything of its protocol',
      { gateway: gateway({ routes: [{ service: '*', protocol: 'http', place: 'port 80' }] }) },
    ],
    ['where a gateway that is not well does not matter', { gateways: [{ name: 'out', ...SICK }] }],
  ])('%s', (_, changes) => {
    expect(found(changes)).toEqual([]);
    expect(arrivalOf(found(changes))).toBe('yes');
  });
});

describe('a call does not arrive', () => {
  it('without a sidecar of its source', () => {
    expect(kinds({ proxies: [] })).toEqual([['no-sidecar', true]]);
    expect(message({ proxies: [] })).toContain('web has no sidecar');
    expect(arrivalOf(found({ proxies: [] }))).toBe('no');
  });

  it('without an upstream at all sidecars, and sometimes without one at some', () => {
    const lacking = proxy({ upstreams: ['billing'] });
    expect(kinds({ proxies: [lacking] })).toEqual([['no-upstream', true]]);
    expect(message({ proxies: [lacking] })).toMatch(/^no sidecar of web has an upstream of orders/);
    expect(kinds({ proxies: [proxy(), lacking, lacking] })).toEqual([['no-upstream', false]]);
    expect(message({ proxies: [proxy(), lacking, lacking] })).toMatch(/^2 of 3 sidecars of web has/);
    expect(arrivalOf(found({ proxies: [proxy(), lacking] }))).toBe('partly');
  });

  it('with another protocol at the upstream, each named once', () => {
    const of = (protocol: string) => proxy({ upstreamProtocols: new Map([['orders', protocol]]) });
    const changes = { proxies: [of('tcp'), of('TCP'), of('grpc'), of('http')] };
    expect(kinds(changes)).toEqual([
      ['protocol', true],
      ['protocol', true],
    ]);
    expect(message(changes)).toBe('the upstream of web speaks tcp, and orders speaks http');
    expect(remedy(changes)).toContain('{"Kind":"service-defaults","Name":"orders","Protocol":"tcp"}');
  });

  it('from a gateway that has no instance, or none that is well', () => {
    expect(kinds({ gateway: gateway(GONE) })).toEqual([['no-endpoint', true]]);
    expect(message({ gateway: gateway(GONE) })).toBe('the ingress-gateway web has no instance');
    expect(remedy({ gateway: gateway(GONE) })).toMatch(
      /^register and start the gateway: .*-gateway=ingress -proxy-id web$/,
    );
    expect(kinds({ gateway: gateway(SICK) })).toEqual([['unhealthy', true]]);
    expect(message({ gateway: gateway(SICK) })).toContain('no instance that passes its checks');
    expect(remedy({ gateway: gateway({ ...SICK, kind: 'api-gateway' }) })).toMatch(
      /^start the gateway: .*-gateway=api -proxy-id ID/,
    );
  });

  it('from a gateway without a route', () => {
    const none = { gateway: gateway({ routes: [{ service: 'billing', protocol: 'http', place: 'x' }] }) };
    expect(kinds(none)).toEqual([['no-route', true]]);
    expect(message(none)).toBe('no route of the ingress-gateway web leads to orders');
    expect(remedy(none)).toContain('"Services":[{"Name":"orders"}]');
    const api = { gateway: { ...none.gateway, kind: 'api-gateway' as const } };
    expect(remedy(api)).toContain(
      '{"Kind":"http-route","Name":"orders","Parents":[{"Kind":"api-gateway","Name":"web"}]',
    );
    expect(remedy({ ...api, protocol: 'tcp' })).toContain('{"Kind":"tcp-route"');
  });

  it('from a gateway whose route is of the other family, if all are', () => {
    const tcp = { service: 'orders', protocol: 'tcp', place: 'port 81' };
    const all = { gateway: gateway({ routes: [tcp] }) };
    expect(kinds(all)).toEqual([['protocol', true]]);
    expect(message(all)).toBe('the route of web (port 81) speaks tcp, and orders speaks http');
    const some = { gateway: gateway({ routes: [tcp, ...gateway().routes] }) };
    expect(kinds(some)).toEqual([['protocol', false]]);
    expect(kinds({ ...all, protocol: 'tcp' })).toEqual([]);
    expect(kinds({ gateway: gateway(), protocol: 'grpc' })).toEqual([]);
  });

  it('to a destination without an endpoint in the mesh', () => {
    expect(kinds({ health: GONE })).toEqual([['no-endpoint', true]]);
    expect(message({ health: GONE })).toContain('orders has no sidecar and no terminating gateway');
    expect(kinds({ health: SICK })).toEqual([['unhealthy', true]]);
    expect(message({ health: SICK })).toBe('none of the 2 endpoints of orders passes its health checks');
    expect(remedy({ health: SICK })).toContain('consul catalog nodes -service orders');
  });

  it('to a destination whose terminating gateways are not well', () => {
    const gateways = [
      { name: 'a', ...GONE },
      { name: 'b', ...SICK },
    ];
    expect(kinds({ health: GONE, gateways })).toEqual([
      ['no-endpoint', true],
      ['unhealthy', true],
    ]);
    expect(found({ health: GONE, gateways }).map((each) => each.message)).toEqual([
      'orders is behind the terminating gateway a, which has no instance',
      'orders is behind the terminating gateway b, which has no instance that passes its checks',
    ]);
    expect(remedy({ health: GONE, gateways })).toContain('-gateway=terminating -register -service a');
  });

  it('only to the destination where both its sidecars and a gateway take calls', () => {
    const both = { gateways: [{ name: 'out', ...WELL }] };
    expect(kinds(both)).toEqual([['routed', false]]);
    expect(message(both)).toContain('go to its sidecars and to the terminating gateway out alike');
  });
});

describe('a route of the destination', () => {
  const routed = (...targets: readonly { service: string; elsewhere?: string }[]): Partial<ReachFacts> => ({
    routes: [{ kind: 'service-splitter', targets }],
  });

  it('is no obstacle where it leads to the destination', () => {
    expect(kinds(routed({ service: 'orders' }))).toEqual([]);
    expect(kinds({ routes: [] })).toEqual([]);
  });

  it('sends every call or some to another service, whose intention decides', () => {
    expect(kinds(routed({ service: 'other' }))).toEqual([['routed', true]]);
    expect(message(routed({ service: 'other' }))).toBe(
      'the service-splitter of orders sends every call to other, whose own intention decides',
    );
    expect(kinds(routed({ service: 'orders' }, { service: 'other' }))).toEqual([['routed', false]]);
    expect(message(routed({ service: 'orders' }, { service: 'other' }))).toContain(
      'sends some calls to other',
    );
    expect(remedy(routed({ service: 'other' }))).toBe(
      'check scopemesh explain web other, or remove the entry: consul config delete -kind service-splitter -name orders',
    );
  });

  it('of a router sends the rest to the destination itself', () => {
    const router = {
      routes: [{ kind: 'service-router', targets: [{ service: 'b' }, { service: 'a' }, { service: 'b' }] }],
    };
    expect(kinds(router)).toEqual([['routed', false]]);
    expect(message(router)).toContain('sends some calls to a, b, whose');
  });

  it('leads out of the datacenter also under the name of the destination', () => {
    const far = routed({ service: 'orders', elsewhere: 'datacenter dc2' });
    expect(kinds(far)).toEqual([['routed', true]]);
    expect(message(far)).toContain('datacenter dc2');
    expect(remedy(far)).toContain('the intention in datacenter dc2 cannot be read from here');
  });

  it('of a gateway leads to a service, or to all of one protocol', () => {
    expect(leadsTo({ service: 'orders', protocol: 'tcp' }, 'orders', 'http')).toBe(true);
    expect(leadsTo({ service: '*', protocol: 'http' }, 'orders', 'http')).toBe(true);
    expect(leadsTo({ service: '*', protocol: 'tcp' }, 'orders', 'http')).toBe(false);
    expect(leadsTo({ service: 'billing', protocol: 'http' }, 'orders', 'http')).toBe(false);
  });
});
