import { jwtProviderName } from '../../plan/acl/object-names.js';
import { providersNamedBy } from '../../plan/plan-jwt-providers.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, notice } from './finding.js';

/**
 * Which services may believe the header of `forwardUserAs`. A proxy has the filter that removes what a caller sent only if an
 * intention of its service names the provider; it then does so for every request of every source.
 */
export function forwardedUserFindings(world: WorldState): readonly Finding[] {
  const { owner, acl } = world.mapping;
  return [...acl.providers.values()].flatMap(({ name, forwardUserAs: header }) => {
    if (header === undefined) return [];
    const entry = jwtProviderName(owner, name);
    const services = [...world.entries.values()]
      .filter((each) => providersNamedBy(each).includes(entry))
      .map(({ destination }) => destination.name)
      .toSorted();
    return [
      notice(
        'users.header',
        services.length === 0
          ? `no intention requires a user's token of provider ${name} yet, so every service gets the header ${header} as the caller sent it`
          : `the proxies of ${namesText(services)} remove the header ${header} that a caller sent, and write the claims of a verified token of provider ${name}; every other service gets the header as the caller sent it`,
        services.length === 0
          ? `let no service believe the header ${header}`
          : `let only these services believe the header ${header}`,
      ),
    ];
  });
}
