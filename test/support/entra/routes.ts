import { type Answer, graphError, notFound } from './answers.js';
import { filter, select, unknownIn } from './queries.js';
import type { CollectionName, DirectoryObject, Tenant } from './tenant.js';

/** How the server pages and what it has forgotten. */
export interface Shape {
  readonly origin: string;
  /** However much `$top` asks for. */
  maxPage: number;
  /** Delta tokens from before this change are gone. */
  forgottenBefore: number;
  /** Properties that Graph 1.0 is not documented to have for certain, and that this one refuses. */
  readonly unknownProperties: Set<string>;
}

const DELTAS = ['applications', 'servicePrincipals', 'oauth2PermissionGrants', 'users', 'groups'] as const;

/** The permissions of which one opens a path, by its first part. */
export function permissionsFor(path: string): readonly string[] {
  const [first = ''] = path.replace(/^\//, '').split(/[/(?]/);
  // https://learn.microsoft.com/graph/api/serviceprincipal-delta
  if (/^\/(servicePrincipals|applications)\/delta/.test(path)) return ['Directory.Read.All'];
  switch (first) {
    case 'servicePrincipals':
    case 'applications':
      return ['Application.Read.All', 'Directory.Read.All'];
    case 'oauth2PermissionGrants':
      return ['Directory.Read.All'];
    case 'policies':
      return ['Policy.Read.All'];
    case 'groups':
      return ['GroupMember.Read.All', 'Group.Read.All', 'Directory.Read.All'];
    case 'users':
      return ['User.Read.All', 'Directory.Read.All'];
    default:
      return ['User.Read.All'];
  }
}

/** GET below `/v1.0`; `mayReadUsers` decides what is shown of members. */
export function answerGet(url: URL, tenant: Tenant, shape: Shape, mayReadUsers: boolean): Answer {
  const path = decodeURIComponent(url.pathname.slice('/v1.0'.length));
  const delta = DELTAS.find((name) => path === `/${name}/delta`);
  if (delta !== undefined) return answerDelta(url, delta, tenant, shape);
  const { visible } = tenant;
  const all = (name: CollectionName) => [...visible[name].values()];

  const [, byAppId, appId = ''] = /^\/(servicePrincipals|applications)\(appId='([^']*)'\)$/.exec(path) ?? [];
  if (byAppId === 'servicePrincipals' || byAppId === 'applications') {
    const found = all(byAppId).find((object) => String(object.appId).toLowerCase() === appId.toLowerCase());
    return one(found, byAppId, appId, url, shape);
  }
  const [, list] =
    /^\/(servicePrincipals|applications|oauth2PermissionGrants|groups|users)$/.exec(path) ?? [];
  if (list !== undefined) return page(all(list as CollectionName), list, url, shape);
  if (path === '/policies/tokenLifetimePolicies')
    return page(all('tokenLifetimePolicies'), 'tokenLifetimePolicies', url, shape);

  const [, resourceId, assignmentId = ''] =
    /^\/servicePrincipals\/([^/]+)\/appRoleAssignedTo\/([^/]+)$/.exec(path) ?? [];
  if (resourceId !== undefined) {
    const assignment = visible.appRoleAssignments.get(assignmentId);
    return one(
      assignment?.resourceId === resourceId ? assignment : undefined,
      'appRoleAssignments',
      assignmentId,
      url,
      shape,
    );
  }

  const [, grantId] = /^\/oauth2PermissionGrants\/([^/]+)$/.exec(path) ?? [];
  if (grantId !== undefined)
    return one(visible.oauth2PermissionGrants.get(grantId), 'oauth2PermissionGrants', grantId, url, shape);

  const [, owner = '', id = '', relation] =
    /^\/(servicePrincipals|groups|policies\/tokenLifetimePolicies)\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
  const collection = owner.startsWith('policies') ? 'tokenLifetimePolicies' : (owner as CollectionName);
  const object = owner === '' ? undefined : visible[collection].get(id.toLowerCase());
  if (object === undefined) return notFound(id);
  switch (relation) {
    case undefined:
      return one(object, collection, id, url, shape);
    case 'appRoleAssignments':
    case 'appRoleAssignedTo': {
      const end = relation === 'appRoleAssignments' ? 'principalId' : 'resourceId';
      const held = all('appRoleAssignments').filter((assignment) => assignment[end] === object.id);
      return page(held, 'appRoleAssignments', url, shape);
    }
    case 'transitiveMembers':
      return page(membersOf(object, tenant, mayReadUsers), 'directoryObjects', url, shape);
    case 'appliesTo': {
      const ids = Array.isArray(object.appliesTo) ? object.appliesTo : [];
      return page(
        ids.map((each) => ({ id: String(each) })),
        'directoryObjects',
        url,
        shape,
      );
    }
    default:
      return graphError(400, 'BadRequest', `Resource not found for the segment '${relation}'.`);
  }
}

function one(
  object: DirectoryObject | undefined,
  collection: string,
  id: string,
  url: URL,
  { unknownProperties }: Shape,
): Answer {
  if (object === undefined) return notFound(id);
  const fields = url.searchParams.get('$select');
  const unknown = unknownIn(fields, collection, unknownProperties);
  return unknown === undefined ? { status: 200, json: select(object, fields) } : badProperty(unknown);
}

function page(objects: readonly DirectoryObject[], collection: string, url: URL, shape: Shape): Answer {
  const { searchParams } = url;
  const fields = searchParams.get('$select');
  const unknown = unknownIn(fields, collection, shape.unknownProperties);
  if (unknown !== undefined) return badProperty(unknown);
  const found = filter(objects, searchParams.get('$filter'));
  if (found === undefined) return graphError(400, 'Request_UnsupportedQuery', 'Unsupported Query.');
  const top = Number(searchParams.get('$top') ?? 100);
  if (!(top >= 1 && top <= 999)) return graphError(400, 'Request_BadRequest', 'Invalid page size specified.');
  const size = Math.min(top, shape.maxPage);
  const start = Number(searchParams.get('$skiptoken') ?? 0);
  const chosen = found.slice(start, start + size).map((object) => select(object, fields));
  const next = new URL(url);
  next.searchParams.set('$skiptoken', String(start + size));
  const link =
    start + size < found.length ? { '@odata.nextLink': shape.origin + next.pathname + next.search } : {};
  return {
    status: 200,
    json: { '@odata.context': `${shape.origin}/v1.0/$metadata`, ...link, value: chosen },
  };
}

/** https://learn.microsoft.com/graph/delta-query-overview; a token contains its position and what was selected. */
function answerDelta(url: URL, collection: (typeof DELTAS)[number], tenant: Tenant, shape: Shape): Answer {
  const { searchParams } = url;
  const token = searchParams.get('$deltatoken') ?? searchParams.get('$skiptoken');
  const end = tenant.changes.length;
  const [from, to, fields] =
    token === 'latest' || token === null
      ? [token === null ? 0 : end, end, searchParams.get('$select')]
      : parseToken(token, end);
  if (Number.isNaN(from)) return graphError(400, 'Directory_BadDeltaToken', 'Badly formed token.');
  if (from < shape.forgottenBefore) {
    const location = `${shape.origin}${url.pathname}?$deltatoken=`;
    return graphError(410, 'syncStateNotFound', 'The sync state generation is not found.', { location });
  }
  // Of a group its members are selected too, which are no property.
  const selected = collection === 'groups' ? null : searchParams.get('$select');
  const unknown = unknownIn(selected, collection, shape.unknownProperties);
  if (unknown !== undefined) return badProperty(unknown);
  const changed = new Map<string, boolean>();
  const entries = tenant.changes.slice(from, to).filter((entry) => entry.collection === collection);
  const here = entries.slice(0, shape.maxPage);
  for (const { id, removed } of here) changed.set(id, removed);
  const value = [...changed].map(([id, removed]) => {
    const object = tenant.get(collection, id);
    if (removed || object === undefined) return { id, '@removed': { reason: 'changed' } };
    if (collection !== 'groups') return select(object, fields);
    const before = here.find((entry) => entry.id === id)?.before;
    return { ...select(object, 'id'), id, ...membersDelta(before, object) };
  });
  const isWhole = here.length === entries.length;
  const rest = isWhole ? to : (here.at(-1)?.sequence ?? to);
  const text = Buffer.from(JSON.stringify([rest, to, fields])).toString('base64url');
  const link = `${shape.origin}${url.pathname}?`;
  const links = isWhole
    ? { '@odata.deltaLink': `${link}$deltatoken=${text}` }
    : { '@odata.nextLink': `${link}$skiptoken=${text}` };
  return {
    status: 200,
    json: { '@odata.context': `${shape.origin}/v1.0/$metadata#${collection}`, ...links, value },
  };
}

/** A delta token ends its round, so the next goes on to the newest change; a skip token goes on within it. */
function parseToken(token: string, end: number): readonly [number, number, string | null] {
  try {
    const [rest, to, fields] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [
      number,
      number,
      string,
    ];
    return [rest, rest === to ? end : to, fields];
  } catch {
    return [Number.NaN, end, null];
  }
}

/** https://learn.microsoft.com/graph/delta-query-groups; left out where nobody came or went. */
function membersDelta(before: DirectoryObject | undefined, now: DirectoryObject): object {
  const listOf = (object: DirectoryObject | undefined) =>
    Array.isArray(object?.members) ? object.members.map(String) : [];
  const [had, has] = [listOf(before), listOf(now)];
  const member = (id: string) => ({ '@odata.type': '#microsoft.graph.user', id });
  const delta = [
    ...has.filter((id) => !had.includes(id)).map(member),
    ...had
      .filter((id) => !has.includes(id))
      .map((id) => ({ ...member(id), '@removed': { reason: 'deleted' } })),
  ];
  return delta.length === 0 ? {} : { 'members@delta': delta };
}

/** https://learn.microsoft.com/graph/api/user-checkmembergroups */
export function checkMemberGroups(path: string, body: string, tenant: Tenant): Answer | undefined {
  const [, id] = /^\/users\/([^/]+)\/checkMemberGroups$/.exec(path) ?? [];
  if (id === undefined) return undefined;
  if (tenant.visible.users.get(id) === undefined) return notFound(id);
  const { groupIds } = JSON.parse(body) as { readonly groupIds: readonly string[] };
  const value = groupIds.filter((group) => {
    const object = tenant.visible.groups.get(group.toLowerCase());
    return object !== undefined && membersOf(object, tenant, true).some((member) => member.id === id);
  });
  return { status: 200, json: { value } };
}

function membersOf(
  group: DirectoryObject,
  tenant: Tenant,
  mayReadUsers: boolean,
): readonly DirectoryObject[] {
  const found = new Map<string, DirectoryObject>();
  const visit = (object: DirectoryObject) => {
    for (const id of Array.isArray(object.members) ? object.members : []) {
      const user = tenant.visible.users.get(String(id));
      const nested = tenant.visible.groups.get(String(id));
      if (user !== undefined) {
        const shown = mayReadUsers ? user : { id: user.id, accountEnabled: null };
        found.set(user.id, { ...shown, '@odata.type': '#microsoft.graph.user' });
      }
      if (nested !== undefined && !found.has(nested.id)) {
        found.set(nested.id, { id: nested.id, '@odata.type': '#microsoft.graph.group' });
        visit(nested);
      }
    }
  };
  visit(group);
  return [...found.values()];
}

function badProperty(name: string): Answer {
  const message = `Parsing OData Select and Expand failed: Could not find a property named '${name}' on type`;
  return graphError(400, 'BadRequest', `${message} 'microsoft.graph.directoryObject'.`);
}
