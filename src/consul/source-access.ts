import { definedFields } from '../model/defined-fields.js';
import type {
  Access,
  ClaimValue,
  HeaderMatch,
  HttpPermission,
  IntentionSource,
  JwtRequirement,
  NewSource,
} from '../model/intention.js';
import { isRecord } from '../model/is-record.js';
import type { Raw } from './reader.js';

const OTHER = { kind: 'other' } as const;

/** Fields of a source that do not describe its access. */
const BESIDE_ACCESS: ReadonlySet<string> = new Set([
  'Name',
  'Namespace',
  'Partition',
  'Peer',
  'SamenessGroup',
  'Precedence',
  'Description',
  'LegacyID',
  'LegacyMeta',
  'LegacyCreateTime',
  'LegacyUpdateTime',
]);

/**
 * The access of a raw source; `other` if an Access cannot represent it (JWT requirements of several providers, permissions
 * that deny, fields of a newer Consul). Never throws: unknown content is `other`.
 */
export function parseAccess(raw: Raw): Access | { readonly kind: 'other' } {
  const rest = fieldsOf(raw, BESIDE_ACCESS);
  const { Action: action, Permissions: permissions, Type: type, ...unknown } = rest;
  if (Object.keys(unknown).length > 0 || (type !== undefined && type !== 'consul')) return OTHER;
  if (permissions === undefined) return action === 'allow' || action === 'deny' ? { kind: action } : OTHER;
  if (action !== undefined || !Array.isArray(permissions)) return OTHER;
  const parsed = permissions.map(parsePermission);
  const known = parsed.filter((permission) => permission !== undefined);
  return known.length === parsed.length ? { kind: 'http', permissions: known } : OTHER;
}

/** The element of `Sources`: as it was read, or built for a new source. */
export function toWireSource(source: IntentionSource | NewSource): Raw {
  return 'raw' in source ? source.raw : toRawSource(source);
}

/** The element of `Sources` for a source that scopemesh writes, without `default` partition and namespace. */
export function toRawSource(source: NewSource): Raw {
  const { access } = source;
  return {
    Name: source.name,
    ...(source.partition === 'default' ? {} : { Partition: source.partition }),
    ...(source.namespace === 'default' ? {} : { Namespace: source.namespace }),
    ...(access.kind === 'http'
      ? { Permissions: access.permissions.map(toRawPermission) }
      : { Action: access.kind }),
    Type: 'consul',
    Description: source.description,
  };
}

function parsePermission(value: unknown): HttpPermission | undefined {
  if (!isRecord(value)) return undefined;
  const { Action: action, HTTP: http, JWT: required, ...unknown } = fieldsOf(value);
  if (action !== 'allow' || !isRecord(http) || Object.keys(unknown).length > 0) return undefined;
  const jwt = required === undefined ? undefined : parseRequirement(required);
  if (required !== undefined && jwt === undefined) return undefined;
  const { PathExact, PathPrefix, PathRegex, Methods, Header, ...more } = fieldsOf(http);
  const paths = [PathExact, PathPrefix, PathRegex].filter((path) => path !== undefined);
  if (Object.keys(more).length > 0 || paths.length > 1 || !paths.every(isText)) return undefined;
  const methods = Methods ?? [];
  const headers = Array.isArray(Header ?? []) ? ((Header ?? []) as unknown[]).map(parseHeader) : [undefined];
  if (!Array.isArray(methods) || !methods.every(isText)) return undefined;
  const known = headers.filter((header) => header !== undefined);
  if (known.length !== headers.length) return undefined;
  return {
    ...(methods.length === 0 ? {} : { methods: methods.map((method) => method.toUpperCase()) }),
    ...(isText(PathExact) ? { pathExact: PathExact } : {}),
    ...(isText(PathPrefix) ? { pathPrefix: PathPrefix } : {}),
    ...(isText(PathRegex) ? { pathRegex: PathRegex } : {}),
    ...(known.length === 0 ? {} : { headers: known }),
    ...(jwt === undefined ? {} : { jwt }),
  };
}

/** A requirement of one provider. Several providers are alternatives, which scopemesh never writes. */
function parseRequirement(value: unknown): JwtRequirement | undefined {
  if (!isRecord(value)) return undefined;
  const { Providers, ...unknown } = fieldsOf(value);
  const [only, ...others]: readonly unknown[] = Array.isArray(Providers) ? Providers : [];
  if (!isRecord(only) || others.length > 0 || Object.keys(unknown).length > 0) return undefined;
  const { Name, VerifyClaims, ...more } = fieldsOf(only);
  const claims: readonly unknown[] = Array.isArray(VerifyClaims ?? [])
    ? ((VerifyClaims ?? []) as unknown[])
    : [undefined];
  const verifyClaims = claims.map(parseClaim).filter((claim) => claim !== undefined);
  if (!isText(Name) || Object.keys(more).length > 0 || verifyClaims.length !== claims.length)
    return undefined;
  return { provider: Name, verifyClaims };
}

function parseClaim(value: unknown): ClaimValue | undefined {
  if (!isRecord(value)) return undefined;
  const { Path, Value, ...unknown } = fieldsOf(value);
  if (!Array.isArray(Path) || !Path.every(isText) || !isText(Value) || Object.keys(unknown).length > 0)
    return undefined;
  return { path: Path, value: Value };
}

function parseHeader(value: unknown): HeaderMatch | undefined {
  if (!isRecord(value)) return undefined;
  const { Name, Present, Exact, Prefix, Suffix, Regex, Invert, ...unknown } = fieldsOf(value);
  if (!isText(Name) || Object.keys(unknown).length > 0) return undefined;
  const texts = [Exact, Prefix, Suffix, Regex].filter((match) => match !== undefined);
  if (!texts.every(isText) || !isTrueOrAbsent(Present) || !isTrueOrAbsent(Invert)) return undefined;
  // Consul stores exactly one match; with none or several the behaviour of its proxies is unknown.
  if (texts.length + (Present === true ? 1 : 0) !== 1) return undefined;
  return {
    name: Name,
    ...(Present === true ? { present: true } : {}),
    ...(isText(Exact) ? { exact: Exact } : {}),
    ...(isText(Prefix) ? { prefix: Prefix } : {}),
    ...(isText(Suffix) ? { suffix: Suffix } : {}),
    ...(isText(Regex) ? { regex: Regex } : {}),
    ...(Invert === true ? { invert: true } : {}),
  };
}

function toRawPermission(permission: HttpPermission): Raw {
  const { methods, pathExact, pathPrefix, pathRegex, headers, jwt } = permission;
  const http = {
    ...definedFields({ PathExact: pathExact, PathPrefix: pathPrefix, PathRegex: pathRegex }),
    ...(headers === undefined || headers.length === 0 ? {} : { Header: headers.map(toRawHeader) }),
    ...(methods === undefined || methods.length === 0 ? {} : { Methods: methods }),
  };
  return { Action: 'allow', HTTP: http, ...(jwt === undefined ? {} : { JWT: toRawRequirement(jwt) }) };
}

function toRawRequirement({ provider, verifyClaims }: JwtRequirement): Raw {
  const claims = verifyClaims.map(({ path, value }) => ({ Path: path, Value: value }));
  return { Providers: [{ Name: provider, ...(claims.length === 0 ? {} : { VerifyClaims: claims }) }] };
}

function toRawHeader(match: HeaderMatch): Raw {
  return {
    Name: match.name,
    ...definedFields({
      Present: match.present,
      Exact: match.exact,
      Prefix: match.prefix,
      Suffix: match.suffix,
      Regex: match.regex,
      Invert: match.invert,
    }),
  };
}

/** The fields with a value: Go's zero values count as absent. */
function fieldsOf(raw: Raw, without: ReadonlySet<string> = new Set()): Raw {
  return Object.fromEntries(
    Object.entries(raw).filter(([name, value]) => !without.has(name) && !isZero(value)),
  );
}

function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === null || value === undefined || value === '' || value === false || value === 0;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTrueOrAbsent(value: unknown): boolean {
  return value === true || value === undefined;
}
