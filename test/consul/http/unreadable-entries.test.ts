import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Consul } from '../../../src/consul/consul.js';
import type { HttpConsulOptions } from '../../../src/consul/http/http-consul.js';
import type { Metrics } from '../../../src/observe.js';
import { against, CONSUL_HEADERS, type Exchange, failureOf } from './fault-server.js';

const never = new AbortController().signal;
const ORDERS = { partition: 'default', namespace: 'default', name: 'orders' };
const small = { maxBytes: 10_000 };

const intention = (name: string, sources = 1) => ({
  Kind: 'service-intentions',
  Name: name,
  Sources: Array.from({ length: sources }, (_, at) => ({ Name: `web-${at}`, Action: 'allow' })),
  ModifyIndex: 7,
});
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

/** A Consul with these answers, by path, and empty lists otherwise; with what was logged and measured. */
async function withAnswers(answers: Record<string, unknown>, options: Partial<HttpConsulOptions> = {}) {
  const warnings: unknown[] = [];
  const gauges = new Map<string, number>();
  const metrics: Metrics = {
    count() {},
    time() {},
    gauge(name, value, labels) {
      if (name === 'scopemesh_consul_unreadable_entries') gauges.set(`${name} ${labels?.kind}`, value);
    },
  };
  const logger = { debug() {}, info() {}, error() {}, warn: (fields: unknown) => warnings.push(fields) };
  const answer = ({ url, reply }: Exchange) => reply(200, answers[decodeURIComponent(url.pathname)] ?? []);
  const { consul } = await against(answer, { ...small, logger, metrics, ...options });
  return { consul, answers, warnings, gauges };
}

describe('an entry of Consul that is too large', () => {
  it('is unknown alone: the list has all others, and it is reported once with its size and a command', async () => {
    const list = [intention('a'), intention('orders', 1_000), intention('z')];
    const { consul, answers, warnings, gauges } = await withAnswers({
      '/v1/config/service-intentions': list,
    });
    const size = JSON.stringify(list[1]).length;
    for (let read = 0; read < 2; read += 1) {
      const entries = await consul.intentions.list(never);
      expect(entries.map(({ destination, sources }) => [destination.name, sources.length])).toEqual([
        ['a', 1],
        ['orders', 0],
        ['z', 1],
      ]);
      expect(entries[1]).toMatchObject({
        modifyIndex: 7,
        unreadable: expect.stringContaining(`${size} bytes`),
      });
    }
    const detail = expect.stringContaining(
      'consul config read -kind service-intentions -name orders | head -c 2000',
    );
    expect(warnings).toEqual([{ kind: 'service-intentions', entries: 1, name: 'orders', size, detail }]);
    expect(consul.unreadable()).toEqual([{ kind: 'service-intentions', name: 'orders', size, detail }]);
    expect([...gauges]).toEqual([['scopemesh_consul_unreadable_entries service-intentions', 1]]);

    answers['/v1/config/service-intentions'] = [intention('orders')];
    expect((await consul.intentions.list(never))[0]?.unreadable).toBeUndefined();
    expect(consul.unreadable()).toEqual([]);
    expect([...gauges.values()]).toEqual([0]);
  });

  it('is the same if it is read by itself', async () => {
    const path = '/v1/config/service-intentions/orders';
    const { consul } = await withAnswers({ [path]: intention('orders', 1_000) });
    const entry = await consul.intentions.read(ORDERS, never);
    expect(entry).toMatchObject({
      sources: [],
      modifyIndex: 7,
      unreadable: expect.stringContaining('bytes'),
    });
  });

  it('that is nested too deep is unknown alone too', async () => {
    const deep = `{"Kind":"service-intentions","Name":"orders","Sources":${nested(500_000)},"ModifyIndex":3}`;
    const list = `[${JSON.stringify(intention('a'))},${deep}]`;
    const { consul } = await withAnswers({ '/v1/config/service-intentions': list }, { maxBytes: 2_000_000 });
    const entries = await consul.intentions.list(never);
    expect(entries.map(({ unreadable }) => unreadable !== undefined)).toEqual([false, true]);
  });

  it.each([
    ['is no object', [intention('a'), 7]],
    ['has no name', [intention('a'), { Kind: 'service-intentions', Sources: [], ModifyIndex: 1 }]],
    ['is of another kind', [{ ...intention('a'), Kind: 'mesh' }]],
  ])('does not show whose it is if it %s: the list is incomplete', async (_, list) => {
    const { consul } = await withAnswers({ '/v1/config/service-intentions': list });
    expect((await failureOf(consul.intentions.list(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
  });

  it('has a name and a protocol, if it is of service-defaults: nothing else is read', async () => {
    const overrides = Array.from({ length: 5_000 }, (_, at) => ({ Name: `upstream-${at}`, Protocol: 'tcp' }));
    const large = {
      Kind: 'service-defaults',
      UpstreamConfig: { Overrides: overrides },
      Name: 'orders',
      Protocol: 'http',
    };
    const list = [
      { Name: 'A', Protocol: 'grpc' },
      large,
      { Name: 'x'.repeat(100_000), Protocol: 'http' },
      { Name: 'z', Protocol: 'y'.repeat(100_000) },
    ];
    const { consul } = await withAnswers({ '/v1/config/service-defaults': list, '/v1/catalog/services': {} });
    const { protocols } = await consul.readCatalog(never);
    expect([...protocols]).toEqual([
      ['a', 'grpc'],
      ['orders', 'http'],
      ['z', 'tcp'],
    ]);
    expect(consul.unreadable()).toEqual([]);
  });

  it('is an instance of its own service alone', async () => {
    const instance = (name: string, tags: readonly string[]) => ({
      ServiceID: `${name}-1`,
      ServiceName: name,
      Node: 'n',
      ServiceKind: '',
      ServiceMeta: { 'oauth-client-id': name },
      ServiceTags: tags,
    });
    const { consul } = await withAnswers({
      '/v1/catalog/services': { api: [], huge: ['x'.repeat(100_000)] },
      '/v1/catalog/service/api': [instance('api', [])],
      '/v1/catalog/service/huge': [instance('huge', ['x'.repeat(100_000)]), instance('huge', [])],
    });
    const { services } = await consul.readCatalog(never);
    expect(services.map(({ name }) => name.name)).toEqual(['api', 'huge']);
    expect(services[0]?.instances[0]?.meta).toEqual({ 'oauth-client-id': 'api' });
    expect(services[1]?.instances).toMatchObject([
      { meta: {}, unreadableBytes: expect.any(Number) },
      { tags: [] },
    ]);
    expect(consul.unreadable()).toMatchObject([{ kind: 'service', name: 'huge' }]);
  });

  it('is a jwt-provider of other content, with its name and its marks', async () => {
    const huge = {
      Kind: 'jwt-provider',
      Name: 'scopemesh-main',
      Meta: { scopemesh: 'payments' },
      JSONWebKeySet: { Local: { JWKS: 'x'.repeat(100_000) } },
      ModifyIndex: 5,
    };
    const { consul } = await withAnswers({ '/v1/config/jwt-provider': [huge] });
    expect(await consul.jwtProviders.list(never)).toEqual([
      { name: 'scopemesh-main', meta: { scopemesh: 'payments' }, content: 'other', modifyIndex: 5 },
    ]);
  });

  it('is a claim that cannot be read, in KV', async () => {
    const key = (client: string) => `scopemesh/payments/claims/main/${client}`;
    const pairs = [
      { Key: key('web'), Value: Buffer.from('garbage').toString('base64'), ModifyIndex: 1 },
      { Key: key('huge'), Value: 'A'.repeat(100_000), ModifyIndex: 2 },
      { Key: key('none'), Value: null, ModifyIndex: 3 },
    ];
    const { consul } = await withAnswers(
      { '/v1/kv/scopemesh/payments/claims/': pairs },
      { owner: 'payments' },
    );
    const records = await consul.claims.list(never);
    expect(records.map(({ clientId, unreadableKey }) => [clientId, unreadableKey])).toEqual([
      ['web', key('web')],
      ['huge', key('huge')],
      ['none', key('none')],
    ]);
    expect(consul.unreadable()).toHaveLength(3);
  });

  it('is an ACL object that was edited, if it is ours, and hides none of the others', async () => {
    const policy = (name: string, more: object) => ({
      ID: `id-${name}`,
      Name: name,
      Description: 'ours',
      ModifyIndex: 1,
      ...more,
    });
    const { consul } = await withAnswers({
      '/v1/acl/policies': [policy('ours-a', {}), policy('theirs', { Description: 'x'.repeat(100_000) })],
      '/v1/acl/policy/id-ours-a': policy('ours-a', { Rules: 'x'.repeat(100_000) }),
      '/v1/acl/roles': [
        policy('ours-b', { Policies: Array(20_000).fill({ ID: 'a', Name: 'b' }) }),
        policy('ours-c', {}),
      ],
    });
    const snapshot = await consul.acl.read((name) => name.startsWith('ours'), never);
    expect(snapshot.policies).toMatchObject([{ id: 'id-ours-a', isAltered: true, object: { rules: '' } }]);
    expect(snapshot.roles).toMatchObject([
      { id: 'id-ours-b', isAltered: true, object: { policies: [] } },
      { id: 'id-ours-c', isAltered: false },
    ]);
    expect(consul.unreadable().map(({ kind, name }) => [kind, name])).toEqual([
      ['acl-policy', 'ours-a'],
      ['acl-role', 'ours-b'],
    ]);
  });

  it('is a token without its Description, which whoever logs in may give any length', async () => {
    const huge = {
      AccessorID: 'one',
      SecretID: 's3cr3t',
      Description: 'x'.repeat(300_000),
      AuthMethod: 'm',
      CreateTime: '2026-01-01T00:00:00Z',
    };
    const { consul } = await withAnswers({ '/v1/acl/tokens': [huge] });
    const [token] = await consul.acl.tokens('all', never);
    expect(token).toMatchObject({ accessorId: 'one', description: '', authMethod: 'm' });
  });
});

describe('a list of any length', () => {
  it('of 100 MB with one entry of 70 MB is read with little memory, and so is each of its answers to a watch', async () => {
    const source = Buffer.from(
      '{"Name":"web","Action":"allow","Precedence":9,"Type":"consul"},'.repeat(1_000),
    );
    const answer = async ({ url, response }: Exchange) => {
      response.writeHead(200, CONSUL_HEADERS);
      const send = async (text: string | Buffer) => response.write(text) || (await once(response, 'drain'));
      if (url.pathname !== '/v1/config/service-intentions') return response.end('[]');
      await send('[{"Kind":"service-intentions","Name":"orders","Sources":[');
      for (let bytes = 0; bytes < 70_000_000; bytes += source.length) await send(source);
      await send('{}],"ModifyIndex":3}');
      for (let at = 0; at < 50; at += 1) await send(`,${JSON.stringify(intention(`s${at}`, 3))}`);
      return response.end(']');
    };
    const { consul } = await against((exchange) => void answer(exchange));
    const used = () => process.memoryUsage().rss;
    const before = used();
    let most = 0;
    const watching = setInterval(() => (most = Math.max(most, used())), 10);
    const entries = await consul.intentions.list(never);
    const stop = new AbortController();
    await consul.watch('intentions', { changed: () => stop.abort(), alive() {} }, stop.signal);
    clearInterval(watching);
    expect(entries).toHaveLength(51);
    expect(entries[0]?.unreadable).toContain('bytes');
    expect(most - before).toBeLessThan(150_000_000);
  }, 60_000);
});

describe('an instance', () => {
  it('counts for a service only if it has exactly its name, though Consul lists those of every case', async () => {
    const instances = ['web', 'WEB'].map((name) => ({
      ServiceID: name,
      ServiceName: name,
      Node: 'n',
      ServiceMeta: { 'oauth-client-id': name },
    }));
    const { consul } = await withAnswers({
      '/v1/catalog/services': { web: [], WEB: [] },
      '/v1/catalog/service/web': instances,
      '/v1/catalog/service/WEB': instances,
    });
    const { services } = await consul.readCatalog(never);
    expect(services.map(({ name, instances }) => [name.name, instances.map(({ id }) => id)])).toEqual([
      ['WEB', ['WEB']],
      ['web', ['web']],
    ]);
  });

  const deep = { Config: nested(80) };
  const long = 'x'.repeat(70_000);
  const withDeep = (value: object) =>
    JSON.stringify(value).replace(JSON.stringify(deep), `{"Config":${nested(80)}}`);
  const idsIn = async (consul: Consul) =>
    (await consul.readCatalog(never)).services.flatMap(({ name, instances }) =>
      instances.map(({ id, unreadableBytes }) => [name.name, id, unreadableBytes !== undefined]),
    );

  it('of more than 256 KB is kept without its tags, so that its owner does not fill the memory', async () => {
    const instance = { ServiceID: 'web', ServiceName: 'web', Node: 'n', ServiceTags: [long.repeat(4)] };
    const answers = { '/v1/catalog/services': { web: [] }, '/v1/catalog/service/web': [instance] };
    const { consul } = await withAnswers(answers, { maxBytes: 8_000_000 });
    const { services } = await consul.readCatalog(never);
    expect(services[0]?.instances).toMatchObject([
      { id: 'web', tags: [], unreadableBytes: expect.any(Number) },
    ]);
  });

  it.each([
    ['ID', { ServiceID: long }, ['web', '(too long)', true]],
    ['kind', { ServiceKind: long }, ['web', 'web', true]],
    ['name', { ServiceName: long }, undefined],
  ])('whose %s is too long to be kept is unknown alone', async (_, change, shown) => {
    const instance = { ServiceID: 'web', ServiceName: 'web', Node: 'n' };
    const { consul } = await withAnswers({
      '/v1/catalog/services': { api: [], web: [] },
      '/v1/catalog/service/api': [{ ServiceID: 'api', ServiceName: 'api', Node: 'n' }],
      '/v1/catalog/service/web': withDeep([{ ...instance, ...change, ServiceProxy: deep }]),
    });
    expect(await idsIn(consul)).toEqual([['api', 'api', false], ...(shown === undefined ? [] : [shown])]);
  });

  it.each([
    ['has the ID `Node`, as the node itself in the answer', { Node: 'web' }, [['web', 'Node', false]]],
    ['has a service whose name is too long to be kept', { b: long }, [['web', '(too long)', true]]],
    ['has an ID that is too long to be kept', { [long]: 'web' }, [['web', '(too long)', true]]],
  ])('counts as well if its node is read and it %s', async (_, odd, shown) => {
    const names = Array.from({ length: 64 }, (_, at) => `s${at}`);
    const onNode = (name: string, id = name) => ({ ID: id, Service: name });
    const services = [
      ...names.map((name) => [name, onNode(name)]),
      ...Object.entries(odd).map(([id, name]) => [id, { ...onNode(name, id), Proxy: deep }]),
    ];
    const byName = (name: string, id = name) => ({ ServiceID: id, ServiceName: name, Node: 'n' });
    const { consul } = await withAnswers({
      '/v1/catalog/services': Object.fromEntries([...names, 'web'].map((name) => [name, []])),
      '/v1/catalog/nodes': [{ Node: 'n' }],
      '/v1/catalog/node/n': withDeep({
        Node: { Node: 'n', Meta: null },
        Services: Object.fromEntries(services),
      }),
      '/v1/catalog/service/web': withDeep([{ ...byName('web', long), ServiceProxy: deep }]),
      ...Object.fromEntries(names.map((name) => [`/v1/catalog/service/${name}`, [byName(name)]])),
    });
    const found = await idsIn(consul);
    expect(found.filter(([name]) => name !== 'web')).toHaveLength(64);
    expect(found.filter(([name]) => name === 'web')).toEqual(shown);
  });

  /** A Consul that never answers for these paths. The timeout is long enough for all others on a busy machine. */
  const withSilence = async (
    names: readonly string[],
    silent: readonly string[],
    requestTimeoutMs: number,
  ) => {
    const answer = ({ url: { pathname: path }, reply }: Exchange) => {
      if (silent.some((each) => path.endsWith(each))) return;
      const [, name] = /^\/v1\/catalog\/service\/(.*)/.exec(path) ?? [];
      if (path === '/v1/catalog/services') reply(200, Object.fromEntries(names.map((each) => [each, []])));
      else if (path === '/v1/catalog/nodes') reply(200, [{ Node: 'n' }]);
      else reply(200, name === undefined ? [] : [{ ServiceID: name, ServiceName: name, Node: 'n' }]);
    };
    return (await against(answer, { requestTimeoutMs })).consul;
  };

  it('of a service for which Consul does not answer in time is unknown alone', async () => {
    const consul = await withSilence(['a', 'b'], ['/service/a'], 2_000);
    expect(await idsIn(consul)).toEqual([
      ['a', '(no answer)', true],
      ['b', 'b', false],
    ]);
    expect(consul.unreadable()).toMatchObject([
      { kind: 'service', name: 'a', detail: expect.stringContaining('Consul does not answer in time') },
    ]);
  });

  it('is read by its service where Consul does not answer for its node', async () => {
    const names = Array.from({ length: 64 }, (_, at) => `s${at}`);
    const consul = await withSilence(names, ['/node/n'], 1_000);
    expect(await idsIn(consul)).toHaveLength(64);
  });

  it('is not read while Consul does not answer for many: then Consul is sick, and not a service', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const consul = await withSilence(names, names, 200);
    expect((await failureOf(consul.readCatalog(never))).code).toBe('ERR_TIMEOUT');
  });
});
