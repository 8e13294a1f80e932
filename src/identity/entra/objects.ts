import type { z } from 'zod';
import { ClientUnreadable } from '../../errors.js';
import type { Logger } from '../../observe.js';
import { textIn } from '../records.js';
import type { GraphApi } from './graph-api.js';
import type { EntraNames } from './names.js';
import { parse } from './pages.js';
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
import { createSelection, findSelected, type Selection } from './selection.js';

/** Service principals and applications, one at a time. Undefined is what Graph itself says is not there. */
export interface EntraObjects {
  principalById(id: string, signal: AbortSignal): Promise<ServicePrincipal | undefined>;
  principalByAppId(appId: string, signal: AbortSignal): Promise<ServicePrincipal | undefined>;
  application(appId: string, signal: AbortSignal): Promise<Application | undefined>;
  /** The `appId` of an agent identity's blueprint; undefined for another, and where Graph tells of none. */
  blueprintIdOf(principal: ServicePrincipal, signal: AbortSignal): Promise<string | undefined>;
  blueprintOf(principal: ServicePrincipal, signal: AbortSignal): Promise<Blueprint | undefined>;
}

export function createEntraObjects(options: {
  readonly api: GraphApi;
  readonly names: EntraNames;
  readonly logger: Logger;
}): EntraObjects {
  const { api, names, logger } = options;
  const selecting = (what: string, optional: readonly string[]) =>
    createSelection({ provider: api.provider, logger, what, fields: 'id', optional });
  const moreOfPrincipal = selecting('one service principal', PRINCIPAL_OPTIONAL);
  const moreOfApplication = selecting('one application', APPLICATION_OPTIONAL);

  const find = async <T>(
    schema: z.ZodType<T>,
    path: string,
    what: string,
    more: { readonly selection: Selection; readonly isTold: (found: T) => boolean },
    signal: AbortSignal,
  ): Promise<T | undefined> => {
    // All fields: Graph allows few requests that select the credentials.
    const answer = await api.find(path, {}, what, signal);
    if (answer === undefined) return undefined;
    const parsed = schema.safeParse(answer);
    const [id, appId] = [textIn(answer, 'id'), textIn(answer, 'appId')];
    // The object that was asked for, and no answer of something in between.
    if (!parsed.success && [id, appId].some((each) => each !== undefined && path.includes(each)))
      throw new ClientUnreadable(api.placeOf(what), appId ?? id, 'a field has not the documented form');
    const found = parse(schema, answer, api.placeOf(what));
    if (more.isTold(found) || !more.selection.isWhole) return found;
    // Some are told only where they are selected; without them this read would open what the complete one closed.
    const rest = await findSelected(api, path, more.selection, what, signal);
    return rest === undefined ? undefined : parse(schema, Object.assign({}, answer, rest), api.placeOf(what));
  };
  const ofPrincipal = {
    selection: moreOfPrincipal,
    isTold: (found: ServicePrincipal) =>
      found.isDisabled !== undefined && (!isAgent(found) || found.agentIdentityBlueprintId !== undefined),
  };
  const ofApplication = {
    selection: moreOfApplication,
    isTold: (found: Application) => found.isDisabled !== undefined,
  };

  const self: EntraObjects = {
    principalById: (id, signal) =>
      find(SERVICE_PRINCIPAL, `/servicePrincipals/${id}`, 'service principals', ofPrincipal, signal),
    principalByAppId: (appId, signal) =>
      find(
        SERVICE_PRINCIPAL,
        `/servicePrincipals(appId='${appId}')`,
        'service principals',
        ofPrincipal,
        signal,
      ),
    application: (appId, signal) =>
      find(APPLICATION, `/applications(appId='${appId}')`, 'applications', ofApplication, signal),
    async blueprintIdOf(principal, signal) {
      if (!isAgent(principal)) return undefined;
      // An agent identity keeps the blueprint that it was made from: what no list tells is asked for once.
      const known = principal.agentIdentityBlueprintId ?? names.blueprintOf(principal.id);
      const found = known === undefined ? await self.principalById(principal.id, signal) : undefined;
      const blueprint = (known ?? found?.agentIdentityBlueprintId)?.toLowerCase();
      names.learnAgent(principal.id, blueprint ?? null);
      return blueprint;
    },
    async blueprintOf(principal, signal) {
      const blueprint = await self.blueprintIdOf(principal, signal);
      if (blueprint === undefined) return undefined;
      return {
        principal: await self.principalByAppId(blueprint, signal),
        application: await self.application(blueprint, signal),
      };
    },
  };
  return self;
}
