import type { Grant, OAuthClient } from '../../model/client.js';
import type { ChangeReason } from '../../model/decision.js';
import type { ClaimStatus } from '../../plan/claim-status.js';
import { namesOf, sameGrant } from '../../plan/grant-text.js';
import type { PlannedClient } from '../../plan/plan.js';
import { type ClientBlock, clientText } from '../../plan/world.js';
import type { AclChangeContext } from './acl-change.js';
import type { DesiredClient } from './desired-client.js';

/** The facts about a client whose ACL objects lose something. */
export interface ClientRevocationFacts {
  readonly id: PlannedClient;
  readonly clientBlock: ClientBlock | undefined;
  /** The current record in the directory; undefined if a complete read does not show it. */
  readonly client: OAuthClient | undefined;
  readonly now: DesiredClient | undefined;
  /** The recorded scopes that opened the existing objects; undefined if unknown. */
  readonly had: readonly Grant[] | undefined;
  /** The services whose identity the client loses. */
  readonly lostServices: readonly ClaimStatus[];
  /** Its kind must act for a human, so it gets no service identity. */
  readonly needsHuman: boolean;
  /** Its tokens must prove something else than before, only because of its kind. */
  readonly changesProof: boolean;
  /** An event named the client. */
  readonly isNamed: boolean;
  readonly namedScopes: readonly Grant[];
  /** `MappingChanged` if a new configuration file caused the plan. */
  readonly grantReason: ChangeReason;
}

/**
 * | observed | reason | explicit? |
 * |---|---|---|
 * | an order closed the client | the order's | yes |
 * | the client is missing | `ClientDeleted` | if an event named it |
 * | the client is read as disabled | `ClientDisabled` | yes |
 * | scopes are missing | `ScopeRevoked` | if an event named the client, or each of the scopes |
 * | its kind may not use a scope it has | `ActorLimited` | if an event named it or the file changed |
 * | its kind may not have the identity of a service that claims it | `ActorLimited` | if an event named it or the file changed |
 * | a service has no instance left | `ClaimRemoved` | no, unless a new configuration ended its first login |
 * | a service no longer claims it | `ClaimRemoved` | yes; if the claim is only no longer confirmed: if an event named the client |
 * | tokens of its kind must prove something else | `ActorLimited` | if an event named it or the file changed |
 * | anything else | `MappingChanged` | yes |
 */
export function clientRevocationCause(facts: ClientRevocationFacts): AclChangeContext {
  const { id, client, had: grants = [] } = facts;
  const had = namesOf(grants);
  const because = (
    reason: AclChangeContext['reason'],
    isInferred: boolean,
    scopes: readonly string[] = had,
  ): AclChangeContext => ({ reason, isInferred, client: id, scopes });
  if (facts.clientBlock !== undefined) return because(facts.clientBlock, false);
  if (client === undefined) return because('ClientDeleted', !facts.isNamed);
  if (!client.enabled) return because('ClientDisabled', false);
  const isAmong = (list: readonly Grant[], grant: Grant) => list.some((each) => sameGrant(each, grant));
  const lost = grants.filter((grant) => !isAmong(client.grants, grant));
  if (lost.length > 0) {
    const areNamed = lost.every((grant) => isAmong(facts.namedScopes, grant));
    return because('ScopeRevoked', !facts.isNamed && !areNamed, namesOf(lost));
  }
  // The kind of a client comes from the same read: a client that lost attributes or grant types changes it silently.
  const isSilent = !facts.isNamed && facts.grantReason !== 'MappingChanged';
  const limited = had.filter((scope) => facts.now?.limited.includes(scope) ?? false);
  if (limited.length > 0) return because('ActorLimited', isSilent, limited);
  if (facts.lostServices.length > 0) {
    const isInferred = facts.lostServices.some(
      (claimStatus) =>
        (claimStatus.kind === 'none' && claimStatus.vanished) ||
        (claimStatus.kind === 'refused' && claimStatus.reason === 'ClaimUnconfirmed' && !facts.isNamed),
    );
    const stillClaim = facts.lostServices.some(
      (claimStatus) => claimStatus.kind === 'claimed' && clientText(claimStatus.client) === clientText(id),
    );
    if (facts.needsHuman && stillClaim) return because('ActorLimited', isSilent || isInferred, []);
    return because('ClaimRemoved', isInferred, []);
  }
  // It is not recorded what opened the objects, so the client may have lost scopes.
  if (facts.had === undefined) return because('ScopeRevoked', !facts.isNamed, []);
  const unopened = had.filter((scope) => !(facts.now?.scopes.includes(scope) ?? false));
  return facts.changesProof
    ? because('ActorLimited', isSilent, unopened)
    : because('MappingChanged', false, unopened);
}
