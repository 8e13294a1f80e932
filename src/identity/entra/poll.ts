import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { clientKey, type Key } from '../../model/key.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import { toIdentityEvent } from './changes.js';
import { COLLECTIONS, type Collection, type Round, readDelta } from './delta.js';
import { readAssignedTo } from './grants.js';
import type { GraphApi } from './graph-api.js';
import type { EntraNames } from './names.js';
import type { EntraResource, EntraResources } from './resources.js';

export interface EntraPollOptions {
  /** Closed with the directory. */
  readonly api: GraphApi;
  readonly resources: EntraResources;
  readonly names: EntraNames;
  readonly apis: readonly string[];
  /** Entries to a page; 999 by default. */
  readonly pageSize?: number;
  readonly clock: Clock;
}

/** Where each delta query goes on, and a digest of who holds which app role. */
const CURSOR = z.object({
  applications: z.string(),
  servicePrincipals: z.string(),
  oauth2PermissionGrants: z.string(),
  roles: z.string(),
});
type Cursor = z.output<typeof CURSOR>;

/** Above this many, one complete comparison costs less than a read of each. */
const MOST_EVENTS = 200;
const RESOURCES_AGE_MS = 60_000;

/** By service principal: its app roles at the APIs that count. */
type Roles = ReadonlyMap<string, readonly string[]>;

/**
 * The changes of applications, service principals and delegated grants by delta query; app roles, of which Graph tells
 * no changes, by reading who holds those of each API and comparing that with the last time. After a restart only the
 * digest of that is known: if it differs, something changed that cannot be named any more, which is a gap.
 */
export function createEntraPoll(options: EntraPollOptions): EventPoll {
  const { api, resources, names, apis, clock, pageSize = 999 } = options;
  const { provider } = api;
  let last: { readonly digest: string; readonly roles: Roles } | undefined;

  const readRoles = async (known: readonly EntraResource[], signal: AbortSignal): Promise<Roles> => {
    const roles = new Map<string, string[]>();
    for (const resource of known)
      for (const { principalId, appRoleId } of await readAssignedTo(api, resource, pageSize, signal))
        roles.set(principalId, [...(roles.get(principalId) ?? []), `${resource.principalId}/${appRoleId}`]);
    return new Map([...roles].map(([id, held]) => [id, held.toSorted()]));
  };

  return {
    provider,
    async poll(text, signal) {
      const stored = text === undefined ? undefined : parseCursor(text, api);
      const known = await resources.read(RESOURCES_AGE_MS, signal);
      const rounds = new Map<Collection, Round>();
      for (const collection of COLLECTIONS)
        rounds.set(collection, await readDelta(api, collection, stored?.[collection], signal));
      const roles = await readRoles(known, signal);
      const digest = digestOf(roles, apis);

      const receivedAt = new Date(clock.now()).toISOString();
      const events: IdentityEvent[] = [];
      let gap = text !== undefined && stored === undefined;
      for (const [collection, round] of rounds) {
        gap ||= round.gap;
        const context = {
          provider,
          names,
          apis,
          resources: known,
          link: stored?.[collection] ?? '',
          receivedAt,
        };
        events.push(...round.changes.map((change) => toIdentityEvent(collection, change, context)));
      }
      if (stored !== undefined && stored.roles !== digest) {
        if (last?.digest !== stored.roles) gap = true;
        else events.push(...roleEvents(last.roles, roles, receivedAt));
      }
      last = { digest, roles };
      const cursor: Cursor = {
        applications: linkOf(rounds, 'applications'),
        servicePrincipals: linkOf(rounds, 'servicePrincipals'),
        oauth2PermissionGrants: linkOf(rounds, 'oauth2PermissionGrants'),
        roles: digest,
      };
      const tooMany = events.length > MOST_EVENTS;
      // A complete comparison finds grants that are new; what takes away goes on by itself, with its evidence.
      const told = tooMany ? events.filter(isRevocation) : events;
      return { events: told, cursor: JSON.stringify(cursor), gap: gap || tooMany };
    },
  };

  function roleEvents(before: Roles, after: Roles, receivedAt: string): readonly IdentityEvent[] {
    const ids = [...new Set([...before.keys(), ...after.keys()])].toSorted();
    return ids.flatMap((principalId) => {
      const [had, has] = [before.get(principalId) ?? [], after.get(principalId) ?? []];
      if (JSON.stringify(had) === JSON.stringify(has)) return [];
      // With the instant, because a client that changes back is a second event and not the first one again.
      const id = `roles/${principalId}/${receivedAt}`;
      const cause = { kind: 'poll', eventId: id, receivedAt } as const;
      const clientId = names.clientIdOfPrincipal(principalId);
      const key: Key =
        clientId === undefined
          ? { kind: 'client', provider, by: 'internalId', value: principalId }
          : clientKey(provider, clientId);
      const isLess = had.some((role) => !has.includes(role));
      // What is merely missing from a list is an inference, so there is no evidence.
      return [{ id, triggers: [{ key, cause, ...(isLess ? { urgent: true } : {}) }], orders: [] }];
    });
  }
}

function isRevocation(event: IdentityEvent): boolean {
  return event.orders.length > 0;
}

function linkOf(rounds: ReadonlyMap<Collection, Round>, collection: Collection): string {
  return rounds.get(collection)?.link ?? '';
}

/** Undefined for a text of another making, or links to another Graph: everything is then taken up anew, with a gap. */
function parseCursor(text: string, api: GraphApi): Cursor | undefined {
  try {
    const cursor = CURSOR.parse(JSON.parse(text));
    for (const collection of COLLECTIONS) api.linkOf(cursor[collection], 'cursor');
    return cursor;
  } catch {
    return undefined;
  }
}

/** With the APIs: where they change, so does what counts. */
function digestOf(roles: Roles, apis: readonly string[]): string {
  const text = JSON.stringify([apis.toSorted(), [...roles].toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('base64url');
}
