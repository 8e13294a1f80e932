import type { Catalog } from '../model/catalog.js';
import { statedClaim } from '../plan/claims.js';
import { type ClaimSettings, type RememberedClaim, serviceText } from '../plan/world.js';

/** What services last claimed, after a complete catalog; `before` is the catalog read before it. */
export function memoryAfter(
  memory: ReadonlyMap<string, RememberedClaim>,
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
    if (stated.kind === 'client') result.set(key, { ...stated.client, lastSeenAt: now });
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
