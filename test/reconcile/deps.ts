import { AclState } from '../../src/acl/apply/acl-state.js';
import { SyncError } from '../../src/errors.js';
import type { Directory } from '../../src/identity/directory.js';
import type { QuarantineRecord } from '../../src/model/quarantine.js';
import type { Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { RequestedAdoptions } from '../../src/operator/requested-adoptions.js';
import { clientText } from '../../src/plan/world.js';
import type { Journal, KeyRecord, SettledDecision } from '../../src/queue/journal.js';
import type { KeyValueStore } from '../../src/queue/key-value-store.js';
import { ReadsUnderWay } from '../../src/read/reads-under-way.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';
import { Contention } from '../../src/state/contention.js';
import { FailedReads } from '../../src/state/failed-reads.js';
import { Flaps, HoldBudget, OF_DESTINATION } from '../../src/state/hold-budget.js';
import { KeyedMutex } from '../../src/state/mutex.js';
import { OpenRevocations } from '../../src/state/open-revocations.js';
import { RevocationWindow } from '../../src/state/revocation-window.js';
import { WorldState } from '../../src/state/world-state.js';
import { ALLOW, claiming, client, entry, mapping, NOW, ourSource, rule, SETTINGS } from '../plan/scene.js';

export const UNREACHABLE = new SyncError('ERR_DIRECTORY_UNREACHABLE', 'the directory does not answer', {
  retriable: true,
});

/** Facts that answer a turn later than they were asked, as a server would. */
function slowFacts(): KeyValueStore {
  const keyValues = new Map<string, string>();
  const later = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    get: async (name) => {
      await later();
      return keyValues.get(name);
    },
    set: async (name, value) => {
      await later();
      keyValues.set(name, value);
    },
    replace: async (name, expected, value) => {
      await later();
      const isExpected = keyValues.get(name) === expected;
      if (isExpected) keyValues.set(name, value);
      return isExpected;
    },
    has: async () => false,
    remember: async () => {},
  };
}

/** Keeps the record of each key, and the decisions, as a journal does, for as long as the test runs. */
function journalOf(): Journal & { readonly decisions: readonly SettledDecision[] } {
  const records = new Map<string, KeyRecord>();
  const decisions: SettledDecision[] = [];
  const refuse = () => Promise.reject(new Error('not to be called'));
  const read = (key: string): KeyRecord =>
    records.get(key) ?? { pending: [], lastApplied: new Map(), holds: new Map() };
  const without = (key: string, ids: readonly string[]) =>
    read(key).pending.filter(({ id }) => !ids.includes(id));
  return {
    decisions,
    read: async (key) => read(key),
    async record(key, drafts, replaced = []) {
      records.set(key, { ...read(key), pending: [...without(key, replaced), ...drafts] });
    },
    async settle(key, settled, { lastApplied, holds } = {}) {
      const before = read(key);
      records.set(key, {
        pending: without(
          key,
          settled.map(({ id }) => id),
        ),
        lastApplied: updated(before.lastApplied, lastApplied),
        holds: updated(before.holds, holds),
      });
      decisions.push(...settled);
    },
    readAll: async () => records,
    outbox: refuse,
    published: refuse,
    async overview() {
      const all = [...records].map(([key, record]) => ({ key, ...record }));
      return {
        pendingKeys: all.flatMap(({ key, pending }) => (pending.length === 0 ? [] : key)),
        holds: all.flatMap(({ key, holds }) => [...holds.values()].map((hold) => ({ ...hold, key }))),
        holdCounts: {},
        outboxLength: 0,
      };
    },
  };
}

function updated<T>(
  before: ReadonlyMap<string, T>,
  update: ReadonlyMap<string, T | null> = new Map(),
): ReadonlyMap<string, T> {
  const after = new Map(before);
  for (const [name, value] of update)
    if (value === null) after.delete(name);
    else after.set(name, value);
  return after;
}

/** Clients and services `web` and `api`, each with an edge of ours to `orders`. */
export function worldWithTwo(): WorldState {
  const world = new WorldState(mapping({ rules: [rule('orders', 'orders')] }), SETTINGS);
  world.putDirectory('main', [client('web', ['orders']), client('api', ['orders'])], world.beginRead(), NOW);
  world.putEntries([entry('orders', ourSource('web', ALLOW), ourSource('api', ALLOW))], NOW);
  world.putCatalog(
    {
      services: [claiming('web', 'web'), claiming('api', 'api')],
      protocols: new Map(),
      defaultProtocol: 'http',
    },
    NOW,
  );
  return world;
}

/** Ports that refuse what a test does not expect; `added` is what came to the queue. */
export function depsOf(world: WorldState, reads: Partial<Pick<Directory, 'read' | 'readAll'>>) {
  const added: Trigger[] = [];
  const noted: Trigger[] = [];
  /** The quarantines in KV, by `clientText`. */
  const records = new Map<string, QuarantineRecord>();
  const journal = journalOf();
  let ids = 0;
  const unsettled: Trigger[] = [];
  const refuse = () => Promise.reject(new Error('not to be called'));
  const directory: Directory = {
    provider: 'main',
    read: refuse,
    readAll: refuse,
    close: async () => {},
    ...reads,
  };
  const deps: ReconcilerDeps = {
    reads: new FailedReads(),
    consul: {
      unreadable: () => [],
      intentions: { list: refuse, read: refuse, write: refuse, delete: refuse, sizeOf: () => 0 },
      claims: { list: refuse, write: refuse },
      logNote: { read: refuse, write: refuse },
      quarantines: {
        list: async () => [...records.values()],
        async write(writes) {
          for (const { do: what, record } of writes)
            if (what === 'put') records.set(clientText(record), record);
            else records.delete(clientText(record));
          return writes.map(() => ({ kind: 'written' as const }));
        },
      },
      lock: {
        key: 'leader',
        read: refuse,
        createSession: refuse,
        renewSession: refuse,
        endSession: refuse,
        acquire: refuse,
      },
      clusterId: { read: refuse, create: refuse },
      jwtProviders: { list: refuse, write: refuse, delete: refuse, agentVersions: refuse },
      acl: {
        read: refuse,
        readNamed: refuse,
        write: refuse,
        delete: refuse,
        tokens: refuse,
        deleteTokens: refuse,
      },
      reachability: {
        readHealth: refuse,
        readInstances: refuse,
        readTakenPorts: refuse,
        readGatewayHealth: refuse,
        readGateways: refuse,
        readRoutes: refuse,
      },
      proxyDefaults: { readAccessLog: refuse },
      readCatalog: refuse,
      watch: refuse,
      inspect: refuse,
      connectionsLeft: refuse,
      readProxies: refuse,
      readAclToken: refuse,
      close: async () => {},
    },
    directories: new Map([['main', directory]]),
    jwksUris: new Map(),
    queue: {
      add: async (triggers) => void added.push(...triggers),
      note: (triggers) => void noted.push(...triggers),
      addLater: () => {},
      late: () => [],
      sees: () => false,
    },
    inbox: { unsettled: async () => unsettled },
    journal,
    keyValues: slowFacts(),
    logName: 'embedded',
    space: { isLow: () => false },
    world,
    acl: new AclState(),
    writePlaces: { run: (work) => work() },
    clientReads: new ReadsUnderWay(),
    window: new RevocationWindow(1_000),
    revocations: new OpenRevocations(),
    contention: new Contention({ limit: 3, windowMs: 1_000 }),
    claimHolds: new HoldBudget(),
    flaps: new Flaps(),
    markHolds: new HoldBudget(OF_DESTINATION),
    adoptions: new RequestedAdoptions(),
    rulingTurns: new KeyedMutex(),
    clock: { now: () => NOW, sleep: async () => {} },
    logger: silentLogger,
    metrics: noMetrics,
    source: 'scopemesh/pay/test',
    newId: () => `id-${++ids}`,
    onSettled: () => {},
    askForSweep: () => {},
  };
  return { deps, added, noted, records, unsettled, decisions: journal.decisions };
}
