import type { Config } from '../../../config/config.js';
import { compareText } from '../../model/compare-text.js';
import { clientOfDescription, otherOwnerOf } from '../../plan/ownership.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, notice, warning } from './finding.js';

/**
 * Finds other instances of scopemesh on the same Consul by the marks in the intentions. A claim in service meta names a
 * provider and no owner. If two instances have different providers with the same name, both read the claim as theirs.
 * With `claims: confirmed` the client at each identity provider must name the service, so only `first` can open access
 * in error.
 */
export function neighbourFindings(config: Config, world: WorldState): readonly Finding[] {
  const { owner, providers } = world.mapping;
  const providersByOwner = new Map<string, Set<string>>();
  for (const { sources } of world.entries.values())
    for (const { description, peer } of sources) {
      const other = peer === undefined ? otherOwnerOf(owner, description) : undefined;
      if (other === undefined) continue;
      const known = providersByOwner.get(other) ?? new Set<string>();
      providersByOwner.set(other, known);
      const provider = clientOfDescription(description)?.provider;
      if (provider !== undefined) known.add(provider);
    }
  return [...providersByOwner]
    .toSorted(([a], [b]) => compareText(a, b))
    .flatMap(([other, theirs]) => {
      const alike = providers.filter((provider) => theirs.has(provider));
      if (alike.length === 0) return [];
      const { claims, clientMeta } = config.services;
      const finding = claims === 'first' ? warning : notice;
      return finding(
        'claims.shared',
        `the instance with owner ${other} also has a provider named ${namesText(alike)}: each claim on a client of that name is read by both instances${claims === 'first' ? ', and with services.claims: first both can open access by it' : ''}`,
        `if the two providers are different ones, give them different names and name one in each service's meta oauth-provider, or set another services.clientMeta than ${clientMeta} in one instance`,
      );
    });
}
