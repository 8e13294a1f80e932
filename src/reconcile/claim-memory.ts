import type { AclRole } from '../model/acl.js';
import type { Catalog } from '../model/catalog.js';
import type { IntentionEntry } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { clientName, isOurs } from '../plan/acl/quote.js';
import { statedClaim } from '../plan/claims.js';
import { clientOfDescription, isOwned } from '../plan/ownership.js';
import {
  type ClaimSettings,
  type ClientId,
  clientText,
  type RememberedClaim,
  serviceText,
} from '../plan/world.js';

type ClaimMemory = ReadonlyMap<string, RememberedClaim>;

/** What services last claimed, after a complete catalog; `before` is the catalog read before it. */
export function memoryAfter(
  memory: ClaimMemory,
  before: Catalog | undefined,
  catalog: Catalog,
  settings: ClaimSettings,
  providers: readonly string[],
  now: number,
): Map<string, RememberedClaim> {
  const result = new Map(memory);
  const inhabited = new Set<string>();
  for (const service of catalog.services) {
    const stated = statedClaim(service, settings, providers);
    const key = serviceText(service.name);
    if (stated.kind !== 'vacant') inhabited.add(key);
    if (stated.kind === 'client')
      result.set(key, {
        ...stated.client,
        lastSeenAt: now,
        since: sinceOf(memory.get(key), stated.client, now),
      });
    else if (stated.kind === 'nothing') result.delete(key);
  }
  const inhabitedBefore = new Set(
    (before?.services ?? [])
      .filter((service) => service.instances.some((instance) => instance.kind === ''))
      .map((service) => serviceText(service.name)),
  );
  for (const [key, claim] of memory) {
    if (inhabited.has(key)) continue;
    // The grace begins when the last instance is seen to be gone, not when one was last looked at.
    if (inhabitedBefore.has(key)) result.set(key, { ...claim, lastSeenAt: now });
    else if (now - claim.lastSeenAt > settings.claimGraceMs) result.delete(key);
  }
  return result;
}

/** With what the Descriptions of owned sources say, the grace beginning now; of what is remembered already only that it is old. */
export function withEntries(
  memory: ClaimMemory,
  entries: readonly IntentionEntry[],
  { owner }: Pick<Mapping, 'owner'>,
  now: number,
): Map<string, RememberedClaim> {
  const result = new Map(memory);
  for (const { destination, sources } of entries) {
    for (const source of destination.name === '*' ? [] : sources) {
      const key = serviceText(source);
      if (!isOwned(owner, source) || source.access.kind === 'deny') continue;
      const client = clientOfDescription(source.description);
      if (client !== undefined) result.set(key, withStanding(result.get(key), client, now));
    }
  }
  return result;
}

/** The same with what the identities of our clients' roles say; not of a service whose instances claim nothing any more. */
export function withRoles(
  memory: ClaimMemory,
  roles: readonly AclRole[],
  { owner, providers }: Pick<Mapping, 'owner' | 'providers'>,
  catalog: Catalog | undefined,
  settings: ClaimSettings,
  now: number,
): Map<string, RememberedClaim> {
  const result = new Map(memory);
  const services = new Map(catalog?.services.map((service) => [serviceText(service.name), service]));
  for (const { name, description, serviceIdentities } of roles) {
    const client = isOurs(owner, name, description) ? clientOfDescription(description) : undefined;
    if (client === undefined || clientName(owner, client).toLowerCase() !== name.toLowerCase()) continue;
    for (const identity of serviceIdentities) {
      const key = serviceText({ partition: 'default', namespace: 'default', name: identity });
      const service = services.get(key);
      const isTakenBack =
        service !== undefined && statedClaim(service, settings, providers).kind === 'nothing';
      if (!isTakenBack) result.set(key, withStanding(result.get(key), client, now));
    }
  }
  return result;
}

/** What stood in Consul already says that the claim on it is old, and nothing of one on another client. */
function withStanding(
  remembered: RememberedClaim | undefined,
  client: ClientId,
  now: number,
): RememberedClaim {
  if (remembered === undefined) return { ...client, lastSeenAt: now, since: 0 };
  return clientText(remembered) === clientText(client) ? { ...remembered, since: 0 } : remembered;
}

function sinceOf(remembered: RememberedClaim | undefined, client: ClientId, now: number): number {
  return remembered !== undefined && clientText(remembered) === clientText(client) ? remembered.since : now;
}
