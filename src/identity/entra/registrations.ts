import { ClientUnreadable } from '../../errors.js';
import { incomplete } from '../read-errors.js';
import { contentOf, type ListRecord, textIn } from '../records.js';
import type { GraphApi } from './graph-api.js';
import type { EntraObjects } from './objects.js';
import type { Application, ServicePrincipal } from './principal.js';

/** Graph deletes a registration with its service principal, so more than a few lone service principals are rare. */
const MAX_ASKED = 20;

/**
 * Throws IncompleteRead if a registration exists that the list of applications lacks. A client without its registration
 * counts as disabled, so a shortened list would close the access of many. scopemesh's own registration must be in the list
 * if it is in this tenant. Graph is asked for other missing ones alone, up to a limit. If a record of the list has no
 * `appId`, it may be any of the missing ones: these are returned instead, and nothing is known about them.
 */
export async function requireRegistrations(
  api: GraphApi,
  objects: Pick<EntraObjects, 'application'>,
  read: {
    readonly principals: readonly ListRecord<ServicePrincipal>[];
    readonly applications: readonly ListRecord<Application>[];
  },
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const place = api.placeOf('applications');
  const listed = new Set(read.applications.flatMap((record) => textIn(contentOf(record), 'appId') ?? []));
  const missing = read.principals.map(contentOf).flatMap((principal) => {
    const appId = textIn(principal, 'appId');
    return appId !== undefined && !listed.has(appId) && isRegisteredHere(principal, api) ? [appId] : [];
  });
  // One of the missing registrations may be the record without an ID.
  if (read.applications.some((record) => textIn(contentOf(record), 'appId') === undefined))
    return new Set(missing);
  if (missing.includes(api.clientId))
    throw incomplete(place, 'the registration of scopemesh is not in the list');
  for (const appId of missing.slice(0, MAX_ASKED))
    if (await isThere(objects, appId, signal))
      throw incomplete(place, 'an existing registration is missing from the list');
  return new Set();
}

/** A registration that cannot be parsed exists. */
async function isThere(
  objects: Pick<EntraObjects, 'application'>,
  appId: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return (await objects.application(appId, signal)) !== undefined;
  } catch (error) {
    if (error instanceof ClientUnreadable) return true;
    throw error;
  }
}

/**
 * A managed identity and an agent identity have no registration. That of another tenant is not visible here. Microsoft does
 * not document whether the list contains the registrations of blueprints.
 */
function isRegisteredHere(principal: unknown, { tenant }: GraphApi): boolean {
  const owner = textIn(principal, 'appOwnerOrganizationId')?.toLowerCase();
  const isBlueprint = textIn(principal, '@odata.type') === '#microsoft.graph.agentIdentityBlueprintPrincipal';
  const isApplication = textIn(principal, 'servicePrincipalType') === 'Application';
  return owner === tenant.tenantId && isApplication && !isBlueprint;
}
