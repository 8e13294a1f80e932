import { mapBounded } from '../../limiter.js';
import { isRecord } from '../../model/is-record.js';
import { incomplete, wrongShape } from '../read-errors.js';
import type { AdminApi } from './admin-api.js';
import type { KeycloakNames } from './names.js';
import { readEffectiveRoles } from './roles.js';

/**
 * This scope requests a lasting session and opens no API. Every realm maps it to a role that everybody has, and to check
 * that role would take a read of the roles of each service account.
 */
const UNRESTRICTED = new Set(['offline_access']);

/** Scopes that are read at once. */
const SCOPE_READERS = 4;

/** By client scope: the IDs of the roles of which a token's user must have one. */
type Restrictions = ReadonlyMap<string, ReadonlySet<string>>;

/** The IDs of all client scopes, by name. Partial if the record of a scope has no ID or no name. */
export interface ScopeIds {
  readonly ids: ReadonlyMap<string, string>;
  readonly isPartial: boolean;
}

export type ScopeRestrictions = ReturnType<typeof createScopeRestrictions>;

/**
 * Client scopes with role scope mappings: Keycloak leaves them out of the tokens of everybody who has none of the roles.
 * Each complete read reads them once for all clients, and every change of such a mapping leads to a complete read. Reads of
 * one client use what was read last.
 */
export function createScopeRestrictions(
  api: AdminApi,
  names: KeycloakNames,
  readScopeIds: (signal: AbortSignal) => Promise<ScopeIds>,
) {
  const place = api.placeOf('client scopes');
  /** A scope without restriction has no roles here. */
  let known: Restrictions = new Map();

  const readRoles = async (id: string, signal: AbortSignal): Promise<ReadonlySet<string>> => {
    const mappings = await api.get(['client-scopes', id, 'scope-mappings'], {}, signal);
    if (!isRecord(mappings)) throw wrongShape(place, 'scope mappings are not an object');
    if (Object.keys(mappings).length === 0) return new Set();
    const roles = await readEffectiveRoles(api, 'clientScope', id, signal);
    if (roles.length === 0) throw wrongShape(place, 'the roles of a client scope are missing');
    return new Set(roles.map((role) => role.id));
  };
  const readAll = (scopes: readonly string[], { ids, isPartial }: ScopeIds, signal: AbortSignal) =>
    mapBounded(scopes, { width: SCOPE_READERS }, async (name) => {
      const id = ids.get(name);
      // Then only the clients that have this scope are unknown.
      if (id === undefined && isPartial) throw wrongShape(place, 'the record of a client scope has no name');
      // The scope may be newer than the list, so this is no fault of the client's record.
      if (id === undefined) throw incomplete(place, 'a client has a scope that is not in the list');
      return [name, await readRoles(id, signal)] as const;
    });
  const areRestricted = (read: readonly (readonly [string, ReadonlySet<string>])[]) =>
    read.some(([, roles]) => roles.size > 0);

  return {
    /** Reads the restrictions of these scopes again. */
    async refresh(scopes: Iterable<string>, ids: ScopeIds, signal: AbortSignal): Promise<void> {
      const isReadable = (name: string) => !ids.isPartial || ids.ids.has(name);
      const scopeNames = [...new Set(scopes)].filter((name) => !UNRESTRICTED.has(name) && isReadable(name));
      const before = known;
      const read = await readAll(scopeNames, ids, signal);
      // A concurrent read of one client may have added a new scope.
      known = new Map([...[...known].filter(([name]) => !before.has(name)), ...read]);
      names.mayRestrict = areRestricted([...known]);
    },
    async among(scopes: readonly string[], signal: AbortSignal): Promise<Restrictions> {
      const scopeNames = scopes.filter((name) => !UNRESTRICTED.has(name));
      const before = known;
      const missing = scopeNames.filter((name) => !before.has(name));
      const read = missing.length === 0 ? [] : await readAll(missing, await readScopeIds(signal), signal);
      known = new Map([...read, ...known]);
      if (areRestricted(read)) names.mayRestrict = true;
      const all = new Map([...before, ...read]);
      return new Map(
        scopeNames.flatMap((name) => {
          const roles = all.get(name);
          return roles === undefined || roles.size === 0 ? [] : [[name, roles] as const];
        }),
      );
    },
  };
}
