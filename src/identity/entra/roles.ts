import { createHash } from 'node:crypto';
import { clientKey, type Key } from '../../model/key.js';
import type { IdentityEvent } from '../source.js';
import { readAssignedTo } from './grants.js';
import { type GraphApi, incomplete } from './graph-api.js';
import type { EntraNames } from './names.js';
import type { EntraResource } from './resources.js';

/** By service principal: its app role assignments at the APIs that count, each as the path under which it is found. */
export type Roles = ReadonlyMap<string, readonly string[]>;

export async function readRoles(
  api: GraphApi,
  resources: readonly EntraResource[],
  pageSize: number,
  signal: AbortSignal,
): Promise<Roles> {
  const roles = new Map<string, string[]>();
  for (const resource of resources) {
    const { read } = await readAssignedTo(api, resource, pageSize, signal);
    for (const { id, principalId } of read) {
      const path = `/servicePrincipals/${resource.principalId}/appRoleAssignedTo/${encodeURIComponent(id)}`;
      roles.set(principalId, [...(roles.get(principalId) ?? []), path]);
    }
  }
  return new Map([...roles].map(([id, held]) => [id, held.toSorted()]));
}

/** With the APIs: where they change, so does what counts. */
export function digestOf(roles: Roles, apis: readonly string[]): string {
  const text = JSON.stringify([apis.toSorted(), [...roles].toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('base64url');
}

/** Above this many, what is missing stays an inference, which the mass guard judges. */
const MOST_CONFIRMED = 50;

/**
 * The service principals of which Graph says, of each assignment by its id, that it is gone
 * (https://learn.microsoft.com/graph/api/approleassignment-get). IncompleteRead if one that the list lacks is there.
 */
export async function confirmLost(
  api: GraphApi,
  before: Roles,
  after: Roles,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const losers = [...before.keys()].filter((id) => lostOf(id, before, after).length > 0);
  const lost = losers.flatMap((id) => lostOf(id, before, after));
  if (lost.length > MOST_CONFIRMED) return new Set();
  const what = 'app role assignments';
  for (const path of lost)
    if ((await api.find(path, {}, what, signal)) !== undefined)
      throw incomplete(`${api.placeOf(what)}: the list lacks one that is still there`);
  return new Set(losers);
}

/** One event for each service principal whose roles differ. */
export function toRoleEvents(
  before: Roles,
  after: Roles,
  confirmed: ReadonlySet<string>,
  context: { readonly provider: string; readonly names: EntraNames; readonly receivedAt: string },
): readonly IdentityEvent[] {
  const { provider, names, receivedAt } = context;
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
    const named = clientId === undefined ? {} : { clients: [clientId] };
    const evidence = confirmed.has(principalId)
      ? { evidence: [{ provider, internalIds: [principalId], ...named }] }
      : {};
    const urgent = lostOf(principalId, before, after).length > 0 ? { urgent: true } : {};
    return [{ id, triggers: [{ key, cause, ...urgent, ...evidence }], orders: [] }];
  });
}

function lostOf(principalId: string, before: Roles, after: Roles): readonly string[] {
  const has = after.get(principalId) ?? [];
  return (before.get(principalId) ?? []).filter((path) => !has.includes(path));
}
