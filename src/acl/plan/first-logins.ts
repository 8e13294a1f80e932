import { confirmedServices, type OAuthClient } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import type { ServiceName } from '../../model/intention.js';
import type { Mapping } from '../../model/rule.js';
import type { ClaimStatus } from '../../plan/claim-status.js';
import { clientName, isOfAnotherOwner } from '../../plan/object-names.js';
import { ownService } from '../../plan/own-service.js';
import { type ClientId, clientText, serviceText } from '../../plan/world.js';

/** A service that a client names at its identity provider, and as which no instance is registered. */
export interface FirstLogin {
  readonly service: ServiceName;
  /** How many other clients name it. Then no client gains its identity, and the one that has it keeps it. */
  readonly rivals: number;
  /** Some of them, sorted. */
  readonly examples: readonly ClientId[];
  /** False while it is not known who else names it, or if the client names too many services: it gains nothing. */
  readonly isCertain: boolean;
  /** Names of other roles in Consul that have its identity. Then this client does not gain it. */
  readonly holders?: readonly string[];
}

/** The facts about all clients and services, besides the client itself. */
export interface FirstLoginFacts {
  readonly mapping: Mapping;
  /** Whether every client of every provider was read and could be parsed. */
  readonly isComplete: boolean;
  /** By `serviceText`. */
  readonly claimStatuses: ReadonlyMap<string, ClaimStatus>;
  /** Whether the catalog has the service, in any place, by its exact name or by the name in lower case. */
  isRegistered(name: string): boolean;
  /** The enabled clients of every provider that name the service, regardless of case. */
  namedBy(name: string): ReadonlyMap<string, ClientId>;
}

/** A role has at most so many service identities by names alone. */
export const MAX_FIRST_LOGINS = 100;
const MAX_COMPARED = 20;
const MAX_EXAMPLES = 3;

/** Whether a client may log in as a service that it names, before an instance is registered. */
export function givesFirstLogins({ acl, claims }: Pick<Mapping, 'acl' | 'claims'>): boolean {
  return acl.login && acl.firstLogin && claims === 'confirmed';
}

/** Whether the client gains the identity, or keeps it for certain. */
export function isGained({ isCertain, rivals, holders = [] }: FirstLogin): boolean {
  return isCertain && rivals === 0 && holders.length === 0;
}

/**
 * Whether the client gives up an identity that it has by the name alone. Two instances of scopemesh that plan at the same
 * moment do not see each other's roles. Then both roles have the identity, and every instance decides alike which keeps it.
 */
export function isYielded(client: ClientId, owner: string, { holders = [] }: FirstLogin): boolean {
  const own = clientName(owner, client).toLowerCase();
  return holders.some((name) => isOfAnotherOwner(owner, name) && compareText(name.toLowerCase(), own) < 0);
}

/**
 * The services that the client names and that are free: the identity provider's word alone lets it log in as these, so
 * that a first registration needs no other token. No edge opens by it, because an edge needs the claim of an instance.
 *
 * | the service | |
 * |---|---|
 * | has an instance of any kind | not free: its registration says whose it is |
 * | has none, and a claim in its grace | not free: the claim says whose it is |
 * | has none, and only this client names it | the client may log in as it |
 * | has none, and other clients name it | nobody gains it (ClaimAmbiguous) |
 * | has none, and another role in Consul has its identity | nobody gains it (ClaimAmbiguous) |
 * | has none, and two instances gave it at the same moment | the role whose name sorts first keeps it |
 * | has none, and a client of any provider cannot be read | nobody gains it |
 */
export function firstLogins(client: OAuthClient, facts: FirstLoginFacts): readonly FirstLogin[] {
  const { mapping } = facts;
  if (!givesFirstLogins(mapping) || !client.enabled) return [];
  const free = [...new Set(confirmedServices(client))]
    .map((name) => ownService(mapping, name))
    .filter((serviceName) => isFree(serviceName, facts));
  const isCertain = free.length <= MAX_FIRST_LOGINS && facts.isComplete;
  return free
    .map((serviceName) => ({ service: serviceName, isCertain, ...rivalsOf(client, serviceName, facts) }))
    .toSorted((a, b) => compareText(a.service.name, b.service.name));
}

function isFree(serviceName: ServiceName, { claimStatuses, isRegistered }: FirstLoginFacts): boolean {
  if (isRegistered(serviceName.name)) return false;
  // Only a name in lower case can be an identity.
  const claim = claimStatuses.get(serviceText({ ...serviceName, name: serviceName.name.toLowerCase() }));
  return claim === undefined || (claim.kind === 'none' && claim.isOutside !== true);
}

function rivalsOf(
  client: OAuthClient,
  { name }: ServiceName,
  { namedBy, mapping }: FirstLoginFacts,
): Pick<FirstLogin, 'rivals' | 'examples'> {
  const all = namedBy(name);
  const own = clientText(client);
  // A name that thousands have is not looked through for each of them.
  if (all.size > MAX_COMPARED) return { rivals: all.size - 1, examples: [] };
  const rivals = [...all]
    .filter(([key, { provider }]) => key !== own && mapping.providers.includes(provider))
    .toSorted(([a], [b]) => compareText(a, b))
    .map(([, rival]) => rival);
  return { rivals: rivals.length, examples: rivals.slice(0, MAX_EXAMPLES) };
}
