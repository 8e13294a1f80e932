import { compareText } from '../model/compare-text.js';
import type { Access, JwtRequirement } from '../model/intention.js';
import type { ExistingJwtProvider, JwtProviderEntry } from '../model/jwt-provider.js';
import { canonical, covers } from './access.js';
import type { DestinationInput, UserTokenFacts } from './destination-input.js';
import { isOurJwtProvider, type UserRequirement, userRequirement } from './jwt-requirement.js';
import { policyOf } from './mode.js';
import { jwtProviderName } from './object-names.js';
import type { Opening } from './openings.js';
import type { ClientId } from './world.js';

/**
 * The access of an opening with the required user's token.
 *
 * | state | access |
 * |---|---|
 * | no user's token is required | open |
 * | Consul, the destination or a terminating gateway cannot require a token, or a foreign entry has the provider's name | held, closed |
 * | the version, the gateways, the address of the keys or the entries are unknown | held; existing access with the requirement stays |
 * | the provider's entry does not exist as desired yet | awaits it; existing access with the requirement stays |
 * | the entry exists as desired | open, with the requirement |
 */
type UserOpening =
  | { readonly kind: 'open'; readonly access: Access }
  | {
      readonly kind: 'held';
      readonly reason: 'UserTokenUnenforceable' | 'ForeignObject' | 'ModeForbids';
      readonly detail: string;
      readonly stays: Access | undefined;
    }
  /** `provider`: the identity provider whose entry must be written first. */
  | { readonly kind: 'awaits'; readonly provider: string; readonly stays: Access };

export function openForUser(
  opening: Opening,
  { provider, clientId }: ClientId,
  input: Pick<DestinationInput, 'destination' | 'mapping' | 'protocol' | 'userTokens'>,
): UserOpening {
  const { mapping, userTokens } = input;
  if (opening.user === undefined) return { kind: 'open', access: opening.access };
  const asked = requirementOf(opening, { provider, clientId }, input);
  if (asked.kind === 'held') {
    const stays = asked.stays === undefined ? undefined : withRequirement(opening.access, asked.stays);
    return { ...asked, stays };
  }
  const access = withRequirement(opening.access, asked.requirement);
  const { entries } = userTokens;
  // If nothing is written, the plan assumes that the entry exists.
  const isPlanned = !policyOf(mapping).writes && entries?.has(asked.entry.name.toLowerCase()) === false;
  if (isPlanned) return { kind: 'open', access };
  if (entries === undefined)
    return {
      kind: 'held',
      reason: 'UserTokenUnenforceable',
      detail:
        "scopemesh could not read Consul's jwt-provider entries; grant mesh:read to its ACL token; the access stays closed",
      stays: access,
    };
  const existing = entries.get(asked.entry.name.toLowerCase());
  if (existing === undefined) return { kind: 'awaits', provider, stays: access };
  if (!isOurJwtProvider(mapping.owner, existing))
    return {
      kind: 'held',
      reason: 'ForeignObject',
      detail: `a jwt-provider named ${asked.entry.name} exists and scopemesh does not own it; rename or remove it; the access stays closed`,
      stays: undefined,
    };
  if (isSameEntry(existing.content, asked.entry)) return { kind: 'open', access };
  if (!policyOf(mapping).plansNarrowing)
    return {
      kind: 'held',
      reason: 'ModeForbids',
      detail: `mode is extend: the jwt-provider ${asked.entry.name} exists with different content and is left unchanged`,
      stays: access,
    };
  return { kind: 'awaits', provider, stays: access };
}

/** The part of an existing access that requires a user's token and is within `stays`. */
export function keptUserAccess(kept: Access | undefined, stays: Access | undefined): Access | undefined {
  if (kept?.kind !== 'http' || stays === undefined) return undefined;
  const permissions = kept.permissions.filter(
    (permission) =>
      permission.jwt !== undefined && covers(stays, { kind: 'http', permissions: [permission] }),
  );
  return permissions.length === 0 ? undefined : canonical({ kind: 'http', permissions });
}

function requirementOf(
  opening: Opening,
  { provider, clientId }: ClientId,
  {
    destination,
    mapping,
    protocol,
    userTokens,
  }: Pick<DestinationInput, 'destination' | 'mapping' | 'protocol' | 'userTokens'>,
): UserRequirement {
  const settings = mapping.acl.providers.get(provider);
  if (settings === undefined)
    return {
      kind: 'held',
      reason: 'UserTokenUnenforceable',
      detail:
        'the identity provider is not configured, so scopemesh knows nothing about its tokens; add it under providers; the access stays closed',
    };
  return userRequirement({
    owner: mapping.owner,
    provider: settings,
    jwksUri: jwksUriOf(settings, mapping.owner, userTokens),
    consulVersion: userTokens.consulVersion,
    laxAgents: userTokens.laxAgents,
    protocol,
    isBehindGateway: isBehindGateway(destination.name, userTokens),
    clientId,
    actsForHuman: opening.user?.actsForHuman ?? false,
  });
}

function isBehindGateway(name: string, { behindGateways }: UserTokenFacts): boolean | undefined {
  return behindGateways && (behindGateways.has('*') || behindGateways.has(name.toLowerCase()));
}

/** The address of a provider's keys. While its discovery document cannot be read, the address in the owned entry. */
export function jwksUriOf(
  { name, issuer }: { readonly name: string; readonly issuer: string },
  owner: string,
  { entries, jwksUris }: UserTokenFacts,
): string | undefined {
  const discovered = jwksUris.get(name);
  const existing = entries?.get(jwtProviderName(owner, name).toLowerCase());
  if (discovered !== undefined || existing === undefined) return discovered;
  if (existing.content === 'other' || !isOurJwtProvider(owner, existing)) return undefined;
  const { content } = existing;
  return content.issuer === issuer && content.jwksUri !== '' ? content.jwksUri : undefined;
}

function withRequirement(access: Access, jwt: JwtRequirement): Access {
  switch (access.kind) {
    case 'deny':
      return access;
    case 'allow':
      // Only L7 permissions can require a token, so an unconditional allow becomes a permission for every path.
      return { kind: 'http', permissions: [{ pathPrefix: '/', jwt }] };
    case 'http':
      return canonical({
        kind: 'http',
        permissions: access.permissions.map((permission) => ({ ...permission, jwt })),
      });
  }
}

export function isSameEntry(existing: ExistingJwtProvider['content'], desired: JwtProviderEntry): boolean {
  return existing !== 'other' && entryText(existing) === entryText(desired);
}

/** The issuer and the key address in a text of `entryText`. */
export function parseEntryKeys(
  text: string,
): { readonly issuer: string; readonly jwksUri: string } | undefined {
  const value: unknown = JSON.parse(text);
  const [, issuer, , jwksUri]: readonly unknown[] = Array.isArray(value) ? value : [];
  return typeof issuer === 'string' && typeof jwksUri === 'string' ? { issuer, jwksUri } : undefined;
}

export function entryText(entry: JwtProviderEntry): string {
  const { name, issuer, audiences, jwksUri, caFile, forwardHeader, meta } = entry;
  const pairs = Object.entries(meta).toSorted(([a], [b]) => compareText(a, b));
  return JSON.stringify([
    name,
    issuer,
    audiences,
    jwksUri,
    caFile ?? null,
    pairs,
    ...(forwardHeader === undefined ? [] : [forwardHeader]),
  ]);
}
