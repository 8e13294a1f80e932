import type { Grant } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import { wrongShape } from '../read-errors.js';
import { textIn } from '../records.js';
import type { AdminApi } from './admin-api.js';
import type { KeycloakClient } from './client.js';
import type { KeycloakNames } from './names.js';

/** A role as a grant: a realm role has no `api`, a client role has its client ID as `api`. */
export interface Role {
  readonly id: string;
  readonly grant: Grant;
}

/** Where the roles of each kind of holder are mapped, and the name of the kind in requests of the admin console. */
const HOLDERS = {
  user: { collection: 'users', mappings: 'role-mappings', inConsole: 'users' },
  client: { collection: 'clients', mappings: 'scope-mappings', inConsole: 'clients' },
  clientScope: { collection: 'client-scopes', mappings: 'scope-mappings', inConsole: 'clientScopes' },
} as const;

/**
 * The effective roles of a holder, through composites and groups. Client roles come by the request that the admin console
 * uses: the documented way takes one request for each client of the realm.
 */
export async function readEffectiveRoles(
  api: AdminApi,
  kind: keyof typeof HOLDERS,
  id: string,
  signal: AbortSignal,
): Promise<readonly Role[]> {
  const { collection, mappings, inConsole } = HOLDERS[kind];
  const realmRoles = await api.list([collection, id, mappings, 'realm', 'composite'], {}, signal);
  const clientRoles = await api.list(['ui-ext', 'effective-roles', inConsole, id], {}, signal);
  const place = api.placeOf('roles');
  return [
    ...realmRoles.map((role) => parseRole(role, textIn(role, 'name'), undefined, place)),
    ...clientRoles.map((role) => parseRole(role, textIn(role, 'role'), textIn(role, 'client') ?? '', place)),
  ];
}

function parseRole(role: unknown, name: string | undefined, api: string | undefined, place: string): Role {
  const id = textIn(role, 'id');
  if (id === undefined || name === undefined || api === '') throw wrongShape(place, 'a role has no name');
  return { id, grant: api === undefined ? { name } : { api, name } };
}

/**
 * The roles of a client's service account as grants. Of client roles, those of `apis` count. A client without
 * `fullScopeAllowed` gets only what its own scope mappings allow into its tokens. Roles that only a client scope's mappings
 * would allow are left out, which is the safe side.
 */
export async function readRoleGrants(
  api: AdminApi,
  client: KeycloakClient,
  held: readonly Role[],
  { names, apis }: { readonly names: KeycloakNames; readonly apis: readonly string[] | undefined },
  signal: AbortSignal,
): Promise<readonly Grant[]> {
  const roles = held.filter(
    ({ grant }) => grant.api === undefined || apis === undefined || apis.includes(grant.api),
  );
  for (const { id, grant } of roles) names.roles.set(id, grant);
  if (client.fullScopeAllowed) return sorted(roles.map(({ grant }) => grant));
  const mapped = await readEffectiveRoles(api, 'client', client.internalId, signal);
  const allowed = new Set(mapped.map(({ id }) => id));
  return sorted(
    roles.flatMap(({ id, grant }) => (grant.api === client.clientId || allowed.has(id) ? [grant] : [])),
  );
}

function sorted(grants: readonly Grant[]): readonly Grant[] {
  const byKey = new Map(grants.map((grant) => [JSON.stringify([grant.api ?? '', grant.name]), grant]));
  return [...byKey].sort(([a], [b]) => compareText(a, b)).map(([, grant]) => grant);
}
