import type { Config } from '../../config/config.js';
import type { Provider } from '../app/adapter-factory.js';
import { type ProviderHealth, readProviderHealth } from '../app/provider-health.js';
import { readBuild } from '../app/version.js';
import { readWebhookStatus, type WebhookStatus } from '../app/webhook-status.js';
import type { UnreadableEntry } from '../consul/consul.js';
import type { ChannelActivity } from '../intake/channel-activity.js';
import type { Leading } from '../lease/leadership.js';
import { HOLD_REASONS } from '../model/decision.js';
import type { Leader } from '../model/leader.js';
import type { Replica } from '../model/replica.js';
import type { Metrics } from '../observe.js';
import { GRANTS } from '../operator/break-glass.js';
import { DENIES } from '../operator/denies.js';
import { readFreeze, toFreezeView } from '../operator/freezes.js';
import { readRulings } from '../operator/ruling-store.js';
import { type BreakGlassView, opensEdge, toBreakGlassView } from '../plan/break-glass-view.js';
import { type DenyView, toDenyView } from '../plan/deny-view.js';
import { rejecterOf } from '../plan/guards/approval.js';
import { type ClientBlock, type ClientId, parseClientText } from '../plan/world.js';
import type { RecordedHold } from '../queue/journal.js';
import type { ParkedKey } from '../queue/queue.js';
import type { Store } from '../queue/store-parts.js';
import type { UnreadSide } from '../state/failed-reads.js';
import { REVOCATION_STATES } from '../state/open-revocations.js';
import type { LiveCore } from './live-core.js';
import type { Reloads } from './reload.js';

/** What `/statusz` answers. Ages are in seconds; null means never. */
export interface Status {
  readonly owner: string;
  readonly version: string;
  /** Of this build; null if it does not know its commit. */
  readonly commit: string | null;
  /** Whether this replica leads. */
  readonly leader: boolean;
  /** The epoch of `leading`. */
  readonly epoch: number | null;
  /** The replica that leads, or led last. `isAlive`: it gave a sign of life lately. */
  readonly leading:
    | (Omit<Leader, 'storeId' | 'address'> & { readonly address: string | null; readonly isAlive: boolean })
    | null;
  /** The replicas that showed themselves lately, this one included. `leader`: whether it is the one of `leading`, and alive. */
  readonly replicas: readonly (Replica & { readonly leader: boolean; readonly seenSeconds: number })[];
  /** Since this replica last knew of a leader; 0 while there is one. */
  readonly leaderlessSeconds: number;
  readonly mode: string;
  readonly mappingRevision: string;
  /** Other replicas whose mapping or mode is another one than this replica's. */
  readonly differing: readonly string[];
  /** The mapping of the last leader, while this leader's own is in doubt; what it would open is held as `MappingDiffers`. */
  readonly mappingInDoubt: { readonly former: string } | null;
  /** The freeze in effect. `until`: null until a person ends it. */
  readonly freeze: ReturnType<typeof toFreezeView>;
  /** Every break-glass grant whose edge is not closed yet. */
  readonly breakGlass: readonly BreakGlassView[];
  /** Edges that a person denies or denied; an ended one until its time is over. */
  readonly denies: readonly DenyView[];
  readonly directories: readonly {
    readonly provider: string;
    readonly ageSeconds: number | null;
    readonly clients: number;
  }[];
  readonly watchAgeSeconds: Readonly<Record<string, number>>;
  readonly sweepAgeSeconds: number | null;
  /** What this replica, if it leads, has not been able to read for more than 30 s. */
  readonly unread: readonly UnreadSide[];
  /** Entries of Consul that the last lists could not show. */
  readonly unreadableEntries: readonly UnreadableEntry[];
  readonly ownedEdges: number;
  readonly queue: { readonly waiting: number; readonly delayed: number; readonly active: number };
  /** Up to 1,000 of them; `parkedCount` counts all. */
  readonly parked: readonly ParkedKey[];
  readonly parkedCount: number;
  /** How many there are by reason. */
  readonly holdCounts: Readonly<Record<string, number>>;
  /** The next 1,000 begin at `?holdsAfter=` with this text; null on the last page. */
  readonly holdsAfter: string | null;
  /** A page of up to 1,000. `key`: the key whose job holds it. `rejectedBy`: who rejected the removal, as far as this process knows. */
  readonly holds: readonly (Omit<RecordedHold, 'fingerprint' | 'change'> & {
    readonly key: string;
    readonly rejectedBy: string | null;
  })[];
  /** Clients that an order closed, which no directory shows; null if this process does not carry out orders. */
  readonly closures: readonly (ClientId & { readonly closure: ClientBlock })[] | null;
  readonly configuration: Reloads['configuration'];
  readonly outboxDecisions: number;
  readonly webhooks: readonly WebhookStatus[];
  readonly providers: readonly ProviderHealth[];
}

function toView({ storeId: _, address, ...leader }: Leader) {
  return { ...leader, address: address ?? null };
}

/** An answer stays small, however much waits. */
const MAX_LISTED = 1_000;

/** What the status is read from. */
export interface StatusParts {
  readonly config: Config;
  readonly store: Store;
  readonly providers: readonly Provider[];
  readonly activity: ChannelActivity;
  readonly live: () => LiveCore;
  readonly leading: () => Leading;
  readonly reloads: Pick<Reloads, 'configuration'>;
  readonly metrics: Metrics;
}

/** Gathers the status and sets the gauges that depend on it. */
export async function readStatus(parts: StatusParts, holdsAfter?: string): Promise<Status> {
  const { config, store, metrics } = parts;
  const { deps, ages, queue: durable, sweptAt, isReconciling } = parts.live();
  const { isLeader, leaderlessMs } = parts.leading();
  const now = deps.clock.now();
  const [queue, lease, roster, journal, freeze, breakGlass, denies, webhooks, providers] = await Promise.all([
    durable.state(),
    store.fence.read(),
    store.roster.list(),
    store.journal.overview({
      limit: MAX_LISTED,
      ...(holdsAfter === undefined ? {} : { after: holdsAfter }),
    }),
    readFreeze({ journal: store.journal, world: deps.world, clock: deps.clock }),
    readRulings(GRANTS, { journal: store.journal, world: deps.world }),
    readRulings(DENIES, { journal: store.journal, world: deps.world }),
    Promise.all(config.decisions.webhooks.map(({ name }) => readWebhookStatus(store.keyValues, name))),
    Promise.all(
      parts.providers.map((provider) =>
        readProviderHealth(provider, { ...store, activity: parts.activity, clock: deps.clock, metrics }),
      ),
    ),
  ]);
  const { former } = deps.world.mappingDoubt;
  const age = (at: number | undefined) => (at === undefined ? null : (now - at) / 1000);
  const status: Status = {
    owner: config.owner,
    ...readBuild(),
    leader: isLeader,
    epoch: lease?.leader.epoch ?? null,
    leading: lease === undefined ? null : { ...toView(lease.leader), isAlive: lease.isAlive },
    replicas: roster.map(({ seenMs, ...replica }) => ({
      ...replica,
      leader: lease?.isAlive === true && lease.leader.replica === replica.replica,
      seenSeconds: seenMs / 1000,
    })),
    leaderlessSeconds: leaderlessMs / 1000,
    mode: deps.world.mapping.mode,
    mappingRevision: deps.world.mapping.revision,
    differing: roster
      .filter(({ mapping }) => mapping.revision !== deps.world.mapping.revision)
      .map(({ replica }) => replica),
    mappingInDoubt: former === undefined ? null : { former: former.revision },
    freeze: toFreezeView(freeze),
    breakGlass: breakGlass.map((each) => ({
      ...toBreakGlassView(each, deps.world.mapping, deps.world.breakGlass.timeAt(now)),
      opensEdge: opensEdge(each, deps.world.records),
    })),
    denies: denies.map(toDenyView),
    directories: config.providers.map(({ name }) => ({
      provider: name,
      ageSeconds: age(deps.world.directories.readAt(name)),
      clients: deps.world.clients(name).size,
    })),
    watchAgeSeconds: ages.ages(),
    sweepAgeSeconds: age(sweptAt),
    unread: isLeader ? deps.reads.unread(now) : [],
    unreadableEntries: deps.consul.unreadable().slice(0, MAX_LISTED),
    ownedEdges: deps.world.owned.count,
    queue: { waiting: queue.waiting, delayed: queue.delayed, active: queue.active },
    parked: queue.parked.slice(0, MAX_LISTED),
    parkedCount: queue.parked.length,
    holdCounts: journal.holdCounts,
    holdsAfter: journal.holdsAfter ?? null,
    // The fingerprint has a meaning only for scopemesh, and the decision has the change.
    holds: journal.holds.map(({ fingerprint: _, change: __, ...hold }) => ({
      ...hold,
      rejectedBy: rejecterOf(deps.window.rejections.of(hold.subject)),
    })),
    closures: isReconciling
      ? [...deps.world.view(now).clientBlocks].map(([text, block]) => ({
          ...parseClientText(text),
          closure: block,
        }))
      : null,
    configuration: parts.reloads.configuration,
    outboxDecisions: journal.outboxLength,
    webhooks,
    providers,
  };
  for (const { provider, ageSeconds } of status.directories) {
    if (ageSeconds !== null) metrics.gauge('scopemesh_directory_age_seconds', ageSeconds, { provider });
  }
  for (const [table, seconds] of Object.entries(status.watchAgeSeconds))
    metrics.gauge('scopemesh_consul_watch_age_seconds', seconds, { table });
  if (status.sweepAgeSeconds !== null) metrics.gauge('scopemesh_sweep_age_seconds', status.sweepAgeSeconds);
  for (const side of ['consul', ...config.providers.map(({ name }) => `provider/${name}`)])
    metrics.gauge(
      'scopemesh_unread_seconds',
      status.unread.find((each) => each.side === side)?.seconds ?? 0,
      {
        side,
      },
    );
  metrics.gauge('scopemesh_leader', isLeader ? 1 : 0);
  metrics.gauge('scopemesh_leaderless_seconds', status.leaderlessSeconds);
  metrics.gauge('scopemesh_replicas_differing', status.differing.length);
  metrics.gauge('scopemesh_owned_edges', status.ownedEdges);
  metrics.gauge('scopemesh_frozen', status.freeze === null ? 0 : 1);
  metrics.gauge('scopemesh_parked_keys', status.parkedCount);
  metrics.gauge('scopemesh_outbox_decisions', status.outboxDecisions);
  if (status.closures !== null)
    metrics.gauge(
      'scopemesh_quarantines',
      status.closures.filter(({ closure: block }) => block === 'ClientQuarantined').length,
    );
  metrics.gauge('scopemesh_inferred_removals', deps.window.used(now));
  for (const state of REVOCATION_STATES)
    metrics.gauge('scopemesh_oldest_revocation_seconds', deps.revocations.oldestSeconds(state, now), {
      state,
    });
  for (const reason of HOLD_REASONS)
    metrics.gauge('scopemesh_holds', status.holdCounts[reason] ?? 0, { reason });
  return status;
}
