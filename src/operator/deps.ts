import type { AclDeps } from '../acl/apply/deps.js';
import type { ApplyDeps, PlanWriteDeps } from '../apply/deps.js';
import { type Clock, isoInstant } from '../clock.js';
import type { Consul } from '../consul/consul.js';
import type { Cause, Principal } from '../model/cause.js';
import type { FollowUps } from '../queue/follow-ups.js';
import type { Journal } from '../queue/journal.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { Contention } from '../state/contention.js';
import type { KeyedMutex } from '../state/mutex.js';
import type { RevocationWindow } from '../state/revocation-window.js';
import type { WorldState } from '../state/world-state.js';
import type { RequestedAdoptions } from './requested-adoptions.js';

export { stampOf } from '../apply/deps.js';

/** The dependencies of what people decide. */
export interface OperatorDeps extends ApplyDeps {
  readonly consul: Consul;
  readonly queue: Pick<FollowUps, 'add'>;
  readonly journal: Journal;
  readonly keyValues: KeyValueStore;
  readonly world: WorldState;
  readonly acl: AclDeps['acl'];
  readonly writePlaces: AclDeps['writePlaces'];
  readonly window: RevocationWindow;
  readonly contention: Contention;
  /** One change of the rulings of a kind, and one approval of a subject, at a time. */
  readonly rulingTurns: KeyedMutex;
  /** `scopemesh/<owner>/<replica>`. */
  readonly source: string;
  readonly newId: () => string;
  /** Starts a complete comparison with Consul early. */
  readonly askForSweep: () => void;
}

/** The dependencies of the adoptions, which jobs carry out. */
export interface AdoptionDeps extends OperatorDeps, PlanWriteDeps {
  readonly consul: Consul;
  readonly queue: Pick<FollowUps, 'add' | 'late'>;
  readonly journal: Journal;
  readonly adoptions: RequestedAdoptions;
}

/** The cause of what a person does now. */
export function commandOf(principal: Principal, { clock }: { readonly clock: Pick<Clock, 'now'> }): Cause {
  return { kind: 'command', receivedAt: isoInstant(clock), principal };
}
