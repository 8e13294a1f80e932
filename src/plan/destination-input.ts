import type { Protocol } from '../model/catalog.js';
import type { ChangeReason } from '../model/decision.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import type { Evidence } from '../model/trigger.js';
import type { ClaimStanding } from './claims.js';
import type { ClientOpenings } from './openings.js';
import type { UserTokenFacts } from './user-tokens.js';
import type { Wanters } from './wanters.js';
import type { World } from './world.js';

/** Everything the plan of one destination looks at. */
export interface DestinationInput {
  readonly destination: ServiceName;
  readonly mapping: Mapping;
  readonly world: World;
  /** Standing of every service, by `serviceText`. */
  readonly standings: ReadonlyMap<string, ClaimStanding>;
  /** What each client opens, by `clientText`; absent for a client that does not exist. */
  readonly openings: ReadonlyMap<string, ClientOpenings>;
  /** `wantersOf` the two. */
  readonly wanters: ReadonlyMap<string, Wanters>;
  readonly entry: IntentionEntry | undefined;
  /** The entry of destination `*`, for what would take over. */
  readonly wildcard: IntentionEntry | undefined;
  readonly protocol: Protocol;
  readonly userTokens: UserTokenFacts;
  /** `toWrittenText` by subject. */
  readonly lastWritten: ReadonlyMap<string, string>;
  readonly evidence: readonly Evidence[];
  /** What a change is called that only widens, by what set the job off. */
  readonly grantReason: Extract<ChangeReason, 'ScopeGranted' | 'ClaimAdded' | 'MappingChanged'>;
}
