import type { Protocol } from '../model/catalog.js';
import type { ClaimValue, JwtRequirement } from '../model/intention.js';
import type { JwtProviderEntry } from '../model/jwt-provider.js';
import type { LoginProvider } from '../model/login.js';
import { jwtProviderName } from './object-names.js';

export interface UserRequirementInput {
  readonly owner: string;
  readonly provider: Pick<
    LoginProvider,
    'name' | 'issuer' | 'userAudience' | 'keysCaFile' | 'forwardUserAs' | 'claims' | 'person' | 'scopes'
  >;
  /** The address from which Envoy fetches the provider's keys; undefined if unknown. */
  readonly jwksUri: string | undefined;
  /** As the agent reports it: `1.16.1`, `1.17.0+ent`; undefined if unknown. */
  readonly consulVersion: string | undefined;
  /** Versions of agents that do not enforce JWT requirements. */
  readonly laxAgents: readonly string[] | undefined;
  readonly protocol: Protocol;
  /** Whether a terminating gateway enforces the intentions of the destination, or some of them; undefined if unknown. */
  readonly isBehindGateway: boolean | undefined;
  /** The client of the calling service. */
  readonly clientId: string;
  /** The client must act for a person (`onBehalfOf: human`). */
  readonly actsForHuman: boolean;
}

/** `stays`: only a fact is missing, so existing access with this requirement may stay. */
export type UserRequirement =
  | { readonly kind: 'required'; readonly entry: JwtProviderEntry; readonly requirement: JwtRequirement }
  | {
      readonly kind: 'held';
      readonly reason: 'UserTokenUnenforceable';
      readonly detail: string;
      readonly stays?: JwtRequirement;
    };

/** 1.16.0 introduced JWT requirements, and 1.16.1 fixed them. */
const MIN_VERSION = [1, 16, 1] as const;

/** The Meta keys that mark an entry as owned and name its provider. */
const MARK = 'scopemesh';
const ABOUT = 'scopemesh-provider';

/**
 * The token that a call must carry besides the caller's certificate, or why Consul cannot enforce it. In that case the
 * access stays closed.
 *
 * | required | verified claims |
 * |---|---|
 * | a user | the person, if the provider's tokens show it; never the scope, which is in a list or in a text with others |
 * | an agent (or unknown) that acts for a human | also the agent's client, and that the agent acts (`act.sub`) for the subject |
 */
export function userRequirement(input: UserRequirementInput): UserRequirement {
  const { provider, clientId, consulVersion, laxAgents, jwksUri } = input;
  const held = (detail: string, stays?: JwtRequirement): UserRequirement => ({
    kind: 'held',
    reason: 'UserTokenUnenforceable',
    detail: `${detail}; the access stays closed`,
    ...(stays === undefined ? {} : { stays }),
  });
  if (consulVersion !== undefined && !enforcesJwt(consulVersion))
    return held('this version of Consul cannot require a user token; upgrade Consul to 1.16.1 or newer');
  if (laxAgents !== undefined && laxAgents.length > 0)
    return held(
      `Consul agents of version ${laxAgents.map((version) => version || '(unknown)').join(', ')} would let calls through without a token; upgrade every agent to 1.16.1 or newer, and remove agents that no longer exist (consul force-leave)`,
    );
  if (input.protocol === 'tcp')
    return held(
      'the destination uses tcp, where Consul silently ignores the token requirement; set Protocol http in its service-defaults',
    );
  if (input.isBehindGateway === true)
    return held(
      "the destination is behind a terminating gateway, where Consul configures no check of tokens; give the service a sidecar and take it (or *) from the terminating-gateway entry, or write its rule without a user's token",
    );
  if ((provider.userAudience ?? '') === '' || provider.userAudience === undefined || provider.issuer === '')
    return held(
      'the provider has no audience for users or no issuer, so any token would be accepted; set userAudience (or audience) and issuer of the provider',
    );
  if (provider.scopes.isList)
    return held(
      `the provider's tokens list their scopes in ${provider.scopes.claim.join('.')}, and Consul compares a claim only as one text, so no token would pass; name a claim that is not a list under claims.scopes of the provider, and let userAudience limit who may call: the scope is then not compared`,
    );
  const claims: ClaimValue[] = [];
  if (provider.person !== undefined)
    claims.push({ path: provider.person.claim, value: provider.person.equals });
  if (input.actsForHuman) {
    claims.push({ path: provider.claims.client, value: clientId });
    // RFC 8693, section 4.1. Without it a token that the agent requested for itself would be accepted.
    claims.push({ path: ['act', 'sub'], value: clientId });
  }
  if (!claims.every(({ path, value }) => path.length > 0 && value !== '' && value.isWellFormed()))
    return held(
      'a required claim is empty or contains an unpaired surrogate, so no token can match it; rename the client, or correct the claims of the provider',
    );
  const name = jwtProviderName(input.owner, provider.name);
  const requirement = { provider: name, verifyClaims: claims };
  if (consulVersion === undefined || laxAgents === undefined)
    return held(
      'the version of Consul or of its agents is unknown, and versions before 1.16.1 do not require the token; grant agent:read and node:read on all nodes to the ACL token',
      requirement,
    );
  if (input.isBehindGateway === undefined)
    return held(
      'scopemesh could not read the terminating-gateway entries, and such a gateway verifies no token; grant service:read to the ACL token',
      requirement,
    );
  if (jwksUri === undefined)
    return held(
      "scopemesh could not read the provider's discovery document, or the document names no key set that Envoy can fetch; check the issuer",
      requirement,
    );
  return {
    kind: 'required',
    entry: {
      name,
      issuer: provider.issuer,
      audiences: [provider.userAudience],
      jwksUri,
      ...(provider.keysCaFile === undefined ? {} : { caFile: provider.keysCaFile }),
      ...(provider.forwardUserAs === undefined ? {} : { forwardHeader: provider.forwardUserAs }),
      meta: { [MARK]: `scopemesh:${input.owner}`, [ABOUT]: provider.name },
    },
    requirement,
  };
}

/** Whether this version of Consul enforces JWT requirements; false for an unreadable version and for pre-releases of 1.16.1. */
export function enforcesJwt(version: string): boolean {
  const found = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/.exec(version);
  if (found === null) return false;
  for (const [index, least] of MIN_VERSION.entries()) {
    const part = Number(found[index + 1]);
    if (part !== least) return part > least;
  }
  return found[4] === undefined;
}

/** Whether a jwt-provider with this Meta is owned. */
export function isOurJwtProvider(owner: string, { meta }: Pick<JwtProviderEntry, 'meta'>): boolean {
  return Object.hasOwn(meta, MARK) && meta[MARK] === `scopemesh:${owner}`;
}

/** The entry without the Meta of an owner. */
export function withoutMark(entry: JwtProviderEntry): JwtProviderEntry {
  const { [MARK]: _, [ABOUT]: __, ...meta } = entry.meta;
  return { ...entry, meta };
}

/** The provider of an owned entry; undefined if the Meta does not name it. */
export function providerOfEntry({ meta }: Pick<JwtProviderEntry, 'meta'>): string | undefined {
  return Object.hasOwn(meta, ABOUT) ? meta[ABOUT] : undefined;
}
