import { z } from 'zod';
import type { Logger } from '../../observe.js';
import { digestOf } from '../digest.js';
import { incomplete } from '../read-errors.js';
import { invalidRecords, parseShape, recordOf, validRecords } from '../records.js';
import { errorCodeOf, type GraphApi } from './graph-api.js';
import { APPLICATION_OPTIONAL, guid, PRINCIPAL_OPTIONAL } from './principal.js';
import { createPropertySelection, type PropertySelection } from './property-selection.js';

/** The collections whose changes Graph reports, and the watched properties of each. */
const WATCHED = {
  applications: 'id,appId,isFallbackPublicClient,passwordCredentials,keyCredentials',
  servicePrincipals:
    'id,appId,displayName,accountEnabled,disabledByMicrosoftStatus,servicePrincipalType,notes,tags,replyUrls,passwordCredentials,keyCredentials,appRoles,oauth2PermissionScopes',
  oauth2PermissionGrants: 'id,clientId,consentType,resourceId,scope',
  users: 'id,accountEnabled',
  groups: 'id,members',
} as const;
/** Watched too if Graph knows them. */
const OPTIONAL: Partial<Record<Watched, readonly string[]>> = {
  applications: APPLICATION_OPTIONAL,
  servicePrincipals: PRINCIPAL_OPTIONAL,
  users: ['signInSessionsValidFromDateTime'],
};
/** A delta link watches what was selected when it was created, so a link for other properties cannot be used. */
export const WATCHED_DIGEST = digestOf([WATCHED, OPTIONAL]).slice(0, 8);

type Watched = keyof typeof WATCHED;
/** What is selected of each collection. Graph's refusals narrow it for as long as the process runs. */
type Selections = ReturnType<typeof createSelections>;

export function createSelections(provider: string, logger: Logger) {
  const made = new Map<Watched, PropertySelection>();
  return (collection: Watched): PropertySelection => {
    const fields = WATCHED[collection];
    const optional = OPTIONAL[collection] ?? [];
    const selection =
      made.get(collection) ??
      createPropertySelection({ provider, logger }, `changes of ${collection}`, fields, optional);
    made.set(collection, selection);
    return selection;
  };
}

export type PeopleCollection = (typeof PEOPLE)[number];
export type Collection = (typeof COLLECTIONS)[number];
export const PEOPLE = ['users', 'groups'] as const;
export const COLLECTIONS = ['applications', 'servicePrincipals', 'oauth2PermissionGrants'] as const;

const offered = z.array(z.object({ value: z.string().nullish(), isEnabled: z.boolean().nullish() }));

/** A changed object: its ID, and at least the properties that changed. */
const CHANGE = z.object({
  id: z.string().min(1).max(255),
  '@odata.type': z.string().optional(),
  '@removed': z.object({ reason: z.string().nullish() }).optional(),
  appId: guid.nullish(),
  servicePrincipalType: z.string().nullish(),
  accountEnabled: z.boolean().nullish(),
  isDisabled: z.boolean().nullish(),
  signInSessionsValidFromDateTime: z.string().nullish(),
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
export type DeltaChange = z.output<typeof CHANGE>;

const PAGE = z.object({
  value: z.array(recordOf(CHANGE, 'id')),
  '@odata.nextLink': z.string().optional(),
  '@odata.deltaLink': z.string().optional(),
});

export interface DeltaRound {
  readonly changes: readonly DeltaChange[];
  /** The start of the next round. */
  readonly link: string;
  /** Graph did not accept `link` any more, too much changed, or a change cannot be parsed: changes are lost. */
  readonly gap: boolean;
}

const MAX_PAGES = 500;

/**
 * One round of a delta query (https://learn.microsoft.com/graph/delta-query-overview) from `link`, or from now on. If Graph
 * has forgotten the link (410, or 400 for a token that it cannot use; directory links last seven days), there is a gap and a
 * new start.
 */
export async function readDelta(
  api: GraphApi,
  collection: Watched,
  link: string | undefined,
  selections: Selections,
  signal: AbortSignal,
): Promise<DeltaRound> {
  const place = api.placeOf(`changes of ${collection}`);
  const continued =
    link === undefined ? undefined : await follow(api, collection, new URL(link), undefined, signal);
  if (continued !== undefined) return continued;
  const selection = selections(collection);
  const started = await follow(api, collection, startOf(api, collection, selection), selection, signal);
  if (started === undefined) throw incomplete(place, `there are more than ${MAX_PAGES} pages`);
  return { changes: [], link: started.link, gap: link !== undefined };
}

function startOf(api: GraphApi, collection: Watched, selection: PropertySelection): URL {
  return api.addressOf(`/${collection}/delta`, { $deltatoken: 'latest', $select: selection.fields });
}

/** `selection` is undefined if `from` is a stored link. */
async function follow(
  api: GraphApi,
  collection: Watched,
  from: URL,
  selection: PropertySelection | undefined,
  signal: AbortSignal,
): Promise<DeltaRound | undefined> {
  const place = api.placeOf(`changes of ${collection}`);
  const changes: DeltaChange[] = [];
  // One change that cannot be parsed must not stop the poll: the complete comparison finds what it was.
  let hasInvalid = false;
  const seen = new Set<string>();
  for (let url = from; ; ) {
    if (seen.has(url.href)) throw incomplete(place, 'a page leads back to one that was already read');
    if (seen.size === MAX_PAGES) return undefined;
    seen.add(url.href);
    const answer = await api.send(url, place, {}, signal);
    if (selection === undefined && isForgotten(answer.status, errorCodeOf(answer))) return undefined;
    if (seen.size === 1 && selection?.narrow(answer, url)) {
      seen.clear();
      url = startOf(api, collection, selection);
      continue;
    }
    const page = parseShape(PAGE, api.json(answer, place), place);
    changes.push(...validRecords(page.value));
    hasInvalid ||= invalidRecords(page.value).length > 0;
    const deltaLink = page['@odata.deltaLink'];
    if (deltaLink !== undefined) return { changes, link: api.linkOf(deltaLink, place).href, gap: hasInvalid };
    url = api.linkOf(page['@odata.nextLink'], place);
  }
}

function isForgotten(status: number, code: string | undefined): boolean {
  return status === 410 || status === 400 || code === 'syncStateNotFound' || code === 'resyncRequired';
}
