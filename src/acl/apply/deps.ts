import type { ApplyDeps, StampDeps } from '../../apply/deps.js';
import type { Consul } from '../../consul/consul.js';
import type { OAuthClient } from '../../model/client.js';
import type { Mapping } from '../../model/rule.js';
import type { ClientId } from '../../plan/world.js';
import type { Journal } from '../../queue/journal.js';
import type { KeyValueStore } from '../../queue/key-value-store.js';
import type { AclState } from './acl-state.js';
import type { WritePlaces } from './write-places.js';

/** The dependencies of writes of ACL objects. */
export interface AclDeps extends ApplyDeps, StampDeps {
  readonly clock: ApplyDeps['clock'];
  readonly journal: Pick<Journal, 'read' | 'record' | 'settle'>;
  readonly consul: Pick<Consul, 'acl' | 'inspect'>;
  readonly keyValues: KeyValueStore;
  readonly world: {
    readonly mapping: Mapping;
    beginRead(): number;
    client(id: ClientId): OAuthClient | undefined;
  };
  readonly acl: AclState;
  readonly writePlaces: Pick<WritePlaces, 'run'>;
  /** Notes the correction of an object that another writer changed. */
  readonly contention: { corrected(subject: string, now: number): void };
}
