import { definedFields } from '../src/model/defined-fields.js';
import {
  type AclSettings,
  type ClaimPath,
  type GroupRules,
  type LoginProvider,
  SCOPE_LISTS,
  TOKEN_SHAPES,
} from '../src/model/login.js';
import type { Config, ProviderSettings } from './config.js';

/** Algorithms with a key that only the provider has; HS256 uses a shared secret. */
const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;

/** The settings of Consul's ACL tokens in the form for the plan. */
export function toAclSettings(config: Pick<Config, 'login' | 'groups' | 'providers'>): AclSettings {
  return {
    login: config.login !== false,
    firstLogin: config.login === true,
    groups: config.groups.map((rule) => inTokens(rule, config.providers)),
    providers: new Map(config.providers.map((settings) => [settings.name, toLoginProvider(settings)])),
  };
}

/**
 * Keycloak's tokens name an organization by its alias, in a separate claim. In the groups claim one mapper would overwrite
 * the other, in an order that depends on the IDs of the mappers.
 */
function inTokens(rule: GroupRules, providers: readonly ProviderSettings[]): GroupRules {
  const provider = providers.find(({ name }) => providers.length === 1 || name === rule.provider);
  const [, alias] = /^organization\/(.+)$/s.exec(rule.group) ?? [];
  return provider?.kind !== 'keycloak' || alias === undefined
    ? rule
    : { ...rule, inToken: { claim: ['organization'], name: alias } };
}

function toLoginProvider({
  name,
  kind,
  issuer,
  audience,
  userAudience = audience,
  caCert,
  keysCaFile,
  forwardUserAs,
  claims,
}: ProviderSettings): LoginProvider {
  const { subject, ownToken, ...shape } = TOKEN_SHAPES[kind];
  return {
    name,
    issuer,
    audience,
    userAudience,
    keys: { oidcDiscoveryUrl: issuer },
    ...definedFields({ caCert, keysCaFile, forwardUserAs }),
    signingAlgorithms: ALGORITHMS,
    claims: { client: toClaimPath(claims.client), subject, groups: toClaimPath(claims.groups) },
    scopes: toScopes(kind, toClaimPath(claims.scopes)),
    ownToken,
    person: 'person' in shape ? shape.person : undefined,
  };
}

function toScopes(kind: ProviderSettings['kind'], claim: ClaimPath): LoginProvider['scopes'] {
  const lists: readonly string[] = SCOPE_LISTS[kind];
  return { claim, isList: lists.includes(claim.at(-1) ?? '') };
}

/** A claim's name, or a JSON pointer (RFC 6901) to one inside another: `/resource_access/consul/roles`. */
function toClaimPath(text: string): ClaimPath {
  if (!text.startsWith('/')) return [text];
  return text
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}
