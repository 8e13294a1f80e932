import type { OAuthClient } from '../../model/client.js';
import { clientName } from '../../plan/object-names.js';
import type { WorldState } from '../../state/world-state.js';
import type { FirstLogin } from '../plan/first-logins.js';
import type { AclCache } from './acl-cache.js';

/**
 * The services as which the client may log in before an instance is registered. The roles in Consul count too: another
 * instance may not see the same clients, and the removal of a former client may be held.
 */
export function firstLoginsOf(
  client: OAuthClient,
  world: Pick<WorldState, 'mapping' | 'firstLogins'>,
  cache: Pick<AclCache, 'holders' | 'isComplete'>,
  now: number,
): readonly FirstLogin[] {
  const own = clientName(world.mapping.owner, client);
  return world.firstLogins(client, now).map((each) => ({
    ...each,
    isCertain: each.isCertain && cache.isComplete,
    holders: cache.holders(each.service.name, own),
  }));
}
