import { compactVerify, createLocalJWKSet, decodeJwt, type JSONWebKeySet } from 'jose';
import { Agent, request } from 'undici';
import { messageOf } from '../../../errors.js';
import type { JsonObject } from '../body.js';
import { quoted, serverFailure } from '../exchange.js';
import type { AclAuthMethodRow } from '../state/rows.js';
import { type MethodConfig, parseMethodConfig } from './method-config.js';

const longestKeySetBytes = 1024 * 1024;

/** A method ready to verify tokens. */
interface Validator {
  readonly config: MethodConfig;
  keySet: JSONWebKeySet | undefined;
}

/**
 * Fetches and keeps the keys of auth methods as Consul does: when a method is written, and once more when it is first
 * used, for a binding rule or for a login. It waits for an answer without a limit.
 */
export class MethodKeys {
  readonly #closing: AbortSignal;
  readonly #validators = new Map<string, Validator>();

  constructor(closing: AbortSignal) {
    this.#closing = closing;
  }

  /** Throws 500 where the Config is wrong or its keys cannot be fetched. Keeps nothing. */
  async check(raw: JsonObject): Promise<void> {
    const config = parseMethodConfig(raw);
    try {
      await this.#fetchKeys(config);
    } catch (error) {
      throw serverFailure(`Invalid Auth Method: ${messageOf(error)}`);
    }
  }

  async configOf(method: AclAuthMethodRow): Promise<MethodConfig> {
    return (await this.#validatorOf(method)).config;
  }

  /** The claims of a token that a key of the method signed; throws 500. */
  async verify(method: AclAuthMethodRow, jwt: string, nowMs: number): Promise<JsonObject> {
    const validator = await this.#validatorOf(method);
    const { discoveryUrl } = validator.config;
    if (jwt === '') throw serverFailure('missing jwt');
    const claims = claimsOf(jwt);
    if (claims === undefined) {
      const place =
        discoveryUrl === '' ? 'error parsing token' : 'error validating signature: oidc: malformed jwt';
      throw serverFailure(`${place}: square/go-jose: compact JWS format must have three parts`);
    }
    if (discoveryUrl !== '') requireDiscovered(claims, discoveryUrl, nowMs);
    if (!(await this.#isSigned(validator, jwt))) throw serverFailure(unsigned(validator.config));
    return claims;
  }

  async #isSigned(validator: Validator, jwt: string): Promise<boolean> {
    const { config } = validator;
    if (config.publicKeys.length > 0) {
      const verifiers = config.publicKeys.map(
        (key): Verify =>
          (jwt) =>
            compactVerify(jwt, key),
      );
      return isSigned(jwt, verifiers);
    }
    if (await isSigned(jwt, verifiersOf(validator.keySet))) return true;
    // Keys may have been rotated since.
    validator.keySet = await this.#fetchKeys(config).catch((error: unknown) => {
      throw serverFailure(`error verifying token: ${messageOf(error)}`);
    });
    return isSigned(jwt, verifiersOf(validator.keySet));
  }

  async #validatorOf(method: AclAuthMethodRow): Promise<Validator> {
    const key = `${method.Name} ${method.ModifyIndex}`;
    const known = this.#validators.get(key);
    if (known !== undefined) return known;
    try {
      const config = parseMethodConfig(method.Config);
      const validator = { config, keySet: await this.#fetchKeys(config) };
      if (this.#validators.size > 20_000) this.#validators.clear();
      this.#validators.set(key, validator);
      return validator;
    } catch (error) {
      throw serverFailure(
        `auth method validator for ${quoted(method.Name)} could not be initialized: ${messageOf(error)}`,
      );
    }
  }

  async #fetchKeys(config: MethodConfig): Promise<JSONWebKeySet | undefined> {
    const { jwksUrl, discoveryUrl, caCert } = config;
    if (jwksUrl !== '') {
      return this.#fetchKeySet(jwksUrl, caCert).catch((error: unknown) => {
        throw new Error(`error checking JWKSURL: fetching keys oidc: get keys failed${messageOf(error)}`);
      });
    }
    if (discoveryUrl === '') return undefined;
    try {
      const url = `${discoveryUrl.replace(/\/$/, '')}/.well-known/openid-configuration`;
      const document = Object(JSON.parse(await this.#get(url, caCert)));
      if (document.issuer !== discoveryUrl) {
        throw new Error(
          ` oidc: issuer did not match the issuer returned by provider, expected ${quoted(discoveryUrl)} got ${quoted(String(document.issuer))}`,
        );
      }
      return await this.#fetchKeySet(String(document.jwks_uri), caCert);
    } catch (error) {
      throw new Error(`error checking OIDCDiscoveryURL:${messageOf(error)}`);
    }
  }

  async #fetchKeySet(url: string, caCert: string): Promise<JSONWebKeySet> {
    const answer: unknown = JSON.parse(await this.#get(url, caCert));
    const keys: unknown = Object(answer).keys;
    return { keys: Array.isArray(keys) ? keys : [] };
  }

  /** Throws with what Go's client would say, after a space or a colon. */
  async #get(url: string, caCert: string): Promise<string> {
    if (!/^https?:/.test(url)) throw new Error(` Get ${quoted(url)}: unsupported protocol scheme ""`);
    const agent = new Agent({
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: longestKeySetBytes,
      ...(caCert === '' ? {} : { connect: { ca: caCert } }),
    });
    try {
      const response = await request(url, { dispatcher: agent, signal: this.#closing }).catch(
        (error: unknown) => {
          throw new Error(` Get ${quoted(url)}: ${dialError(url, error)}`);
        },
      );
      const text = await response.body.text();
      if (response.statusCode !== 200) throw new Error(`: ${response.statusCode} ${text}`);
      return text;
    } finally {
      await agent.destroy();
    }
  }
}

type Verify = (jwt: string) => Promise<unknown>;

/** Each key apart, since a token need not name its own. */
function verifiersOf(keySet: JSONWebKeySet | undefined): readonly Verify[] {
  return (keySet?.keys ?? []).map((key) => {
    const keys = createLocalJWKSet({ keys: [key] });
    return (jwt) => compactVerify(jwt, keys);
  });
}

async function isSigned(jwt: string, verifiers: readonly Verify[]): Promise<boolean> {
  for (const verify of verifiers) {
    const verified = await verify(jwt).catch(() => undefined);
    if (verified !== undefined) return true;
  }
  return false;
}

/** Unverified; undefined where the text is no JWT. */
function claimsOf(jwt: string): JsonObject | undefined {
  if (jwt.split('.').length !== 3) return undefined;
  try {
    return decodeJwt(jwt);
  } catch {
    return undefined;
  }
}

/** With discovered keys, Consul checks issuer and expiry before the signature, without leeway. */
function requireDiscovered(claims: JsonObject, discoveryUrl: string, nowMs: number): void {
  const place = 'error validating signature: oidc:';
  if (claims.iss !== discoveryUrl) {
    const issuers = `expected ${quoted(discoveryUrl)} got ${quoted(String(claims.iss ?? ''))}`;
    throw serverFailure(`${place} id token issued by a different provider, ${issuers}`);
  }
  const end = typeof claims.exp === 'number' ? claims.exp : -62_135_596_800;
  if (end * 1000 >= nowMs) return;
  const at = new Date(end * 1000).toISOString().replace('T', ' ').replace('.000Z', ' +0000 UTC');
  throw serverFailure(`${place} token is expired (Token Expiry: ${at})`);
}

function unsigned({ publicKeys, discoveryUrl }: MethodConfig): string {
  if (publicKeys.length > 0) return 'no known key successfully validated the token signature';
  const place =
    discoveryUrl === '' ? 'error verifying token' : 'error validating signature: failed to verify signature';
  return `${place}: failed to verify id token signature`;
}

function dialError(url: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'ECONNREFUSED') return messageOf(error);
  const { hostname, port, protocol } = new URL(url);
  const at = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  return `dial tcp ${hostname}:${at}: connect: connection refused`;
}
