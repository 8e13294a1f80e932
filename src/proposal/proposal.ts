import type { Grant } from '../model/client.js';
import type { Access, IntentionEntry, ServiceName } from '../model/intention.js';
import type { Mapping, Rule } from '../model/rule.js';
import type { EntryBlock } from '../plan/entry-block.js';
import { toGrantText } from '../plan/grant-text.js';
import type { Pattern } from '../plan/pattern.js';
import type { ClaimSettings, ClientId, World } from '../plan/world.js';

/** What scopemesh could manage of a Consul: the rules and claims to write, and what they do not explain. */
export interface Proposal {
  readonly rules: readonly ProposedRule[];
  /** One for each source whose client is known, those that count already included. */
  readonly claims: readonly ProposedClaim[];
  /** Intentions that are exactly what the scopes would open. `scopemesh adopt` takes them over. */
  readonly explained: readonly ExplainedEdge[];
  readonly unexplained: readonly UnexplainedEdge[];
  /** Scopes that a known source holds and no rule matches. */
  readonly unusedScopes: readonly UnusedScope[];
}

/**
 * Why a rule opens its destination: the scope's name or its API contains the name of the destination, or the services that
 * hold the scope are exactly the callers of the destination.
 */
export type RuleEvidence = 'name' | 'api' | 'callers';

export interface ProposedRule {
  readonly rule: Rule;
  readonly evidence: RuleEvidence;
}

/**
 * `claim`: the service claims the client now. `unconfirmed`: the same, and the client names no service, which it must with
 * `claims: confirmed`. `attribute`: the client names the service. The others are guesses. `pattern`: the name of the client
 * fits the pattern of the input. `name`: both have the same name. `token`: a static token of the service names the client.
 */
export type ClaimEvidence = 'claim' | 'unconfirmed' | 'attribute' | Guess;
export type Guess = 'pattern' | 'name' | 'token';

export interface ProposedClaim {
  readonly service: ServiceName;
  readonly client: ClientId;
  readonly evidence: ClaimEvidence;
  /** The service must register its claim. */
  readonly needsMeta: boolean;
  /** With `claims: confirmed`: the client must name the service in its attribute `consul-services`. */
  readonly needsAttribute: boolean;
  /** The identifier of the client in the API of its provider, if it has one of its own. */
  readonly internalId?: string;
  /** The services that the client names now. */
  readonly named: readonly string[];
  /** Whether the service has an instance, which can claim. */
  readonly isRegistered: boolean;
}

export interface Edge {
  readonly source: ServiceName;
  readonly destination: ServiceName;
}

export interface ExplainedEdge extends Edge {
  readonly access: Access;
  readonly client: ClientId;
  /** In the form of `toGrantText`, sorted. */
  readonly scopes: readonly string[];
  /** Why `scopemesh adopt` cannot take the intention over as it is. */
  readonly hold?: EntryBlock['reason'];
}

/** Why no scope explains an intention. docs/how-to/move-in.md says what to do about each. */
export type UnexplainedReason =
  | 'Deny'
  | 'Wildcard'
  | 'OtherCluster'
  | 'OtherPlace'
  | 'OtherInstance'
  | 'UnknownContent'
  | 'UserToken'
  | 'UnsuitableName'
  | 'ProtectedDestination'
  | 'UnknownSource'
  | 'UnclearSource'
  | 'ActorLimit'
  | 'NoScope'
  | 'WouldOpenMore'
  | 'SeveralScopes'
  | 'NotWritable'
  | 'OpensLess'
  | 'OpensMore';

export interface UnexplainedEdge extends Edge {
  readonly reason: UnexplainedReason;
  readonly detail: string;
}

export interface UnusedScope {
  readonly provider: string;
  readonly scope: Grant;
  readonly reason: 'WouldOpenMore' | 'NoDestination' | 'SeveralDestinations' | 'NotWritable' | 'Redundant';
  readonly detail: string;
}

export interface ProposalInput {
  /** Its rules stay as they are: a scope that one of them matches gets no other rule. */
  readonly mapping: Mapping;
  readonly settings: ClaimSettings;
  /** The catalog and every directory were read completely, and each client's record. */
  readonly world: World;
  readonly entries: Iterable<IntentionEntry>;
  /** Fits the ID or the name of a service's client, and captures the name of the service as `service`. */
  readonly clientPattern?: Pattern | undefined;
  /** By `serviceText`: the clients that static tokens with the identity of the service name. */
  readonly clientsByToken: ReadonlyMap<string, readonly ClientId[]>;
  /** Whether the configuration file can hold the rule. */
  readonly canWrite: (rule: Rule) => boolean;
}

/** A text under which a scope of a provider is unique. */
export function scopeText({ provider, scope }: Pick<UnusedScope, 'provider' | 'scope'>): string {
  return JSON.stringify([provider, toGrantText(scope)]);
}
