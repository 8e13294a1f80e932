import { z } from 'zod';
import { RejectedEvent } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { invalidEvent, parseEventBody } from '../event-body.js';
import { verifyStaticSecret } from '../signature.js';
import type { EventSource, RawRequest, Reception } from '../source.js';
import { isOrder, toIdentityEvents } from './events.js';
import { type LogEvent, parseLogEvent, unreadableEntry } from './log-event.js';
import type { LogWakeup } from './log-wakeup.js';
import type { OktaNames } from './names.js';

export interface OktaSourceOptions {
  readonly provider: string;
  /** What the hook sends as `Authorization`, whole; several while one is rotated. */
  readonly secrets: readonly Secret[];
  readonly names: OktaNames;
  /** Told of what only the log proves. */
  readonly news?: LogWakeup;
}

const LONGEST_BODY = 1024 * 1024;
const CHALLENGE = 'x-okta-verification-challenge';

/** The envelope of an event hook (developer.okta.com/docs/concepts/event-hooks). */
const ENVELOPE = z.looseObject({
  eventType: z.literal('com.okta.event_hook'),
  data: z.looseObject({ events: z.array(z.unknown()).min(1).max(1000) }),
});

/**
 * Event hooks. Once, Okta asks by GET whether the address is ours, and gets its challenge back; from then on it sends
 * events by POST, each batch with a header that never changes and no signature. So a hook is a hint and no more; where the
 * log would have an order, it is told to look. Okta sends a batch that was refused never again, so what cannot be read in
 * one is refused alone, and looked for in the log.
 */
export function createOktaSource(options: OktaSourceOptions): EventSource {
  const { provider, secrets, names, news } = options;
  return {
    provider,
    async receive(request): Promise<Reception> {
      if (request.method === 'GET') return answerChallenge(request);
      if (request.body.byteLength > LONGEST_BODY) {
        throw new RejectedEvent('ERR_EVENT_INVALID', `the event is longer than ${LONGEST_BODY} bytes`, 413);
      }
      if (!verifyStaticSecret(secrets, request.headers.authorization)) {
        throw new RejectedEvent('ERR_SIGNATURE', 'the Authorization header is none of the secrets', 401);
      }
      const { receivedAt } = request;
      const context = { provider, kind: 'webhook', receivedAt, names } as const;
      const { events, rejected } = parse(request.body, `provider ${provider}, event hook`);
      if (rejected.length > 0 || events.some((event) => isOrder(event, context))) news?.tell();
      return {
        kind: 'events',
        events: events.flatMap((event) => toIdentityEvents(event, context)),
        rejected,
      };
    },
  };
}

/** The challenge proves nothing about who asks, so nothing but the challenge is said. */
function answerChallenge(request: RawRequest): Reception {
  const challenge = request.headers[CHALLENGE];
  if (challenge === undefined || !/^[\x21-\x7e]{1,512}$/.test(challenge)) {
    throw new RejectedEvent('ERR_EVENT_INVALID', `a GET without a valid ${CHALLENGE}`, 400);
  }
  const body = JSON.stringify({ verification: challenge });
  return { kind: 'reply', status: 200, contentType: 'application/json', body };
}

function parse(body: Uint8Array, place: string) {
  const envelope = ENVELOPE.safeParse(parseEventBody(body));
  if (!envelope.success) throw invalidEvent('the body is none that an event hook sends');
  const events: LogEvent[] = [];
  const rejected: RejectedEvent[] = [];
  for (const each of envelope.data.data.events) {
    const event = parseLogEvent(each);
    if (event === undefined) rejected.push(unreadableEntry(each, place));
    else events.push(event);
  }
  return { events, rejected };
}
