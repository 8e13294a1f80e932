import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import type { Logger } from '../../observe.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import { mergeMany, toIdentityEvent } from './changes.js';
import {
  COLLECTIONS,
  type Collection,
  createSelections,
  PEOPLE,
  type PeopleCollection,
  type Round,
  readDelta,
  WATCHING,
} from './delta.js';
import type { GraphApi } from './graph-api.js';
import type { EntraNames } from './names.js';
import { toPeopleEvents } from './people.js';
import type { EntraResource, EntraResources } from './resources.js';
import { confirmLost, digestOf, type Roles, readRoles, toRoleEvents } from './roles.js';

export interface EntraPollOptions {
  /** Closed with the directory. */
  readonly api: GraphApi;
  readonly resources: EntraResources;
  readonly names: EntraNames;
  readonly apis: readonly string[];
  /** Entries to a page; 999 by default. */
  readonly pageSize?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where each delta query goes on, and a digest of who holds which app role. */
const CURSOR = z.object({
  watching: z.literal(WATCHING),
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
 * The changes of applications, service principals and delegated grants by delta query; app roles, of which Graph tells
 * no changes, by reading who holds those of each API and comparing that with the last time; what is missing is asked for
 * by its id. After a restart only the
 * digest of that is known: if it differs, something changed that cannot be named any more, which is a gap. Users and
 * groups are asked about where somebody wants the members of groups.
 */
export function createEntraPoll(options: EntraPollOptions): EventPoll {
  const { api, resources, names, apis, clock, pageSize = 999 } = options;
  const { provider } = api;
  const selections = createSelections(provider, options.logger);
  let last: { readonly digest: string; readonly roles: Roles } | undefined;

  const readPeople = async (
    stored: Cursor | undefined,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<PeopleCollection, Round>> => {
    const rounds = new Map<PeopleCollection, Round>();
    for (const collection of PEOPLE) {
      const link = stored?.[collection];
      if (link === undefined && !names.wantsPeople) continue;
      const round = await readDelta(api, collection, link, selections, signal).catch((error: unknown) => {
        // Whoever reads the members is told what is missing; clients must not wait for it.
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
      const rounds = new Map<Collection, Round>();
      for (const collection of COLLECTIONS)
        rounds.set(collection, await readDelta(api, collection, stored?.[collection], selections, signal));
      const people = await readPeople(stored, signal);
      const changed = new Set([...rounds.values()].flatMap(({ changes }) => changes.map(({ id }) => id)));
      // An API that is gone has no list of who holds its roles.
      const isChanged = before.some(({ principalId }) => changed.has(principalId));
      const known = await resources.read(isChanged ? 0 : RESOURCES_AGE_MS, signal);
      const roles = await readRoles(api, known, pageSize, signal);
      const digest = digestOf(roles, apis);
      const former = last?.digest === stored?.roles ? last?.roles : undefined;
      const confirmed = await confirmLost(api, former ?? roles, roles, signal);

      const receivedAt = new Date(clock.now()).toISOString();
      const events: IdentityEvent[] = [];
      let gap = text !== undefined && stored === undefined;
      for (const [collection, round] of rounds) {
        gap ||= round.gap;
        const link = stored?.[collection] ?? '';
        const context = { provider, names, apis, resources: merged(before, known), link, receivedAt };
        events.push(...round.changes.map((change) => toIdentityEvent(collection, change, context)));
      }
      if (stored !== undefined && stored.roles !== digest) {
        if (former === undefined) gap = true;
        else events.push(...toRoleEvents(former, roles, confirmed, { provider, names, receivedAt }));
      }
      last = { digest, roles };
      const told = mergeMany(events, provider, receivedAt);
      const ofPeople = [...people].flatMap(([collection, round]) =>
        toPeopleEvents(collection, round, { provider, link: stored?.[collection], receivedAt }),
      );
      const links = Object.fromEntries([...rounds, ...people].map(([name, { link }]) => [name, link]));
      const cursor = { ...stored, ...links, watching: WATCHING, roles: digest };
      return { events: [...told, ...ofPeople], cursor: JSON.stringify(cursor), gap };
    },
  };
}

/** What APIs offered before the change, so that what they lost can be told; and those that are new. */
function merged(before: readonly EntraResource[], now: readonly EntraResource[]): readonly EntraResource[] {
  const ids = new Set(before.map(({ principalId }) => principalId));
  return [...before, ...now.filter(({ principalId }) => !ids.has(principalId))];
}

/** Undefined for a text of another making, or links to another Graph: everything is then taken up anew, with a gap. */
function parseCursor(text: string, api: GraphApi): Cursor | undefined {
  try {
    const cursor = CURSOR.parse(JSON.parse(text));
    for (const collection of [...COLLECTIONS, ...PEOPLE])
      if (cursor[collection] !== undefined) api.linkOf(cursor[collection], 'cursor');
    return cursor;
  } catch {
    return undefined;
  }
}
