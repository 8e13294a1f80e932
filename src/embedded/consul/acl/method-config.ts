import { createPublicKey, type KeyObject } from 'node:crypto';
import { type JsonObject, numberIn, textIn, textMapIn, textsIn } from '../body.js';
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
  /** Seconds; 0 means the default, a negative number no leeway. */
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
export function parseMethodConfig(raw: JsonObject): MethodConfig {
  const decoded = decode(raw);
  const text = (name: string) => textIn(decoded, name);
  const list = (name: string) => textsIn(decoded, name) ?? [];
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
      clockSkew: numberIn(decoded, 'ClockSkewLeeway'),
      expiration: numberIn(decoded, 'ExpirationLeeway'),
      notBefore: numberIn(decoded, 'NotBeforeLeeway'),
    },
  };
}

function decode(raw: JsonObject): Decoded {
  const known: Record<string, unknown> = {};
  const invalidKeys: string[] = [];
  // An exact name goes before one in another case.
  const isExact = (key: string) => shape.some(({ name }) => name === key);
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

function mappingsIn(decoded: Decoded, field: string): ReadonlyMap<string, string> {
  const mappings = Object.entries(textMapIn(decoded, field) ?? {});
  const names = mappings.map(([, name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw invalid(`${field} contains multiple mappings for key ${quoted(twice)}`);
  return new Map(mappings);
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
