import type { Protocol } from '../../model/catalog.js';
import type { JwtRequirement } from '../../model/intention.js';
import type { JwtProviderEntry } from '../../model/jwt-provider.js';
import type { ClaimPath, LoginProvider } from './login.js';
import { jwtProviderName } from './quote.js';

/** How a provider's access tokens carry what a requirement may ask for. */
export interface UserTokenShape extends Pick<LoginProvider, 'claims' | 'person'> {
  /** The claim with the scopes and whether it is a list; of a string with several, Envoy finds no single one. */
  readonly scopes: { readonly claim: ClaimPath; readonly isList: boolean };
}

export interface UserRequirementInput {
  readonly owner: string;
  /** Its tokens' issuer, audience and keys; Envoy needs the URL of the key set itself. */
  readonly provider: Pick<LoginProvider, 'name' | 'issuer' | 'audience'> & {
    readonly jwksUri: string | undefined;
  };
  readonly shape: UserTokenShape;
  /** As the agent says it: `1.16.1`, `1.17.0+ent`. */
  readonly consulVersion: string;
  readonly protocol: Protocol;
  /** The client of the calling service, and the scope that opens the call. */
  readonly clientId: string;
  readonly scope: string;
  /** A person must stand behind what this client does (`onBehalfOf: human`). */
  readonly actsForHuman: boolean;
}

export type UserRequirement =
  | { readonly kind: 'required'; readonly entry: JwtProviderEntry; readonly requirement: JwtRequirement }
  | { readonly kind: 'held'; readonly reason: 'UserTokenUnenforceable'; readonly detail: string };

/** JWT requirements came with 1.16.0, whose 1.16.1 mended them. */
const LEAST_VERSION = [1, 16, 1] as const;

/**
 * The token that must stand beside the caller's certificate, or why Consul could not enforce it, in which case the
 * access stays closed.
 *
 * | what is asked | claims verified |
 * |---|---|
 * | a user | the person, where the provider's tokens show one; the scope, where it is a list |
 * | an agent (or unknown) acting for a human | also the agent's client, and that the agent acts (`act.sub`) for the subject |
 */
export function userRequirement(input: UserRequirementInput): UserRequirement {
  const { provider, shape, clientId } = input;
  const held = (detail: string): UserRequirement => ({
    kind: 'held',
    reason: 'UserTokenUnenforceable',
    detail: `${detail}; the access stays closed`,
  });
  if (!enforcesJwt(input.consulVersion))
    return held('this Consul cannot require a token; JWT requirements need Consul 1.16.1 or newer');
  if (input.protocol === 'tcp')
    return held(
      'the destination speaks tcp, where Consul requires no token without a word; give it service-defaults with Protocol http',
    );
  if ((provider.audience ?? '') === '' || provider.audience === undefined || provider.issuer === '')
    return held('the provider has no audience or issuer, so that any token would pass; set them');
  if (provider.jwksUri === undefined)
    return held("the provider's discovery document names no key set that Envoy could fetch");
  const claims: { path: ClaimPath; value: string }[] = [];
  if (shape.person !== undefined) claims.push({ path: shape.person.claim, value: shape.person.equals });
  if (input.actsForHuman) {
    claims.push({ path: shape.claims.client, value: clientId });
    // RFC 8693, section 4.1. Without it a token that the agent got for itself would do.
    claims.push({ path: ['act', 'sub'], value: clientId });
  }
  if (shape.scopes.isList) claims.push({ path: shape.scopes.claim, value: input.scope });
  if (!claims.every(({ path, value }) => path.length > 0 && value !== '' && value.isWellFormed()))
    return held('a claim or value is empty or holds half a surrogate pair, which no token equals');
  const name = jwtProviderName(input.owner, provider.name);
  return {
    kind: 'required',
    entry: {
      name,
      issuer: provider.issuer,
      audiences: [provider.audience],
      jwksUri: provider.jwksUri,
      meta: { scopemesh: `scopemesh:${input.owner}` },
    },
    requirement: { provider: name, verifyClaims: claims },
  };
}

/** Whether this version of Consul enforces JWT requirements; false for what cannot be read, and for pre-releases of the first. */
export function enforcesJwt(version: string): boolean {
  const found = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/.exec(version);
  if (found === null) return false;
  for (const [index, least] of LEAST_VERSION.entries()) {
    const part = Number(found[index + 1]);
    if (part !== least) return part > least;
  }
  return found[4] === undefined;
}

/** Whether a jwt-provider of this name and Meta is ours. */
export function isOurJwtProvider(owner: string, entry: Pick<JwtProviderEntry, 'meta'>): boolean {
  return Object.hasOwn(entry.meta, 'scopemesh') && entry.meta.scopemesh === `scopemesh:${owner}`;
}
