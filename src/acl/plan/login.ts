import type {
  AclAuthMethod,
  AclBindingRule,
  AclObject,
  AclPolicy,
  AclRole,
  JwtMethodConfig,
} from '../../model/acl.js';
import type { OAuthClient } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import type { ClaimPath, ClaimProof, LoginProvider } from '../../model/login.js';
import type { ActorLimit } from '../../model/rule.js';

/** ACL objects as they should be; each kind sorted by name, binding rules by method and role. */
export interface DesiredAcl {
  readonly policies: readonly AclPolicy[];
  readonly roles: readonly AclRole[];
  readonly authMethods: readonly AclAuthMethod[];
  readonly bindingRules: readonly AclBindingRule[];
}

export const NOTHING_DESIRED: DesiredAcl = { policies: [], roles: [], authMethods: [], bindingRules: [] };

/** In the order of creation. */
export function objectsOf(desired: DesiredAcl): readonly AclObject[] {
  return [
    ...desired.policies.map((object) => ({ kind: 'acl-policy' as const, object })),
    ...desired.roles.map((object) => ({ kind: 'acl-role' as const, object })),
    ...desired.authMethods.map((object) => ({ kind: 'acl-auth-method' as const, object })),
    ...desired.bindingRules.map((object) => ({ kind: 'acl-binding-rule' as const, object })),
  ];
}

/** Consul rejects other lifetimes. */
const LIFETIMES = { least: 60, most: 86_400 } as const;

/**
 * The longest lifetime of a Consul token: the shortest known limit, at most a day. Undefined if that is less than a minute,
 * which Consul does not allow.
 */
export function maxTokenTtlSeconds(
  lifetimeSeconds: number | undefined,
  limits: readonly Pick<ActorLimit, 'maxTokenTtlSeconds'>[],
): number | undefined {
  const known = [lifetimeSeconds, ...limits.map((limit) => limit.maxTokenTtlSeconds)].filter(
    (each) => each !== undefined,
  );
  const shortest = Math.floor(Math.min(LIFETIMES.most, ...known));
  return shortest >= LIFETIMES.least ? shortest : undefined;
}

/**
 * The lifetime of a client's access tokens, if known. If it could not be read: the limit of the existing method (0: no
 * limit), or the minimum for a new method, so that an incomplete read never extends a lifetime.
 */
export function lifetimeOf(
  client: Pick<OAuthClient, 'accessTokenLifetimeSeconds' | 'isLifetimeUnread'>,
  standingTtlSeconds: number | undefined,
): number | undefined {
  if (client.isLifetimeUnread !== true) return client.accessTokenLifetimeSeconds;
  return standingTtlSeconds === 0 ? LIFETIMES.most : (standingTtlSeconds ?? LIFETIMES.least);
}

/** Why Consul could not verify tokens of this provider; undefined if it can. */
export function unverifiable(name: string, provider: LoginProvider | undefined): string | undefined {
  if (provider === undefined)
    return `the identity provider ${name} is not configured; add it under providers, with its issuer and an audience`;
  if ((provider.audience ?? '') === '')
    return `the provider ${name} has no audience, so any of its tokens would be accepted; set the audience of the provider`;
  if (provider.issuer === '' || provider.signingAlgorithms.length === 0)
    return `the provider ${name} has no issuer or no signing algorithm, so any token would be accepted; set both`;
  return undefined;
}

/** The method's configuration with the claims that its selectors use. */
export function methodConfig(
  provider: LoginProvider,
  values: ReadonlyMap<string, string>,
  lists: ReadonlyMap<string, string>,
): JwtMethodConfig {
  return {
    ...provider.keys,
    ...(provider.caCert === undefined ? {} : { caCert: provider.caCert }),
    boundIssuer: provider.issuer,
    boundAudiences: provider.audience === undefined ? [] : [provider.audience],
    signingAlgorithms: [...provider.signingAlgorithms].toSorted(),
    claimMappings: sortedRecord(values),
    listClaimMappings: sortedRecord(lists),
  };
}

/** A claim in the form of Consul's mappings: its name, or a JSON pointer (RFC 6901). */
export function claimKey(path: ClaimPath): string {
  const [only] = path;
  if (path.length === 1 && only !== undefined && !only.startsWith('/')) return only;
  return path.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

export function expectedValue(proof: ClaimProof, clientId: string): string {
  return 'equals' in proof
    ? proof.equals
    : `${proof.clientIdBetween[0]}${clientId}${proof.clientIdBetween[1]}`;
}

function sortedRecord(entries: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return Object.fromEntries([...entries].toSorted(([a], [b]) => compareText(a, b)));
}
