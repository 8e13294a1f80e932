import { hostname } from 'node:os';
import { monotonicFactory } from 'ulid';
import type { Config } from '../../config/config.js';
import { toMapping } from '../../config/mapping-revision.js';
import { AclState } from '../acl/apply/acl-state.js';
import { WritePlaces } from '../acl/apply/write-places.js';
import { type Clock, steadyClock } from '../clock.js';
import type { Consul } from '../consul/consul.js';
import { gatherClaims } from '../consul/gathered-claims.js';
import { shareRead } from '../gather.js';
import { readJwksUri } from '../identity/discovery.js';
import { selectDirectory } from '../identity/selected-directory.js';
import { definedFields } from '../model/defined-fields.js';
import { createNotifier, type Notifier } from '../notifier.js';
import { RequestedAdoptions } from '../operator/requested-adoptions.js';
import { Agenda } from '../queue/agenda.js';
import { DEFAULT_BACKOFF } from '../queue/backoff.js';
import type { Inbox } from '../queue/inbox.js';
import { createJournalMemory } from '../queue/journal-memory.js';
import type { Queue } from '../queue/queue.js';
import type { StoreParts } from '../queue/store-parts.js';
import type { Party } from '../queue/turns.js';
import { WriteLimit } from '../queue/write-limit.js';
import { ReadsUnderWay } from '../read/reads-under-way.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import type { Runtime } from '../runtime.js';
import { Contention } from '../state/contention.js';
import { FailedReads } from '../state/failed-reads.js';
import { Flaps, HoldBudget, OF_DESTINATION } from '../state/hold-budget.js';
import { KeyedMutex } from '../state/mutex.js';
import { OpenRevocations } from '../state/open-revocations.js';
import { RevocationWindow } from '../state/revocation-window.js';
import { WorldState } from '../state/world-state.js';
import type { Provider } from './adapter-factory.js';
import { createRandom } from './random.js';

/** After this many corrections within the window, a contested edge is not widened for a while. */
const CONTENTION = { limit: 5, windowMs: 10 * 60_000 };

/** Destinations written at once, and ACL objects beside them. The limit climbs while Consul keeps up. */
export const WRITES = { least: 8, first: 96, most: 256 };
/** Reads of clients, directories and people at once. Each identity provider has a smaller limit of its own. */
const READS = 64;
/** Additional places for urgent keys, and for urgent writes of ACL objects, only. */
const URGENT = 16;

export interface Core {
  /** Runs the jobs that follow from triggers. */
  readonly agenda: Agenda;
  /** Writes to Consul at once. */
  readonly writes: WriteLimit;
  /** Stores triggers. The agenda takes them at once. */
  readonly inbox: Pick<Queue, 'add'> & Pick<Inbox, 'accept'>;
  readonly deps: ReconcilerDeps;
  /** Rung at every settlement; the relay waits for it. */
  readonly settled: Notifier;
  /** Rung when a complete comparison is needed before its time. */
  readonly sweepAsked: Notifier;
}

/** An empty world under the configuration's mapping. */
export function createWorld(config: Config): WorldState {
  const { claimGraceMs, clientMeta, clientTag } = config.services;
  return new WorldState(toMapping(config), { claimGraceMs, clientMeta, clientTag });
}

/** The known ACL objects. The first reads tell the world which service each role belongs to. */
export function createAclState(world: WorldState, clock: Clock): AclState {
  return new AclState((roles) => world.putFirstRoles(roles, clock.now()));
}

function logNameOf(decisions: Config['decisions']): string {
  return decisions.kind === 'kafka' ? `kafka/${decisions.topic}` : 'embedded';
}

/** Readers of the address of each provider's keys, by provider name. */
export function createJwksUris(
  { providers }: Pick<Config, 'providers'>,
  runtime: Runtime,
): ReconcilerDeps['jwksUris'] {
  return new Map(
    providers.map(({ name, issuer, caCert }) => [
      name,
      (signal: AbortSignal) =>
        readJwksUri({ ...runtime, provider: name, issuer, ...definedFields({ caCert }) }, signal),
    ]),
  );
}

/** What the reconciler needs, around an empty world. `firstWrites`: at once, before the rate of Consul is known. */
export function createCore(
  config: Config,
  parts: { consul: Consul; providers: readonly Provider[]; store: StoreParts },
  runtime: Runtime,
  firstWrites = WRITES.first,
): Core {
  const settled = createNotifier();
  const sweepAsked = createNotifier();
  const world = createWorld(config);
  const writes = new WriteLimit({ ...WRITES, first: firstWrites }, steadyClock(runtime.clock));
  const limits = { writes, reads: READS, urgent: URGENT };
  const isKnown = ({ provider, client }: Party) =>
    !world.hasDirectory(provider) || world.client({ provider, clientId: client }) !== undefined;
  const agenda = new Agenda(limits, { ...runtime, backoff: DEFAULT_BACKOFF }, isKnown);
  return {
    agenda,
    writes,
    inbox: {
      add: (triggers) => parts.store.queue.add(triggers),
      accept: (...events) => parts.store.inbox.accept(...events),
    },
    settled,
    sweepAsked,
    deps: {
      ...runtime,
      ...parts.store,
      journal: createJournalMemory(parts.store.journal),
      queue: {
        add: (triggers) => agenda.add(triggers),
        note: (triggers) => agenda.note(triggers),
        addLater: (trigger, afterMs) => agenda.addLater(trigger, afterMs),
        late: () => [],
        sees: (key, since) => agenda.sees(key, since),
      },
      consul: {
        ...parts.consul,
        claims: gatherClaims(parts.consul.claims),
        // Each destination that gains a user's token reads them before its write.
        jwtProviders: {
          ...parts.consul.jwtProviders,
          list: shareRead((signal) => parts.consul.jwtProviders.list(signal)),
        },
      },
      directories: new Map(
        parts.providers.map(({ settings, directory }) => [
          settings.name,
          selectDirectory(directory, world.mapping.select),
        ]),
      ),
      jwksUris: createJwksUris(config, runtime),
      world,
      acl: createAclState(world, runtime.clock),
      writePlaces: new WritePlaces(writes, URGENT),
      clientReads: new ReadsUnderWay(),
      window: new RevocationWindow(config.guards.maxRevocations.windowMs),
      revocations: new OpenRevocations(),
      reads: new FailedReads(),
      contention: new Contention(CONTENTION, parts.store.keyValues, runtime.clock),
      claimHolds: new HoldBudget(),
      flaps: new Flaps(),
      markHolds: new HoldBudget(OF_DESTINATION),
      adoptions: new RequestedAdoptions(),
      rulingTurns: new KeyedMutex(),
      source: `scopemesh/${config.owner}/${hostname()}`,
      logName: logNameOf(config.decisions),
      // IDs of one millisecond count up: random bytes for each ID would cost more than the rest of a decision.
      newId: monotonicFactory(createRandom()),
      onSettled: () => settled.notify(),
      askForSweep: () => sweepAsked.notify(),
    },
  };
}
