import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Logger } from '../../observe.js';
import { parseJson } from '../http-client.js';
import { errorCodeOf, type GraphApi, incomplete } from './graph-api.js';
import { parse } from './pages.js';
import { APPLICATION_OPTIONAL, guid, PRINCIPAL_OPTIONAL } from './principal.js';
import { createSelection, type Selection } from './selection.js';

/** The collections of which Graph tells the changes, with what of each is watched. */
const WATCHED = {
  applications: 'id,appId,isFallbackPublicClient,passwordCredentials,keyCredentials',
  servicePrincipals:
    'id,appId,displayName,accountEnabled,disabledByMicrosoftStatus,servicePrincipalType,notes,tags,replyUrls,passwordCredentials,keyCredentials,appRoles,oauth2PermissionScopes',
  oauth2PermissionGrants: 'id,clientId,consentType,resourceId,scope',
  users: 'id,accountEnabled',
  groups: 'id,members',
} as const;
/** Watched too, where Graph knows them. */
const OPTIONAL: Partial<Record<keyof typeof WATCHED, readonly string[]>> = {
  applications: APPLICATION_OPTIONAL,
  servicePrincipals: PRINCIPAL_OPTIONAL,
};
/** A delta link watches for ever what was selected when it began: one of another making would miss the rest. */
export const WATCHING = createHash('sha256')
  .update(JSON.stringify([WATCHED, OPTIONAL]))
  .digest('base64url')
  .slice(0, 8);

export type Selections = Readonly<Record<keyof typeof WATCHED, Selection>>;

export function createSelections(provider: string, logger: Logger): Selections {
  const of = (collection: keyof typeof WATCHED) =>
    createSelection({
      provider,
      logger,
      what: `changes of ${collection}`,
      fields: WATCHED[collection],
      optional: OPTIONAL[collection] ?? [],
    });
  return {
    applications: of('applications'),
    servicePrincipals: of('servicePrincipals'),
    oauth2PermissionGrants: of('oauth2PermissionGrants'),
    users: of('users'),
    groups: of('groups'),
  };
}

export type PeopleCollection = (typeof PEOPLE)[number];
export type Collection = (typeof COLLECTIONS)[number];
export const PEOPLE = ['users', 'groups'] as const;
export const COLLECTIONS = ['applications', 'servicePrincipals', 'oauth2PermissionGrants'] as const;

const offered = z.array(z.object({ value: z.string().nullish(), isEnabled: z.boolean().nullish() }));

/** An object that changed: its id, and at least the properties that did. */
const CHANGE = z.object({
  id: z.string().min(1).max(255),
  '@odata.type': z.string().optional(),
  '@removed': z.object({ reason: z.string().nullish() }).optional(),
  appId: guid.nullish(),
  servicePrincipalType: z.string().nullish(),
  accountEnabled: z.boolean().nullish(),
  isDisabled: z.boolean().nullish(),
  agentIdentityBlueprintId: guid.nullish(),
  clientId: guid.nullish(),
  consentType: z.string().nullish(),
  resourceId: guid.nullish(),
  appRoles: offered.nullish(),
  oauth2PermissionScopes: offered.nullish(),
  'members@delta': z
    .array(z.object({ id: z.string().min(1).max(255), '@removed': z.unknown().optional() }))
    .nullish(),
});
export type Change = z.output<typeof CHANGE>;

const PAGE = z.object({
  value: z.array(CHANGE),
  '@odata.nextLink': z.string().optional(),
  '@odata.deltaLink': z.string().optional(),
});

export interface Round {
  readonly changes: readonly Change[];
  /** Where the next round begins. */
  readonly link: string;
  /** `link` was not understood any more, or too much changed to tell: changes are lost. */
  readonly gap: boolean;
}

const MOST_PAGES = 500;

/**
 * One round of a delta query (https://learn.microsoft.com/graph/delta-query-overview) from `link`, or from now on. A
 * link that Graph has forgotten (410, or 400 for a token it cannot use; those of a directory last seven days) makes a
 * gap and a new beginning.
 */
export async function readDelta(
  api: GraphApi,
  collection: keyof typeof WATCHED,
  link: string | undefined,
  selections: Selections,
  signal: AbortSignal,
): Promise<Round> {
  const told =
    link === undefined ? undefined : await follow(api, collection, new URL(link), undefined, signal);
  if (told !== undefined) return { ...told, gap: false };
  const selection = selections[collection];
  const begun = await follow(api, collection, startOf(api, collection, selection), selection, signal);
  if (begun === undefined) throw incomplete(`${api.placeOf(`changes of ${collection}`)}: no end in sight`);
  return { changes: [], link: begun.link, gap: link !== undefined };
}

function startOf(api: GraphApi, collection: keyof typeof WATCHED, selection: Selection): URL {
  return api.addressOf(`/${collection}/delta`, { $deltatoken: 'latest', $select: selection.fields });
}

/** `begun` with, where it does not go on from a stored link. */
async function follow(
  api: GraphApi,
  collection: keyof typeof WATCHED,
  from: URL,
  begun: Selection | undefined,
  signal: AbortSignal,
): Promise<Omit<Round, 'gap'> | undefined> {
  const place = api.placeOf(`changes of ${collection}`);
  const changes: Change[] = [];
  const seen = new Set<string>();
  for (let url = from; ; ) {
    if (seen.has(url.href)) throw incomplete(`${place}: nextLink leads back to a page already read`);
    if (seen.size === MOST_PAGES) return undefined;
    seen.add(url.href);
    const answer = await api.send(url, place, {}, signal);
    if (begun === undefined && isForgotten(answer.status, errorCodeOf(answer))) return undefined;
    if (seen.size === 1 && begun?.narrow(answer, url)) {
      seen.clear();
      url = startOf(api, collection, begun);
      continue;
    }
    if (answer.status !== 200) throw api.refusalOf(answer, place);
    const page = parse(PAGE, parseJson(answer, place), place);
    changes.push(...page.value);
    const deltaLink = page['@odata.deltaLink'];
    if (deltaLink !== undefined) return { changes, link: api.linkOf(deltaLink, place).href };
    url = api.linkOf(page['@odata.nextLink'], place);
  }
}

function isForgotten(status: number, code: string | undefined): boolean {
  return status === 410 || status === 400 || code === 'syncStateNotFound' || code === 'resyncRequired';
}
