import { z } from 'zod';
import type { Clock } from '../../clock.js';
import type { Logger } from '../../observe.js';
import { type GraphApi, incomplete } from './graph-api.js';
import { parse, readCollection } from './pages.js';
import { guid, isSwitchedOn } from './principal.js';
import { isGuid } from './tenant.js';

/** An API whose scopes count: a resource service principal with what it offers. */
export interface EntraResource {
  /** As configured, and as rules name it. */
  readonly api: string;
  readonly principalId: string;
  /** Of its registration, if that is in this tenant: token lifetime policies may hang on it. */
  readonly applicationId: string | undefined;
  /** Enabled app roles for applications, by their ids; none while the API is disabled. */
  readonly roles: ReadonlyMap<string, string>;
  /** Enabled delegated scopes; none while the API is disabled. */
  readonly scopes: ReadonlySet<string>;
}

export interface EntraResources {
  /** Every configured API that exists, not older than `maxAgeMs`. Throws as a Directory does. */
  read(maxAgeMs: number, signal: AbortSignal): Promise<readonly EntraResource[]>;
  /** What was read last, however old. */
  readonly known: readonly EntraResource[];
}

const RESOURCE = z.object({
  id: guid,
  appId: guid,
  accountEnabled: z.boolean().nullable(),
  disabledByMicrosoftStatus: z.string().nullish(),
  appRoles: z.array(
    z.object({
      id: guid,
      value: z.string().max(512).nullish(),
      isEnabled: z.boolean(),
      allowedMemberTypes: z.array(z.string()),
    }),
  ),
  oauth2PermissionScopes: z.array(z.object({ value: z.string().max(512).nullish(), isEnabled: z.boolean() })),
});
const FIELDS = 'id,appId,accountEnabled,disabledByMicrosoftStatus,appRoles,oauth2PermissionScopes';
const WHAT = 'API';

export function createEntraResources(options: {
  readonly api: GraphApi;
  /** The `appId` of each API, or one of its identifier URIs. */
  readonly apis: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}): EntraResources {
  const { api, apis, clock, logger } = options;
  let held: { readonly resources: readonly EntraResource[]; readonly readAt: number } | undefined;
  const missing = new Set<string>();

  const find = async (name: string, signal: AbortSignal): Promise<z.output<typeof RESOURCE> | undefined> => {
    const place = api.placeOf(WHAT);
    if (isGuid(name)) {
      const path = `/servicePrincipals(appId='${name.toLowerCase()}')`;
      const answer = await api.find(path, { $select: FIELDS }, WHAT, signal);
      return answer === undefined ? undefined : parse(RESOURCE, answer, place);
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
      throw incomplete(`${place}: several have one identifier URI; write an appId under apis`);
    return found[0];
  };

  const complete = async (name: string, signal: AbortSignal): Promise<readonly EntraResource[]> => {
    const found = await find(name, signal);
    if (found === undefined) {
      if (!missing.has(name)) {
        const remedy = 'check apis: an appId or identifier URI of an enterprise application of this tenant';
        logger.warn({ provider: api.provider, remedy }, 'an API whose scopes should count does not exist');
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
    get known() {
      return held?.resources ?? [];
    },
    async read(maxAgeMs, signal) {
      if (held !== undefined && clock.now() - held.readAt < maxAgeMs) return held.resources;
      const readAt = clock.now();
      const resources: EntraResource[] = [];
      for (const name of apis) resources.push(...(await complete(name, signal)));
      const distinct = new Set(resources.map(({ principalId }) => principalId));
      if (distinct.size !== resources.length)
        throw incomplete(`${api.placeOf(WHAT)}: two entries under apis mean the same API; write each once`);
      held = { resources, readAt };
      return resources;
    },
  };
}

function idIn(application: unknown, api: GraphApi): string {
  return parse(z.object({ id: guid }), application, api.placeOf('application')).id;
}

function toResource(
  api: string,
  found: z.output<typeof RESOURCE>,
  applicationId: string | undefined,
): EntraResource {
  // No token is issued for an API that is disabled (AADSTS500014,
  // https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
  if (!isSwitchedOn(found))
    return { api, principalId: found.id, applicationId, roles: new Map(), scopes: new Set() };
  const roles = found.appRoles.flatMap(({ id, value, isEnabled, allowedMemberTypes }) =>
    isEnabled && isName(value) && allowedMemberTypes.includes('Application') ? [[id, value] as const] : [],
  );
  const scopes = found.oauth2PermissionScopes.flatMap(({ value, isEnabled }) =>
    isEnabled && isName(value) ? [value] : [],
  );
  return { api, principalId: found.id, applicationId, roles: new Map(roles), scopes: new Set(scopes) };
}

function isName(value: string | null | undefined): value is string {
  return value != null && value !== '' && !/\s/.test(value);
}
