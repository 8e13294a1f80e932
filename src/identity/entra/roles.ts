import { createHash } from 'node:crypto';
import { clientKey, type Key } from '../../model/key.js';
import type { IdentityEvent } from '../source.js';
import { readAssignedTo } from './grants.js';
import type { GraphApi } from './graph-api.js';
import type { EntraNames } from './names.js';
import type { EntraResource } from './resources.js';

/** By service principal: its app roles at the APIs that count, sorted. */
export type Roles = ReadonlyMap<string, readonly string[]>;

export async function readRoles(
  api: GraphApi,
  resources: readonly EntraResource[],
  pageSize: number,
  signal: AbortSignal,
): Promise<Roles> {
  const roles = new Map<string, string[]>();
  for (const resource of resources)
    for (const { principalId, appRoleId } of await readAssignedTo(api, resource, pageSize, signal))
      roles.set(principalId, [...(roles.get(principalId) ?? []), `${resource.principalId}/${appRoleId}`]);
  return new Map([...roles].map(([id, held]) => [id, held.toSorted()]));
}

/** With the APIs: where they change, so does what counts. */
export function digestOf(roles: Roles, apis: readonly string[]): string {
  const text = JSON.stringify([apis.toSorted(), [...roles].toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('base64url');
}

/** One event for each service principal whose roles differ. */
export function toRoleEvents(
  before: Roles,
  after: Roles,
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
    const isLess = had.some((role) => !has.includes(role));
    // What is merely missing from a list is an inference, so there is no evidence.
    return [{ id, triggers: [{ key, cause, ...(isLess ? { urgent: true } : {}) }], orders: [] }];
  });
}
