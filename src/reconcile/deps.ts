import type { AclDeps } from '../acl/apply/deps.js';
import type { ApplyDeps, HoldDeps, PlanWriteDeps, TargetDeps } from '../apply/deps.js';
import type { Clock } from '../clock.js';
import type { Consul } from '../consul/consul.js';
import type { Directory } from '../identity/directory.js';
import type { AdoptionDeps, OperatorDeps } from '../operator/deps.js';
import type { FollowUps } from '../queue/follow-ups.js';
import type { Inbox } from '../queue/inbox.js';
import type { Journal } from '../queue/journal.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { StoreSpace } from '../queue/store-space.js';
import type { AclReadDeps, ReadDeps } from '../read/deps.js';
import type { ReadsUnderWay } from '../read/reads-under-way.js';
import type { Contention } from '../state/contention.js';
import type { FailedReads } from '../state/failed-reads.js';
import type { OpenRevocations } from '../state/open-revocations.js';
import type { RevocationWindow } from '../state/revocation-window.js';
import type { WorldState } from '../state/world-state.js';

export { stampOf } from '../apply/deps.js';

/** The dependencies of what reads identity providers. */
interface DirectoriesDeps {
  /** By provider name. */
  readonly directories: ReadonlyMap<string, Directory>;
}

/** The dependencies of plans of ACL objects without their write. */
export interface AclPlanDeps extends AclReadDeps, Pick<ApplyDeps, 'clock' | 'logger' | 'metrics'> {}

/** The dependencies of the read of group members. */
export interface MembersDeps extends AclPlanDeps, DirectoriesDeps {}

/** The dependencies of writes of ACL objects, and of their recovery. */
export interface AclWriteDeps extends AclDeps, AclReadDeps {
  readonly consul: AclDeps['consul'];
  readonly world: WorldState;
}

/** The dependencies of writes of ACL objects that the mass guard counts. */
export interface CountedDeps extends AclWriteDeps {
  readonly window: RevocationWindow;
}

/** The dependencies of the complete comparison of ACL objects. */
export interface AclSweepDeps extends ClientAclDeps {
  readonly journal: AclDeps['journal'] & Pick<Journal, 'overview' | 'readAll'>;
  readonly queue: Pick<FollowUps, 'add'>;
}

/** The dependencies of the guards. */
export interface GuardDeps {
  readonly world: WorldState;
  readonly acl: AclDeps['acl'];
  readonly clock: Clock;
  readonly window: RevocationWindow;
  readonly journal: AclDeps['journal'];
  readonly keyValues: KeyValueStore;
  readonly contention: Contention;
  readonly space: Pick<StoreSpace, 'isLow'>;
}

/** The dependencies of the jobs of a client's, or of people's, ACL objects. */
export interface AclJobDeps extends CountedDeps, GuardDeps, HoldDeps {
  readonly contention: Contention;
  readonly journal: AclDeps['journal'];
}

/** The dependencies of the job of a client's ACL objects. */
export interface ClientAclDeps extends AclJobDeps {
  /** Starts a complete comparison early. */
  readonly askForSweep: () => void;
}

/** The dependencies of the job of a provider's people. */
export interface PeopleDeps extends AclJobDeps, DirectoriesDeps {
  readonly queue: Pick<FollowUps, 'add'>;
}

/** The dependencies of the job of a jwt-provider entry. */
export interface JwtProviderDeps extends ReadDeps, GuardDeps, HoldDeps {
  readonly journal: Pick<Journal, 'read' | 'record' | 'settle'>;
  readonly queue: Pick<FollowUps, 'add'>;
}

/** The dependencies of the jobs about a provider, beside the read of its directory. */
export interface ProviderDeps extends PeopleDeps, JwtProviderDeps {
  readonly consul: Consul;
}

/** The dependencies of the job of a destination. */
export interface DestinationDeps extends PlanWriteDeps, GuardDeps, HoldDeps, DirectoriesDeps {
  /** Of single clients. */
  readonly clientReads: ReadsUnderWay;
  readonly consul: Pick<Consul, 'claims' | 'intentions' | 'jwtProviders' | 'manifests'>;
  readonly journal: Journal;
  readonly queue: Pick<FollowUps, 'add' | 'note' | 'addLater' | 'late'>;
  readonly contention: Contention;
  readonly revocations: OpenRevocations;
}

/** The dependencies of the claims on a client. */
export interface ClaimDeps extends TargetDeps, HoldDeps, GuardDeps {
  readonly journal: Pick<Journal, 'read' | 'record' | 'settle'>;
  readonly queue: Pick<FollowUps, 'add'>;
}

/** The dependencies of the job of a client. */
export interface ClientDeps extends ClientAclDeps, ClaimDeps, OperatorDeps, DirectoriesDeps {
  /** Of single clients. */
  readonly clientReads: ReadsUnderWay;
  readonly consul: Consul;
  readonly journal: Journal;
  readonly queue: Pick<FollowUps, 'add' | 'note'>;
}

/** The dependencies of the holds of records that cannot be read. */
export interface UnreadableDeps extends HoldDeps {
  readonly journal: Pick<Journal, 'read' | 'record' | 'settle'>;
}

/** The dependencies of what follows from a complete read of a directory. */
export interface ReachedDeps extends AclPlanDeps {
  readonly journal: Pick<Journal, 'overview'>;
  readonly queue: Pick<FollowUps, 'add' | 'note'>;
}

/** The dependencies of the complete read of a directory. */
export interface DirectoryDeps
  extends DirectoriesDeps,
    ReachedDeps,
    UnreadableDeps,
    Pick<ReadDeps, 'jwksUris'> {
  readonly reads: FailedReads;
  readonly journal: Journal;
  readonly keyValues: KeyValueStore;
  /** What events reported and no job has settled. */
  readonly inbox: Pick<Inbox, 'unsettled'>;
  readonly askForSweep: () => void;
}

/** The dependencies of the complete comparison. */
export interface SweepDeps extends ReadDeps, AclSweepDeps {
  readonly rulingTurns: OperatorDeps['rulingTurns'];
  readonly consul: Consul;
  readonly journal: Journal;
  readonly queue: Pick<FollowUps, 'add' | 'sees'>;
}

/** The dependencies of a read of both sides. */
export interface CurrentStateDeps extends ReadDeps, DirectoriesDeps {
  /** Absent without a store: then Consul alone says which clients are in quarantine. */
  readonly journal?: Journal;
}

/** The dependencies of the start of a term. */
export interface PrepareDeps extends OperatorDeps, ReadDeps {
  readonly reads: FailedReads;
  readonly space: Pick<StoreSpace, 'isLow'>;
  /** Names the configured decision log, so that a change to another one is noticed. */
  readonly logName: string;
}

/** The dependencies of all jobs: ports, never adapters. */
export interface ReconcilerDeps
  extends AdoptionDeps,
    ClientDeps,
    DirectoryDeps,
    PrepareDeps,
    ProviderDeps,
    SweepDeps {
  readonly consul: Consul;
  readonly contention: Contention;
  readonly journal: Journal;
  /** What follows from a job. */
  readonly queue: FollowUps;
  readonly revocations: OpenRevocations;
}

/** For callers that plan everything themselves. */
export const NO_FOLLOW_UPS: ReconcilerDeps['queue'] = {
  add: async () => {},
  note() {},
  addLater() {},
  late: () => [],
  sees: () => false,
};
