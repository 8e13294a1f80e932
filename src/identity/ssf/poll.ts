import { z } from 'zod';
import { isoInstant } from '../../clock.js';
import { configError } from '../../errors.js';
import { parseJson, refusalOf } from '../http-client.js';
import { parseShape, parseStored } from '../records.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import { type SetContext, toIdentityEvent } from './identity-event.js';
import type { SsfOptions } from './options.js';
import type { OwnStream } from './own-stream.js';
import { InvalidSet, RefusedSet, UnprovenSet } from './refusal.js';
import type { SetVerifier } from './set.js';
import { isGone, type StreamApi } from './stream-api.js';
import { secureUrl } from './transmitter.js';

interface SsfPollOptions extends SetContext, Pick<SsfOptions, 'insecure' | 'clock'> {
  readonly stream: OwnStream;
  readonly api: StreamApi;
  readonly verify: SetVerifier;
}

const MAX_SETS = 100;

const ANSWER = z.object({
  sets: z.record(z.string(), z.unknown()),
  moreAvailable: z.boolean().optional(),
});

/** What the next request acknowledges and refuses, once the events before are durable. */
const ACKNOWLEDGEMENT = z.object({
  ack: z.array(z.string()),
  setErrs: z.record(z.string(), z.object({ err: z.string(), description: z.string() })),
});
type Acknowledgement = z.output<typeof ACKNOWLEDGEMENT>;

/**
 * Events by poll (RFC 8936). The cursor is what the next request acknowledges: the transmitter drops a set only after the
 * event was queued durably, so after a crash it sends the set again. A refused set is reported in `setErrs` and to the
 * caller, and stops no other set. If the keys cannot be read, the whole poll fails, and nothing is acknowledged.
 */
export function createSsfPoll(options: SsfPollOptions): EventPoll {
  const { provider, stream, api, verify, insecure, clock } = options;
  const place = `provider ${provider}, poll of shared signals`;

  const request = async ({ ack, setErrs }: Acknowledgement, signal: AbortSignal) => {
    const { endpoint } = await stream.find(signal);
    if (endpoint === undefined) throw configError(`${place}: the stream has no endpoint for polls`);
    const body = {
      maxEvents: MAX_SETS,
      returnImmediately: true,
      ...(ack.length === 0 ? {} : { ack }),
      ...(Object.keys(setErrs).length === 0 ? {} : { setErrs }),
    };
    const answer = await api.send(secureUrl(endpoint, 'endpoint_url', { insecure }, place), body, signal);
    if (isGone(answer)) stream.forget();
    if (answer.status !== 200) throw refusalOf(answer, place, clock);
    return parseShape(ANSWER, parseJson(answer, place), place);
  };

  const read = async (
    jti: string,
    text: unknown,
    signal: AbortSignal,
  ): Promise<IdentityEvent | RefusedSet> => {
    try {
      if (typeof text !== 'string') throw new UnprovenSet('invalid_request', 'the set is not a string');
      const set = await verify(text, signal);
      if (set.jti !== jti) throw new InvalidSet('invalid_request', 'the set has another jti than its key');
      return toIdentityEvent(set, { kind: 'poll', receivedAt: isoInstant(clock) }, options);
    } catch (error) {
      if (!(error instanceof RefusedSet)) throw error;
      return error;
    }
  };

  return {
    provider,
    async poll(cursor, signal) {
      // Without a valid cursor nothing is acknowledged, so the transmitter sends the sets again.
      const acknowledged = parseStored(ACKNOWLEDGEMENT, cursor) ?? { ack: [], setErrs: {} };
      const { sets, moreAvailable = false } = await request(acknowledged, signal);
      const sent = Object.entries(sets);
      // Sets beyond the requested number stay with the transmitter, and it sends them again.
      const outcomes = await Promise.all(
        sent.slice(0, MAX_SETS).map(async ([jti, text]) => ({ jti, outcome: await read(jti, text, signal) })),
      );
      const events: IdentityEvent[] = [];
      const ack: string[] = [];
      const refused = new Map<string, RefusedSet>();
      for (const { jti, outcome } of outcomes) {
        if (outcome instanceof RefusedSet) refused.set(jti, outcome);
        else {
          events.push(outcome);
          ack.push(jti);
        }
      }
      const setErrs = Object.fromEntries([...refused].map(([jti, { refusal }]) => [jti, refusal]));
      const next: Acknowledgement = { ack, setErrs };
      return {
        events,
        cursor: JSON.stringify(next),
        gap: false,
        rejected: [...refused.values()],
        isMore: (moreAvailable || sent.length > MAX_SETS) && ack.length > 0,
      };
    },
  };
}
