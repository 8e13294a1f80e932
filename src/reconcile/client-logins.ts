import type { AclRole } from '../model/acl.js';
import type { OAuthClient } from '../model/client.js';
import { type DesiredClient, desiredClient } from '../plan/acl/desired-client.js';
import { createRulesParser } from '../plan/acl/rules-text.js';
import type { ClaimStanding } from '../plan/claims.js';
import { createPatternCompiler } from '../plan/pattern.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { WorldState } from './world-state.js';

/** What a client may do with Consul, and what stands in the way. */
export interface ClientLogin {
  readonly client: OAuthClient;
  readonly login: DesiredClient;
}

/**
 * What the client would get by logging in to Consul; undefined where its directory does not have it. `former` is its
 * role as it stands, if that is ours: a claim that is not certain now may keep what is there.
 */
export function clientLogin(
  world: WorldState,
  id: ClientId,
  now: number,
  former?: AclRole,
): ClientLogin | undefined {
  const client = world.client(id);
  return client && loginsOf(world, now)(client, former);
}

/** The same for every client of every directory that was read. */
export function clientLogins(world: WorldState, now: number): readonly ClientLogin[] {
  const loginOf = loginsOf(world, now);
  return world.mapping.providers
    .flatMap((provider) => world.clients(provider))
    .map((client) => loginOf(client));
}

function loginsOf(world: WorldState, now: number): (client: OAuthClient, former?: AclRole) => ClientLogin {
  const byClient = new Map<string, ClaimStanding[]>();
  for (const standing of world.standings(now).values()) {
    if (standing.kind === 'none') continue;
    const key = clientText(standing.client);
    byClient.set(key, [...(byClient.get(key) ?? []), standing]);
  }
  const [compile, parse] = [createPatternCompiler(), createRulesParser()];
  const { mapping } = world;
  return (client, former) => ({
    client,
    login: desiredClient({
      client,
      mapping,
      settings: mapping.acl,
      standings: world.catalog === undefined ? undefined : (byClient.get(clientText(client)) ?? []),
      former,
      isClosed: world.closure(client) !== undefined,
      compile,
      parse,
    }),
  });
}
