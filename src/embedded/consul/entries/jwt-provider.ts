import { serverFailure } from '../exchange.js';
import { joinErrors, quoted } from '../go-errors.js';
import type { ConfigEntryRow } from '../state/rows.js';
import { type EntryKind, metaError } from './entry-kind.js';
import { sourcesOf } from './service-intentions.js';
import type { Decoded, Shape } from './shape.js';

const retryPolicyShape: Shape = [
  { name: 'NumRetries', kind: 'int', omitEmpty: true },
  {
    name: 'RetryPolicyBackOff',
    kind: {
      pointer: [
        { name: 'BaseInterval', kind: 'duration', omitEmpty: true },
        { name: 'MaxInterval', kind: 'duration', omitEmpty: true },
      ],
    },
    omitEmpty: true,
  },
];

const clusterShape: Shape = [
  { name: 'DiscoveryType', kind: 'string', omitEmpty: true },
  {
    name: 'TLSCertificates',
    kind: {
      pointer: [
        {
          name: 'CaCertificateProviderInstance',
          kind: {
            pointer: [
              { name: 'InstanceName', kind: 'string', omitEmpty: true },
              { name: 'CertificateName', kind: 'string', omitEmpty: true },
            ],
          },
          omitEmpty: true,
        },
        {
          name: 'TrustedCA',
          kind: {
            pointer: [
              { name: 'Filename', kind: 'string', omitEmpty: true },
              { name: 'EnvironmentVariable', kind: 'string', omitEmpty: true },
              { name: 'InlineString', kind: 'string', omitEmpty: true },
              { name: 'InlineBytes', kind: 'string', omitEmpty: true },
            ],
          },
          omitEmpty: true,
        },
      ],
    },
    omitEmpty: true,
  },
  { name: 'ConnectTimeout', kind: 'duration', omitEmpty: true },
];

const keySetShape: Shape = [
  {
    name: 'Local',
    kind: {
      pointer: [
        { name: 'JWKS', kind: 'string', omitEmpty: true },
        { name: 'Filename', kind: 'string', omitEmpty: true },
      ],
    },
    omitEmpty: true,
  },
  {
    name: 'Remote',
    kind: {
      pointer: [
        { name: 'URI', kind: 'string', omitEmpty: true },
        { name: 'RequestTimeoutMs', kind: 'int', omitEmpty: true },
        { name: 'CacheDuration', kind: 'duration', omitEmpty: true },
        { name: 'FetchAsynchronously', kind: 'bool', omitEmpty: true },
        { name: 'RetryPolicy', kind: { pointer: retryPolicyShape }, omitEmpty: true },
        { name: 'JWKSCluster', kind: { pointer: clusterShape }, omitEmpty: true },
      ],
    },
    omitEmpty: true,
  },
];

const locationShape: Shape = [
  {
    name: 'Header',
    kind: {
      pointer: [
        { name: 'Name', kind: 'string', omitEmpty: true },
        { name: 'ValuePrefix', kind: 'string', omitEmpty: true },
        { name: 'Forward', kind: 'bool', omitEmpty: true },
      ],
    },
    omitEmpty: true,
  },
  {
    name: 'QueryParam',
    kind: { pointer: [{ name: 'Name', kind: 'string', omitEmpty: true }] },
    omitEmpty: true,
  },
  { name: 'Cookie', kind: { pointer: [{ name: 'Name', kind: 'string', omitEmpty: true }] }, omitEmpty: true },
];

/**
 * As the source of Consul 1.16 has it (agent/structs/config_entry_jwt_provider.go, hashicorp/consul); not compared with
 * a running one.
 */
export const jwtProvider: EntryKind = {
  kind: 'jwt-provider',
  shape: [
    { name: 'Kind', kind: 'string', omitEmpty: true },
    { name: 'Name', kind: 'string', omitEmpty: true },
    { name: 'JSONWebKeySet', kind: { pointer: keySetShape }, omitEmpty: true },
    { name: 'Issuer', kind: 'string', omitEmpty: true },
    { name: 'Audiences', kind: 'strings', omitEmpty: true },
    { name: 'Locations', kind: { list: locationShape }, omitEmpty: true },
    {
      name: 'Forwarding',
      kind: {
        pointer: [
          { name: 'HeaderName', kind: 'string', omitEmpty: true },
          { name: 'PadForwardPayloadHeader', kind: 'bool' },
        ],
      },
      omitEmpty: true,
    },
    { name: 'ClockSkewSeconds', kind: 'int', omitEmpty: true },
    {
      name: 'CacheConfig',
      kind: { pointer: [{ name: 'Size', kind: 'int', omitEmpty: true }] },
      omitEmpty: true,
    },
    { name: 'Meta', kind: 'string-map', omitEmpty: true },
  ],
  normalize: (entry) => ({ ...entry, Kind: 'jwt-provider', ClockSkewSeconds: entry.ClockSkewSeconds ?? 30 }),
  validate: validateProvider,
  // Sidecars read them: whoever may write any service may.
  canRead: (authorizer) =>
    authorizer.isAllowed('mesh', 'read') || authorizer.isAllowedAny('service', 'write'),
  requireRead: (authorizer) => {
    if (!authorizer.isAllowedAny('service', 'write')) authorizer.require('mesh', 'read');
  },
  requireWrite: (authorizer) => authorizer.require('mesh', 'write'),
};

function validateProvider(entry: Decoded): void {
  const error =
    (String(entry.Name ?? '') === '' ? 'Name is required' : undefined) ??
    metaError(entry.Meta) ??
    keySetError(inner(entry, 'JSONWebKeySet')) ??
    locationsError(entry.Locations) ??
    forwardingError(inner(entry, 'Forwarding'));
  if (error !== undefined) throw serverFailure(error);
}

function keySetError(keys: Decoded | undefined): string | undefined {
  if (keys === undefined) return 'JSONWebKeySet is required';
  const [local, remote] = [inner(keys, 'Local'), inner(keys, 'Remote')];
  if ((local === undefined) === (remote === undefined))
    return 'must specify exactly one of Local or Remote JSON Web key set';
  return local === undefined ? remoteError(remote ?? {}) : localError(local);
}

function localError({ JWKS: jwks, Filename: file }: Decoded): string | undefined {
  if ((jwks === undefined) === (file === undefined))
    return 'must specify exactly one of String or filename for local keyset';
  const isBase64 = (text: string) =>
    text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text.replace(/[\r\n]/g, ''));
  return jwks !== undefined && !isBase64(String(jwks))
    ? 'JWKS must be valid base64 encoded string'
    : undefined;
}

function remoteError(remote: Decoded): string | undefined {
  const uri = String(remote.URI ?? '');
  if (uri === '') return 'Remote JWKS URI is required';
  if (!uri.startsWith('/') && !URL.canParse(uri))
    return `Remote JWKS URI is invalid: parse ${quoted(uri)}: invalid URI for request, uri: ${uri}`;
  const backOff = inner(inner(remote, 'RetryPolicy'), 'RetryPolicyBackOff');
  const [base, most] = [Number(backOff?.BaseInterval ?? 0), Number(backOff?.MaxInterval ?? 0)];
  if (most !== 0 && base > most)
    return "retry policy backoff's MaxInterval should be greater or equal to BaseInterval";
  return clusterError(inner(remote, 'JWKSCluster'));
}

function clusterError(cluster: Decoded | undefined): string | undefined {
  const type = String(cluster?.DiscoveryType ?? '');
  if (!['', 'STATIC', 'STRICT_DNS', 'LOGICAL_DNS', 'EDS', 'ORIGINAL_DST'].includes(type))
    return `unsupported jwks cluster discovery type: ${quoted(type)}`;
  const certificates = inner(cluster, 'TLSCertificates');
  if (certificates === undefined) return undefined;
  const trusted = inner(certificates, 'TrustedCA');
  if ((inner(certificates, 'CaCertificateProviderInstance') === undefined) === (trusted === undefined))
    return "must specify exactly one of: CaCertificateProviderInstance or TrustedCA for JKWS' TLSCertificates";
  return trusted === undefined || Object.keys(trusted).length === 1
    ? undefined
    : "must specify exactly one of: Filename, EnvironmentVariable, InlineString or InlineBytes for JWKS' TrustedCA";
}

function locationsError(locations: unknown): string | undefined {
  const errors = (Array.isArray(locations) ? locations : []).flatMap((location: Decoded) => {
    const given = ['Header', 'QueryParam', 'Cookie'].flatMap((name) => {
      const found = inner(location, name);
      return found === undefined ? [] : [{ name, found }];
    });
    const [only] = given;
    if (given.length !== 1 || only === undefined)
      return ['must set exactly one of: JWT location header, query param or cookie'];
    const words = { Header: 'header', QueryParam: 'query param', Cookie: 'cookie' }[only.name];
    return only.found.Name === undefined ? [`JWT location ${words} name must be specified`] : [];
  });
  return errors.length === 0 ? undefined : joinErrors(errors);
}

function forwardingError(forwarding: Decoded | undefined): string | undefined {
  return forwarding !== undefined && forwarding.HeaderName === undefined
    ? 'Header name required for forwarding config'
    : undefined;
}

function inner(of: Decoded | undefined, name: string): Decoded | undefined {
  const value = of?.[name];
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : undefined;
}

/**
 * Refuses an intention that names a provider which is not there, and the deletion of one that an intention names
 * (agent/consul/state/config_entry.go; https://github.com/hashicorp/consul/pull/17755).
 *
 * @param proposed the entry as it would be, undefined where it would be deleted
 */
export function requireProviders(
  entries: readonly ConfigEntryRow[],
  kind: string,
  name: string,
  proposed: Decoded | undefined,
): void {
  if (kind === 'service-intentions' && proposed !== undefined) {
    const known = new Set(entries.filter((row) => row.Kind === 'jwt-provider').map((row) => row.Name));
    const missing = namedProviders(proposed).filter((each) => !known.has(each));
    if (missing.length > 0)
      throw serverFailure(
        joinErrors(missing.map((each) => `Referenced JWT Provider does not exist. Provider Name: ${each}`)),
      );
  }
  if (kind !== 'jwt-provider' || proposed !== undefined) return;
  const isNamed = entries.some(
    (row) => row.Kind === 'service-intentions' && namedProviders(row).includes(name),
  );
  if (isNamed)
    throw serverFailure(
      `cannot delete jwt provider config entry referenced by an intention. Provider name:${name}`,
    );
}

/** The providers that an intention names, in its own JWT block and those of its permissions. */
function namedProviders(entry: Readonly<Record<string, unknown>>): readonly string[] {
  const blocks = [
    entry.JWT,
    ...sourcesOf(entry)
      .flatMap((source) => listOf(source.Permissions))
      .map((permission) => permission.JWT),
  ];
  const names = blocks.flatMap((block) =>
    typeof block === 'object' && block !== null && 'Providers' in block
      ? listOf(block.Providers).map((provider) => String(provider.Name ?? ''))
      : [],
  );
  return [...new Set(names)];
}

function listOf(value: unknown): readonly Decoded[] {
  return Array.isArray(value) ? value : [];
}
