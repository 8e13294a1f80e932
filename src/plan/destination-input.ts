import type { BreakGlass } from '../model/break-glass.js';
import type { Protocol } from '../model/catalog.js';
import type { ChangeReason } from '../model/decision.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { ExistingJwtProvider } from '../model/jwt-provider.js';
import type { Mapping } from '../model/rule.js';
import type { Deny } from '../model/ruling.js';
import type { Evidence } from '../model/trigger.js';
import type { ClaimStatus } from './claim-status.js';
import type { DestinationSources } from './destination-sources.js';
import type { ClientOpenings } from './openings.js';
import type { World } from './world.js';

/** Why an edge opens: the identity provider granted a scope, a service claimed a client, or the mapping changed. */
export type GrantReason = Extract<ChangeReason, 'ScopeGranted' | 'ClaimAdded' | 'MappingChanged'>;

/** Everything that the plan of one destination depends on. */
export interface DestinationInput {
  readonly destination: ServiceName;
  readonly mapping: Mapping;
  readonly world: World;
  /** The claim status of every service, by `serviceText`. */
  readonly claimStatuses: ReadonlyMap<string, ClaimStatus>;
  /** What each client opens, by `clientText`; absent for a client that does not exist. */
  readonly openings: ReadonlyMap<string, ClientOpenings>;
  /** `sourcesByDestination` of `claimStatuses` and `openings`. */
  readonly sourcesByDestination: ReadonlyMap<string, DestinationSources>;
  readonly entry: IntentionEntry | undefined;
  /** The entry of destination `*`, which applies if an exact intention is missing. */
  readonly wildcard: IntentionEntry | undefined;
  readonly protocol: Protocol;
  readonly userTokens: UserTokenFacts;
  readonly breakGlass: BreakGlassFacts;
  readonly denies: DenyFacts;
  /** `toLastAppliedText` by subject: the records of what scopemesh wrote. */
  readonly lastApplied: ReadonlyMap<string, string>;
  /** Where the records are unknown: the subjects of marked edges that are known to have none. All others count as owned. */
  readonly unrecorded: ReadonlySet<string> | undefined;
  readonly evidence: readonly Evidence[];
  /** `openingReasons` of the holds of the last plan. */
  readonly openingReasons: ReadonlyMap<string, ChangeReason>;
  /** The reason of changes that only widen, by the cause of the job. */
  readonly grantReason: GrantReason;
}

/** The break-glass grants of a destination in any state, and the time by which they end. */
export interface BreakGlassFacts {
  readonly grants: readonly BreakGlass[];
  readonly now: number;
}

/** The denies of a destination, ended ones too, and the time by which they end. */
export interface DenyFacts {
  readonly rulings: readonly Deny[];
  readonly now: number;
}

/** The facts about Consul and the providers that are needed before a user's token can be required. */
export interface UserTokenFacts {
  /** As the agent reports it; undefined until then. */
  readonly consulVersion: string | undefined;
  /** Versions of agents whose proxies would allow a call without the token; undefined until they are known. */
  readonly laxAgents: readonly string[] | undefined;
  /** By provider, from its discovery document; absent until the document was read. */
  readonly jwksUris: ReadonlyMap<string, string>;
  /** The jwt-provider entries by lower-case name, because Consul ignores case; undefined until they were read. */
  readonly entries: ReadonlyMap<string, ExistingJwtProvider> | undefined;
  /**
   * The lower-case names of the services that terminating gateways enforce, `*` for every one; undefined until they are
   * known, and after a failed read.
   */
  readonly behindGateways: ReadonlySet<string> | undefined;
}

export const NO_USER_TOKEN_FACTS: UserTokenFacts = {
  consulVersion: undefined,
  laxAgents: undefined,
  jwksUris: new Map(),
  entries: undefined,
  behindGateways: undefined,
};
