import { isRecord } from '../../../model/is-record.js';
import { objectIn, objectsIn } from '../body.js';
import { joinErrors, quoted, serverFailure } from '../exchange.js';
import {
  bool,
  type Decoded,
  int,
  list,
  pointer,
  type Shape,
  string,
  stringMap,
  strings,
  time,
} from '../shape.js';
import { byteLength, type EntryKind, longestMetaValue, metaError } from './entry-kind.js';
import { permissionError } from './intention-permission.js';

const header = [
  ...string('Name'),
  ...bool('Present?'),
  ...string('Exact? Prefix? Suffix? Regex?'),
  ...bool('Invert?'),
];

const permissionShape = [
  ...string('Action'),
  ...pointer(
    'HTTP?',
    string('PathExact? PathPrefix? PathRegex?'),
    list('Header?', header),
    strings('Methods?'),
  ),
];

/** As the source of Consul 1.16 has it (agent/structs/config_entry_intentions.go, hashicorp/consul). */
const jwtField = pointer(
  'JWT?',
  list('Providers?', string('Name?'), list('VerifyClaims?', strings('Path?'), string('Value?'))),
);

const sourceShape = (permissions: Shape): Shape => [
  ...string('Name Action?'),
  ...list('Permissions?', permissions),
  ...int('Precedence'),
  ...string('LegacyID? Type Description? Peer?'),
  ...stringMap('LegacyMeta?'),
  ...time('LegacyCreateTime? LegacyUpdateTime?'),
];

export const serviceIntentions: EntryKind = {
  kind: 'service-intentions',
  shape: [...string('Kind Name'), ...list('Sources', sourceShape(permissionShape)), ...stringMap('Meta?')],
  normalize: normalizeIntentions,
  validate: validateIntentions,
  canRead: (authorizer, name) => authorizer.isAllowed('intention', 'read', name),
  requireRead: (authorizer, name) => authorizer.require('intention', 'read', name),
  requireWrite: (authorizer, name) => authorizer.require('intention', 'write', name),
};

/** From Consul 1.16 on. */
export const serviceIntentionsWithJwt: EntryKind = {
  ...serviceIntentions,
  shape: [
    ...string('Kind Name'),
    ...list('Sources', sourceShape([...permissionShape, ...jwtField])),
    ...jwtField,
    ...stringMap('Meta?'),
  ],
};

export function sourcesOf(entry: Readonly<Record<string, unknown>>): Decoded[] {
  return Array.isArray(entry.Sources) ? entry.Sources : [];
}

/** Precedence by how exact destination and source are: 9, 8, 6, 5. */
function precedenceOf(destination: string, source: string): number {
  return (destination === '*' ? 6 : 9) - (source === '*' ? 1 : 0);
}

/** Drops the fields that only Consul's old intentions API may set. */
function normalizeIntentions(entry: Decoded): Decoded {
  const destination = String(entry.Name);
  const sources = sourcesOf(entry).map((source): Decoded => {
    const { LegacyID: _id, LegacyCreateTime: _created, LegacyUpdateTime: _updated, ...kept } = source;
    return {
      ...kept,
      ...(Array.isArray(kept.Permissions) ? { Permissions: kept.Permissions.map(upperMethods) } : {}),
      Precedence: precedenceOf(destination, String(kept.Name)),
      Type: kept.Type === '' ? 'consul' : kept.Type,
    };
  });
  sources.sort((left, right) => Number(right.Precedence) - Number(left.Precedence));
  return { ...entry, Kind: 'service-intentions', Sources: sources.length === 0 ? entry.Sources : sources };
}

function upperMethods(permission: Decoded): Decoded {
  const http = permission.HTTP;
  if (!isRecord(http) || !Array.isArray(http.Methods)) return permission;
  return {
    ...permission,
    HTTP: { ...http, Methods: http.Methods.map((method) => String(method).toUpperCase()) },
  };
}

function validateIntentions(entry: Decoded): void {
  const name = String(entry.Name);
  if (name === '') throw serverFailure('Name is required');
  const wildcard = wildcardError(name, '');
  if (wildcard !== undefined) throw serverFailure(wildcard);
  const jwt = jwtError(objectIn(entry, 'JWT'));
  if (jwt !== undefined) throw serverFailure(jwt);
  const meta = metaError(entry.Meta);
  if (meta !== undefined) throw serverFailure(meta);
  const sources = sourcesOf(entry);
  if (sources.length === 0) throw serverFailure('At least one source is required');
  const seen = new Set<string>();
  sources.forEach((source, index) => {
    const error = sourceError(source, name);
    if (error !== undefined) throw serverFailure(`Sources[${index}]${error}`);
    for (const permission of objectsIn(source, 'Permissions')) {
      const refused = jwtError(objectIn(permission, 'JWT'));
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

function sourceError(source: Decoded, destination: string): string | undefined {
  const name = String(source.Name);
  if (name === '') return '.Name is required';
  const wildcard = wildcardError(name, String(source.Peer ?? ''));
  if (wildcard !== undefined) return `.${wildcard}`;
  if (byteLength(String(source.Description ?? '')) > longestMetaValue) {
    return `.Description exceeds maximum length ${longestMetaValue}`;
  }
  if (Object.keys(objectIn(source, 'LegacyMeta') ?? {}).length > 0) return '.LegacyMeta must be omitted';
  const permissions = objectsIn(source, 'Permissions');
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

function jwtError(requirement: Decoded | undefined): string | undefined {
  const unnamed = objectsIn(requirement, 'Providers').filter((provider) => provider.Name === undefined);
  return unnamed.length === 0 ? undefined : joinErrors(unnamed.map(() => 'JWT provider name is required'));
}

/** The error of a wildcard in the wrong place of a name or of a peer. */
function wildcardError(name: string, peer: string): string | undefined {
  if (name !== '*' && name.includes('*'))
    return "Name: wildcard character '*' cannot be used with partial values";
  return peer.includes('*') ? "Peer: cannot use wildcard '*' in peer" : undefined;
}
