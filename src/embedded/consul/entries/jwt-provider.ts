import { objectIn, objectsIn, textIn } from '../body.js';
import { joinErrors, quoted, serverFailure } from '../exchange.js';
import { bool, type Decoded, duration, int, list, pointer, string, stringMap, strings } from '../shape.js';
import type { ConfigEntryRow } from '../state/rows.js';
import { type EntryKind, metaError } from './entry-kind.js';
import { sourcesOf } from './service-intentions.js';

const cluster = [
  ...string('DiscoveryType?'),
  ...pointer(
    'TLSCertificates?',
    pointer('CaCertificateProviderInstance?', string('InstanceName? CertificateName?')),
    pointer('TrustedCA?', string('Filename? EnvironmentVariable? InlineString? InlineBytes?')),
  ),
  ...duration('ConnectTimeout?'),
];

const keySet = [
  ...pointer('Local?', string('JWKS? Filename?')),
  ...pointer(
    'Remote?',
    string('URI?'),
    int('RequestTimeoutMs?'),
    duration('CacheDuration?'),
    bool('FetchAsynchronously?'),
    pointer(
      'RetryPolicy?',
      int('NumRetries?'),
      pointer('RetryPolicyBackOff?', duration('BaseInterval? MaxInterval?')),
    ),
    pointer('JWKSCluster?', cluster),
  ),
];

const location = [
  ...pointer('Header?', string('Name? ValuePrefix?'), bool('Forward?')),
  ...pointer('QueryParam? Cookie?', string('Name?')),
];

/**
 * As the source of Consul 1.16 has it (agent/structs/config_entry_jwt_provider.go, hashicorp/consul); not compared with
 * a running one.
 */
export const jwtProvider: EntryKind = {
  kind: 'jwt-provider',
  shape: [
    ...string('Kind? Name?'),
    ...pointer('JSONWebKeySet?', keySet),
    ...string('Issuer?'),
    ...strings('Audiences?'),
    ...list('Locations?', location),
    ...pointer('Forwarding?', string('HeaderName?'), bool('PadForwardPayloadHeader')),
    ...int('ClockSkewSeconds?'),
    ...pointer('CacheConfig?', int('Size?')),
    ...stringMap('Meta?'),
  ],
  normalize: (entry) => ({ ...entry, Kind: 'jwt-provider', ClockSkewSeconds: entry.ClockSkewSeconds ?? 30 }),
  validate: validateProvider,
  // Sidecars read them, so write access to any service is enough.
  canRead: (authorizer) => authorizer.isAllowed('mesh', 'read') || authorizer.mayWriteAnyService(),
  requireRead: (authorizer) => {
    if (!authorizer.mayWriteAnyService()) authorizer.require('mesh', 'read');
  },
  requireWrite: (authorizer) => authorizer.require('mesh', 'write'),
};

function validateProvider(entry: Decoded): void {
  const error =
    (String(entry.Name ?? '') === '' ? 'Name is required' : undefined) ??
    metaError(entry.Meta) ??
    keySetError(objectIn(entry, 'JSONWebKeySet')) ??
    locationsError(objectsIn(entry, 'Locations')) ??
    forwardingError(objectIn(entry, 'Forwarding'));
  if (error !== undefined) throw serverFailure(error);
}

function keySetError(keys: Decoded | undefined): string | undefined {
  if (keys === undefined) return 'JSONWebKeySet is required';
  const [local, remote] = [objectIn(keys, 'Local'), objectIn(keys, 'Remote')];
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
  const backOff = objectIn(objectIn(remote, 'RetryPolicy'), 'RetryPolicyBackOff');
  const [least, most] = [Number(backOff?.BaseInterval ?? 0), Number(backOff?.MaxInterval ?? 0)];
  if (most !== 0 && least > most)
    return "retry policy backoff's MaxInterval should be greater or equal to BaseInterval";
  return clusterError(objectIn(remote, 'JWKSCluster'));
}

function clusterError(cluster: Decoded | undefined): string | undefined {
  const type = String(cluster?.DiscoveryType ?? '');
  if (!['', 'STATIC', 'STRICT_DNS', 'LOGICAL_DNS', 'EDS', 'ORIGINAL_DST'].includes(type))
    return `unsupported jwks cluster discovery type: ${quoted(type)}`;
  const certificates = objectIn(cluster, 'TLSCertificates');
  if (certificates === undefined) return undefined;
  const trusted = objectIn(certificates, 'TrustedCA');
  if ((objectIn(certificates, 'CaCertificateProviderInstance') === undefined) === (trusted === undefined))
    return "must specify exactly one of: CaCertificateProviderInstance or TrustedCA for JKWS' TLSCertificates";
  return trusted === undefined || Object.keys(trusted).length === 1
    ? undefined
    : "must specify exactly one of: Filename, EnvironmentVariable, InlineString or InlineBytes for JWKS' TrustedCA";
}

function locationsError(locations: readonly Decoded[]): string | undefined {
  const words = { Header: 'header', QueryParam: 'query param', Cookie: 'cookie' };
  const errors = locations.flatMap((location) => {
    const given = Object.entries(words).filter(([name]) => objectIn(location, name) !== undefined);
    const [only] = given;
    if (given.length !== 1 || only === undefined)
      return ['must set exactly one of: JWT location header, query param or cookie'];
    const isNamed = objectIn(location, only[0])?.Name !== undefined;
    return isNamed ? [] : [`JWT location ${only[1]} name must be specified`];
  });
  return errors.length === 0 ? undefined : joinErrors(errors);
}

function forwardingError(forwarding: Decoded | undefined): string | undefined {
  return forwarding !== undefined && forwarding.HeaderName === undefined
    ? 'Header name required for forwarding config'
    : undefined;
}

/**
 * Refuses an intention that names a missing provider, and the deletion of a provider that an intention names
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
  const permissions = sourcesOf(entry).flatMap((source) => objectsIn(source, 'Permissions'));
  const providers = [entry, ...permissions].flatMap((each) => objectsIn(objectIn(each, 'JWT'), 'Providers'));
  return [...new Set(providers.map((provider) => textIn(provider, 'Name')))];
}
