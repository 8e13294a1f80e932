import { IncompleteRead } from '../../errors.js';
import { mapBounded } from '../../map-bounded.js';
import { wrongShape } from '../records.js';
import type { AdminApi } from './admin-api.js';
import { isObject } from './json.js';
import type { KeycloakNames } from './names.js';
import { parseRoles } from './roles.js';

/**
 * Asks for a lasting session and opens no API. Every realm maps it to a role that all have, and to look at that role
 * would take the roles of each service account.
 */
const UNRESTRICTED = new Set(['offline_access']);

/** Scopes asked for at once. */
const SCOPE_READERS = 4;

/** Ids of the roles of which a token's user must have one, by the name of the client scope that takes it. */
export type Restrictions = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Which client scopes Keycloak leaves out of the tokens of whoever has none of certain roles: those with role scope
 * mappings. Read once for all clients by each complete read, which every change of such a mapping leads to, and kept
 * for reads of one client.
 */
export interface ScopeRestrictions {
  /** Of these scopes, whose ids are by their names, and from now on. */
  refresh(scopes: Iterable<string>, ids: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void>;
  among(scopes: readonly string[], signal: AbortSignal): Promise<Restrictions>;
}

export function createScopeRestrictions(
  api: AdminApi,
  names: KeycloakNames,
  readScopeIds: (signal: AbortSignal) => Promise<ReadonlyMap<string, string>>,
): ScopeRestrictions {
  const place = `provider ${api.provider}, realm ${api.issuer.realm}, client scopes`;
  /** Without roles where there is no restriction. */
  let known: ReadonlyMap<string, ReadonlySet<string>> = new Map();

  const readRoles = async (id: string, signal: AbortSignal): Promise<ReadonlySet<string>> => {
    const mappings = await api.get(['client-scopes', id, 'scope-mappings'], {}, signal);
    if (!isObject(mappings)) throw wrongShape(place, 'scope mappings are not an object');
    if (Object.keys(mappings).length === 0) return new Set();
    // With what the mapped roles contain.
    const path = ['client-scopes', id, 'scope-mappings', 'realm', 'composite'];
    const realmRoles = await api.get(path, {}, signal);
    const clientRoles = await api.get(['ui-ext', 'effective-roles', 'clientScopes', id], {}, signal);
    const roles = [
      ...parseRoles(realmRoles, 'name', undefined, place),
      ...parseRoles(clientRoles, 'role', 'client', place),
    ];
    if (roles.length === 0) throw wrongShape(place, 'the roles of a client scope are missing');
    return new Set(roles.map((role) => role.id));
  };
  const readAll = (scopes: readonly string[], ids: ReadonlyMap<string, string>, signal: AbortSignal) =>
    mapBounded(scopes, { width: SCOPE_READERS }, async (name) => {
      const id = ids.get(name);
      // It may have been made between the two reads: that is no fault of the client's record.
      if (id === undefined) {
        const message = `${place}: a client has a scope that is not in the list`;
        throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true });
      }
      return [name, await readRoles(id, signal)] as const;
    });
  const areRestricted = (read: readonly (readonly [string, ReadonlySet<string>])[]) =>
    read.some(([, roles]) => roles.size > 0);

  return {
    async refresh(scopes, ids, signal) {
      const wanted = [...new Set(scopes)].filter((name) => !UNRESTRICTED.has(name));
      const before = known;
      const read = await readAll(wanted, ids, signal);
      // A read of one client may have met a new scope meanwhile.
      known = new Map([...[...known].filter(([name]) => !before.has(name)), ...read]);
      names.learnRestrictions(areRestricted([...known]));
    },
    async among(scopes, signal) {
      const wanted = scopes.filter((name) => !UNRESTRICTED.has(name));
      const before = known;
      const missing = wanted.filter((name) => !before.has(name));
      const read = missing.length === 0 ? [] : await readAll(missing, await readScopeIds(signal), signal);
      known = new Map([...read, ...known]);
      if (areRestricted(read)) names.learnRestrictions(true);
      const all = new Map([...before, ...read]);
      return new Map(
        wanted.flatMap((name) => {
          const roles = all.get(name);
          return roles === undefined || roles.size === 0 ? [] : [[name, roles] as const];
        }),
      );
    },
  };
}
