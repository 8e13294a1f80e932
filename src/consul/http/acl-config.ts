import type { JwtMethodConfig } from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import { isZero } from '../../model/is-zero.js';
import type { Raw } from '../reader.js';

/** A method's Config, and whether it has content that the model cannot represent. */
interface ParsedConfig {
  readonly config: JwtMethodConfig;
  readonly isAltered: boolean;
}

/**
 * Consul stores Config as it was written and parses it leniently: names in any case, a text for a list, a number for a text.
 * So nothing in it is an error, but everything that scopemesh would not write is left out and makes the object altered.
 */
export function parseConfig(raw: Raw): ParsedConfig {
  const rest = new Map(Object.entries(raw).filter(([, value]) => !isZero(value)));
  const take = <T>(name: string, isOf: (value: unknown) => value is T): T | undefined => {
    const value = rest.get(name);
    if (!isOf(value)) return undefined;
    rest.delete(name);
    return value;
  };
  const jwksUrl = take('JWKSURL', isText);
  const oidcDiscoveryUrl = take('OIDCDiscoveryURL', isText);
  const validationPubKeys = take('JWTValidationPubKeys', isTexts);
  const caCert = take(jwksUrl === undefined ? 'OIDCDiscoveryCACert' : 'JWKSCACert', isText);
  const boundIssuer = take('BoundIssuer', isText);
  const config: JwtMethodConfig = {
    ...definedFields({ jwksUrl, oidcDiscoveryUrl, validationPubKeys, caCert, boundIssuer }),
    boundAudiences: (take('BoundAudiences', isTexts) ?? []).toSorted(),
    signingAlgorithms: (take('JWTSupportedAlgs', isTexts) ?? []).toSorted(),
    claimMappings: take('ClaimMappings', isTextMap) ?? {},
    listClaimMappings: take('ListClaimMappings', isTextMap) ?? {},
  };
  return { config, isAltered: rest.size > 0 };
}

/** The Config of a PUT. Empty lists and maps are left out, which is the same for Consul. */
export function toConfigBody(config: JwtMethodConfig): Raw {
  const { jwksUrl, oidcDiscoveryUrl, validationPubKeys, caCert, boundIssuer } = config;
  const body = {
    JWKSURL: jwksUrl,
    JWKSCACert: jwksUrl === undefined ? undefined : caCert,
    OIDCDiscoveryURL: oidcDiscoveryUrl,
    OIDCDiscoveryCACert: jwksUrl === undefined ? caCert : undefined,
    JWTValidationPubKeys: validationPubKeys,
    BoundIssuer: boundIssuer,
    BoundAudiences: config.boundAudiences.toSorted(),
    JWTSupportedAlgs: config.signingAlgorithms.toSorted(),
    ClaimMappings: sorted(config.claimMappings),
    ListClaimMappings: sorted(config.listClaimMappings),
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => !isZero(value)));
}

function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => compareText(a, b)));
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isTextMap(value: unknown): value is Readonly<Record<string, string>> {
  return isRecord(value) && Object.values(value).every(isText);
}
