import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { IncompleteRead } from '../../errors.js';
import { type HttpClient, parseJson, refusalOf } from '../http-client.js';
import type { Transmitter } from './transmitter.js';

/**
 * The keys of one transmitter at one time, found by `kid` and `alg` alone: a header may carry a key of its own, or the
 * address of one (jwk, jku, x5u), which anybody can write. None where none fits; several only without a `kid`.
 */
export type KeySet = (name: { readonly alg: string; readonly kid?: string }) => Promise<readonly CryptoKey[]>;

export interface SigningKeys {
  /** Throws as a Directory does where no key set could ever be read, or not for too long. */
  current(signal: AbortSignal): Promise<KeySet>;
  /**
   * For a key that is not in the current set: one that was read no earlier than `since`, so that a key which it has not
   * is none. Since strangers may name any key, it waits until the set may be read again. Throws as a Directory does
   * where that fails: whether there is such a key is then not known.
   */
  readSince(since: number, signal: AbortSignal): Promise<KeySet>;
}

export interface SigningKeysOptions {
  readonly provider: string;
  readonly transmitter: Transmitter;
  readonly http: HttpClient;
  readonly clock: Clock;
  /** Between two readings for keys that are not known; 2,000 by default, so that no sender waits for long. */
  readonly cooldownMs?: number;
}

/** After this a set is read anew, so that a key that was withdrawn ends. */
const FRESH_MS = 10 * 60_000;
/** A set that cannot be read anew serves so long in all. */
const STALE_MS = 3_600_000;
const LONGEST_SET = 256 * 1024;
const MOST_KEYS = 64;

// Keys are checked by the library as they are used; here only that it is a set, and of which size.
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(MOST_KEYS) });

export function createSigningKeys(options: SigningKeysOptions): SigningKeys {
  const { clock, cooldownMs = 2_000 } = options;
  let held: { readonly keys: KeySet; readonly readAt: number } | undefined;
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
        held = { keys, readAt };
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
  /** Begun once the last one is over and long enough ago; who asks after its beginning has it come too early. */
  const readNext = async (signal: AbortSignal): Promise<KeySet> => {
    try {
      for (;;) {
        await reading?.catch(() => {});
        const restMs = triedAt + cooldownMs - clock.now();
        if (reading === undefined && restMs <= 0) break;
        if (restMs > 0) await clock.sleep(restMs, signal);
      }
    } finally {
      next = undefined;
    }
    return read(signal);
  };

  return {
    async current(signal) {
      const ageMs = held === undefined ? Number.POSITIVE_INFINITY : clock.now() - held.readAt;
      if (held !== undefined && ageMs < FRESH_MS) return held.keys;
      // While nothing can be read, every event would ask anew.
      if (held !== undefined && ageMs < STALE_MS && clock.now() - triedAt < cooldownMs) return held.keys;
      try {
        return await read(signal);
      } catch (error) {
        if (held !== undefined && ageMs < STALE_MS) return held.keys;
        throw error;
      }
    },
    async readSince(since, signal) {
      if (held !== undefined && held.readAt >= since) return held.keys;
      if (failure !== undefined && clock.now() - triedAt < cooldownMs) throw failure;
      // One reading for all who wait.
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
    answer.body.byteLength > LONGEST_SET ? undefined : keySet.safeParse(parseJson(answer, place));
  if (parsed?.success !== true) {
    throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: no key set, or too long a one`, {
      retriable: true,
    });
  }
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
