import type { HoldDeps } from '../apply/deps.js';
import type { Directory } from '../identity/directory.js';
import type { AdoptionDeps } from '../operator/deps.js';
import type { FollowUps } from '../queue/follow-ups.js';
import type { Inbox } from '../queue/inbox.js';
import type { Journal } from '../queue/journal.js';
import type { ReadDeps } from '../read/deps.js';
import type { ReadsUnderWay } from '../read/reads-under-way.js';
import type { OpenRevocations } from '../state/open-revocations.js';

export { stampOf } from '../apply/deps.js';

/** The dependencies of the jobs: ports, never adapters. Each part of a job names what it needs of them. */
export interface ReconcilerDeps extends ReadDeps, HoldDeps, AdoptionDeps {
  readonly consul: AdoptionDeps['consul'];
  readonly world: AdoptionDeps['world'];
  readonly journal: Journal;
  /** By provider name. */
  readonly directories: ReadonlyMap<string, Directory>;
  /** What follows from a job. */
  readonly queue: FollowUps;
  /** What events reported and no job has settled. */
  readonly inbox: Pick<Inbox, 'unsettled'>;
  readonly revocations: OpenRevocations;
  /** Of single clients. */
  readonly clientReads: ReadsUnderWay;
}

/** For callers that plan everything themselves. */
export const NO_FOLLOW_UPS: ReconcilerDeps['queue'] = {
  add: async () => {},
  note() {},
  addLater() {},
  late: () => [],
  isReady: () => false,
};
