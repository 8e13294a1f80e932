import { describe, expect, test } from 'vitest';
import type { OAuthClient } from '../../src/model/client.js';
import { clientKey, destinationKey, directoryKey } from '../../src/model/key.js';
import type { Mapping } from '../../src/model/rule.js';
import type { Trigger } from '../../src/model/trigger.js';
import type { KeyRecord } from '../../src/queue/journal.js';
import { reconcileProvider } from '../../src/reconcile/provider.js';
import { WorldState } from '../../src/state/world-state.js';
import { claiming, client, mapping, NOW, rule, SETTINGS } from '../plan/scene.js';
import { depsOf, UNREACHABLE, worldWithTwo } from './deps.js';

const KEY = { kind: 'directory', name: 'main' } as const;
const JOB = {
  key: directoryKey('main'),
  triggers: [
    {
      key: directoryKey('main'),
      cause: { kind: 'full-read' as const, receivedAt: new Date(NOW).toISOString() },
      fullRead: true,
    },
  ],
  attempts: 0,
};

const NOTHING_RECORDED: KeyRecord = { pending: [], lastApplied: new Map(), holds: new Map() };

function readOf(
  clients: readonly OAuthClient[],
  changes: Partial<Trigger> = {},
  meanwhile = (_world: WorldState) => {},
) {
  const world = worldWithTwo();
  const { deps, added, noted, unsettled } = depsOf(world, {
    readAll: async () => {
      meanwhile(world);
      return { clients, unreadable: [], requests: 1 };
    },
  });
  const job = { ...JOB, triggers: JOB.triggers.map((trigger) => ({ ...trigger, ...changes })) };
  const readDeps = { ...deps, journal: { ...deps.journal, read: async () => NOTHING_RECORDED } };
  return {
    world,
    added,
    noted,
    unsettled,
    run: () => reconcileProvider(KEY, job, readDeps, AbortSignal.timeout(5_000)),
  };
}

describe('a complete read of a directory', () => {
  test('sends on what lost something before everything else', async () => {
    const { added, run } = readOf([client('web', ['orders']), client('api', [])]);
    await run();
    expect(added).toMatchObject([{ key: { service: 'orders' }, urgent: true }]);
  });

  test('sends on no client at the first read whose claims need no record and have no hold', async () => {
    const clientsOf = async (changes: Partial<Mapping>) => {
      const world = new WorldState(mapping({ rules: [rule('orders', 'orders')], ...changes }), SETTINGS);
      world.putEntries([], NOW);
      // The client `api` does not name the service `other`.
      const services = [claiming('web', 'web'), claiming('other', 'api')];
      world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
      const clients = [client('web', ['orders']), client('api', ['orders'])];
      const { deps, added } = depsOf(world, {
        readAll: async () => ({ clients, unreadable: [], requests: 1 }),
      });
      const overview = async () => ({ pendingKeys: [], holds: [], holdCounts: {}, outboxLength: 0 });
      // A read for each client would delay the first losses.
      const read = async (key: string) => {
        expect(key).toBe('directory/main');
        return NOTHING_RECORDED;
      };
      const journal = { ...deps.journal, read, overview };
      await reconcileProvider(KEY, JOB, { ...deps, journal }, AbortSignal.timeout(60_000));
      const keys = added.map(({ key }) => key);
      expect(keys).toContainEqual(destinationKey('orders'));
      return keys.flatMap((key) => (key.kind === 'client' ? key.value : []));
    };
    expect(await clientsOf({})).toEqual(['api']);
    expect((await clientsOf({ claims: 'first' })).toSorted()).toEqual(['api', 'web']);
  });

  test('sends on in haste where a client no longer names its service, though its scopes are as before', async () => {
    const { added, run } = readOf([client('web', ['orders'], { attributes: {} }), client('api', ['orders'])]);
    await run();
    expect(added[0]).toMatchObject({ key: { service: 'orders' }, urgent: true });
  });

  test('sends on what only gained without haste, and nothing where nothing changed', async () => {
    const gained = readOf([client('web', ['orders', 'more']), client('api', ['orders'])]);
    await gained.run();
    expect(gained.added).toMatchObject([{ key: { service: 'orders' } }]);
    expect(gained.added[0]?.urgent).toBeUndefined();
    const same = readOf([client('web', ['orders']), client('api', ['orders'])]);
    await same.run();
    expect(same.added).toEqual([]);
  });

  test('ends what an order closed without its word, and sends that on', async () => {
    const { world, added, run } = readOf([client('web', ['orders']), client('api', ['orders'])]);
    world.setClientBlock({ provider: 'main', clientId: 'web' }, 'RevocationUnconfirmed');
    world.setClientBlock({ provider: 'main', clientId: 'api' }, 'ClientQuarantined');
    await run();
    expect(added).toMatchObject([{ key: { service: 'orders' } }]);
    expect(world.clientBlock({ provider: 'main', clientId: 'web' })).toBeUndefined();
    expect(world.clientBlock({ provider: 'main', clientId: 'api' })).toBe('ClientQuarantined');
  });

  test('keeps closed what an order closed while it was under way', async () => {
    const { world, added, run } = readOf(
      [client('web', ['orders']), client('api', ['orders'])],
      {},
      (world) => world.setClientBlock({ provider: 'main', clientId: 'web' }, 'RevocationUnconfirmed'),
    );
    await run();
    expect(world.clientBlock({ provider: 'main', clientId: 'web' })).toBe('RevocationUnconfirmed');
    expect(added).toEqual([]);
  });

  test('that knows of a removal at one client looks at what that client reaches, changed or not, with that alone', async () => {
    const same = [client('web', ['orders']), client('api', ['orders'])];
    const evidence = [{ provider: 'main', clients: ['web', 'elsewhere'], internalIds: ['id-of-nobody'] }];
    const { added, run } = readOf(same, { evidence });
    await run();
    expect(added).toMatchObject([
      { key: { service: 'orders' }, urgent: true, evidence: [{ provider: 'main', clients: ['web'] }] },
    ]);
    expect(added).toHaveLength(1);
  });

  test('takes a client named by its internal id for named', async () => {
    const same = [client('web', ['orders'], { internalId: 'id-of-web' }), client('api', ['orders'])];
    const { added, run } = readOf(same, { evidence: [{ provider: 'main', internalIds: ['id-of-web'] }] });
    await run();
    expect(added.flatMap(({ evidence = [] }) => evidence)).toEqual([{ provider: 'main', clients: ['web'] }]);
  });

  test('that knows of a lost scope looks at everything, in haste unless it merely looks again', async () => {
    const same = [client('web', ['orders']), client('api', ['orders'])];
    const evidence = [{ provider: 'main', api: 'a', scopes: ['orders'] }];
    const first = readOf(same, { evidence });
    await first.run();
    expect(first.added).toMatchObject([{ key: { service: 'orders' }, urgent: true, evidence }]);
    const again = readOf(same, { evidence, isRecheck: true });
    await again.run();
    expect(again.added).toMatchObject([{ key: { service: 'orders' }, evidence }]);
    expect(again.added[0]).not.toHaveProperty('urgent');
    const lost = readOf([client('web', []), client('api', ['orders'])], { evidence, isRecheck: true });
    await lost.run();
    expect(lost.added).toContainEqual(expect.objectContaining({ urgent: true, evidence }));
  });

  test('knows what events reported of a loss before the jobs of their clients run', async () => {
    const { noted, unsettled, run } = readOf([client('web', [], { internalId: 'id-of-web' })]);
    const cause = { kind: 'webhook', receivedAt: '2026-01-01T00:00:00.000Z' } as const;
    unsettled.push(
      {
        key: { kind: 'client', provider: 'main', by: 'internalId', value: 'id-of-web' },
        cause: { ...cause, eventId: 'about web' },
        urgent: true,
        evidence: [{ provider: 'main', internalIds: ['id-of-web'] }],
      },
      {
        key: clientKey('main', 'api'),
        cause: { ...cause, eventId: 'about api, which is deleted' },
        evidence: [{ provider: 'main', clients: ['api'] }],
      },
      { key: clientKey('main', 'web'), cause: { ...cause, eventId: 'without evidence' } },
    );
    await run();
    expect(noted.slice(0, 2)).toMatchObject([
      {
        key: { service: 'orders' },
        urgent: true,
        cause: { eventId: 'about web' },
        evidence: [{ clients: ['web'], internalIds: ['id-of-web'] }],
        client: { clientId: 'web' },
      },
      {
        key: { service: 'orders' },
        cause: { eventId: 'about api, which is deleted' },
        evidence: [{ clients: ['api'] }],
        client: { clientId: 'api' },
      },
    ]);
  });

  test('that fails changes nothing', async () => {
    const world = worldWithTwo();
    const { deps, added } = depsOf(world, { readAll: async () => Promise.reject(UNREACHABLE) });
    const { claimsVersion } = world;
    await expect(reconcileProvider(KEY, JOB, deps, AbortSignal.timeout(5_000))).rejects.toBe(UNREACHABLE);
    expect(added).toEqual([]);
    expect(world.claimsVersion).toBe(claimsVersion);
  });
});
