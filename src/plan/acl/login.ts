import type { AclAuthMethod, AclBindingRule, AclPolicy, AclRole, JwtMethodConfig } from '../../model/acl.js';
import type { ActorLimit } from '../../model/rule.js';

/** A claim of a token: the names on the way to it, so `['act', 'sub']` is `sub` inside `act`. */
export type ClaimPath = readonly string[];

/** A claim that shows something by its value: a fixed one, or the client id between two texts. */
export type ClaimProof =
  | { readonly claim: ClaimPath; readonly equals: string }
  | { readonly claim: ClaimPath; readonly clientIdBetween: readonly [before: string, after: string] };

/** Where Consul gets the keys of a provider from; exactly one. */
export type SigningKeys =
  | { readonly jwksUrl: string }
  | { readonly oidcDiscoveryUrl: string }
  | { readonly validationPubKeys: readonly string[] };

/** What Consul must know of a provider to admit its tokens. */
export interface LoginProvider {
  readonly name: string;
  readonly issuer: string;
  /** What a token must be issued for; without it nobody logs in, because Consul would look at no audience at all. */
  readonly audience: string | undefined;
  readonly keys: SigningKeys;
  readonly caCert?: string;
  readonly signingAlgorithms: readonly string[];
  readonly claims: { readonly client: ClaimPath; readonly subject: ClaimPath; readonly groups: ClaimPath };
  /** What only a token that the client got for itself shows: a person's token at the same client must not act as it. */
  readonly ownToken: ClaimProof | undefined;
  /** What only a person's token shows. */
  readonly person: { readonly claim: ClaimPath; readonly equals: string } | undefined;
}

export interface AclSettings {
  /** Whether a client may log in as the service that claims it. */
  readonly login: boolean;
  /** By name. */
  readonly providers: ReadonlyMap<string, LoginProvider>;
  readonly groups: readonly GroupRules[];
}

export interface GroupRules {
  /** Absent: the only provider there is. */
  readonly provider?: string;
  readonly group: string;
  readonly acl: string;
}

/** ACL objects as they should be; each kind sorted by name, binding rules by method and role. */
export interface DesiredAcl {
  readonly policies: readonly AclPolicy[];
  readonly roles: readonly AclRole[];
  readonly authMethods: readonly AclAuthMethod[];
  readonly bindingRules: readonly AclBindingRule[];
}

export const NOTHING_DESIRED: DesiredAcl = { policies: [], roles: [], authMethods: [], bindingRules: [] };

/** Consul refuses other lifetimes. */
const LIFETIMES = { least: 60, most: 86_400 } as const;

/** The claims by which the providers of each kind tell clients and people apart, unless the configuration says so. */
export const TOKEN_SHAPES = {
  // `client_id` comes from the mapper of service accounts alone; `azp` is in every token of the client.
  keycloak: { client: ['azp'], ownToken: { claim: ['client_id'], clientIdBetween: ['', ''] } },
  // RFC 9068, section 2.2: where no resource owner is involved, the subject is the client.
  oidc: { client: ['client_id'], ownToken: { claim: ['sub'], clientIdBetween: ['', ''] } },
  okta: { client: ['cid'], ownToken: { claim: ['sub'], clientIdBetween: ['', ''] } },
  auth0: { client: ['azp'], ownToken: { claim: ['sub'], clientIdBetween: ['', '@clients'] } },
  entra: { client: ['azp'], ownToken: { claim: ['idtyp'], equals: 'app' } },
} as const satisfies Record<string, { client: ClaimPath; ownToken: ClaimProof }>;

/**
 * How long a Consul token may live: the shortest of what is known, at most a day. Undefined where that is less than
 * the minute that Consul can go down to.
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

/** Why Consul could not tell a token of this provider from any other; undefined where it can. */
export function unverifiable(provider: LoginProvider | undefined): string | undefined {
  if (provider === undefined) return 'its identity provider is not configured for logging in to Consul';
  if ((provider.audience ?? '') === '')
    return "the provider has no audience, so that any of its tokens would pass; set the provider's audience";
  if (provider.issuer === '' || provider.signingAlgorithms.length === 0)
    return 'the provider has no issuer or no signing algorithm, so that any token would pass; set them';
  return undefined;
}

/** The method's configuration for the claims that its selectors look at. */
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

/** A claim as Consul's mappings name it: the claim's name, or a JSON pointer (RFC 6901). */
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
  return Object.fromEntries([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
