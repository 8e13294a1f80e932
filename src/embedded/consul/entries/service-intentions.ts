import { serverFailure } from '../exchange.js';
import { joinErrors, quoted } from '../go-errors.js';
import type { ConfigEntryRow } from '../state/rows.js';
import { byteLength, type EntryKind, longestMetaValue, metaError } from './entry-kind.js';
import { permissionError } from './intention-permission.js';
import type { Decoded, Field, Shape } from './shape.js';

const httpShape: Shape = [
  { name: 'PathExact', kind: 'string', omitEmpty: true },
  { name: 'PathPrefix', kind: 'string', omitEmpty: true },
  { name: 'PathRegex', kind: 'string', omitEmpty: true },
  {
    name: 'Header',
    kind: {
      list: [
        { name: 'Name', kind: 'string' },
        { name: 'Present', kind: 'bool', omitEmpty: true },
        { name: 'Exact', kind: 'string', omitEmpty: true },
        { name: 'Prefix', kind: 'string', omitEmpty: true },
        { name: 'Suffix', kind: 'string', omitEmpty: true },
        { name: 'Regex', kind: 'string', omitEmpty: true },
        { name: 'Invert', kind: 'bool', omitEmpty: true },
      ],
    },
    omitEmpty: true,
  },
  { name: 'Methods', kind: 'strings', omitEmpty: true },
];

export const permissionShape: Shape = [
  { name: 'Action', kind: 'string' },
  { name: 'HTTP', kind: { pointer: httpShape }, omitEmpty: true },
];

/** As the source of Consul 1.16 has it (agent/structs/config_entry_intentions.go, hashicorp/consul). */
const jwtField: Field = {
  name: 'JWT',
  kind: {
    pointer: [
      {
        name: 'Providers',
        kind: {
          list: [
            { name: 'Name', kind: 'string', omitEmpty: true },
            {
              name: 'VerifyClaims',
              kind: {
                list: [
                  { name: 'Path', kind: 'strings', omitEmpty: true },
                  { name: 'Value', kind: 'string', omitEmpty: true },
                ],
              },
              omitEmpty: true,
            },
          ],
        },
        omitEmpty: true,
      },
    ],
  },
  omitEmpty: true,
};

const sourceShape = (permissions: Shape): Shape => [
  { name: 'Name', kind: 'string' },
  { name: 'Action', kind: 'string', omitEmpty: true },
  { name: 'Permissions', kind: { list: permissions }, omitEmpty: true },
  { name: 'Precedence', kind: 'int' },
  { name: 'LegacyID', kind: 'string', omitEmpty: true },
  { name: 'Type', kind: 'string' },
  { name: 'Description', kind: 'string', omitEmpty: true },
  { name: 'LegacyMeta', kind: 'string-map', omitEmpty: true },
  { name: 'LegacyCreateTime', kind: 'time', omitEmpty: true },
  { name: 'LegacyUpdateTime', kind: 'time', omitEmpty: true },
  { name: 'Peer', kind: 'string', omitEmpty: true },
];

export const serviceIntentions: EntryKind = {
  kind: 'service-intentions',
  shape: [
    { name: 'Kind', kind: 'string' },
    { name: 'Name', kind: 'string' },
    { name: 'Sources', kind: { list: sourceShape(permissionShape) } },
    { name: 'Meta', kind: 'string-map', omitEmpty: true },
  ],
  normalize: (entry) => normalizeIntentions(entry, false),
  validate: (entry) => validateIntentions(entry, false),
  canRead: (authorizer, name) => authorizer.isAllowed('intention', 'read', name),
  requireRead: (authorizer, name) => authorizer.require('intention', 'read', name),
  requireWrite: (authorizer, name) => authorizer.require('intention', 'write', name),
  updateOver: keepLegacyTimes,
};

/** From Consul 1.16 on. */
export const serviceIntentionsWithJwt: EntryKind = {
  ...serviceIntentions,
  shape: [
    { name: 'Kind', kind: 'string' },
    { name: 'Name', kind: 'string' },
    { name: 'Sources', kind: { list: sourceShape([...permissionShape, jwtField]) } },
    jwtField,
    { name: 'Meta', kind: 'string-map', omitEmpty: true },
  ],
};

export function sourcesOf(entry: Readonly<Record<string, unknown>>): Decoded[] {
  return Array.isArray(entry.Sources) ? entry.Sources : [];
}

/** Precedence by how exact destination and source are: 9, 8, 6, 5. */
function precedenceOf(destination: string, source: string): number {
  return (destination === '*' ? 6 : 9) - (source === '*' ? 1 : 0);
}

/** @param isLegacy a write of the old by-id intentions API, which alone may set the Legacy fields */
export function normalizeIntentions(entry: Decoded, isLegacy: boolean): Decoded {
  const destination = String(entry.Name);
  const sources = sourcesOf(entry).map((source): Decoded => {
    const { Type: type, LegacyID, LegacyMeta, LegacyCreateTime, LegacyUpdateTime, ...rest } = source;
    const legacy = isLegacy
      ? { LegacyID, LegacyMeta: LegacyMeta ?? {}, LegacyCreateTime, LegacyUpdateTime }
      : LegacyMeta === undefined
        ? {}
        : { LegacyMeta };
    return {
      ...rest,
      ...(Array.isArray(rest.Permissions) ? { Permissions: rest.Permissions.map(upperMethods) } : {}),
      Precedence: precedenceOf(destination, String(source.Name)),
      Type: type === '' ? 'consul' : type,
      ...legacy,
    };
  });
  sources.sort((left, right) => Number(right.Precedence) - Number(left.Precedence));
  return { ...entry, Kind: 'service-intentions', Sources: sources.length === 0 ? entry.Sources : sources };
}

function upperMethods(permission: Decoded): Decoded {
  const http = permission.HTTP;
  if (typeof http !== 'object' || http === null || !('Methods' in http) || !Array.isArray(http.Methods))
    return permission;
  return {
    ...permission,
    HTTP: { ...http, Methods: http.Methods.map((method) => String(method).toUpperCase()) },
  };
}

export function validateIntentions(entry: Decoded, isLegacy: boolean): void {
  const name = String(entry.Name);
  if (name === '') throw serverFailure('Name is required');
  const wildcard = wildcardError(name, '');
  if (wildcard !== undefined) throw serverFailure(wildcard);
  const jwt = jwtError(entry.JWT);
  if (jwt !== undefined) throw serverFailure(jwt);
  const meta = entry.Meta === undefined ? undefined : metaError(entry.Meta);
  if (isLegacy && entry.Meta !== undefined)
    throw serverFailure('Meta must be omitted for legacy intention writes');
  if (meta !== undefined) throw serverFailure(meta);
  const sources = sourcesOf(entry);
  if (sources.length === 0) throw serverFailure('At least one source is required');
  const seen = new Set<string>();
  sources.forEach((source, index) => {
    const error = sourceError(source, name, isLegacy);
    if (error !== undefined) throw serverFailure(`Sources[${index}]${error}`);
    for (const permission of permissionsOf(source)) {
      const refused = jwtError(permission.JWT);
      if (refused !== undefined) throw serverFailure(refused);
    }
    const identity = `${source.Peer ?? ''} ${source.Name}`;
    if (seen.has(identity)) {
      const peer = source.Peer === undefined ? '' : `peer(${quoted(String(source.Peer))}) `;
      throw serverFailure(`Sources[${index}] defines ${peer}${quoted(String(source.Name))} more than once`);
    }
    seen.add(identity);
  });
}

function sourceError(source: Decoded, destination: string, isLegacy: boolean): string | undefined {
  const name = String(source.Name);
  if (name === '') return '.Name is required';
  const wildcard = wildcardError(name, String(source.Peer ?? ''));
  if (wildcard !== undefined) return `.${wildcard}`;
  if (byteLength(String(source.Description ?? '')) > longestMetaValue) {
    return `.Description exceeds maximum length ${longestMetaValue}`;
  }
  if (isLegacy && source.Peer !== undefined) return '.Peer cannot be set by legacy intentions';
  const legacyMeta = source.LegacyMeta;
  if (
    !isLegacy &&
    typeof legacyMeta === 'object' &&
    legacyMeta !== null &&
    Object.keys(legacyMeta).length > 0
  ) {
    return '.LegacyMeta must be omitted';
  }
  const permissions = permissionsOf(source);
  const isActionSet = source.Action === 'allow' || source.Action === 'deny';
  if (permissions.length === 0 && !isActionSet) return ".Action must be set to 'allow' or 'deny'";
  if (permissions.length > 0 && source.Action !== undefined) {
    return '.Action must be omitted if Permissions are specified';
  }
  if (permissions.length > 0 && destination === '*') {
    return '.Permissions cannot be specified on intentions with wildcarded destinations';
  }
  if (source.Type !== 'consul') return ".Type must be set to 'consul'";
  for (const [index, permission] of permissions.entries()) {
    const error = permissionError(permission);
    if (error !== undefined) return `.Permissions[${index}]${error}`;
  }
  return undefined;
}

function permissionsOf(source: Decoded): readonly Decoded[] {
  return Array.isArray(source.Permissions) ? source.Permissions : [];
}

function jwtError(block: unknown): string | undefined {
  const providers =
    typeof block === 'object' && block !== null && 'Providers' in block && Array.isArray(block.Providers)
      ? block.Providers
      : [];
  const errors = providers
    .filter((provider: Decoded) => provider.Name === undefined)
    .map(() => 'JWT provider name is required');
  return errors.length === 0 ? undefined : joinErrors(errors);
}

function wildcardError(name: string, peer: string): string | undefined {
  if (name !== '*' && name.includes('*'))
    return "Name: wildcard character '*' cannot be used with partial values";
  return peer.includes('*') ? "Peer: cannot use wildcard '*' in peer" : undefined;
}

function keepLegacyTimes(entry: Decoded, previous: ConfigEntryRow): Decoded {
  const before = sourcesOf(previous);
  const sources = sourcesOf(entry).map((source, index) => {
    if (source.LegacyID === undefined) return source;
    const named = before.find((other) => other.Name === source.Name && other.Peer === source.Peer);
    if (named !== undefined && named.LegacyID === undefined) {
      throw serverFailure(`Sources[${index}].LegacyID: cannot set this field`);
    }
    if (named !== undefined && named.LegacyID !== source.LegacyID) {
      throw serverFailure(`Sources[${index}].LegacyID: cannot set this field to a different value`);
    }
    const same = before.find((other) => other.LegacyID === source.LegacyID);
    return same === undefined ? source : { ...source, LegacyCreateTime: same.LegacyCreateTime };
  });
  return { ...entry, Sources: sources };
}
