import type { AclBindType, AclSnapshot, AclToken } from '../../model/acl.js';
import { hasOurName, isOurs } from '../../plan/object-names.js';
import { isUnlimited } from './diff-methods.js';

/** Seconds by which Consul's rounding may extend the lifetime of a token. */
const ROUNDING_SECONDS = 1;

/**
 * The accessor IDs of the found tokens that must end, sorted; by default all owned tokens. A token from a foreign auth
 * method is foreign, even if it has one of our roles.
 */
export function tokensToEnd(
  tokens: readonly AclToken[],
  owner: string,
  asked: {
    /** Only tokens with a longer lifetime; a token without expiry counts. */
    readonly longerThanSeconds?: number;
    /** Only tokens that were issued before this instant (milliseconds since the epoch), because a session ended. */
    readonly issuedBefore?: number;
  } = {},
): readonly string[] {
  return (
    tokens
      .filter(({ authMethod }) => authMethod !== undefined && hasOurName(owner, authMethod))
      .filter(
        (aclToken) =>
          asked.longerThanSeconds === undefined ||
          lifeOf(aclToken) > asked.longerThanSeconds + ROUNDING_SECONDS,
      )
      // An unreadable instant counts as earlier than any other.
      .filter(
        (aclToken) =>
          asked.issuedBefore === undefined || !(Date.parse(aclToken.createdAt) >= asked.issuedBefore),
      )
      .map((aclToken) => aclToken.accessorId)
      .toSorted()
  );
}

/**
 * Tokens from our auth methods that no login would issue any more: their method is gone; they have nothing (Consul removes a
 * deleted role from a token and keeps the token); they have a role or another link that no rule of their method grants; or
 * they live longer than their method allows. Tokens of a method without our mark are never included. Read the tokens
 * before the snapshot, otherwise a fresh login looks like an orphan.
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
    .filter((aclToken) => {
      const { authMethod } = aclToken;
      if (authMethod === undefined || !hasOurName(owner, authMethod)) return false;
      const method = methods.get(authMethod.toLowerCase());
      if (method === undefined) return !others.has(authMethod.toLowerCase());
      if (!isOurs(owner, method.name, method.description)) return false;
      const { maxTokenTtlSeconds } = method;
      if (!isUnlimited(maxTokenTtlSeconds) && lifeOf(aclToken) > maxTokenTtlSeconds + ROUNDING_SECONDS)
        return true;
      const has = contentsOf(aclToken);
      return (
        has.length === 0 ||
        has.some(([type, name]) =>
          [name, ANYTHING].every((each) => !given.has(grantKey(authMethod, type, each))),
        )
      );
    })
    .map((aclToken) => aclToken.accessorId)
    .toSorted();
}

/** Matches any name that a foreign rule fills in from claims. */
const ANYTHING = '';

function isTemplate(bindName: string): boolean {
  return bindName.includes('$' + '{');
}

/** The links of a token, in the form of binding rules. */
function contentsOf(aclToken: AclToken): readonly (readonly [AclBindType, string])[] {
  const all = (type: AclBindType, names: readonly string[]) => names.map((name) => [type, name] as const);
  return [
    ...all('role', aclToken.roles),
    ...all('policy', aclToken.policies),
    ...all('service', aclToken.serviceIdentities),
    // Without the datacenter, which rules do not name.
    ...all(
      'node',
      aclToken.nodeIdentities.map((each) => each.slice(each.indexOf('/') + 1)),
    ),
    ...all('templated-policy', aclToken.templatedPolicies),
  ];
}

function grantKey(authMethod: string, type: AclBindType, name: string): string {
  return JSON.stringify([authMethod.toLowerCase(), type, name.toLowerCase()]);
}

/** Seconds between a token's issue and its end. */
function lifeOf(aclToken: AclToken): number {
  if (aclToken.expiresAt === undefined) return Number.POSITIVE_INFINITY;
  const seconds = (Date.parse(aclToken.expiresAt) - Date.parse(aclToken.createdAt)) / 1000;
  return Number.isNaN(seconds) ? Number.POSITIVE_INFINITY : seconds;
}
