import type { AclState } from '../apply/acl/acl-state.js';
import { type Clock, isoInstant } from '../clock.js';
import type { Consul } from '../consul/consul.js';
import type { Directory } from '../identity/directory.js';
import type { Cause, Principal } from '../model/cause.js';
import type { Logger, Metrics } from '../observe.js';
import type { FollowUps } from '../queue/follow-ups.js';
import type { Inbox } from '../queue/inbox.js';
import type { Journal } from '../queue/journal.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { StoreSpace } from '../queue/store-space.js';
import type { Contention } from '../state/contention.js';
import type { HoldBudget } from '../state/hold-budget.js';
import type { KeyedMutex } from '../state/mutex.js';
import type { OpenRevocations } from '../state/open-revocations.js';
import type { RevocationWindow } from '../state/revocation-window.js';
import type { WorldState } from '../state/world-state.js';
import type { AskedAdoptions } from './asked-adoptions.js';

export { stampOf } from '../apply/deps.js';

/** The dependencies of the reconciler: ports, never adapters. */
export interface ReconcilerDeps {
  readonly consul: Consul;
  /** By provider name. */
  readonly directories: ReadonlyMap<string, Directory>;
  /** How the address of a provider's keys is read, by provider name; throws as a directory does. */
  readonly jwksUris: ReadonlyMap<string, (signal: AbortSignal) => Promise<string>>;
  /** What follows from a job. */
  readonly queue: FollowUps;
  /** What events reported and no job has settled. */
  readonly inbox: Pick<Inbox, 'unsettled'>;
  readonly journal: Journal;
  readonly keyValues: KeyValueStore;
  readonly space: Pick<StoreSpace, 'isLow'>;
  readonly world: WorldState;
  readonly acl: AclState;
  readonly window: RevocationWindow;
  readonly revocations: OpenRevocations;
  readonly contention: Contention;
  readonly claimHolds: HoldBudget;
  /** Of `MarkUnrecorded`, by destination. */
  readonly markHolds: HoldBudget;
  readonly adoptions: AskedAdoptions;
  /** One approval of a subject at a time. */
  readonly approvals: KeyedMutex;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** `scopemesh/<owner>/<replica>`. */
  readonly source: string;
  readonly newId: () => string;
  /** Called after every settlement, so that the relay publishes it at once. */
  readonly onSettled: () => void;
  /** Starts a complete comparison with Consul early. */
  readonly askForSweep: () => void;
}

/** The cause of what a person does now. */
export function commandOf(principal: Principal, { clock }: Pick<ReconcilerDeps, 'clock'>): Cause {
  return { kind: 'command', receivedAt: isoInstant(clock), principal };
}

/** For callers that plan everything themselves. */
export const NO_FOLLOW_UPS: ReconcilerDeps['queue'] = {
  add: async () => {},
  note() {},
  addLater() {},
  late: () => [],
  isReady: () => false,
};
