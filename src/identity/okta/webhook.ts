import { z } from 'zod';
import type { Notifier } from '../../notifier.js';
import { safeParse } from '../../safe-parse.js';
import { invalidEvent, parseEventBody } from '../event-body.js';
import type { EventSource, RawRequest, Reception } from '../source.js';
import { createWebhook, type SourceOptions, verifyAuthorization } from '../webhook.js';
import { isOrder, toIdentityEvents } from './events.js';
import { parseLogEvents } from './log-event.js';
import type { OktaNames } from './names.js';

interface OktaSourceOptions extends SourceOptions {
  readonly names: OktaNames;
  /** Wakes the poll for what only the log proves. */
  readonly hints?: Pick<Notifier, 'notify'>;
}

const CHALLENGE = 'x-okta-verification-challenge';

/** The envelope of an event hook (developer.okta.com/docs/concepts/event-hooks). */
const ENVELOPE = z.looseObject({
  eventType: z.literal('com.okta.event_hook'),
  data: z.looseObject({ events: z.array(z.unknown()).min(1).max(1000) }),
});

/**
 * Event hooks. Okta verifies the address once by GET with a challenge. After that it sends events by POST, each batch with
 * a constant header and no signature. So a hook is only a hint. If the log would contain an order, the hook wakes the poll
 * of the log. Okta never repeats a refused batch, so an entry that cannot be parsed is refused alone, and the log is read.
 */
export function createOktaSource(options: OktaSourceOptions): EventSource {
  const { provider, secrets, names, hints } = options;
  return createWebhook({
    provider,
    answersGet: true,
    handshake: (request) => (request.method === 'GET' ? answerChallenge(request) : undefined),
    verify: (request) => verifyAuthorization(secrets, request),
    receive({ body, receivedAt }) {
      const context = { provider, kind: 'webhook', receivedAt, names } as const;
      const envelope = safeParse(ENVELOPE, parseEventBody(body));
      if (!envelope.success) throw invalidEvent('the request body is not an event hook of Okta');
      const { events, rejected } = parseLogEvents(
        envelope.data.data.events,
        `provider ${provider}, event hook`,
      );
      if (rejected.length > 0 || events.some((event) => isOrder(event, context))) hints?.notify();
      return { events: events.flatMap((event) => toIdentityEvents(event, context)), rejected };
    },
  });
}

/** The challenge does not prove who sends it, so the answer contains nothing but the challenge. */
function answerChallenge(request: RawRequest): Reception {
  const challenge = request.headers[CHALLENGE];
  if (challenge === undefined || !/^[\x21-\x7e]{1,512}$/.test(challenge))
    throw invalidEvent(`the GET request has no valid ${CHALLENGE} header`);
  const body = JSON.stringify({ verification: challenge });
  return { kind: 'reply', status: 200, contentType: 'application/json', body };
}
