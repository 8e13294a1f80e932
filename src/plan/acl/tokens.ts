import type { AclSnapshot, AclToken } from '../../model/acl.js';
import { isUnlimited } from './diff-methods.js';
import { hasOurName, isOurs } from './quote.js';

/** Seconds by which Consul's own rounding may lengthen a token's life. */
const ROUNDING_SECONDS = 1;

/**
 * Which of the tokens that a step found are to end, by accessor, sorted; all of ours where nothing is asked for. A token
 * that somebody else's auth method gave is theirs, also where it has a role of ours.
 */
export function tokensToEnd(
  tokens: readonly AclToken[],
  owner: string,
  asked: {
    /** Only those that were given a longer life; one without an end has. */
    readonly longerThanSeconds?: number;
    /** Only those issued before this instant (milliseconds since the epoch): a session ended. */
    readonly issuedBefore?: number;
  } = {},
): readonly string[] {
  return (
    tokens
      .filter(({ authMethod }) => authMethod !== undefined && hasOurName(owner, authMethod))
      .filter(
        (token) =>
          asked.longerThanSeconds === undefined || lifeOf(token) > asked.longerThanSeconds + ROUNDING_SECONDS,
      )
      // What cannot be read as an instant was issued before any.
      .filter(
        (token) => asked.issuedBefore === undefined || !(Date.parse(token.createdAt) >= asked.issuedBefore),
      )
      .map((token) => token.accessorId)
      .toSorted()
  );
}

/**
 * Tokens from our auth methods that no login would give any more: their method is gone, they have nothing (Consul drops
 * a deleted role from them and leaves the token), a role that no rule of their method binds, or a longer life than their
 * method gives. Those of a method that lacks our mark are never named. Read the tokens before the snapshot, or a fresh login looks like one of them.
 */
export function orphans(
  tokens: readonly AclToken[],
  owner: string,
  snapshot: Pick<AclSnapshot, 'authMethods' | 'bindingRules' | 'otherMethods'>,
): readonly string[] {
  const methods = new Map(snapshot.authMethods.map(({ object }) => [object.name.toLowerCase(), object]));
  const others = new Set(snapshot.otherMethods?.map((name) => name.toLowerCase()));
  const bound = new Set(
    snapshot.bindingRules.map(({ object }) => grantKey(object.authMethod, object.bindName)),
  );
  return tokens
    .filter((token) => {
      const { authMethod } = token;
      if (authMethod === undefined || !hasOurName(owner, authMethod)) return false;
      const method = methods.get(authMethod.toLowerCase());
      if (method === undefined) return !others.has(authMethod.toLowerCase());
      if (!isOurs(owner, method.name, method.description)) return false;
      const { maxTokenTtlSeconds } = method;
      if (!isUnlimited(maxTokenTtlSeconds) && lifeOf(token) > maxTokenTtlSeconds + ROUNDING_SECONDS)
        return true;
      const isWorthless =
        token.roles.length === 0 &&
        token.policies.length === 0 &&
        token.serviceIdentities.length === 0 &&
        token.nodeIdentities.length === 0 &&
        token.templatedPolicies.length === 0;
      return isWorthless || token.roles.some((role) => !bound.has(grantKey(authMethod, role)));
    })
    .map((token) => token.accessorId)
    .toSorted();
}

function grantKey(authMethod: string, role: string): string {
  return JSON.stringify([authMethod.toLowerCase(), role.toLowerCase()]);
}

/** Seconds between a token's issue and its end. */
function lifeOf(token: AclToken): number {
  if (token.expiresAt === undefined) return Number.POSITIVE_INFINITY;
  const seconds = (Date.parse(token.expiresAt) - Date.parse(token.createdAt)) / 1000;
  return Number.isNaN(seconds) ? Number.POSITIVE_INFINITY : seconds;
}
