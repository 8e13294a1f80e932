import { compareText } from '../../model/compare-text.js';
import { digestOf } from '../digest.js';
import { clientEvidence, keyOfClient } from '../effects.js';
import { incomplete } from '../read-errors.js';
import { validRecords } from '../records.js';
import type { IdentityEvent } from '../source.js';
import { assignmentPath, readAssignedTo } from './grants.js';
import type { GraphApi } from './graph-api.js';
import type { EntraNames } from './names.js';
import type { EntraResource } from './resources.js';

/** By service principal: its app role assignments at the APIs that count, each as the path of the assignment. */
export type Roles = ReadonlyMap<string, readonly string[]>;

export async function readRoles(
  api: GraphApi,
  resources: readonly EntraResource[],
  signal: AbortSignal,
): Promise<Roles> {
  const roles = new Map<string, string[]>();
  for (const resource of resources)
    for (const { id, principalId } of validRecords(await readAssignedTo(api, resource, signal))) {
      const path = assignmentPath(resource.principalId, id);
      roles.set(principalId, [...(roles.get(principalId) ?? []), path]);
    }
  return new Map([...roles].map(([id, held]) => [id, held.toSorted()]));
}

/** Includes the APIs, because other APIs mean that other roles count. */
export function digestOfRoles(roles: Roles, apis: readonly string[]): string {
  return digestOf([apis.toSorted(), [...roles].toSorted(([a], [b]) => compareText(a, b))]);
}

/** If more assignments are missing, only these are asked for, and the loss stays an inferred one for the mass guard. */
const MAX_CONFIRMED = 50;

/**
 * The service principals for which Graph confirms, for each missing assignment by its ID, that it does not exist
 * (https://learn.microsoft.com/graph/api/approleassignment-get). Throws IncompleteRead if one exists that the list lacks.
 */
export async function confirmLost(
  api: GraphApi,
  before: Roles,
  after: Roles,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const losers = [...before.keys()].filter((id) => lostOf(id, before, after).length > 0);
  const lost = losers.flatMap((id) => lostOf(id, before, after));
  const what = 'app role assignments';
  for (const path of lost.slice(0, MAX_CONFIRMED))
    if ((await api.find(path, {}, what, signal)) !== undefined)
      throw incomplete(api.placeOf(what), 'an existing assignment is missing from the list');
  return new Set(lost.length > MAX_CONFIRMED ? [] : losers);
}

/** One event for each service principal whose roles changed. */
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
    // The ID contains the time, because a client that changes back is a second event and not the first one repeated.
    const id = `roles/${principalId}/${receivedAt}`;
    const cause = { kind: 'poll', eventId: id, receivedAt } as const;
    const clientId = names.principals.get(principalId);
    const key = keyOfClient(provider, clientId, principalId);
    const evidence = confirmed.has(principalId)
      ? { evidence: [clientEvidence(provider, { clientId, internalId: principalId })] }
      : {};
    const urgent = lostOf(principalId, before, after).length > 0 ? { urgent: true } : {};
    return [{ id, triggers: [{ key, cause, ...urgent, ...evidence }], orders: [] }];
  });
}

function lostOf(principalId: string, before: Roles, after: Roles): readonly string[] {
  const has = after.get(principalId) ?? [];
  return (before.get(principalId) ?? []).filter((path) => !has.includes(path));
}
