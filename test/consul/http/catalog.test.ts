import { afterEach, describe, expect, it } from 'vitest';
import { connect, type FaultServer, startFaultServer } from './fault-server.js';

const never = new AbortController().signal;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe('a catalog of many services on few nodes', () => {
  const NAMES = Array.from({ length: 70 }, (_, at) => `s${at}`);

  /**
   * Of each service an instance on node `a`, but for `s0`, which moves from there to `b`, and `s1`, which is on none. To
   * `c`, which is registered with it, one instance of `s0` moves while another stays on `b`.
   */
  async function startMany(
    moves: 'once' | 'again and again' | 'to c' | 'never',
    nodes: readonly string[] = ['a', 'b'],
  ) {
    let index = 50;
    let isMoved = false;
    const isToC = moves === 'to c';
    const onA = Object.fromEntries(NAMES.slice(2).map((name) => [name, { ID: name, Service: name }]));
    const moving = { s0: { ID: 's0', Service: 's0' } };
    const servicesOn: Readonly<Record<string, () => object>> = {
      a: () => (isMoved ? onA : { ...onA, ...moving }),
      b: () => (isToC ? { other: { ID: 'other', Service: 's0' } } : isMoved ? moving : {}),
      c: () => (isMoved ? moving : {}),
    };
    const waiting = new Map<string, () => void>();
    const server: FaultServer = await startFaultServer(({ url, reply }) => {
      const headers = { 'X-Consul-Index': String(index) };
      const [, of, name = ''] = /^\/v1\/catalog\/(node|service)\/(.*)$/.exec(url.pathname) ?? [];
      if (url.pathname === '/v1/catalog/services')
        return reply(200, Object.fromEntries(NAMES.map((each) => [each, []])), headers);
      if (url.pathname === '/v1/catalog/nodes') {
        const all = isToC && isMoved ? [...nodes, 'c'] : nodes;
        return reply(
          200,
          all.map((Node) => ({ Node })),
        );
      }
      if (of === 'service') {
        const places = name !== 's0' ? ['a'] : isToC ? ['b', 'c'] : ['b'];
        return reply(
          200,
          places.map((Node) => ({ ServiceID: name, ServiceName: name, Node })),
        );
      }
      if (of !== 'node') return reply(200, []);
      const answer = () => reply(200, { Node: { Node: name }, Services: servicesOn[name]?.() });
      if (name === 'c') return answer();
      waiting.set(name, answer);
      if (waiting.size < 2) return undefined;
      // The instance moves after `b` is answered and before `a` is.
      waiting.get('b')?.();
      if (moves === 'again and again' || (moves !== 'never' && !isMoved)) {
        isMoved = !isMoved;
        index += 1;
      }
      waiting.get('a')?.();
      return waiting.clear();
    });
    closers.push(server.close);
    const consul = connect(server.address);
    closers.push(() => consul.close());
    const reads = (of: string) => server.seen.filter((target) => target.includes(`/catalog/${of}/`)).length;
    return { consul, reads };
  }

  it('is read by node; what the list has and no node is read by itself', async () => {
    const { consul, reads } = await startMany('never');
    const { services } = await consul.readCatalog(never);
    expect(services).toHaveLength(70);
    expect(services.every(({ instances }) => instances.length === 1)).toBe(true);
    expect([reads('node'), reads('service')]).toEqual([2, 1]);
  });

  it.each(['once', 'again and again'] as const)(
    'misses no instance that moves between two nodes %s, and reads few services by themselves',
    async (moves) => {
      const { consul, reads } = await startMany(moves);
      const { services } = await consul.readCatalog(never);
      const moved = services.find(({ name }) => name.name === 's0');
      expect(moved?.instances.map(({ node }) => node)).toEqual(['b']);
      expect([reads('node'), reads('service')]).toEqual([4, 2]);
    },
  );

  it('misses no instance that moves to a node registered during the read, beside another of its service', async () => {
    const { consul, reads } = await startMany('to c');
    const { services } = await consul.readCatalog(never);
    const moved = services.find(({ name }) => name.name === 's0');
    expect(moved?.instances.map(({ node }) => node)).toEqual(['b', 'c']);
    expect([reads('node'), reads('service')]).toEqual([5, 2]);
  });

  it('is read by service where a node cannot be asked for, or nodes are no fewer', async () => {
    for (const nodes of [['a', 'b', 'x\ny'], NAMES]) {
      const { consul, reads } = await startMany('never', nodes);
      expect((await consul.readCatalog(never)).services).toHaveLength(70);
      expect([reads('node'), reads('service')]).toEqual([0, 70]);
    }
  });
});
