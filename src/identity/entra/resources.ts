import { z } from 'zod';
import type { Clock } from '../../clock.js';
import type { Logger } from '../../observe.js';
import { incomplete } from '../read-errors.js';
import { invalidRecords, parseShape, recordOf, textIn, validRecords } from '../records.js';
import type { GraphApi } from './graph-api.js';
import { readCollection } from './pages.js';
import { guid, isSwitchedOn } from './principal.js';
import { isGuid } from './tenant.js';

/** An API whose scopes count: a resource service principal and what it offers. */
export type EntraResource = ReturnType<typeof toResource>;

export type EntraResources = ReturnType<typeof createEntraResources>;

const ROLE = z.object({
  id: guid,
  value: z.string().max(512).nullish(),
  isEnabled: z.boolean(),
  allowedMemberTypes: z.array(z.string()),
});
const SCOPE = z.object({ value: z.string().max(512).nullish(), isEnabled: z.boolean() });
const RESOURCE = z.object({
  id: guid,
  appId: guid,
  accountEnabled: z.boolean().nullable(),
  disabledByMicrosoftStatus: z.string().nullish(),
  appRoles: z.array(recordOf(ROLE, 'id')),
  oauth2PermissionScopes: z.array(recordOf(SCOPE, 'id')),
});
const FIELDS = 'id,appId,accountEnabled,disabledByMicrosoftStatus,appRoles,oauth2PermissionScopes';
const WHAT = 'API';

export function createEntraResources(options: {
  readonly api: GraphApi;
  /** The `appId` of each API, or one of its identifier URIs. */
  readonly apis: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}) {
  const { api, apis, clock, logger } = options;
  let cached: { readonly resources: readonly EntraResource[]; readonly readAt: number } | undefined;
  const missing = new Set<string>();

  const find = async (name: string, signal: AbortSignal): Promise<z.output<typeof RESOURCE> | undefined> => {
    const place = api.placeOf(WHAT);
    if (isGuid(name)) {
      const path = `/servicePrincipals(appId='${name.toLowerCase()}')`;
      const answer = await api.find(path, { $select: FIELDS }, WHAT, signal);
      return answer === undefined ? undefined : parseShape(RESOURCE, answer, place);
    }
    const query = {
      // A quote in an OData literal is doubled.
      $filter: `servicePrincipalNames/any(n:n eq '${name.replaceAll("'", "''")}')`,
      $select: FIELDS,
    };
    const found = await readCollection(
      api,
      { path: '/servicePrincipals', query, what: WHAT },
      RESOURCE,
      signal,
    );
    if (found.length > 1)
      throw incomplete(
        place,
        'several have the same identifier URI; write the appId of one of them under apis',
      );
    return found[0];
  };

  const complete = async (name: string, signal: AbortSignal): Promise<readonly EntraResource[]> => {
    const found = await find(name, signal);
    if (found === undefined) {
      if (!missing.has(name)) {
        const remedy = 'check apis: write the appId or an identifier URI of an enterprise application';
        logger.warn({ provider: api.provider, remedy }, 'an API under apis does not exist in the tenant');
      }
      missing.add(name);
      return [];
    }
    missing.delete(name);
    const path = `/applications(appId='${found.appId}')`;
    const application = await api.find(path, { $select: 'id' }, 'application', signal);
    return [toResource(name, found, application === undefined ? undefined : idIn(application, api))];
  };

  return {
    /** The last read, however old. */
    get known(): readonly EntraResource[] {
      return cached?.resources ?? [];
    },
    /** Every configured API that exists, not older than `maxAgeMs`. Throws as a Directory does. */
    async read(maxAgeMs: number, signal: AbortSignal): Promise<readonly EntraResource[]> {
      if (cached !== undefined && clock.now() - cached.readAt < maxAgeMs) return cached.resources;
      const readAt = clock.now();
      const resources: EntraResource[] = [];
      for (const name of apis) resources.push(...(await complete(name, signal)));
      const distinct = new Set(resources.map(({ principalId }) => principalId));
      if (distinct.size !== resources.length)
        throw incomplete(api.placeOf(WHAT), 'two entries under apis are the same API; write each API once');
      cached = { resources, readAt };
      return resources;
    },
  };
}

function idIn(application: unknown, api: GraphApi): string {
  return parseShape(z.object({ id: guid }), application, api.placeOf('application')).id;
}

function toResource(api: string, found: z.output<typeof RESOURCE>, applicationId: string | undefined) {
  // No token is issued for a disabled API (AADSTS500014,
  // https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
  const { appRoles, oauth2PermissionScopes } = isSwitchedOn(found)
    ? found
    : { appRoles: [], oauth2PermissionScopes: [] };
  const roles = validRecords(appRoles).flatMap(({ id, value, isEnabled, allowedMemberTypes }) =>
    isEnabled && isName(value) && allowedMemberTypes.includes('Application') ? [[id, value] as const] : [],
  );
  const scopes = validRecords(oauth2PermissionScopes).flatMap(({ value, isEnabled }) =>
    isEnabled && isName(value) ? [value] : [],
  );
  return {
    /** The name in the configuration and in rules. */
    api,
    principalId: found.id,
    /** Its registration, if it is in this tenant: token lifetime policies may apply to it. */
    applicationId,
    /** Enabled app roles for applications, by ID. Empty while the API is disabled. */
    roles: new Map(roles),
    /** Enabled delegated scopes. Empty while the API is disabled. */
    scopes: new Set(scopes),
    /** App roles that cannot be parsed, by ID, and why. */
    invalidRoles: new Map(invalidRecords(appRoles).map(({ id, fault }) => [id, fault])),
    /** The names of delegated scopes that cannot be parsed, as far as they are readable. */
    invalidScopes: invalidRecords(oauth2PermissionScopes).map(({ raw }) => textIn(raw, 'value')),
  };
}

function isName(value: string | null | undefined): value is string {
  return value != null && value !== '' && !/\s/.test(value);
}
