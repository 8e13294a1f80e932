import type { z } from 'zod';
import { ClientUnreadable } from '../../errors.js';
import type { Logger } from '../../observe.js';
import { safeParse } from '../../safe-parse.js';
import { parseShape, textIn } from '../records.js';
import type { GraphApi } from './graph-api.js';
import type { EntraNames } from './names.js';
import {
  APPLICATION,
  APPLICATION_OPTIONAL,
  type Application,
  type Blueprint,
  isAgent,
  PRINCIPAL_OPTIONAL,
  SERVICE_PRINCIPAL,
  type ServicePrincipal,
} from './principal.js';
import { createPropertySelection, findSelected, type PropertySelection } from './property-selection.js';

/** Single service principals and applications. Undefined if Graph itself says that the object does not exist. */
export type EntraObjects = ReturnType<typeof createEntraObjects>;

export function createEntraObjects(options: {
  readonly api: GraphApi;
  readonly names: EntraNames;
  readonly logger: Logger;
}) {
  const { api, names, logger } = options;
  const log = { provider: api.provider, logger };

  const find = async <T>(
    schema: z.ZodType<T>,
    path: string,
    what: string,
    more: { readonly selection: PropertySelection; readonly isStated: (found: T) => boolean },
    signal: AbortSignal,
  ): Promise<T | undefined> => {
    // Without `$select`, because Graph limits the number of requests that select credentials.
    const answer = await api.find(path, {}, what, signal);
    if (answer === undefined) return undefined;
    const place = api.placeOf(what);
    const parsed = safeParse(schema, answer);
    const [id, appId] = [textIn(answer, 'id'), textIn(answer, 'appId')];
    // It is the requested object, and not the answer of a server in between.
    if (!parsed.success && [id, appId].some((each) => each !== undefined && path.includes(each)))
      throw new ClientUnreadable(place, appId ?? id, 'a field does not have the documented form');
    const found = parseShape(schema, answer, place);
    if (more.isStated(found) || !more.selection.hasOptional) return found;
    // Graph states some properties only if they are selected. Without them this read would open what the complete one closed.
    const rest = await findSelected(api, path, more.selection, what, signal);
    return rest === undefined ? undefined : parseShape(schema, Object.assign({}, answer, rest), place);
  };
  const principalExtras = {
    selection: createPropertySelection(log, 'one service principal', 'id', PRINCIPAL_OPTIONAL),
    isStated: (found: ServicePrincipal) =>
      found.isDisabled !== undefined && (!isAgent(found) || found.agentIdentityBlueprintId !== undefined),
  };
  const applicationExtras = {
    selection: createPropertySelection(log, 'one application', 'id', APPLICATION_OPTIONAL),
    isStated: (found: Application) => found.isDisabled !== undefined,
  };
  const findPrincipal = (path: string, signal: AbortSignal) =>
    find(SERVICE_PRINCIPAL, path, 'service principals', principalExtras, signal);

  const principalById = (id: string, signal: AbortSignal) =>
    findPrincipal(`/servicePrincipals/${id}`, signal);
  const principalByAppId = (appId: string, signal: AbortSignal) =>
    findPrincipal(`/servicePrincipals(appId='${appId}')`, signal);
  const application = (appId: string, signal: AbortSignal) =>
    find(APPLICATION, `/applications(appId='${appId}')`, 'applications', applicationExtras, signal);
  const blueprintIdOf = async (
    principal: ServicePrincipal,
    signal: AbortSignal,
  ): Promise<string | undefined> => {
    if (!isAgent(principal)) return undefined;
    // The blueprint of an agent identity never changes, so it is read once if the list does not state it.
    const known =
      principal.agentIdentityBlueprintId == null
        ? names.agents.get(principal.id)
        : { blueprint: principal.agentIdentityBlueprintId };
    const found = known === undefined ? await principalById(principal.id, signal) : undefined;
    const id = known === undefined ? found?.agentIdentityBlueprintId : known.blueprint;
    const blueprint = id?.toLowerCase();
    names.agents.set(principal.id, { blueprint });
    return blueprint;
  };

  return {
    principalById,
    principalByAppId,
    application,
    /** The `appId` of an agent identity's blueprint. Undefined for other principals, and if Graph states none. */
    blueprintIdOf,
    async blueprintOf(principal: ServicePrincipal, signal: AbortSignal): Promise<Blueprint | undefined> {
      const blueprint = await blueprintIdOf(principal, signal);
      if (blueprint === undefined) return undefined;
      return {
        principal: await principalByAppId(blueprint, signal),
        application: await application(blueprint, signal),
      };
    },
  };
}
