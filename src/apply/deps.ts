import { type Clock, isoInstant } from '../clock.js';
import type { Consul } from '../consul/consul.js';
import type { Stamp } from '../model/plain-decision.js';
import type { Logger, Metrics } from '../observe.js';
import type { Journal } from '../queue/journal.js';
import type { WorldState } from '../state/world-state.js';

/** The dependencies of every journaled write. */
export interface ApplyDeps {
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

export function stampOf({ source, newId, clock, world }: StampDeps): Stamp {
  return {
    source,
    mappingRevision: world.mapping.revision,
    newId,
    time: isoInstant(clock),
  };
}
