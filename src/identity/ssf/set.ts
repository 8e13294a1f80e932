import { type CryptoKey, compactVerify, decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import { definedFields } from '../../model/defined-fields.js';
import { fieldOf } from '../../model/field-of.js';
import { jsonIn, jsonInBytes } from '../../model/json-in.js';
import { safeParse } from '../../safe-parse.js';
import type { SsfOptions } from './options.js';
import { InvalidSet, UnprovenSet } from './refusal.js';
import type { SigningKeys } from './signing-keys.js';
import { unknownCriticalMember } from './subject.js';

/** A security event token (RFC 8417) that the transmitter signed for us. Its values are typed, but still untrusted. */
export type SecurityEventSet = ReturnType<typeof toSet>;

interface SetVerifierOptions extends Pick<SsfOptions, 'transmitter' | 'audiences' | 'clock'> {
  readonly keys: SigningKeys;
  /** The members of a subject that a receiver must know, by the transmitter's metadata. */
  readonly criticalMembers: (signal: AbortSignal) => Promise<readonly string[]>;
}

/**
 * Verifies a compact JWS. Throws RefusedSet, or, as a Directory does, an error if the keys cannot be read: then the set must
 * be sent again.
 */
export type SetVerifier = (text: string, signal: AbortSignal) => Promise<SecurityEventSet>;

/** Far more than any set has. */
export const MAX_SET_BYTES = 64 * 1024;

/** Signatures that only the transmitter can make. With an HMAC, everybody who verifies can sign. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

export function createSetVerifier(options: SetVerifierOptions): SetVerifier {
  return async (text, signal) => {
    if (text.length > MAX_SET_BYTES) {
      throw new InvalidSet('invalid_request', `a set is longer than ${MAX_SET_BYTES} bytes`, 413);
    }
    const since = options.clock.now();
    const header = parseHeader(text);
    // Before the key lookup, so that strangers cannot cause requests for keys by naming other keys.
    const claimed = claimedIssuer(text);
    if (claimed !== undefined && claimed !== options.transmitter)
      throw new UnprovenSet('invalid_issuer', 'the set has another issuer');
    const payload = await verify(text, header, options.keys, since, signal);
    const set = toSet(payload, options);
    const critical = await options.criticalMembers(signal);
    for (const subject of [set.subject, ...[...set.events.values()].map((event) => event.subject)])
      if (unknownCriticalMember(subject, critical) !== undefined)
        throw new InvalidSet(
          'invalid_request',
          'the subject has a critical member that scopemesh does not know',
        );
    return set;
  };
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

function parseHeader(text: string) {
  const parts = text.split('.');
  if (parts.length !== 3 || !parts.every(isCanonical)) {
    throw new UnprovenSet('invalid_request', 'the request body is not a signed token in compact form');
  }
  let decoded: unknown;
  try {
    decoded = decodeProtectedHeader(text);
  } catch {
    throw new UnprovenSet('invalid_request', 'the token has no valid header');
  }
  const parsed = safeParse(header, decoded);
  if (!parsed.success)
    throw new UnprovenSet('invalid_request', 'the header of the token has an unknown form');
  const { alg, typ, kid } = parsed.data;
  // RFC 8417, section 2.3: any other token of the issuer, such as an ID token or an access token, is no event.
  if (typ === undefined || !/^(application\/)?secevent\+jwt$/i.test(typ)) {
    throw new UnprovenSet('invalid_request', 'the type of the token is not secevent+jwt');
  }
  if (!ALGORITHMS.includes(alg)) {
    throw new UnprovenSet('invalid_key', 'the signature algorithm of the token is not accepted');
  }
  return { alg, ...definedFields({ kid }) };
}

/** Read before it is proven, and used only to refuse. If it is no JSON, the signature decides. */
function claimedIssuer(text: string): unknown {
  return fieldOf(jsonIn(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString('utf8')), 'iss');
}

async function verify(
  text: string,
  header: ReturnType<typeof parseHeader>,
  keys: SigningKeys,
  since: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { alg, kid } = header;
  const current = await (await keys.current(signal))(header);
  const payload = await verifyByAny(current, text, alg);
  if (payload !== undefined) return payload;
  // A transmitter may drop a refused set, so a set is refused only after a read of the keys that is newer than the set. If the
  // key with this name is known, there is no other key with it.
  const mayBeNew = current.length === 0 || kid === undefined;
  const latest = mayBeNew ? await (await keys.readSince(since, signal))(header) : current;
  if (latest.length === 0) throw new UnprovenSet('invalid_key', 'the transmitter does not publish this key');
  const proven = mayBeNew ? await verifyByAny(latest, text, alg) : undefined;
  if (proven === undefined) throw new UnprovenSet('invalid_key', 'the signature is not valid');
  return proven;
}

async function verifyByAny(
  keys: readonly CryptoKey[],
  text: string,
  alg: string,
): Promise<Uint8Array | undefined> {
  for (const key of keys) {
    // The library also refuses weak keys.
    const proven = await compactVerify(text, key, { algorithms: [alg] }).catch(() => undefined);
    if (proven !== undefined) return proven.payload;
  }
  return undefined;
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

function toSet(payload: Uint8Array, options: SetVerifierOptions) {
  const { transmitter, audiences } = options;
  const json = jsonInBytes(payload);
  if (json === undefined) throw new InvalidSet('invalid_request', 'the set is not JSON in UTF-8');
  const parsed = safeParse(claims, json);
  if (!parsed.success) {
    const [first] = parsed.error.issues;
    throw new InvalidSet('invalid_request', `the set: ${String(first?.path[0] ?? 'it')} is missing or wrong`);
  }
  const { iss, aud, jti, iat, toe, sub_id: subject, events } = parsed.data;
  if (iss !== transmitter) throw new InvalidSet('invalid_issuer', 'the set has another issuer');
  // SSF 1.0, section 4.1.3: ID tokens and access tokens have these claims, an event never has.
  for (const claim of ['sub', 'exp'])
    if (Object.hasOwn(Object(json), claim))
      throw new InvalidSet(
        'invalid_request',
        `the set has the claim ${claim}, which is not allowed in events`,
      );
  if (![aud].flat().some((each) => audiences.includes(each))) {
    throw new InvalidSet('invalid_audience', 'the set has another audience');
  }
  const number = Object.keys(events).length;
  if (number === 0 || number > 8)
    throw new InvalidSet('invalid_request', 'the set contains no event, or more than 8');
  return {
    jti,
    /** Seconds since the epoch, as all times in a token. */
    issuedAt: iat,
    /** When the event happened. */
    happenedAt: toe,
    /** Undefined in the older form, where the subject is inside the event. */
    subject,
    /** By the URI of the type. Several types name the same event. */
    events: new Map(Object.entries(events)),
  };
}
