import type { Grant } from '../model/client.js';
import type { ChangeReason } from '../model/decision.js';
import type { ClaimStatus } from './claim-status.js';
import type { DestinationInput } from './destination-input.js';
import { namedScopes, namesOf, sameGrant } from './grant-text.js';
import type { LastApplied } from './last-applied.js';
import { destinationsOfScope } from './openings.js';
import type { ActualAccess } from './plan.js';
import { type ClientId, clientText, findClient } from './world.js';

/** Why an edge loses access, and whether that is only inferred from a read. */
export interface RevocationCause {
  readonly reason: ChangeReason;
  readonly scopes: readonly string[];
  readonly isInferred: boolean;
}

/**
 * | observed | reason | explicit? |
 * |---|---|---|
 * | an order closed the client | the order's | yes |
 * | instances without the tag | `ClaimRemoved` | yes |
 * | no instance left | `ClaimRemoved` | no, unless the client itself is disabled or deleted |
 * | the service claims another client now | `ClaimRemoved` | yes |
 * | another service recorded the claim | `ClaimRemoved` | yes |
 * | the client no longer names the service | `ClaimRemoved` | if an event named the client |
 * | the client is read as disabled | `ClientDisabled` | yes |
 * | the client is missing | `ClientDeleted` | if an event named the client |
 * | the destination is protected | `ProtectedService` | yes |
 * | the client still has every scope that opened the edge | `MappingChanged` | yes |
 * | the same, but its kind may not use them, or now must act for a human | `ActorLimited` | if an event named it or the file changed |
 * | scopes are missing | `ScopeRevoked` | if an event named the client, or each of the scopes |
 * | a scope exists only at another API than the one that opened the edge | `ScopeRevoked` | likewise: the read may have lost the API |
 * | the provider is no longer configured | `MappingChanged` | yes |
 */
export function revocationCause(facts: {
  readonly claimStatus: ClaimStatus;
  readonly lastApplied: LastApplied | undefined;
  /** The client that the edge's Description names. */
  readonly former: ClientId | undefined;
  readonly desiredScopes: readonly string[];
  /** The access in Consul. */
  readonly current: ActualAccess;
  readonly input: DestinationInput;
}): RevocationCause {
  const { claimStatus, lastApplied, input } = facts;
  const opened = lastApplied?.grants ?? [];
  // As in openings: names of config entries are case-insensitive.
  const destination = input.destination.name.toLowerCase();
  const before = namesOf(opened);
  const because = (
    reason: ChangeReason,
    isInferred: boolean,
    scopes: readonly string[] = before,
  ): RevocationCause => ({ reason, scopes, isInferred });
  const id = claimStatus.kind === 'none' ? facts.former : claimStatus.client;
  const hasVanished = claimStatus.kind === 'none' && claimStatus.vanished;
  if (id === undefined) return because('ClaimRemoved', hasVanished);
  const closing = claimStatus.kind === 'unknown' ? [id, facts.former] : [id];
  const block = closing
    .map((each) => each && input.world.clientBlocks.get(clientText(each)))
    .find((each) => each !== undefined);
  if (block !== undefined) return because(block, false);
  const hasLeft =
    (claimStatus.kind === 'none' && !claimStatus.vanished) ||
    (facts.former !== undefined && clientText(facts.former) !== clientText(id)) ||
    (claimStatus.kind === 'refused' && claimStatus.reason !== 'ClaimUnconfirmed') ||
    (facts.former === undefined && !input.mapping.providers.includes(id.provider));
  if (hasLeft) return because('ClaimRemoved', false);
  const isNamed = input.evidence.some(
    (each) => each.provider === id.provider && (each.clients?.includes(id.clientId) ?? false),
  );
  const client = findClient(input.world, id);
  if (claimStatus.kind === 'none' && client?.enabled !== false && !(client === undefined && isNamed))
    return because('ClaimRemoved', true);
  if (facts.former !== undefined && !input.mapping.providers.includes(facts.former.provider))
    return because('MappingChanged', false);
  if (client === undefined) return because('ClientDeleted', !isNamed);
  if (!client.enabled) return because('ClientDisabled', false);
  if (claimStatus.kind === 'refused') return because('ClaimRemoved', !isNamed);
  if (input.mapping.protectedServices.includes(destination)) return because('ProtectedService', false);

  const has = (grant: Grant) => client.grants.some((each) => sameGrant(each, grant));
  const lost = opened.filter((grant) => !has(grant));
  if (before.length > 0 && lost.length === 0) {
    const { limited = [], openings = [] } = input.openings.get(clientText(id)) ?? {};
    const needsHuman = openings.some(
      (opening) => opening.destination === destination && opening.user?.actsForHuman,
    );
    const isLimited =
      before.some((scope) => limited.includes(scope)) || (needsHuman && !asksForActor(facts.current));
    // The kind of a client comes from the same read: a client that lost attributes or grant types changes it silently.
    const isInferred = isLimited && !isNamed && input.grantReason !== 'MappingChanged';
    const scopes = before.filter((scope) => !facts.desiredScopes.includes(scope));
    return because(isLimited ? 'ActorLimited' : 'MappingChanged', isInferred, scopes);
  }
  const named = input.evidence.filter(({ provider }) => provider === id.provider).flatMap(namedScopes);
  const reaches = (scope: Grant) => destinationsOfScope(id.provider, scope, input.mapping).has(destination);
  // Evidence about one scope says nothing about another scope that was lost at the same time, nor about a scope of that
  // name at another API. If it is not recorded what opened the edge, any named scope that could have opened it counts.
  const areNamed =
    lost.length > 0
      ? lost.every((scope) => named.some((each) => sameGrant(each, scope)))
      : named.some((scope) => !has(scope) && reaches(scope));
  return because('ScopeRevoked', !isNamed && !areNamed, namesOf(lost));
}

/** Whether every request already must show the actor (`act.sub`). */
function asksForActor(access: ActualAccess): boolean {
  return (
    access?.kind === 'http' &&
    access.permissions.every(({ jwt }) => jwt?.verifyClaims.some(({ path }) => path.join('/') === 'act/sub'))
  );
}
