import type { Proof } from '../acl/plan/desired-client.js';
import { groupInToken } from '../acl/plan/desired-people.js';
import { expectedValue } from '../acl/plan/login.js';
import type { ClassifiedKind } from '../model/actor.js';
import type { ClaimPath, GroupRules, LoginProvider } from '../model/login.js';

/** A condition on the access token with which a client or a person logs in to Consul. */
export interface TokenClaim {
  /** The claim's name; the names on the way to it are joined by dots. */
  readonly claim: string;
  readonly must: 'equal' | 'be present and not equal' | 'contain' | 'be absent' | 'be absent or contain';
  /** Null if the claim must be absent. */
  readonly value: string | null;
}

/**
 * What the auth method and the binding rule of a person check, besides the group, the signature and `exp`.
 * `acl/plan/desired-people.ts` writes the selector.
 */
export function personClaims(provider: LoginProvider, subject: string): readonly TokenClaim[] {
  return [
    ...methodClaims(provider),
    equal(provider.claims.subject, subject),
    personClaim(provider),
    { claim: 'act', must: 'be absent', value: null },
  ];
}

/**
 * What the auth method and the binding rule of a client check, besides the signature and `exp`. `acl/plan/desired-client.ts`
 * writes the selector.
 */
export function clientClaims(
  provider: LoginProvider,
  clientId: string,
  actorKind: ClassifiedKind,
  proof: Proof,
): readonly TokenClaim[] {
  const { claims, ownToken } = provider;
  const conditions = [...methodClaims(provider), equal(claims.client, clientId)];
  if (proof === 'own' && ownToken !== undefined)
    conditions.push(equal(ownToken.claim, expectedValue(ownToken, clientId)));
  if (proof === 'delegated')
    conditions.push(
      equal(['act', 'sub'], clientId),
      { claim: nameOf(claims.subject), must: 'be present and not equal', value: clientId },
      ...(actorKind === 'agent' ? [mayContain('act.sub_profile', 'ai_agent')] : []),
      personClaim(provider),
    );
  return conditions;
}

/** What each auth method checks. */
function methodClaims({ issuer, audience }: LoginProvider): readonly TokenClaim[] {
  return [
    { claim: 'iss', must: 'equal', value: issuer },
    { claim: 'aud', must: 'contain', value: audience ?? '' },
  ];
}

/** That the subject is a person. */
function personClaim({ person }: LoginProvider): TokenClaim {
  return person === undefined ? mayContain('sub_profile', 'user') : equal(person.claim, person.equals);
}

function equal(path: ClaimPath, value: string): TokenClaim {
  return { claim: nameOf(path), must: 'equal', value };
}

function mayContain(claim: string, value: string): TokenClaim {
  return { claim, must: 'be absent or contain', value };
}

/** What the token of a member must have for one group. */
export function groupClaim(rule: GroupRules, provider: LoginProvider): TokenClaim {
  const { claim, name } = groupInToken(rule, provider);
  return { claim: nameOf(claim), must: 'contain', value: name };
}

/** `groups must contain "platform-oncall"`. */
export function claimText({ claim, must, value }: TokenClaim): string {
  return `${claim} must ${must}${value === null ? '' : ` ${JSON.stringify(value)}`}`;
}

/** A setting of the provider that changes the group's name in the token; undefined if no setting does. */
export function groupHint(kind: string, rule: GroupRules): string | undefined {
  if (kind !== 'keycloak' || rule.inToken !== undefined || rule.group.includes('/')) return undefined;
  return `Keycloak's group mapper writes "/${rule.group}" while "Full group path" is on; then name the group "/${rule.group}" under groups, or turn that off`;
}

function nameOf(path: ClaimPath): string {
  return path.join('.');
}
