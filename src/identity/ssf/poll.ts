import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { IncompleteRead, SyncError } from '../../errors.js';
import { parseJson, refusalOf } from '../http-client.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import { type SetContext, toIdentityEvent } from './identity-event.js';
import type { OwnStream } from './own-stream.js';
import { InvalidSet, isRefusedSet, type RefusedSet, UnprovenSet } from './refusal.js';
import type { SetVerifier } from './set.js';
import { isGone, type StreamApi } from './stream-api.js';
import { secureUrl } from './transmitter.js';

export interface SsfPollOptions extends SetContext {
  readonly stream: OwnStream;
  readonly api: StreamApi;
  readonly verify: SetVerifier;
  readonly insecure: boolean;
  readonly clock: Clock;
}

const MOST_SETS = 100;

const answerShape = z.object({
  sets: z.record(z.string(), z.unknown()),
  moreAvailable: z.boolean().optional(),
});

/** What is owed to the transmitter once the events before are durable. */
interface Owed {
  readonly ack: readonly string[];
  readonly setErrs: Readonly<Record<string, { readonly err: string; readonly description: string }>>;
}

const owedShape = z.object({
  ack: z.array(z.string()),
  setErrs: z.record(z.string(), z.object({ err: z.string(), description: z.string() })),
});

/**
 * Events by poll (RFC 8936). The cursor is what the next request acknowledges: a set is taken back from the transmitter
 * only after it was queued durably, so a crash between makes it come again. A set that is refused is told by `setErrs`, and
 * to the caller, and holds up no other; while keys cannot be read the whole poll fails, and nothing is acknowledged.
 */
export function createSsfPoll(options: SsfPollOptions): EventPoll {
  const { provider, stream, api, verify, insecure, clock } = options;
  const place = `provider ${provider}, poll of shared signals`;

  const ask = async (owed: Owed, signal: AbortSignal): Promise<z.output<typeof answerShape>> => {
    const { endpoint } = await stream.find(signal);
    if (endpoint === undefined) {
      throw new SyncError('ERR_CONFIG', `${place}: the stream has no endpoint`, { retriable: false });
    }
    const body = {
      maxEvents: MOST_SETS,
      returnImmediately: true,
      ...(owed.ack.length === 0 ? {} : { ack: owed.ack }),
      ...(Object.keys(owed.setErrs).length === 0 ? {} : { setErrs: owed.setErrs }),
    };
    const answer = await api.send(secureUrl(endpoint, 'endpoint_url', { insecure }, place), body, signal);
    if (answer.status !== 200) {
      if (isGone(answer)) stream.forget();
      throw refusalOf(answer, place, clock);
    }
    const parsed = answerShape.safeParse(parseJson(answer, place));
    if (!parsed.success)
      throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: answered no sets`, { retriable: true });
    return parsed.data;
  };

  const read = async (
    jti: string,
    text: unknown,
    signal: AbortSignal,
  ): Promise<IdentityEvent | RefusedSet> => {
    try {
      if (typeof text !== 'string') throw new UnprovenSet('invalid_request', 'the set is no text');
      const set = await verify(text, signal);
      if (set.jti !== jti)
        throw new InvalidSet('invalid_request', 'the set has another jti than it stands under');
      const receivedAt = new Date(clock.now()).toISOString();
      return toIdentityEvent(set, { kind: 'poll', receivedAt }, options);
    } catch (error) {
      if (!isRefusedSet(error)) throw error;
      return error;
    }
  };

  return {
    provider,
    async poll(cursor, signal) {
      const { sets, moreAvailable = false } = await ask(parseCursor(cursor), signal);
      const sent = Object.entries(sets);
      // What a transmitter sends beyond what it was asked for stays with it, and comes again.
      const outcomes = await Promise.all(
        sent
          .slice(0, MOST_SETS)
          .map(async ([jti, text]) => ({ jti, outcome: await read(jti, text, signal) })),
      );
      const events: IdentityEvent[] = [];
      const ack: string[] = [];
      const refused = new Map<string, RefusedSet>();
      for (const { jti, outcome } of outcomes) {
        if (outcome instanceof Error) refused.set(jti, outcome);
        else {
          events.push(outcome);
          ack.push(jti);
        }
      }
      const setErrs = Object.fromEntries([...refused].map(([jti, { refusal }]) => [jti, refusal]));
      const owed: Owed = { ack, setErrs };
      return {
        events,
        cursor: JSON.stringify(owed),
        gap: false,
        rejected: [...refused.values()],
        isMore: (moreAvailable || sent.length > MOST_SETS) && ack.length > 0,
      };
    },
  };
}

/** What was stored by another version is not known to be owed: the transmitter sends it again. */
function parseCursor(cursor: string | undefined): Owed {
  const nothing: Owed = { ack: [], setErrs: {} };
  try {
    const parsed = owedShape.safeParse(JSON.parse(cursor ?? '{}'));
    return parsed.success ? parsed.data : nothing;
  } catch {
    return nothing;
  }
}
