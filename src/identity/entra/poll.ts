import { z } from 'zod';
import { isoInstant } from '../../clock.js';
import { SyncError } from '../../errors.js';
import { parseStored } from '../records.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import { mergeMany, toIdentityEvent } from './changes.js';
import {
  COLLECTIONS,
  type Collection,
  createSelections,
  type DeltaRound,
  PEOPLE,
  type PeopleCollection,
  readDelta,
  WATCHED_DIGEST,
} from './delta.js';
import type { EntraDirectoryOptions } from './directory.js';
import type { GraphApi } from './graph-api.js';
import { toPeopleEvents } from './people.js';
import type { EntraResource } from './resources.js';
import { confirmLost, digestOfRoles, type Roles, readRoles, toRoleEvents } from './roles.js';

/** Where each delta query continues, and a digest of the app role assignments. */
const CURSOR = z.object({
  watching: z.literal(WATCHED_DIGEST),
  applications: z.string(),
  servicePrincipals: z.string(),
  oauth2PermissionGrants: z.string(),
  users: z.string().optional(),
  groups: z.string().optional(),
  roles: z.string(),
});
type Cursor = z.output<typeof CURSOR>;

const RESOURCES_AGE_MS = 60_000;

/**
 * Changes of applications, service principals and delegated grants come from delta queries. Graph reports no changes of app
 * roles, so the poll reads the holders of each API's roles and compares them with the last poll; a missing assignment is
 * then read by its ID. After a restart only the digest of that is known: if it differs, something unknown changed, which is
 * a gap. Changes of users and groups are read if the members of groups are.
 */
export function createEntraPoll(
  options: EntraDirectoryOptions & { readonly apis: readonly string[] },
): EventPoll {
  const { api, resources, names, apis, clock } = options;
  const { provider } = api;
  const selections = createSelections(provider, options.logger);
  let last: { readonly digest: string; readonly roles: Roles } | undefined;

  const readPeople = async (
    stored: Cursor | undefined,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<PeopleCollection, DeltaRound>> => {
    const rounds = new Map<PeopleCollection, DeltaRound>();
    for (const collection of PEOPLE) {
      const link = stored?.[collection];
      if (link === undefined && !names.wantsPeople) continue;
      const round = await readDelta(api, collection, link, selections, signal).catch((error: unknown) => {
        // The read of the members reports the missing permission. Clients must not wait for it.
        if (error instanceof SyncError && error.code === 'ERR_DIRECTORY_DENIED') return undefined;
        throw error;
      });
      if (round !== undefined) rounds.set(collection, round);
    }
    return rounds;
  };

  return {
    provider,
    async poll(text, signal) {
      const stored = text === undefined ? undefined : parseCursor(text, api);
      const before = resources.known;
      const rounds = new Map<Collection, DeltaRound>();
      for (const collection of COLLECTIONS)
        rounds.set(collection, await readDelta(api, collection, stored?.[collection], selections, signal));
      const people = await readPeople(stored, signal);
      const changed = new Set([...rounds.values()].flatMap(({ changes }) => changes.map(({ id }) => id)));
      // A deleted API has no list of role holders.
      const isChanged = before.some(({ principalId }) => changed.has(principalId));
      const known = await resources.read(isChanged ? 0 : RESOURCES_AGE_MS, signal);
      const roles = await readRoles(api, known, signal);
      const digest = digestOfRoles(roles, apis);
      const former = last?.digest === stored?.roles ? last?.roles : undefined;
      const confirmed = await confirmLost(api, former ?? roles, roles, signal);

      const receivedAt = isoInstant(clock);
      const events: IdentityEvent[] = [];
      let gap = text !== undefined && stored === undefined;
      for (const [collection, round] of rounds) {
        gap ||= round.gap;
        const link = stored?.[collection] ?? '';
        const context = {
          provider,
          names,
          apis,
          resources: knownBefore(before, known),
          link,
          receivedAt,
        };
        events.push(...round.changes.map((change) => toIdentityEvent(collection, change, context)));
      }
      if (stored !== undefined && stored.roles !== digest) {
        if (former === undefined) gap = true;
        else events.push(...toRoleEvents(former, roles, confirmed, { provider, names, receivedAt }));
      }
      last = { digest, roles };
      const merged = mergeMany(events, provider, receivedAt);
      const peopleEvents = [...people].flatMap(([collection, round]) =>
        toPeopleEvents(collection, round, { provider, link: stored?.[collection], receivedAt }),
      );
      const links = Object.fromEntries([...rounds, ...people].map(([name, { link }]) => [name, link]));
      const cursor = { ...stored, ...links, watching: WATCHED_DIGEST, roles: digest };
      return { events: [...merged, ...peopleEvents], cursor: JSON.stringify(cursor), gap };
    },
  };
}

/** The APIs as they were before the change, so that lost scopes are known, and the new ones. */
function knownBefore(
  before: readonly EntraResource[],
  now: readonly EntraResource[],
): readonly EntraResource[] {
  const ids = new Set(before.map(({ principalId }) => principalId));
  return [...before, ...now.filter(({ principalId }) => !ids.has(principalId))];
}

/** Undefined for a cursor of another version, or with links to another Graph: then there is a gap and a new start. */
function parseCursor(text: string, api: GraphApi): Cursor | undefined {
  const cursor = parseStored(CURSOR, text);
  const links = [...COLLECTIONS, ...PEOPLE].flatMap((collection) => cursor?.[collection] ?? []);
  try {
    for (const link of links) api.linkOf(link, 'cursor');
    return cursor;
  } catch {
    return undefined;
  }
}
