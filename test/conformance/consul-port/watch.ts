import { expect, it } from 'vitest';
import type { WatchedTable } from '../../../src/consul/consul.js';
import { createNotifier } from '../../../src/notifier.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { startConsulProxy } from '../../support/consul-proxy.js';
import { type ConsulRig, nameOf, never, newSource } from './rig.js';

export function watch(theRig: () => ConsulRig): void {
  /** Runs `change` while the watch waits; resolves once the watch has reported a change since. */
  const wakes = async (table: WatchedTable, change: () => Promise<unknown>): Promise<void> => {
    const { consul } = theRig();
    const stop = new AbortController();
    let onChange = () => {};
    let live = () => {};
    const settled = new Promise<void>((resolve) => {
      live = resolve;
    });
    const watch = consul.watch(table, { changed: () => onChange(), alive: () => live() }, stop.signal);
    await settled;
    const changed = new Promise<void>((resolve) => {
      onChange = resolve;
    });
    await change();
    await changed;
    stop.abort();
    await watch;
  };

  it('of intentions wakes for a write and a delete, of protocols for a change of one service or of all', async () => {
    const { consul, create, fresh, read, request, setProtocol } = theRig();
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
    const { fresh, request } = theRig();
    const Name = fresh('watched');
    await wakes('acl', () => request('PUT', '/v1/acl/policy', { Name, Rules: '' }));
    await wakes('acl', () => request('PUT', '/v1/acl/role', { Name }));
    await wakes('acl', async () => {
      const role = (await request('GET', `/v1/acl/role/name/${Name}`)) as { ID: string };
      await request('DELETE', `/v1/acl/role/${role.ID}`);
    });
  });

  it('of the catalog wakes for a registration, and for a change of its meta or its tags alone', async () => {
    const { fresh, register, request } = theRig();
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
    const { fresh, register } = theRig();
    const web = fresh('web');
    const tagged = { Service: web, Tags: ['oauth-client=a'] };
    await register({ ID: `${web}-1`, ...tagged });
    await register({ ID: `${web}-2`, ...tagged });
    await wakes('catalog', () => register({ ID: `${web}-2`, Service: web }));
  });

  it('of claims wakes for a record that comes and one that goes', async () => {
    const { claim, consul, fresh } = theRig();
    const mine = { provider: 'main', clientId: fresh('client'), service: nameOf('web') };
    await wakes('claims', () => claim(mine));
    const record = (await consul.claims.list(never)).find(({ clientId }) => clientId === mine.clientId);
    if (record === undefined) throw new Error('there is no record');
    await wakes('claims', () => consul.claims.write([{ do: 'delete', record }], never));
  });

  it('proves to be alive again and again while nothing changes', async () => {
    const { connect, server } = theRig();
    const quick = connect(server.managementToken, { watchWaitMs: 100, watchCheckMs: 20 });
    const stop = new AbortController();
    const events: string[] = [];
    const alive = () => {
      events.push('alive');
      if (events.filter((event) => event === 'alive').length === 4) stop.abort();
    };
    await quick.watch('claims', { changed: () => events.push('changed'), alive }, stop.signal);
    expect(events).toEqual(['alive', 'changed', 'alive', 'alive', 'alive']);
  });

  /** What changes each table. */
  const changes: Readonly<Record<WatchedTable, (rig: ConsulRig) => Promise<unknown>>> = {
    intentions: ({ create, fresh }) => create(fresh('silent'), newSource('web')),
    protocols: ({ fresh, setProtocol }) => setProtocol(fresh('silent'), 'http'),
    catalog: ({ fresh, register }) => register({ Service: fresh('silent') }),
    claims: ({ claim, fresh }) =>
      claim({ provider: 'main', clientId: fresh('silent'), service: nameOf('web') }),
    acl: ({ fresh, request }) => request('PUT', '/v1/acl/role', { Name: fresh('silent') }),
    'jwt-providers': async () => {},
  };
  it.each(['intentions', 'protocols', 'catalog', 'claims', 'acl'] as const)(
    'of %s finds a change although the answers to its blocking queries get lost, and says so',
    async (table) => {
      const { connect, server } = theRig();
      const proxy = await startConsulProxy(server.address);
      const said: string[] = [];
      const events = createNotifier();
      const say = (what: string) => {
        said.push(what);
        events.notify();
      };
      const quick = connect(server.managementToken, {
        address: proxy.address,
        watchCheckMs: 20,
        watchGraceMs: 50,
        metrics: {
          ...noMetrics,
          count: (name, labels) => {
            if (name === 'scopemesh_consul_watch_restarts_total') say(`restart ${labels?.table}`);
          },
        },
        logger: { ...silentLogger, warn: (_fields, message) => say(message) },
      });
      const stop = new AbortController();
      const listener = { changed: () => say('changed'), alive() {} };
      const watching = quick.watch(table, listener, stop.signal);
      try {
        while (!said.includes('changed')) await events.wait(never);
        proxy.interfere = ({ target }) =>
          target.includes('index=') ? new Promise<undefined>(() => {}) : undefined;
        // A query may have passed before: then it ends with the first change, and the next one is swallowed.
        await changes[table](theRig());
        await changes[table](theRig());
        while (!said.includes(`restart ${table}`)) await events.wait(never);
        const [restart, warning, changed] = said.slice(said.indexOf(`restart ${table}`));
        expect([restart, warning, changed]).toEqual([
          `restart ${table}`,
          'a watch on Consul missed a change and is started again',
          'changed',
        ]);
      } finally {
        stop.abort();
        await watching;
        await proxy.close();
      }
    },
  );

  it('of config entries takes a change of another kind for no miss, though their index rises', async () => {
    const { connect, create, fresh, server, setProtocol } = theRig();
    await create(fresh('orders'), newSource('web'));
    const counted: string[] = [];
    const quick = connect(server.managementToken, {
      watchCheckMs: 20,
      watchGraceMs: 20,
      metrics: { ...noMetrics, count: (name) => counted.push(name) },
    });
    const stop = new AbortController();
    let lives = 0;
    const alive = () => {
      if (++lives === 6) stop.abort();
      else if (lives === 2) void setProtocol(fresh('orders'), 'http');
    };
    await quick.watch('intentions', { changed() {}, alive }, stop.signal);
    expect(counted).not.toContain('scopemesh_consul_watch_restarts_total');
  });

  it('ends when it is aborted', async () => {
    const { consul } = theRig();
    const calls: string[] = [];
    const watchUntil = async (last: 'changed' | 'alive') => {
      const stop = new AbortController();
      const call = (name: string) => () => {
        calls.push(name);
        if (name === last) stop.abort();
      };
      await consul.watch('catalog', { changed: call('changed'), alive: call('alive') }, stop.signal);
    };
    for (const last of ['changed', 'alive'] as const) {
      calls.length = 0;
      await watchUntil(last);
      // What one answer says is said whole.
      expect(calls).toEqual(['alive', 'changed']);
    }
  });
}
