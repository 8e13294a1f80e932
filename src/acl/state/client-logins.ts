import type { OAuthClient } from '../../model/client.js';
import { clientName } from '../../plan/object-names.js';
import type { ClientBlock, ClientId } from '../../plan/world.js';
import type { WorldState } from '../../state/world-state.js';
import { type DesiredClient, desiredClient, proofOf } from '../plan/desired-client.js';
import { existingTtlSeconds } from '../plan/owned-acl.js';
import { firstLoginsOf } from './first-logins.js';
import type { KnownAcl } from './plan-client-acl.js';

/** What a client may do in Consul, and what prevents it. */
export interface ClientLogin {
  readonly client: OAuthClient;
  readonly login: DesiredClient;
  /** Why it is blocked although its directory has it as enabled. */
  readonly clientBlock: ClientBlock | undefined;
  /** `MaxTokenTTL` of its auth method in Consul; undefined if it has no auth method of ours. */
  readonly standingTtlSeconds: number | undefined;
}

interface Known {
  readonly world: WorldState;
  readonly acl: KnownAcl;
}

/** What the client would get by logging in to Consul; undefined where its directory does not have it. */
export function clientLogin(known: Known, id: ClientId, now: number): ClientLogin | undefined {
  const client = known.world.client(id);
  return client && loginOf(client, known, now);
}

/** The same for every client of every directory that was read. */
export function* clientLogins(known: Known, now: number): Generator<void, readonly ClientLogin[]> {
  const { world } = known;
  const logins: ClientLogin[] = [];
  for (const provider of world.mapping.providers)
    for (const client of world.clients(provider).values()) {
      logins.push(loginOf(client, known, now));
      if (logins.length % IN_ONE_PIECE === 0) yield;
    }
  return logins;
}

const IN_ONE_PIECE = 50;

function loginOf(client: OAuthClient, { world, acl }: Known, now: number): ClientLogin {
  const { mapping } = world;
  const { role, authMethod } = acl.cache.of(clientName(mapping.owner, client));
  const existingTtl = existingTtlSeconds(mapping.owner, authMethod?.object);
  const clientBlock = world.clientBlock(client);
  return {
    client,
    clientBlock,
    login: desiredClient({
      client,
      mapping,
      settings: mapping.acl,
      claimStatuses: world.catalog === undefined ? undefined : world.claimsOn(client, now),
      firstLogins: firstLoginsOf(client, world, acl.cache, now),
      former: role?.object,
      existingTtlSeconds: existingTtl,
      existingProof: authMethod && proofOf(authMethod.object),
      clientBlock,
      ...acl.tools(mapping),
    }),
    standingTtlSeconds: existingTtl,
  };
}
