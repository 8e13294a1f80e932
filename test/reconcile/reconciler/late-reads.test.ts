import { describe, expect, test } from 'vitest';
import { readJwtProviders } from '../../../src/apply/jwt-provider-write.js';
import { WatchAges } from '../../../src/daemon/watch-ages.js';
import type { Catalog, ClaimRecord } from '../../../src/model/catalog.js';
import { clientKey, directoryKey } from '../../../src/model/key.js';
import type { Trigger } from '../../../src/model/trigger.js';
import { claimSubject } from '../../../src/plan/plan.js';
import { readAllAcl } from '../../../src/read/read-acl.js';
import { readConsul } from '../../../src/read/read-consul.js';
import { reconcileClient } from '../../../src/reconcile/client.js';
import type { ReconcilerDeps } from '../../../src/reconcile/deps.js';
import { observeJwtProviders } from '../../../src/reconcile/jwt-provider-plans.js';
import { reconcileProvider } from '../../../src/reconcile/provider.js';
import { settleClaims } from '../../../src/reconcile/settle-claims.js';
import { runWatch } from '../../../workers/watch.js';
import { applyRig, draft } from '../../apply/apply-rig.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entry,
  keyOf,
  NOW,
  named,
  ourSource,
  rule,
} from '../../plan/scene.js';
import { existing } from '../../plan/user-token-scene.js';
import { aborted } from '../../support/aborted.js';
import { depsOf, worldWithTwo } from '../deps.js';

const never = new AbortController().signal;
const WEB = { provider: 'main', clientId: 'web' };
const NOTHING = { pending: [], lastApplied: new Map(), holds: new Map() };
const cause = { kind: 'webhook' as const, receivedAt: new Date(NOW).toISOString() };

const [OLD, NEW] = [
  { ...entry('orders', ourSource('web', ALLOW)), modifyIndex: 8 },
  { ...entry('orders', ourSource('web', DENY)), modifyIndex: 9 },
];
const catalogOf = (...services: Catalog['services']): Catalog => ({
  services,
  protocols: new Map(),
  defaultProtocol: 'http',
});
const [OLD_CATALOG, NEW_CATALOG] = [catalogOf(claiming('web', 'web')), catalogOf()];
const RECORD: ClaimRecord = { ...WEB, service: named('web'), modifyIndex: 1 };

/** A world whose journal is empty, and Consul as it is given. */
function rigOf(consul: (deps: ReconcilerDeps) => Partial<ReconcilerDeps['consul']> = () => ({})) {
  const world = worldWithTwo();
  const { deps } = depsOf(world, {});
  const journal = { ...deps.journal, read: async () => NOTHING, settle: async () => {} };
  const whole = { ...deps, journal, clock: { ...deps.clock, now: () => NOW } };
  return { world, deps: { ...whole, consul: { ...deps.consul, ...consul(whole) } } };
}

/** The deps with a directory that reads so. */
const reading = (deps: ReconcilerDeps, reads: Parameters<typeof depsOf>[1]): ReconcilerDeps => ({
  ...deps,
  directories: depsOf(deps.world, reads).deps.directories,
});

describe('what became known while a read was under way stays, although the read ends later', () => {
  test('about a client, by the read of it alone', async () => {
    const { world, deps } = rigOf();
    const read = async () => {
      world.putClient(WEB, undefined, world.beginRead());
      return client('web', ['orders']);
    };
    const key = { kind: 'client', provider: 'main', by: 'clientId', value: 'web' } as const;
    const job = { key, triggers: [{ key: clientKey('main', 'web'), cause }], attempts: 0 };
    await reconcileClient(key, job, reading(deps, { read }), never);
    expect(world.client(WEB)).toBeUndefined();
  });

  test('about a client, by a complete read', async () => {
    const { world, deps } = rigOf();
    const readAll = async () => {
      world.putClient(WEB, undefined, world.beginRead());
      return { clients: [client('web', ['orders']), client('api', ['orders'])], unreadable: [], requests: 1 };
    };
    const key = directoryKey('main');
    const job = { key, triggers: [{ key, cause, fullRead: true }], attempts: 0 };
    await reconcileProvider({ kind: 'directory', name: 'main' }, job, reading(deps, { readAll }), never);
    expect([...world.clients('main').keys()]).toEqual(['api']);
  });

  test('about an entry and about the catalog, by the complete comparison', async () => {
    const { world, deps } = rigOf((made) => ({
      intentions: {
        ...made.consul.intentions,
        list: async () => {
          world.putEntry(named('orders'), NEW, world.beginRead());
          return [OLD];
        },
      },
      readCatalog: async () => {
        world.putCatalog(NEW_CATALOG, NOW, world.beginRead());
        return OLD_CATALOG;
      },
    }));
    await readConsul(deps, never);
    expect(world.entries.get(keyOf('orders'))?.modifyIndex).toBe(9);
    expect(world.catalog).toBe(NEW_CATALOG);
  });

  test('about an entry, the catalog and a claim record, by the watches', async () => {
    const stop = new AbortController();
    let looks = 0;
    const looked = () => {
      if (++looks === 3) stop.abort();
    };
    const { world, deps } = rigOf((made) => ({
      intentions: {
        ...made.consul.intentions,
        list: async () => {
          world.putEntry(named('orders'), NEW, world.beginRead());
          return [OLD];
        },
      },
      readCatalog: async () => {
        world.putCatalog(NEW_CATALOG, NOW, world.beginRead());
        return OLD_CATALOG;
      },
      claims: {
        ...made.consul.claims,
        list: async () => {
          world.putClaimRecords([], world.beginRead());
          return [RECORD];
        },
      },
      watch: async (table, { changed }, signal) => {
        if (table !== 'protocols') changed();
        await aborted(signal).catch(() => {});
      },
    }));
    world.setMapping({ ...world.mapping, claims: 'first' });
    const queue = { ...deps.queue, add: async () => looked() };
    // Only the wait for the first answers ends.
    const sleep = (ms: number, signal?: AbortSignal) => (ms === 50 ? Promise.resolve() : aborted(signal));
    const clock = { now: () => NOW, sleep };
    const watching = runWatch({ ...deps, queue, clock }, 1_000, new WatchAges(clock), stop.signal);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    stop.abort();
    await watching;
    expect(world.entries.get(keyOf('orders'))?.modifyIndex).toBe(9);
    expect(world.catalog).toBe(NEW_CATALOG);
    expect(world.claimRecords).toEqual([]);
  });

  test('about ACL objects, by the read of all of them', async () => {
    const name = 'scopemesh-pay-main-web';
    const stored = { id: '1', modifyIndex: 1, isAltered: false };
    const role = { name, description: 'scopemesh:pay', policies: [], serviceIdentities: ['web'] };
    const { deps } = rigOf((made) => ({
      acl: {
        ...made.consul.acl,
        read: async () => {
          made.acl.cache.removed('acl-role', name, '1', made.world.beginRead());
          return { roles: [{ ...stored, object: role }], policies: [], authMethods: [], bindingRules: [] };
        },
      },
    }));
    await readAllAcl(deps, never);
    expect(deps.acl.cache.of(name).role).toBeUndefined();
  });

  test('about a jwt-provider, by the list of them', async () => {
    const ours = { name: 'users', issuer: 'i', audiences: [], jwksUri: 'u', meta: {} };
    const { world, deps } = rigOf((made) => ({
      jwtProviders: {
        ...made.consul.jwtProviders,
        list: async () => {
          world.userTokens.putEntry('users', undefined, 0, world.beginRead());
          return [{ name: 'users', meta: {}, content: ours, modifyIndex: 1 }];
        },
      },
    }));
    await readJwtProviders(deps, never);
    expect([...(world.userTokens.facts.entries?.keys() ?? [])]).toEqual([]);
  });
});

describe('what another reader sees before the watch is acted on all the same', () => {
  test('about a jwt-provider: its destinations are looked at when the watch comes', async () => {
    let modifyIndex = 1;
    const list = async () => [modifyIndex === 1 ? existing() : existing({ meta: {}, modifyIndex })];
    const { world, deps } = rigOf((made) => ({ jwtProviders: { ...made.consul.jwtProviders, list } }));
    world.setMapping({ ...world.mapping, rules: [rule('orders', 'orders', { userRequired: true })] });
    await observeJwtProviders(deps, cause, never);
    expect(await observeJwtProviders(deps, cause, never)).toEqual([]);
    modifyIndex = 2;
    await readJwtProviders(deps, never);
    expect(await observeJwtProviders(deps, cause, never)).toMatchObject([{ key: { service: 'orders' } }]);
  });

  test('about the record of a claim: the clients that it concerns are looked at', async () => {
    const added: Trigger[] = [];
    const record = (clientId: string, service: string): ClaimRecord => ({
      provider: 'main',
      clientId,
      service: named(service),
      modifyIndex: 1,
    });
    const { world, deps } = rigOf((made) => ({
      claims: { ...made.consul.claims, list: async () => [record('web', 'web'), record('api', 'elsewhere')] },
    }));
    world.setMapping({ ...world.mapping, claims: 'first' });
    world.putClaimRecords([record('api', 'api')]);
    const queue = {
      ...deps.queue,
      add: async (triggers: readonly Trigger[]) => void added.push(...triggers),
    };
    const pending = {
      ...draft('web', applyRig()),
      subject: claimSubject(record('web', 'web'), 'web'),
      resource: { kind: 'claim' as const, name: 'web' },
    };
    const journal = { ...deps.journal, read: async () => ({ ...NOTHING, pending: [pending] }) };
    await settleClaims(WEB, cause, { ...deps, queue, journal }, never);
    const others = added.filter(({ key }) => key.kind === 'client');
    expect(others).toMatchObject([{ key: { value: 'api' } }]);
    // This client's job, and what started it, has nothing to do with that.
    expect(cause.kind).not.toBe('consul-watch');
    expect(others[0]?.cause).toEqual({
      kind: 'consul-watch',
      receivedAt: new Date(deps.clock.now()).toISOString(),
    });
  });
});
