import { createPublicKey, type KeyObject } from 'node:crypto';
import { quoted, serverFailure } from '../exchange.js';
import {
  type Decoded,
  decodeShape,
  int,
  type Shape,
  ShapeError,
  string,
  stringMap,
  strings,
} from '../shape.js';

/** What a method's Config means once Consul has read it. */
export interface MethodConfig {
  readonly publicKeys: readonly KeyObject[];
  /** '' where keys do not come from there. */
  readonly jwksUrl: string;
  readonly discoveryUrl: string;
  readonly caCert: string;
  readonly boundIssuer: string;
  readonly boundAudiences: readonly string[];
  /** Claim, or JSON pointer, to the name by which selectors see it. */
  readonly claims: ReadonlyMap<string, string>;
  readonly listClaims: ReadonlyMap<string, string>;
  /** Seconds; 0 is the default, less is none. */
  readonly leeways: { readonly clockSkew: number; readonly expiration: number; readonly notBefore: number };
}

const shape: Shape = [
  ...strings('JWTValidationPubKeys BoundAudiences JWTSupportedAlgs'),
  ...string('JWKSURL JWKSCACert OIDCDiscoveryURL OIDCDiscoveryCACert BoundIssuer'),
  ...stringMap('ClaimMappings ListClaimMappings'),
  ...int('ExpirationLeeway NotBeforeLeeway ClockSkewLeeway'),
];

const algorithms = /^(RS|ES|PS)(256|384|512)$/;

/** Reads a Config as Consul does, loosely: names in any case, one text for a list. Throws 500 in its words. */
export function parseMethodConfig(raw: Readonly<Record<string, unknown>>): MethodConfig {
  const decoded = decode(raw);
  const text = (name: string) => String(decoded[name] ?? '');
  const number = (name: string) => Number(decoded[name] ?? 0);
  const list = (name: string) => {
    const value = decoded[name];
    return Array.isArray(value) ? value.map(String) : [];
  };
  const [pems, jwksUrl, discoveryUrl] = [
    list('JWTValidationPubKeys'),
    text('JWKSURL'),
    text('OIDCDiscoveryURL'),
  ];
  if ([pems.length > 0, jwksUrl !== '', discoveryUrl !== ''].filter(Boolean).length !== 1) {
    throw invalid(
      `exactly one of 'JWTValidationPubKeys', 'JWKSURL', or 'OIDCDiscoveryURL' must be set for type "jwt"`,
    );
  }
  if (text('JWKSCACert') !== '' && jwksUrl === '')
    throw invalid("'JWKSCACert' should not be set unless 'JWKSURL' is set");
  if (text('OIDCDiscoveryCACert') !== '' && discoveryUrl === '')
    throw invalid("'OIDCDiscoveryCACert' should not be set unless 'OIDCDiscoveryURL' is set");
  const publicKeys = pems.map(parsePublicKey);
  const unknown = list('JWTSupportedAlgs').find((name) => !algorithms.test(name));
  if (unknown !== undefined) throw invalid(`Invalid supported algorithm: ${unknown}`);
  return {
    publicKeys,
    jwksUrl,
    discoveryUrl,
    caCert: text('JWKSCACert') || text('OIDCDiscoveryCACert'),
    boundIssuer: text('BoundIssuer'),
    boundAudiences: list('BoundAudiences'),
    claims: mappingsIn(decoded, 'ClaimMappings'),
    listClaims: mappingsIn(decoded, 'ListClaimMappings'),
    leeways: {
      clockSkew: number('ClockSkewLeeway'),
      expiration: number('ExpirationLeeway'),
      notBefore: number('NotBeforeLeeway'),
    },
  };
}

function decode(raw: Readonly<Record<string, unknown>>): Decoded {
  const known: Record<string, unknown> = {};
  const invalidKeys: string[] = [];
  // An exact name goes before one in another case.
  const keys = Object.keys(raw).sort((a, b) => Number(isExact(b)) - Number(isExact(a)));
  for (const key of keys) {
    const field = shape.find(({ name }) => name.toLowerCase() === key.toLowerCase());
    if (field === undefined || field.name in known) invalidKeys.push(key);
    else known[field.name] = raw[key];
  }
  try {
    const decoded = decodeShape(shape, known, '', []);
    if (invalidKeys.length === 0) return decoded;
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw undecodable(error.message);
  }
  throw undecodable(`'' has invalid keys: ${invalidKeys.sort().join(', ')}`);
}

function isExact(key: string): boolean {
  return shape.some(({ name }) => name === key);
}

function mappingsIn(decoded: Decoded, field: string): ReadonlyMap<string, string> {
  const mappings = new Map<string, string>();
  for (const [claim, name] of Object.entries(Object(decoded[field] ?? {}))) {
    if ([...mappings.values()].includes(String(name)))
      throw invalid(`${field} contains multiple mappings for key ${quoted(String(name))}`);
    mappings.set(claim, String(name));
  }
  return mappings;
}

function parsePublicKey(pem: string, index: number): KeyObject {
  try {
    return createPublicKey(pem);
  } catch {
    throw invalid(
      `error parsing public key JWTValidationPubKeys[${index}]: data does not contain any valid RSA, ECDSA, or ED25519 public keys`,
    );
  }
}

function undecodable(why: string) {
  return invalid(`error decoding config: 1 error(s) decoding:\n\n* ${why}`);
}

function invalid(why: string) {
  return serverFailure(`Invalid Auth Method: ${why}`);
}
