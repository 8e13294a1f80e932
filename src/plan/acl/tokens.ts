import type { AclBindType, AclSnapshot, AclToken } from '../../model/acl.js';
import { isUnlimited } from './diff-methods.js';
import { hasOurName, isOurs } from './object-names.js';

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
 * a deleted role from them and leaves the token), a role or anything else that no rule of their method gives, or a longer
 * life than their method gives. Those of a method that lacks our mark are never named. Read the tokens before the
 * snapshot, or a fresh login looks like one of them.
 */
export function orphans(
  tokens: readonly AclToken[],
  owner: string,
  snapshot: Pick<AclSnapshot, 'authMethods' | 'bindingRules' | 'otherMethods'>,
): readonly string[] {
  const methods = new Map(snapshot.authMethods.map(({ object }) => [object.name.toLowerCase(), object]));
  const others = new Set(snapshot.otherMethods?.map((name) => name.toLowerCase()));
  const given = new Set(
    snapshot.bindingRules.map(({ object: { authMethod, bindType, bindName } }) =>
      grantKey(authMethod, bindType, isTemplate(bindName) ? ANYTHING : bindName),
    ),
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
      const has = contentsOf(token);
      return (
        has.length === 0 ||
        has.some(([type, name]) =>
          [name, ANYTHING].every((each) => !given.has(grantKey(authMethod, type, each))),
        )
      );
    })
    .map((token) => token.accessorId)
    .toSorted();
}

/** Stands for whatever a rule of somebody's fills in from the claims. */
const ANYTHING = '';

function isTemplate(bindName: string): boolean {
  return bindName.includes('$' + '{');
}

/** What a token has, as rules give it. */
function contentsOf(token: AclToken): readonly (readonly [AclBindType, string])[] {
  const all = (type: AclBindType, names: readonly string[]) => names.map((name) => [type, name] as const);
  return [
    ...all('role', token.roles),
    ...all('policy', token.policies),
    ...all('service', token.serviceIdentities),
    // Without its datacenter, which no rule names.
    ...all(
      'node',
      token.nodeIdentities.map((each) => each.slice(each.indexOf('/') + 1)),
    ),
    ...all('templated-policy', token.templatedPolicies),
  ];
}

function grantKey(authMethod: string, type: AclBindType, name: string): string {
  return JSON.stringify([authMethod.toLowerCase(), type, name.toLowerCase()]);
}

/** Seconds between a token's issue and its end. */
function lifeOf(token: AclToken): number {
  if (token.expiresAt === undefined) return Number.POSITIVE_INFINITY;
  const seconds = (Date.parse(token.expiresAt) - Date.parse(token.createdAt)) / 1000;
  return Number.isNaN(seconds) ? Number.POSITIVE_INFINITY : seconds;
}
