import type { DirectoryObject } from './tenant.js';

/** Properties that may be selected (https://learn.microsoft.com/graph/api/resources/…); another is an error of the caller. */
const PROPERTIES: Readonly<Record<string, readonly string[]>> = {
  servicePrincipals: [
    'id',
    'appId',
    'displayName',
    'accountEnabled',
    'disabledByMicrosoftStatus',
    'isDisabled',
    'agentIdentityBlueprintId',
    'servicePrincipalType',
    'appOwnerOrganizationId',
    'servicePrincipalNames',
    'notes',
    'tags',
    'replyUrls',
    'passwordCredentials',
    'keyCredentials',
    'appRoles',
    'oauth2PermissionScopes',
  ],
  applications: [
    'id',
    'appId',
    'displayName',
    'identifierUris',
    'isFallbackPublicClient',
    'isDisabled',
    'passwordCredentials',
    'keyCredentials',
    'tags',
    'notes',
  ],
  oauth2PermissionGrants: ['id', 'clientId', 'consentType', 'principalId', 'resourceId', 'scope'],
  users: ['id', 'displayName', 'userPrincipalName', 'accountEnabled', 'signInSessionsValidFromDateTime'],
  groups: ['id', 'displayName', 'description', 'visibility'],
  appRoleAssignments: ['id', 'appRoleId', 'principalId', 'principalType', 'resourceId'],
  tokenLifetimePolicies: ['id', 'definition', 'displayName', 'isOrganizationDefault'],
  directoryObjects: ['id', 'accountEnabled', 'displayName'],
};

/** The first property that `$select` asks for and the type does not have, or this Graph does not. */
export function unknownIn(
  fields: string | null,
  collection: string,
  unknown: ReadonlySet<string>,
): string | undefined {
  const known = PROPERTIES[collection] ?? [];
  return fields?.split(',').find((name) => !known.includes(name) || unknown.has(name));
}

/** Only where they are selected does the documentation of Graph 1.0 show these. */
const NOT_BY_DEFAULT = ['isDisabled'];

export function select(object: DirectoryObject, fields: string | null): DirectoryObject {
  const names = fields?.split(',') ?? Object.keys(object).filter((name) => !NOT_BY_DEFAULT.includes(name));
  const kept = Object.entries(object).filter(([name]) => names.includes(name) || name === '@odata.type');
  return { ...Object.fromEntries(kept), id: object.id };
}

/** The few forms of `$filter` that the documentation shows for these collections; undefined for another. */
export function filter(
  objects: readonly DirectoryObject[],
  expression: string | null,
): readonly DirectoryObject[] | undefined {
  if (expression === null) return objects;
  const conditions = expression.split(' and ').map((each) => /^(\w+) eq '([^']*)'$/.exec(each));
  if (conditions.every((condition) => condition !== null))
    return objects.filter((object) => conditions.every(([, field = '', value]) => object[field] === value));
  const [, name] = /^servicePrincipalNames\/any\(n:n eq '((?:[^']|'')*)'\)$/.exec(expression) ?? [];
  if (name === undefined) return undefined;
  const unquoted = name.replaceAll("''", "'");
  return objects.filter(
    ({ servicePrincipalNames: names }) => Array.isArray(names) && names.includes(unquoted),
  );
}
