import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { monotonicFactory } from 'ulid';
import type { Config, ConsulSettings, ProviderSettings } from '../config/config.js';
import { toMapping } from '../config/mapping-revision.js';
import { AclState } from '../src/apply/acl/acl-state.js';
import type { Clock } from '../src/clock.js';
import type { Consul } from '../src/consul/consul.js';
import { createHttpConsul } from '../src/consul/http/http-consul.js';
import type { DecisionLog } from '../src/decisions/log.js';
import { createAuth0 } from '../src/identity/auth0/auth0.js';
import { createEntra } from '../src/identity/entra/entra.js';
import { createKeycloak } from '../src/identity/keycloak/keycloak.js';
import { createOidc } from '../src/identity/oidc/oidc.js';
import { createOkta } from '../src/identity/okta/okta.js';
import { type PausingParts, withPauses } from '../src/identity/pauses.js';
import type { ProviderParts } from '../src/identity/provider-parts.js';
import { withReadPlaces } from '../src/identity/read-places.js';
import { createSsf } from '../src/identity/ssf/ssf.js';
import { withSignals } from '../src/identity/with-signals.js';
import type { GroupRules } from '../src/model/login.js';
import type { Logger, Metrics } from '../src/observe.js';
import { Agenda } from '../src/queue/agenda.js';
import { DEFAULT_BACKOFF } from '../src/queue/backoff.js';
import { ConcurrencyLimit } from '../src/queue/concurrency-limit.js';
import type { Facts } from '../src/queue/facts.js';
import type { Inbox } from '../src/queue/inbox.js';
import type { Journal } from '../src/queue/journal.js';
import { JournalMemory } from '../src/queue/journal-memory.js';
import type { Queue } from '../src/queue/queue.js';
import type { Rechecks } from '../src/queue/rechecks.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import { Contention } from '../src/state/contention.js';
import { RevocationWindow } from '../src/state/revocation-window.js';
import { WorldState } from '../src/state/world-state.js';
import { type Bell, createBell } from './bell.js';
import { createJwksUris } from './jwks-uris.js';

export interface Ambience {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

export interface Provider extends PausingParts {
  readonly settings: ProviderSettings;
}

export interface Store {
  readonly queue: Queue;
  readonly inbox: Inbox;
  readonly journal: Journal;
  readonly facts: Facts;
  readonly rechecks: Rechecks;
  close(): Promise<void>;
}

/** After this many corrections within the window a contested edge is left alone for a while. */
const CONTENTION = { limit: 5, windowMs: 10 * 60_000 };

/** The only place that names adapters. */
export async function openConsul(
  settings: ConsulSettings,
  owner: string,
  ambience: Ambience,
): Promise<Consul> {
  const read = (file: string | undefined) => (file === undefined ? undefined : readFile(file));
  const { tls } = settings;
  const [ca, cert, key] = await Promise.all([read(tls?.caFile), read(tls?.certFile), read(tls?.keyFile)]);
  return createHttpConsul({
    ...ambience,
    owner,
    address: settings.address,
    token: settings.token,
    datacenter: settings.datacenter,
    partition: settings.partition,
    namespace: settings.namespace,
    tls: tls && {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
    },
  });
}

/** One line for each kind: an adapter takes its provider's settings as they are. `groups` are those of the mapping. */
export function openProvider(
  settings: ProviderSettings,
  groups: readonly GroupRules[],
  ambience: Ambience,
): Provider {
  const wantsPeople = groups.some(({ provider }) => provider === undefined || provider === settings.name);
  const parts = openParts(settings, wantsPeople, ambience);
  const directory = withReadPlaces(parts.directory, ambience.clock);
  const pausing = { settings, ...withPauses({ ...parts, directory }, ambience.clock) };
  const { ssf, name: provider, issuer, insecure, pollMs } = settings;
  if (ssf === undefined) return pausing;
  // Outside of the pauses: a transmitter that limits its rate must not keep us from the directory, nor the reverse.
  return withSignals(pausing, createSsf({ ...ssf, ...ambience, provider, issuer, insecure, pollMs }));
}

function openParts(settings: ProviderSettings, wantsPeople: boolean, ambience: Ambience): ProviderParts {
  const provider = settings.name;
  switch (settings.kind) {
    case 'auth0':
      return createAuth0({ ...settings, ...ambience, provider });
    case 'entra':
      return createEntra({ ...settings, ...ambience, provider, wantsPeople });
    case 'keycloak':
      return createKeycloak({ ...settings, ...ambience, provider });
    case 'oidc':
      return createOidc({ ...settings, ...ambience, provider });
    case 'okta':
      return createOkta({ ...settings, ...ambience, provider });
  }
}

/** Redis and SQLite are loaded only where they are configured. */
export async function openStore(config: Config, ambience: Ambience): Promise<Store> {
  if (config.queue.kind === 'embedded') {
    const { createEmbeddedStore } = await import('../src/queue/embedded/store.js');
    return createEmbeddedStore({ ...ambience, directory: config.state.directory });
  }
  const { createBullmqStore } = await import('../src/queue/bullmq/store.js');
  const { url, allowUnsafeRedis } = config.queue;
  return createBullmqStore({
    ...ambience,
    url,
    prefix: `scopemesh:${config.owner}`,
    allowUnsafe: allowUnsafeRedis,
  });
}

export async function openDecisionLog(config: Config, ambience: Ambience): Promise<DecisionLog> {
  const { decisions } = config;
  if (decisions.kind === 'embedded') {
    const { createEmbeddedDecisionLog } = await import('../src/decisions/embedded/embedded-decision-log.js');
    return createEmbeddedDecisionLog({ ...ambience, directory: config.state.directory });
  }
  const { createKafkaDecisionLog } = await import('../src/decisions/kafka/kafka-decision-log.js');
  return createKafkaDecisionLog({
    ...ambience,
    brokers: decisions.brokers,
    topic: decisions.topic,
    tls: decisions.tls,
    ...(decisions.sasl === undefined ? {} : { sasl: decisions.sasl }),
    clientId: `scopemesh-${config.owner}`,
    transactionalId: `scopemesh-${config.owner}`,
    createTopic: { partitions: 6, replicationFactor: -1 },
    timeoutMs: 10_000,
  });
}

/** Destinations written at once: from few up to as many as Consul takes. */
const WRITES = { least: 8, first: 96, most: 256 };
/** Clients, directories and people at once: of each identity provider few are read at once in any case. */
const READS = 64;
/** Beyond these, for urgent keys alone. */
const URGENT = 16;

export interface Core {
  /** Runs what follows from triggers. */
  readonly agenda: Agenda;
  /** Writes to Consul at once. */
  readonly writes: ConcurrencyLimit;
  /** The durable queue, of which this process knows at once what is added here. */
  readonly inbox: Pick<Queue, 'add'> & Inbox;
  readonly deps: ReconcilerDeps;
  /** Rung at every settlement; the relay waits for it. */
  readonly settled: Bell;
  /** Rung when a complete comparison is wanted before its time. */
  readonly sweepAsked: Bell;
}

/** An empty world under the configuration's mapping. */
export function createWorld(config: Config): WorldState {
  const { claimGraceMs, clientMeta, clientTag } = config.services;
  return new WorldState(toMapping(config), { claimGraceMs, clientMeta, clientTag });
}

/** What is known of Consul's ACL, whose first reads tell the world which service each role stands for. */
export function createAclState(world: WorldState, clock: Clock): AclState {
  return new AclState((roles) => world.putFirstRoles(roles, clock.now()));
}

/** Whether there may be a decision log to read: the embedded one is made by the first decision. */
export function hasDecisionLog(config: Config): boolean {
  return config.decisions.kind !== 'embedded' || existsSync(join(config.state.directory, 'decisions.db'));
}

/** What the reconciler needs, around an empty world. */
export function createCore(
  config: Config,
  parts: { consul: Consul; providers: readonly Provider[]; store: Store },
  ambience: Ambience,
): Core {
  const settled = createBell();
  const sweepAsked = createBell();
  const world = createWorld(config);
  const writes = new ConcurrencyLimit(WRITES, ambience.clock);
  const limits = { writes, reads: READS, urgent: URGENT };
  const agenda = new Agenda(limits, { ...ambience, backoff: DEFAULT_BACKOFF });
  return {
    agenda,
    writes,
    inbox: {
      async add(triggers) {
        await parts.store.queue.add(triggers);
        agenda.news(triggers);
      },
      async accept(provider, events, memory) {
        const accepted = await parts.store.inbox.accept(provider, events, memory);
        agenda.news(events.flatMap(({ id, triggers }) => (accepted.has(id) ? triggers : [])));
        return accepted;
      },
    },
    settled,
    sweepAsked,
    deps: {
      ...ambience,
      ...parts.store,
      journal: new JournalMemory(parts.store.journal),
      queue: {
        add: (triggers) => agenda.add(triggers),
        note: (triggers) => agenda.note(triggers),
        late: () => [],
      },
      consul: parts.consul,
      directories: new Map(parts.providers.map(({ settings, directory }) => [settings.name, directory])),
      jwksUris: createJwksUris(config, ambience),
      world,
      acl: createAclState(world, ambience.clock),
      window: new RevocationWindow(config.guards.maxRevocations.windowMs),
      contention: new Contention(CONTENTION),
      source: `scopemesh/${config.owner}/${hostname()}`,
      // Of one millisecond they count up: random bytes for each cost more than the rest of a decision.
      newId: monotonicFactory(),
      onSettled: () => settled.ring(),
      askForSweep: () => sweepAsked.ring(),
    },
  };
}
