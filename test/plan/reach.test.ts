import { describe, expect, it } from 'vitest';
import { obstaclesOf, type ReachFacts } from '../../src/plan/reach.js';
import { registrationIn } from '../support/registration-in.js';

const FACTS: ReachFacts = {
  source: 'web',
  destination: 'orders',
  proxies: [],
  sourceInstances: [],
  takenPorts: new Set(),
  protocol: 'http',
  health: { registered: 1, passing: 1 },
  destinationInstances: [],
  gateways: [],
  routes: [],
};
/** The source is one that needs no sidecar. */
const GATEWAY: ReachFacts['gateway'] = {
  kind: 'ingress-gateway',
  registered: 1,
  passing: 1,
  routes: [{ service: 'orders', protocol: 'http', place: 'port 80' }],
};
const remedyOf = (facts: Partial<ReachFacts>) => obstaclesOf({ ...FACTS, ...facts })[0]?.remedy ?? '';
const instance = (id: string, service: object = {}) => ({
  id,
  node: `node-of-${id}`,
  service: { id, name: 'web', ...service },
});
const to = (name: string, port: number) => ({ destination_name: name, local_bind_port: port });

describe('a printed registration', () => {
  it('has all of the instance, and names the one of several', () => {
    const meta = { 'oauth-client-id': 'web-app' };
    const first = instance('web-1', { meta, tags: ['v2'], port: 9000, connect: { native: false } });
    const remedy = remedyOf({ sourceInstances: [first, instance('web-2'), instance('web-3')] });
    expect(remedy).toContain(
      'register web-1 again at the agent of node node-of-web-1, and likewise the 2 others that lack it, with a sidecar',
    );
    const proxy = { upstreams: [to('orders', 9191)] };
    expect(registrationIn(remedy)).toEqual({
      ...first.service,
      connect: { native: false, sidecar_service: { proxy } },
    });
  });

  it('is not there for a name that is a sidecar or a gateway, which it could replace', () => {
    expect(remedyOf({ sourceKind: 'connect-proxy' })).toBe(
      'name a service instead: web is registered as connect-proxy',
    );
    const facts = { health: { registered: 0, passing: 0 }, gateway: GATEWAY };
    expect(remedyOf({ ...facts, destinationKind: 'mesh-gateway' })).toContain(
      'name a service instead: orders is registered as mesh-gateway',
    );
  });

  it('of a destination has no upstream', () => {
    const facts = { health: { registered: 0, passing: 0 }, gateway: GATEWAY };
    const remedy = remedyOf({ ...facts, destinationInstances: [instance('orders', { port: 81 })] });
    expect(registrationIn(remedy)).toEqual({
      id: 'orders',
      name: 'web',
      port: 81,
      connect: { sidecar_service: {} },
    });
  });

  it('of a sidecar keeps its upstreams and takes a port of its own', () => {
    const service = {
      kind: 'connect-proxy',
      proxy: { mode: 'direct', upstreams: [to('a', 9191), to('b', 9192)] },
    };
    const sidecar = { ...instance('web-proxy', service), upstreams: ['a', 'b'], reachesAll: false };
    const remedy = remedyOf({ proxies: [{ ...sidecar, upstreamProtocols: new Map() }] });
    expect(registrationIn(remedy)).toMatchObject({
      id: 'web-proxy',
      proxy: { mode: 'direct', upstreams: [to('a', 9191), to('b', 9192), to('orders', 9193)] },
    });
    const beside = remedyOf({
      proxies: [{ ...sidecar, upstreamProtocols: new Map() }],
      takenPorts: new Set([9193, 9194]),
    });
    expect(registrationIn(beside)).toMatchObject({
      proxy: { upstreams: [to('a', 9191), to('b', 9192), to('orders', 9195)] },
    });
  });

  it('of a service without an instance has a claim to fill in', () => {
    expect(registrationIn(remedyOf({}))).toMatchObject({
      name: 'web',
      meta: { 'oauth-client-id': 'CLIENT' },
    });
  });

  it('stays one line of JSON, whatever a registration contains', () => {
    const meta = { note: 'a\n\u202eb\u{e0001}"}' };
    const remedy = remedyOf({ sourceInstances: [instance('web', { meta })] });
    expect(remedy).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(registrationIn(remedy)).toMatchObject({ meta });
  });
});

describe('a route that leads out of the datacenter', () => {
  const leading = (elsewhere: string, meshGateways?: ReachFacts['meshGateways']) =>
    remedyOf({
      gateway: GATEWAY,
      routes: [{ kind: 'service-resolver', targets: [{ service: 'orders', elsewhere }] }],
      ...(meshGateways === undefined ? {} : { meshGateways }),
    });

  it.each([
    ['a gateway that is well', { registered: 3, passing: 2 }, '2 of 3 mesh gateways of this datacenter pass'],
    [
      'a sick gateway',
      { registered: 1, passing: 0 },
      'none of the 1 mesh gateways of this datacenter passes',
    ],
    ['no gateway', { registered: 0, passing: 0 }, 'this datacenter has no mesh gateway, and calls with'],
    ['an unknown catalog', undefined, 'whether this datacenter has a mesh gateway is not known'],
  ])('has a remedy for %s', (_, health, expected) => {
    for (const elsewhere of ['datacenter dc2', 'peer east']) {
      expect(leading(elsewhere, health)).toContain(expected);
      expect(leading(elsewhere, health)).toContain(
        `The mesh gateways and the intention in ${elsewhere} cannot be read from here: check them there, or remove`,
      );
    }
  });
});
