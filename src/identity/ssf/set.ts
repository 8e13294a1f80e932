import { type CryptoKey, compactVerify, decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { InvalidSet, UnprovenSet } from './refusal.js';
import type { SigningKeys } from './signing-keys.js';

/** A security event token (RFC 8417) that the transmitter signed for us; what it says is typed, and still hostile. */
export interface SecurityEventSet {
  readonly jti: string;
  /** Seconds since the epoch, as all times of a token. */
  readonly issuedAt: number;
  /** When the event happened, by the token's `toe`. */
  readonly happenedAt?: number;
  /** `sub_id` of the final form; undefined in the older one, where it stands inside of the event. */
  readonly subject: unknown;
  /** By the URI of the type; several only where they are names of the same event. */
  readonly events: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

export interface SetVerifierOptions {
  /** The transmitter's issuer. */
  readonly transmitter: string;
  /** What `aud` may be. */
  readonly audiences: readonly string[];
  readonly keys: SigningKeys;
  readonly clock: Clock;
}

/**
 * The set of a compact JWS. Throws RefusedSet, or as a Directory does where the keys cannot be read: then it is to be
 * sent again.
 */
export type SetVerifier = (text: string, signal: AbortSignal) => Promise<SecurityEventSet>;

/** One set; far more than any has. */
export const LONGEST_SET = 64 * 1024;

/** Signatures that only the transmitter can make: with an HMAC whoever verifies can sign, and `none` is none. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

export function createSetVerifier(options: SetVerifierOptions): SetVerifier {
  return async (text, signal) => {
    if (text.length > LONGEST_SET) {
      throw new InvalidSet('invalid_request', `a set is longer than ${LONGEST_SET} bytes`, 413);
    }
    const since = options.clock.now();
    const header = parseHeader(text);
    // Before a key is looked for, so that strangers cannot make us ask for keys by naming others.
    const claimed = claimedIssuer(text);
    if (claimed !== undefined && claimed !== options.transmitter)
      throw new UnprovenSet('invalid_issuer', 'the set is of another issuer');
    const payload = await verify(text, header, options.keys, since, signal);
    return toSet(payload, options);
  };
}

interface Header {
  readonly alg: string;
  readonly kid?: string;
}

const header = z.object({
  alg: z.string(),
  typ: z.string().optional(),
  kid: z.string().max(1024).optional(),
  crit: z.undefined().optional(),
});

// One token has one spelling: base64url whose spare bits are zero.
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

function parseHeader(text: string): Header {
  const parts = text.split('.');
  if (parts.length !== 3 || !parts.every(isCanonical)) {
    throw new UnprovenSet('invalid_request', 'the body is no signed token in compact form');
  }
  let decoded: unknown;
  try {
    decoded = decodeProtectedHeader(text);
  } catch {
    throw new UnprovenSet('invalid_request', 'the token has no header');
  }
  const parsed = header.safeParse(decoded);
  if (!parsed.success)
    throw new UnprovenSet('invalid_request', 'the token has a header that is not understood');
  const { alg, typ, kid } = parsed.data;
  // RFC 8417, section 2.3: whatever else the issuer signs, an ID token or an access token, is no event.
  if (typ === undefined || !/^(application\/)?secevent\+jwt$/i.test(typ)) {
    throw new UnprovenSet('invalid_request', 'the token has not the type secevent+jwt');
  }
  if (!ALGORITHMS.includes(alg)) {
    throw new UnprovenSet('invalid_key', 'the token is signed by an algorithm that is not accepted');
  }
  return { alg, ...(kid === undefined ? {} : { kid }) };
}

/** Read before it is proven, and believed only to refuse. What is no JSON passes for ours: the signature decides. */
function claimedIssuer(text: string): unknown {
  try {
    const json: unknown = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof json === 'object' && json !== null && 'iss' in json ? json.iss : undefined;
  } catch {
    return undefined;
  }
}

async function verify(
  text: string,
  { alg, kid }: Header,
  keys: SigningKeys,
  since: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const name = { alg, ...(kid === undefined ? {} : { kid }) };
  const current = await (await keys.current(signal))(name);
  const payload = await verifyByAny(current, text, alg);
  if (payload !== undefined) return payload;
  // A transmitter may drop a set that is refused, so none is for a key that is newer than the last reading. Under the name
  // of a key that is known there is no other.
  const mayBeNew = current.length === 0 || kid === undefined;
  const latest = mayBeNew ? await (await keys.readSince(since, signal))(name) : current;
  if (latest.length === 0) throw new UnprovenSet('invalid_key', 'the transmitter publishes no such key');
  const proven = mayBeNew ? await verifyByAny(latest, text, alg) : undefined;
  if (proven === undefined) throw new UnprovenSet('invalid_key', 'the signature does not verify');
  return proven;
}

async function verifyByAny(
  keys: readonly CryptoKey[],
  text: string,
  alg: string,
): Promise<Uint8Array | undefined> {
  for (const key of keys) {
    const payload = await verifyBy(key, text, alg);
    if (payload !== undefined) return payload;
  }
  return undefined;
}

async function verifyBy(key: CryptoKey, text: string, alg: string): Promise<Uint8Array | undefined> {
  try {
    return (await compactVerify(text, key, { algorithms: [alg] })).payload;
  } catch {
    // Also a key that the library holds too weak.
    return undefined;
  }
}

const printable = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .refine((value) => !/\p{Cc}|\p{Surrogate}/u.test(value));
const seconds = z.number().nonnegative().max(253_402_300_798);

const claims = z.object({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string()).max(64)]),
  jti: printable(512),
  iat: seconds,
  toe: seconds.optional(),
  sub_id: z.unknown().optional(),
  events: z.record(z.string(), z.looseObject({})),
});

function toSet(payload: Uint8Array, options: SetVerifierOptions): SecurityEventSet {
  const { transmitter, audiences } = options;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    throw new InvalidSet('invalid_request', 'the set is not JSON in UTF-8');
  }
  const parsed = claims.safeParse(json);
  if (!parsed.success) {
    const [first] = parsed.error.issues;
    throw new InvalidSet('invalid_request', `the set: ${String(first?.path[0] ?? 'it')} is missing or wrong`);
  }
  const { iss, aud, jti, iat, toe, sub_id: subject, events } = parsed.data;
  if (iss !== transmitter) throw new InvalidSet('invalid_issuer', 'the set is of another issuer');
  // SSF 1.0, section 4.1.3: an ID token or access token has these, an event never.
  for (const claim of ['sub', 'exp'])
    if (Object.hasOwn(Object(json), claim))
      throw new InvalidSet('invalid_request', `the set has ${claim}, which no event has`);
  if (![aud].flat().some((each) => audiences.includes(each))) {
    throw new InvalidSet('invalid_audience', 'the set is for another audience');
  }
  const number = Object.keys(events).length;
  if (number === 0 || number > 8) throw new InvalidSet('invalid_request', 'the set holds no event, or many');
  return {
    jti,
    issuedAt: iat,
    ...(toe === undefined ? {} : { happenedAt: toe }),
    subject,
    events: new Map(Object.entries(events)),
  };
}
