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

/** What the client would get by logging in to Consul; undefined where its directory does not have it. */
export function clientLogin(world: WorldState, id: ClientId, now: number): ClientLogin | undefined {
  const client = world.client(id);
  return client && loginsOf(world, now)(client);
}

/** The same for every client of every directory that was read. */
export function clientLogins(world: WorldState, now: number): readonly ClientLogin[] {
  return world.mapping.providers.flatMap((provider) => world.clients(provider)).map(loginsOf(world, now));
}

function loginsOf(world: WorldState, now: number): (client: OAuthClient) => ClientLogin {
  const byClient = new Map<string, ClaimStanding[]>();
  for (const standing of world.standings(now).values()) {
    if (standing.kind === 'none') continue;
    const key = clientText(standing.client);
    byClient.set(key, [...(byClient.get(key) ?? []), standing]);
  }
  const [compile, parse] = [createPatternCompiler(), createRulesParser()];
  const { mapping } = world;
  return (client) => ({
    client,
    login: desiredClient({
      client,
      mapping,
      settings: mapping.acl,
      standings: world.catalog === undefined ? undefined : (byClient.get(clientText(client)) ?? []),
      former: undefined,
      isClosed: world.closure(client) !== undefined,
      compile,
      parse,
    }),
  });
}
