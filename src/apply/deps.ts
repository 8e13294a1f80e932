import { type Clock, isoInstant } from '../clock.js';
import type { Consul } from '../consul/consul.js';
import type { Stamp } from '../model/plain-decision.js';
import type { Logger, Metrics, Traced } from '../observe.js';
import type { FollowUps } from '../queue/follow-ups.js';
import type { Journal } from '../queue/journal.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { StoreSpace } from '../queue/store-space.js';
import type { Contention } from '../state/contention.js';
import type { Flaps, HoldBudget } from '../state/hold-budget.js';
import type { RevocationWindow } from '../state/revocation-window.js';
import type { WorldState } from '../state/world-state.js';

/** The dependencies of every journaled write. */
export interface ApplyDeps extends Traced {
  readonly journal: Pick<Journal, 'record' | 'settle'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Called after every settlement, so that the relay need not wait for its next look. */
  readonly onSettled: () => void;
}

/** The dependencies of the stamp of a decision. */
export interface StampDeps {
  /** `scopemesh/<owner>/<replica>`. */
  readonly source: string;
  readonly newId: () => string;
  readonly clock: Pick<Clock, 'now'>;
  readonly world: { readonly mapping: { readonly revision: string } };
}

/** The dependencies of a target that reads Consul itself and updates the state. */
export interface TargetDeps extends ApplyDeps {
  readonly consul: Pick<Consul, 'claims' | 'jwtProviders'>;
  readonly world: WorldState;
  /** `scopemesh/<owner>/<replica>`. */
  readonly source: string;
  readonly newId: () => string;
}

/** The dependencies of the write of a destination's plan. */
export interface PlanWriteDeps extends ApplyDeps, StampDeps {
  readonly consul: Pick<Consul, 'intentions' | 'manifests'>;
  readonly queue: Pick<FollowUps, 'late'>;
  readonly keyValues: KeyValueStore;
  readonly clock: Clock;
  readonly world: WorldState;
  readonly window: RevocationWindow;
  readonly contention: Contention;
  readonly markHolds: HoldBudget;
}

/** The dependencies of the record of what somebody else removed. */
export interface GoneDeps extends ApplyDeps, StampDeps {
  readonly clock: Clock;
  readonly world: WorldState;
}

/** The dependencies of the record of holds. */
export interface HoldDeps extends ApplyDeps, StampDeps {
  readonly space: Pick<StoreSpace, 'isLow'>;
  readonly clock: Clock;
  readonly world: WorldState;
  readonly claimHolds: HoldBudget;
  readonly flaps: Flaps;
  /** Of what follows from a mark without a record, by destination. */
  readonly markHolds: HoldBudget;
}

export function stampOf({ source, newId, clock, world }: StampDeps): Stamp {
  return {
    source,
    mappingRevision: world.mapping.revision,
    newId,
    time: isoInstant(clock),
  };
}
