import type { JwtMethodConfig } from '../../model/acl.js';
import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from './json.js';

/** A method's Config, and whether it says more, or otherwise, than the model can. */
export interface ParsedConfig {
  readonly config: JwtMethodConfig;
  readonly isAltered: boolean;
}

/**
 * Consul keeps Config as it was given, and reads it with an open hand: names of any case, a text for a list, a number
 * for a text. So nothing of it is wrong, but whatever is not exactly what scopemesh writes is altered and left out.
 */
export function parseConfig(raw: Readonly<Record<string, unknown>>): ParsedConfig {
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

/** As it goes into a PUT; empty lists and maps are left out, as Consul would read them alike. */
export function toConfigBody(config: JwtMethodConfig): Readonly<Record<string, unknown>> {
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

/** What Go writes for nothing, or leaves out. */
export function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isRecord(value)) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '' || value === false || value === 0;
}

function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)));
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
