import { z } from 'zod';
import { parseJson } from '../http-client.js';
import { errorCodeOf, type GraphApi, incomplete } from './graph-api.js';
import { parse } from './pages.js';
import { guid } from './principal.js';

/** The collections of which Graph tells the changes, with what of each is watched. */
export const WATCHED = {
  applications: 'id,appId,isFallbackPublicClient,passwordCredentials,keyCredentials',
  servicePrincipals:
    'id,appId,displayName,accountEnabled,disabledByMicrosoftStatus,servicePrincipalType,notes,tags,replyUrls,passwordCredentials,keyCredentials,appRoles,oauth2PermissionScopes',
  oauth2PermissionGrants: 'id,clientId,consentType,resourceId,scope',
  users: 'id,accountEnabled',
  groups: 'id,members',
} as const;
export type PeopleCollection = (typeof PEOPLE)[number];
export type Collection = (typeof COLLECTIONS)[number];
export const PEOPLE = ['users', 'groups'] as const;
export const COLLECTIONS = ['applications', 'servicePrincipals', 'oauth2PermissionGrants'] as const;

const offered = z.array(z.object({ value: z.string().nullish(), isEnabled: z.boolean().nullish() }));

/** An object that changed: its id, and at least the properties that did. */
const CHANGE = z.object({
  id: z.string().min(1).max(255),
  '@removed': z.object({ reason: z.string().nullish() }).optional(),
  appId: guid.nullish(),
  servicePrincipalType: z.string().nullish(),
  accountEnabled: z.boolean().nullish(),
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
  signal: AbortSignal,
): Promise<Round> {
  const start = api.addressOf(`/${collection}/delta`, {
    $deltatoken: 'latest',
    $select: WATCHED[collection],
  });
  const told = link === undefined ? undefined : await follow(api, collection, new URL(link), true, signal);
  if (told !== undefined) return { ...told, gap: false };
  const begun = await follow(api, collection, start, false, signal);
  if (begun === undefined) throw incomplete(`${api.placeOf(`changes of ${collection}`)}: no end in sight`);
  return { changes: [], link: begun.link, gap: link !== undefined };
}

async function follow(
  api: GraphApi,
  collection: keyof typeof WATCHED,
  from: URL,
  isStored: boolean,
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
    if (isStored && isForgotten(answer.status, errorCodeOf(answer))) return undefined;
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
