import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { safeParse } from '../../safe-parse.js';
import { type HttpClient, parseJson, refusalOf } from '../http-client.js';
import { incomplete } from '../read-errors.js';
import type { SsfOptions } from './options.js';
import type { Transmitter } from './transmitter.js';

/**
 * The keys of one transmitter at one time. They are looked up only by `kid` and `alg`: a header may contain a key, or its
 * address (jwk, jku, x5u), but anybody can write that. Without a `kid`, several keys may match.
 */
type KeySet = (name: { readonly alg: string; readonly kid?: string }) => Promise<readonly CryptoKey[]>;

export type SigningKeys = ReturnType<typeof createSigningKeys>;

interface SigningKeysOptions extends Pick<SsfOptions, 'provider' | 'clock'> {
  readonly transmitter: Transmitter;
  readonly http: HttpClient;
}

/** After this time the set is read again, so that a withdrawn key is dropped. */
const FRESH_MS = 10 * 60_000;
/** If it cannot be read again, a set is used for this time in all. */
const STALE_MS = 3_600_000;
/** Between two reads for unknown keys: so short that no sender waits long. */
const COOLDOWN_MS = 2_000;
const MAX_KEY_SET_BYTES = 256 * 1024;
const MAX_KEYS = 64;

// The library checks the keys when they are used. Here only the form and the size are checked.
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(MAX_KEYS) });

export function createSigningKeys(options: SigningKeysOptions) {
  const { clock } = options;
  let cached: { readonly keys: KeySet; readonly readAt: number } | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let failure: unknown;
  let reading: Promise<KeySet> | undefined;
  let next: Promise<KeySet> | undefined;

  const read = (signal: AbortSignal): Promise<KeySet> => {
    if (reading !== undefined) return reading;
    const readAt = clock.now();
    triedAt = readAt;
    reading = readKeySet(options, signal)
      .then((keys) => {
        cached = { keys, readAt };
        failure = undefined;
        return keys;
      })
      .catch((error: unknown) => {
        failure = error;
        throw error;
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  /** Starts after the last read is over and the cooldown has passed. A caller after its start would be too early for it. */
  const readNext = async (signal: AbortSignal): Promise<KeySet> => {
    try {
      for (;;) {
        await reading?.catch(() => {});
        const restMs = triedAt + COOLDOWN_MS - clock.now();
        if (reading === undefined && restMs <= 0) break;
        if (restMs > 0) await clock.sleep(restMs, signal);
      }
    } finally {
      next = undefined;
    }
    return read(signal);
  };

  return {
    /** Throws as a Directory does if no key set was ever read, or not for too long. */
    async current(signal: AbortSignal): Promise<KeySet> {
      const ageMs = cached === undefined ? Number.POSITIVE_INFINITY : clock.now() - cached.readAt;
      if (cached !== undefined && ageMs < FRESH_MS) return cached.keys;
      // While the set cannot be read, not every event causes a request.
      if (cached !== undefined && ageMs < STALE_MS && clock.now() - triedAt < COOLDOWN_MS) return cached.keys;
      try {
        return await read(signal);
      } catch (error) {
        if (cached !== undefined && ageMs < STALE_MS) return cached.keys;
        throw error;
      }
    },
    /**
     * For a key that is not in the current set: a set that was read no earlier than `since`, so that a missing key does not
     * exist. Strangers may name any key, so this waits until the set may be read again. Throws as a Directory does if that
     * fails: then it is unknown whether the key exists.
     */
    async readSince(since: number, signal: AbortSignal): Promise<KeySet> {
      if (cached !== undefined && cached.readAt >= since) return cached.keys;
      if (failure !== undefined && clock.now() - triedAt < COOLDOWN_MS) throw failure;
      // One read for all waiting callers.
      next ??= readNext(signal);
      return next;
    },
  };
}

async function readKeySet(options: SigningKeysOptions, signal: AbortSignal): Promise<KeySet> {
  const { provider, transmitter, http, clock } = options;
  const { jwksUri } = await transmitter.read(signal);
  const place = `provider ${provider}, keys at ${jwksUri.origin}`;
  const answer = await http.request(jwksUri, place, {}, signal);
  if (answer.status !== 200) throw refusalOf(answer, place, clock);
  const parsed =
    answer.body.byteLength > MAX_KEY_SET_BYTES ? undefined : safeParse(keySet, parseJson(answer, place));
  if (parsed?.success !== true) throw incomplete(place, 'the answer is not a key set, or is too long');
  return toKeySet(parsed.data);
}

export function toKeySet(set: JSONWebKeySet): KeySet {
  const find = createLocalJWKSet(set);
  return async (name) => {
    try {
      return [await find(name)];
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return [];
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      const keys: CryptoKey[] = [];
      for await (const key of error) keys.push(key);
      return keys;
    }
  };
}
