import type { JsonObject } from '../body.js';
import { quoted, serverFailure } from '../exchange.js';
import { goType, goValue } from '../shape.js';
import type { MethodConfig } from './method-config.js';

type Claims = JsonObject;

/** The claims of a token that selectors and templates use. */
export interface Identity {
  readonly value: ReadonlyMap<string, string>;
  readonly list: ReadonlyMap<string, readonly string[]>;
}

const defaultLeewaySeconds = 150;
const defaultClockSkewSeconds = 60;

/** Throws 500 in Consul's words where a token is not valid now, or not for this method. */
export function requireValid(claims: Claims, config: MethodConfig, nowMs: number): void {
  const seconds = (name: string) => {
    const value = claims[name];
    return typeof value === 'number' ? value : 0;
  };
  const [issuedAt, givenEnd, givenStart] = [seconds('iat'), seconds('exp'), seconds('nbf')];
  if (issuedAt === 0 && givenEnd === 0 && givenStart === 0)
    throw serverFailure('no issue time, notbefore, or expiration time encoded in token');
  const { clockSkew, expiration, notBefore } = config.leeways;
  const end =
    givenEnd !== 0 ? givenEnd : Math.max(issuedAt, givenStart) + leewayOf(expiration, defaultLeewaySeconds);
  const start =
    givenStart !== 0
      ? givenStart
      : issuedAt !== 0
        ? issuedAt
        : givenEnd - leewayOf(notBefore, defaultLeewaySeconds);
  const issuer = config.boundIssuer;
  if (issuer !== '' && claims.iss !== issuer) throw invalid('invalid issuer claim (iss)');
  const skew = leewayOf(clockSkew, defaultClockSkewSeconds);
  const now = Math.floor(nowMs / 1000);
  if (now + skew < start) throw invalid('token not valid yet (nbf)');
  if (now - skew > end) throw invalid('token is expired (exp)');
  if (issuedAt > now + skew) throw invalid('token issued in the future (iat)');
  const audiences = [claims.aud ?? []].flat().map(String);
  if (config.boundAudiences.length === 0 && audiences.length > 0)
    throw serverFailure('error validating claims: audience claim found in JWT but no audiences are bound');
  if (config.boundAudiences.length > 0 && !config.boundAudiences.some((each) => audiences.includes(each)))
    throw serverFailure('error validating claims: aud claim does not match any bound audience');
}

/** The mapped claims; throws 500 where one has a shape that cannot be a text, or a list of texts. */
export function identityOf(claims: Claims, config: MethodConfig): Identity {
  const value = new Map<string, string>();
  const list = new Map<string, readonly string[]>();
  for (const [claim, name] of config.claims) {
    const found = claimAt(claims, claim);
    if (found === undefined || found === null) continue;
    const text = textOf(found);
    if (text === undefined)
      throw serverFailure(`error converting claim '${claim}' to string from unknown type ${goType(found)}`);
    value.set(name, text);
  }
  for (const [claim, name] of config.listClaims) {
    const found = claimAt(claims, claim);
    if (found === undefined || found === null) continue;
    list.set(name, textsOf(found, claim));
  }
  return { value, list };
}

function textsOf(found: unknown, claim: string): readonly string[] {
  if (!Array.isArray(found)) {
    const text = textOf(found);
    if (text !== undefined) return [text];
    throw serverFailure(`${quoted(claim)} list claim could not be converted to string list`);
  }
  return found.map((item: unknown) => {
    const text = textOf(item);
    if (text !== undefined) return text;
    throw serverFailure(
      `value ${goValue(item)} in ${quoted(claim)} list claim could not be parsed as string`,
    );
  });
}

/** By name, or by JSON pointer (RFC 6901) where it begins with a slash. */
function claimAt(claims: Claims, claim: string): unknown {
  if (!claim.startsWith('/')) return Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  let found: unknown = claims;
  for (const step of claim.slice(1).split('/')) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = Object.entries(found).find(([name]) => name === key)?.[1];
  }
  return found;
}

/** Numbers lose their fraction. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' ? String(BigInt(Math.trunc(value))) : undefined;
}

function leewayOf(seconds: number, whenZero: number): number {
  return seconds === 0 ? whenZero : Math.max(0, seconds);
}

function invalid(why: string) {
  return serverFailure(`error validating claims: square/go-jose/jwt: validation failed, ${why}`);
}
