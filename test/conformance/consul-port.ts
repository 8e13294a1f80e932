import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { Consul, WatchedTable, WriteResult } from '../../src/consul/consul.js';
import { createHttpConsul, type HttpConsulOptions } from '../../src/consul/http/http-consul.js';
import { SyncError } from '../../src/errors.js';
import type { ClaimRecord } from '../../src/model/catalog.js';
import type { Access, IntentionEntry, NewSource, ServiceName } from '../../src/model/intention.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';

/** A running Consul with ACLs on and a default policy of deny. */
export interface ConsulUnderTest {
  /** `http://host:port` */
  readonly address: string;
  readonly managementToken: string;
  readonly datacenter: string;
  stop(): Promise<void>;
}

const never = new AbortController().signal;
const nameOf = (name: string): ServiceName => ({ partition: 'default', namespace: 'default', name });

function newSource(name: string, access: Access = { kind: 'allow' }): NewSource {
  return { name, namespace: 'default', partition: 'default', description: 'scopemesh:payments', access };
}

async function failureOf(promise: Promise<unknown>): Promise<SyncError> {
  const outcome: unknown = await promise.then(
    (value) => new Error(`it resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (outcome instanceof SyncError) return outcome;
  throw outcome;
}

function indexOf(result: WriteResult): number {
  if (result.kind === 'conflict') throw new Error('the write was a conflict');
  return result.modifyIndex;
}

/** What each adapter of the port `Consul` must do, run against a real or an embedded Consul. */
export function describeConsulPort(name: string, start: () => Promise<ConsulUnderTest>): void {
  describe(`the Consul port on ${name}`, () => {
    let server: ConsulUnderTest;
    let consul: Consul;
    const clients: Consul[] = [];
    let unique = 0;
    const fresh = (prefix: string) => `${prefix}-${++unique}`;

    const connect = (token: string | undefined, options: Partial<HttpConsulOptions> = {}): Consul => {
      const client = createHttpConsul({
        address: server.address,
        token: token === undefined ? undefined : new Secret(token),
        owner: 'payments',
        logger: silentLogger,
        metrics: noMetrics,
        clock: systemClock,
        ...options,
      });
      clients.push(client);
      return client;
    };

    /** Past the adapter: what a person with curl does. */
    const request = async (method: string, path: string, body?: unknown): Promise<unknown> => {
      const answer = await fetch(server.address + path, {
        method,
        headers: { 'X-Consul-Token': server.managementToken },
        signal: AbortSignal.timeout(10_000),
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    };
    const rawEntryOf = async (destination: string) => {
      const value = await request('GET', `/v1/config/service-intentions/${encodeURIComponent(destination)}`);
      return value as Record<string, unknown> & { Sources: Record<string, unknown>[] };
    };
    const read = async (destination: string): Promise<IntentionEntry> => {
      const entry = await consul.intentions.read(nameOf(destination), never);
      if (entry === undefined) throw new Error(`there is no entry ${destination}`);
      return entry;
    };
    const create = async (destination: string, ...sources: NewSource[]) =>
      indexOf(await consul.intentions.write(nameOf(destination), undefined, sources, 0, never));
    const setProtocol = (service: string, protocol: string) =>
      request('PUT', '/v1/config', { Kind: 'service-defaults', Name: service, Protocol: protocol });
    const register = (service: Record<string, unknown>) =>
      request('PUT', '/v1/catalog/register', {
        Node: 'machine-1',
        Address: '10.0.0.1',
        SkipNodeUpdate: true,
        Service: service,
      });
    const tokenWith = async (rules: string): Promise<string> => {
      const policy = fresh('policy');
      await request('PUT', '/v1/acl/policy', { Name: policy, Rules: rules });
      const token = (await request('PUT', '/v1/acl/token', { Policies: [{ Name: policy }] })) as {
        SecretID: string;
      };
      return token.SecretID;
    };

    beforeAll(async () => {
      server = await start();
      await request('PUT', '/v1/catalog/register', { Node: 'machine-1', Address: '10.0.0.1' });
      consul = connect(server.managementToken);
    }, 300_000);

    afterAll(async () => {
      for (const client of clients) await client.close();
      await server?.stop();
    });

    describe('intentions', () => {
      it('an entry that is not there reads as undefined', async () => {
        expect(await consul.intentions.read(nameOf('nobody'), never)).toBeUndefined();
      });

      it('a created entry reads back with its index and its sources', async () => {
        const orders = fresh('orders');
        const modifyIndex = await create(orders, newSource('web'), newSource('api', { kind: 'deny' }));
        const entry = await read(orders);
        expect(modifyIndex).toBeGreaterThan(0);
        expect(entry.modifyIndex).toBe(modifyIndex);
        expect(entry.destination).toEqual(nameOf(orders));
        expect(entry.sources.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toMatchObject([
          { name: 'api', access: { kind: 'deny' }, description: 'scopemesh:payments', isLegacy: false },
          { name: 'web', access: { kind: 'allow' }, description: 'scopemesh:payments', isLegacy: false },
        ]);
        expect(
          (await consul.intentions.list(never)).find((each) => each.destination.name === orders),
        ).toEqual(entry);
      });

      it('every form of access reads back as it was written', async () => {
        const orders = fresh('orders');
        await setProtocol(orders, 'http');
        const access: Access = {
          kind: 'http',
          permissions: [
            { pathPrefix: '/v1/', methods: ['GET', 'HEAD'] },
            { pathExact: '/exact' },
            { pathRegex: '/r/[a-z]+' },
            { methods: ['POST'] },
            {
              pathPrefix: '/h',
              headers: [
                { name: 'x-present', present: true },
                { name: 'x-exact', exact: 'a', invert: true },
                { name: 'x-prefix', prefix: 'b' },
                { name: 'x-suffix', suffix: 'c' },
                { name: 'x-regex', regex: '[0-9]' },
              ],
            },
          ],
        };
        const modifyIndex = await create(orders, newSource('web', access));
        const entry = await read(orders);
        expect(entry.sources[0]?.access).toEqual(access);
        expect(modifyIndex).toBe(entry.modifyIndex);
      });

      it('permissions that deny, and whatever else scopemesh does not write, read as other', async () => {
        const orders = fresh('orders');
        await setProtocol(orders, 'http');
        const http = { PathPrefix: '/' };
        await request('PUT', '/v1/config', {
          Kind: 'service-intentions',
          Name: orders,
          Sources: [
            {
              Name: 'web',
              Permissions: [
                { Action: 'deny', HTTP: http },
                { Action: 'allow', HTTP: http },
              ],
            },
          ],
        });
        expect((await read(orders)).sources[0]?.access).toEqual({ kind: 'other' });
      });

      it('creating what exists is a conflict and changes nothing', async () => {
        const orders = fresh('orders');
        await create(orders, newSource('web'));
        const before = await rawEntryOf(orders);
        const again = await consul.intentions.write(nameOf(orders), undefined, [newSource('api')], 0, never);
        expect(again).toEqual({ kind: 'conflict' });
        expect(await rawEntryOf(orders)).toEqual(before);
      });

      it('a write at an old index is a conflict and changes nothing', async () => {
        const orders = fresh('orders');
        const old = await create(orders, newSource('web'));
        const base = await read(orders);
        await consul.intentions.write(nameOf(orders), base, [newSource('api')], old, never);
        const before = await rawEntryOf(orders);
        const late = await consul.intentions.write(nameOf(orders), base, [newSource('late')], old, never);
        expect(late).toEqual({ kind: 'conflict' });
        expect(await rawEntryOf(orders)).toEqual(before);
      });

      it('of different writes at one index exactly one is written', async () => {
        const orders = fresh('orders');
        const at = await create(orders, newSource('web'));
        const base = await read(orders);
        const results = await Promise.all(
          Array.from({ length: 6 }, (_, which) =>
            consul.intentions.write(nameOf(orders), base, [newSource(`s${which}`)], at, never),
          ),
        );
        expect(results.filter(({ kind }) => kind === 'written')).toHaveLength(1);
      });

      it('writing what is there already keeps the index', async () => {
        const orders = fresh('orders');
        const at = await create(orders, newSource('web'));
        const base = await read(orders);
        const again = await consul.intentions.write(nameOf(orders), base, base.sources, at, never);
        expect(again).toEqual({ kind: 'written', modifyIndex: at });
      });

      it('foreign content survives a write byte for byte', async () => {
        const orders = fresh('orders');
        await setProtocol(orders, 'http');
        const text = 'ünï © <b>&amp;</b> "q" \\ \u2028 😀';
        await request(
          'PUT',
          '/v1/config',
          `{"Kind":"service-intentions","Name":"${orders}",
            "Meta":{"__proto__":"p","constructor":"c","10":"ten","2":"two","text":${JSON.stringify(text)},"empty":""},
            "Sources":[
              {"Name":"*","Action":"deny","Description":${JSON.stringify(text)}},
              {"Name":"hand-made","Description":"by hand","Permissions":[
                {"Action":"deny","HTTP":{"PathExact":"/admin","Methods":["PUT","DELETE"]}},
                {"Action":"allow","HTTP":{"PathRegex":"/x/.*","Header":[{"Name":"a","Present":true,"Invert":true},{"Name":"b","Exact":"1"}]}}]},
              {"Name":"plain","Action":"allow"}]}`,
        );
        const before = await rawEntryOf(orders);
        const base = await read(orders);
        const ours = newSource('web', { kind: 'http', permissions: [{ methods: ['GET'], pathPrefix: '/' }] });
        indexOf(
          await consul.intentions.write(
            nameOf(orders),
            base,
            [...base.sources, ours],
            base.modifyIndex,
            never,
          ),
        );
        const after = await rawEntryOf(orders);
        const foreign = after.Sources.filter((source) => source.Name !== 'web');
        const { ModifyIndex: _, Sources: __, ...fields } = after;
        const { ModifyIndex: ___, Sources: ____, ...fieldsBefore } = before;
        expect(JSON.stringify(foreign)).toBe(JSON.stringify(before.Sources));
        expect(JSON.stringify(fields)).toBe(JSON.stringify(fieldsBefore));
        expect(after.Sources).toHaveLength(before.Sources.length + 1);
        const withOurs = await read(orders);
        const rest = withOurs.sources.filter((source) => source.name !== 'web');
        indexOf(await consul.intentions.write(nameOf(orders), withOurs, rest, withOurs.modifyIndex, never));
        const { ModifyIndex: _____, ...last } = await rawEntryOf(orders);
        const { ModifyIndex: ______, ...first } = before;
        expect(JSON.stringify(last)).toBe(JSON.stringify(first));
      });

      it('content that Consul refuses throws ERR_CONSUL_REJECTED with its words', async () => {
        const tcp = fresh('tcp');
        await setProtocol(tcp, 'tcp');
        const l7 = newSource('web', { kind: 'http', permissions: [{ pathPrefix: '/' }] });
        const failure = await failureOf(consul.intentions.write(nameOf(tcp), undefined, [l7], 0, never));
        expect(failure.code).toBe('ERR_CONSUL_REJECTED');
        expect(failure.message).toContain('protocol "tcp"');
        expect(failure.retriable).toBe(false);
        const none = consul.intentions.write(nameOf(tcp), undefined, [], 0, never);
        expect((await failureOf(none)).code).toBe('ERR_CONSUL_REJECTED');
      });

      it('names meet without regard to case, and the entry keeps its own', async () => {
        const lower = fresh('case');
        const upper = lower.toUpperCase();
        const at = await create(upper, newSource('web'));
        const base = await read(lower);
        expect(base.destination.name).toBe(upper);
        indexOf(await consul.intentions.write(nameOf(lower), base, [newSource('api')], at, never));
        expect((await read(lower)).destination.name).toBe(upper);
      });

      it('names with slashes, spaces, percent signs and letters of other scripts are found again', async () => {
        for (const odd of ['a/b', 'a//b', 'a/../b', 'a b', '%2e%2e', 'a%', 'a?b#c&d', 'ünï', '😀']) {
          const at = await create(odd, newSource('web'));
          expect((await read(odd)).destination.name).toBe(odd);
          expect((await consul.intentions.delete(nameOf(odd), at, never)).kind).toBe('written');
        }
      });

      it('a delete at the index that was read removes the entry', async () => {
        const orders = fresh('orders');
        const at = await create(orders, newSource('web'));
        expect((await consul.intentions.delete(nameOf(orders), at, never)).kind).toBe('written');
        expect(await consul.intentions.read(nameOf(orders), never)).toBeUndefined();
      });

      it('a delete at an old index, or of what is gone, is a conflict', async () => {
        const orders = fresh('orders');
        const old = await create(orders, newSource('web'));
        const base = await read(orders);
        const at = indexOf(
          await consul.intentions.write(nameOf(orders), base, [newSource('api')], old, never),
        );
        expect(await consul.intentions.delete(nameOf(orders), old, never)).toEqual({ kind: 'conflict' });
        expect((await read(orders)).modifyIndex).toBe(at);
        await consul.intentions.delete(nameOf(orders), at, never);
        expect(await consul.intentions.delete(nameOf(orders), at, never)).toEqual({ kind: 'conflict' });
      });
    });

    describe('permissions', () => {
      it('a write that the token may not make throws ERR_CONSUL_DENIED and names what is missing', async () => {
        const orders = fresh('orders');
        const weak = connect(await tokenWith(`service_prefix "" { policy = "read" }`));
        const failure = await failureOf(
          weak.intentions.write(nameOf(orders), undefined, [newSource('web')], 0, never),
        );
        expect(failure.code).toBe('ERR_CONSUL_DENIED');
        expect(failure.message).toContain(`intention:write on "${orders}"`);
        const claim = { provider: 'main', clientId: 'c', service: nameOf('web') };
        const denied = await failureOf(weak.claims.create(claim, never));
        expect(denied.code).toBe('ERR_CONSUL_DENIED');
        expect(denied.message).toContain('key:write');
      });

      it('an entry that the token may not read throws ERR_CONSUL_DENIED instead of reading as none', async () => {
        const orders = fresh('orders');
        await create(orders, newSource('web'));
        const weak = connect(await tokenWith('node_prefix "" { policy = "read" }'));
        expect((await failureOf(weak.intentions.read(nameOf(orders), never))).code).toBe('ERR_CONSUL_DENIED');
      });

      it('the least token that scopemesh needs reads and writes everything, wildcards included', async () => {
        const rules = [
          'service_prefix "" { policy = "read" intentions = "write" }',
          'node_prefix "" { policy = "read" }',
          'agent_prefix "" { policy = "read" }',
          'key_prefix "scopemesh/payments/" { policy = "write" }',
        ];
        const least = connect(await tokenWith(rules.join('\n')));
        const deny = [{ Name: '*', Action: 'deny' }];
        await request('PUT', '/v1/config', { Kind: 'service-intentions', Name: '*', Sources: deny });
        const orders = fresh('orders');
        await setProtocol(orders, 'http');
        const written = await least.intentions.write(nameOf(orders), undefined, [newSource('web')], 0, never);
        expect(written.kind).toBe('written');
        const names = (await least.intentions.list(never)).map(({ destination }) => destination.name);
        expect(names).toEqual(expect.arrayContaining(['*', orders]));
        expect((await least.readCatalog(never)).protocols.get(orders)).toBe('http');
        const claim = { provider: 'main', clientId: fresh('client'), service: nameOf('web') };
        const modifyIndex = indexOf(await least.claims.create(claim, never));
        expect(await least.claims.list(never)).toContainEqual({ ...claim, modifyIndex });
        expect((await least.claims.delete({ ...claim, modifyIndex }, never)).kind).toBe('written');
        expect((await least.inspect(never)).defaultPolicy).toBe('deny');
        await request('DELETE', '/v1/config/service-intentions/*');
      });

      it('lists that ACLs filter throw ERR_CONSUL_INCOMPLETE', async () => {
        await create(fresh('orders'), newSource('web'));
        await register({ ID: fresh('hidden'), Service: 'hidden' });
        await request('PUT', '/v1/kv/scopemesh/payments/claims/other/x', '{}');
        const weak = connect(await tokenWith('service "web" { policy = "read" }'));
        expect((await failureOf(weak.intentions.list(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
        expect((await failureOf(weak.readCatalog(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
        expect((await failureOf(weak.claims.list(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
        await request('DELETE', '/v1/kv/scopemesh/payments/claims/other/x');
      });

      it('services seen without their nodes throw ERR_CONSUL_INCOMPLETE, for their instances are hidden', async () => {
        await register({ ID: fresh('hidden'), Service: 'hidden' });
        const weak = connect(await tokenWith('service_prefix "" { policy = "read" intentions = "read" }'));
        expect((await failureOf(weak.readCatalog(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
      });

      it('no token at all throws ERR_CONSUL_DENIED, where Consul itself answers with empty lists', async () => {
        const anonymous = connect(undefined);
        expect((await failureOf(anonymous.intentions.list(never))).code).toBe('ERR_CONSUL_DENIED');
        expect((await failureOf(anonymous.readCatalog(never))).code).toBe('ERR_CONSUL_DENIED');
        expect((await failureOf(anonymous.claims.list(never))).code).toBe('ERR_CONSUL_DENIED');
      });

      it('a token that Consul does not know throws ERR_CONSUL_DENIED', async () => {
        const stranger = connect('00000000-aaaa-bbbb-cccc-000000000000');
        const failure = await failureOf(stranger.intentions.list(never));
        expect(failure.code).toBe('ERR_CONSUL_DENIED');
        expect(failure.message).toContain('does not know this ACL token');
        expect((await failureOf(stranger.inspect(never))).code).toBe('ERR_CONSUL_DENIED');
      });
    });

    describe('the catalog', () => {
      it('has every instance with its kind, meta and tags', async () => {
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
        const web = fresh('web');
        for (const client of ['a', 'b', 'a']) {
          await register({ ID: web, Service: web, Meta: { 'oauth-client-id': client } });
          const { services } = await consul.readCatalog(never);
          const meta = services.find((service) => service.name.name === web)?.instances[0]?.meta;
          expect(meta).toEqual({ 'oauth-client-id': client });
        }
      });
    });

    describe('claims', () => {
      const claim = (clientId: string): Omit<ClaimRecord, 'modifyIndex'> => ({
        provider: 'main',
        clientId,
        service: nameOf('web'),
      });

      it('the first to create a record keeps it', async () => {
        const first = claim(fresh('client'));
        const created = await consul.claims.create(first, never);
        const second = await consul.claims.create({ ...first, service: nameOf('other') }, never);
        expect(second).toEqual({ kind: 'conflict' });
        const listed = await consul.claims.list(never);
        expect(listed.filter(({ clientId }) => clientId === first.clientId)).toEqual([
          { ...first, modifyIndex: indexOf(created) },
        ]);
      });

      it.each([
        'a/b',
        '..',
        '.',
        'a b',
        'a%2Fb',
        'ünï😀',
        'line\nbreak',
        '\u007f\t\0',
        'x'.repeat(300),
        'A',
        'a',
      ])('the client id %j is kept as it is', async (clientId) => {
        const created = await consul.claims.create(claim(clientId), never);
        const record = { ...claim(clientId), modifyIndex: indexOf(created) };
        expect(await consul.claims.list(never)).toContainEqual(record);
        expect((await consul.claims.delete(record, never)).kind).toBe('written');
        expect(await consul.claims.list(never)).not.toContainEqual(record);
      });

      it('deleting a record that changed or is gone is a conflict', async () => {
        const mine = claim(fresh('client'));
        const record = { ...mine, modifyIndex: indexOf(await consul.claims.create(mine, never)) };
        const stale = { ...record, modifyIndex: record.modifyIndex - 1 };
        expect(await consul.claims.delete(stale, never)).toEqual({ kind: 'conflict' });
        expect((await consul.claims.delete(record, never)).kind).toBe('written');
        expect(await consul.claims.delete(record, never)).toEqual({ kind: 'conflict' });
      });

      it('a record that scopemesh cannot understand makes the list incomplete, a folder does not', async () => {
        await request('PUT', '/v1/kv/scopemesh/payments/claims/main/');
        await consul.claims.list(never);
        await request('PUT', '/v1/kv/scopemesh/payments/claims/main/strange', 'not JSON');
        expect((await failureOf(consul.claims.list(never))).message).toContain('claims/main/strange');
        await request('DELETE', '/v1/kv/scopemesh/payments/claims/main?recurse');
        expect(await consul.claims.list(never)).toEqual([]);
      });
    });

    describe('a watch', () => {
      /** Runs `change` while the watch waits; resolves once the watch has told of a change since. */
      const wakes = async (table: WatchedTable, change: () => Promise<unknown>): Promise<void> => {
        const stop = new AbortController();
        let told = () => {};
        let live = () => {};
        const settled = new Promise<void>((resolve) => {
          live = resolve;
        });
        const watch = consul.watch(table, { changed: () => told(), alive: () => live() }, stop.signal);
        await settled;
        const changed = new Promise<void>((resolve) => {
          told = resolve;
        });
        await change();
        await changed;
        stop.abort();
        await watch;
      };

      it('of intentions wakes for a write and a delete, of protocols for a change of one service or of all', async () => {
        const orders = fresh('orders');
        await wakes('intentions', () => create(orders, newSource('web')));
        await wakes('intentions', async () => {
          const { modifyIndex } = await read(orders);
          await consul.intentions.delete(nameOf(orders), modifyIndex, never);
        });
        await wakes('protocols', () => setProtocol(orders, 'http'));
        const global = { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } };
        await wakes('protocols', () => request('PUT', '/v1/config', global));
        await wakes('protocols', () => request('DELETE', '/v1/config/proxy-defaults/global'));
      });

      it('of ACL objects wakes for a policy and a role, made and deleted', async () => {
        const Name = fresh('watched');
        await wakes('acl', () => request('PUT', '/v1/acl/policy', { Name, Rules: '' }));
        await wakes('acl', () => request('PUT', '/v1/acl/role', { Name }));
        await wakes('acl', async () => {
          const role = (await request('GET', `/v1/acl/role/name/${Name}`)) as { ID: string };
          await request('DELETE', `/v1/acl/role/${role.ID}`);
        });
      });

      it('of the catalog wakes for a registration, and for a change of its meta or its tags alone', async () => {
        const web = fresh('web');
        const with_ = (Meta: object, Tags: string[]) => register({ ID: web, Service: web, Meta, Tags });
        await wakes('catalog', () => with_({}, []));
        await wakes('catalog', () => with_({ 'oauth-client-id': 'a' }, []));
        await wakes('catalog', () => with_({ 'oauth-client-id': 'b' }, []));
        await wakes('catalog', () => with_({ 'oauth-client-id': 'b' }, ['oauth-client=b']));
        await wakes('catalog', () => with_({ 'oauth-client-id': 'b' }, []));
        await wakes('catalog', () =>
          request('PUT', '/v1/catalog/deregister', { Node: 'machine-1', ServiceID: web }),
        );
      });

      it('of the catalog wakes for one of two instances that loses its tag, though the list stays the same', async () => {
        const web = fresh('web');
        const tagged = { Service: web, Tags: ['oauth-client=a'] };
        await register({ ID: `${web}-1`, ...tagged });
        await register({ ID: `${web}-2`, ...tagged });
        await wakes('catalog', () => register({ ID: `${web}-2`, Service: web }));
      });

      it('of claims wakes for a record that comes and one that goes', async () => {
        const mine = { provider: 'main', clientId: fresh('client'), service: nameOf('web') };
        let modifyIndex = 0;
        await wakes('claims', async () => {
          modifyIndex = indexOf(await consul.claims.create(mine, never));
        });
        await wakes('claims', () => consul.claims.delete({ ...mine, modifyIndex }, never));
      });

      it('proves to be alive again and again while nothing changes', async () => {
        const quick = connect(server.managementToken, { watchWaitMs: 100 });
        const stop = new AbortController();
        const events: string[] = [];
        const alive = () => {
          events.push('alive');
          if (events.filter((event) => event === 'alive').length === 4) stop.abort();
        };
        await quick.watch('claims', { changed: () => events.push('changed'), alive }, stop.signal);
        expect(events).toEqual(['alive', 'changed', 'alive', 'alive', 'alive']);
      });

      it('ends when it is aborted', async () => {
        const stop = new AbortController();
        await consul.watch('catalog', { changed: () => stop.abort(), alive() {} }, stop.signal);
        await consul.watch('intentions', { changed() {}, alive: () => stop.abort() }, stop.signal);
      });
    });

    describe('inspect', () => {
      it('tells the version, the datacenter, the default policy and how long agents keep ACL objects', async () => {
        const facts = await consul.inspect(never);
        expect(facts).toMatchObject({
          datacenter: server.datacenter,
          defaultPolicy: 'deny',
          aclsEnabled: true,
          aclCache: { role: 0, policy: 30, token: 30 },
        });
        expect(facts.version).toMatch(/^\d+\.\d+\.\d+/);
      });

      it('says unknown to a token without agent:read, and still names the datacenter', async () => {
        const weak = connect(await tokenWith('service_prefix "" { policy = "read" }'));
        expect(await weak.inspect(never)).toEqual({
          version: 'unknown',
          datacenter: server.datacenter,
          defaultPolicy: 'unknown',
          aclsEnabled: true,
          serverTime: expect.anything(),
        });
      });
    });
  });
}
