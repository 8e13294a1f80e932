import { z } from 'zod';
import type { Clock } from '../../../src/clock.js';
import { isoInstant } from '../../../src/clock.js';
import { parseShape } from '../../../src/identity/records.js';
import type { EventPoll } from '../../../src/identity/source.js';
import type { TemplateApi } from './api.js';
import { EVENT, toIdentityEvent } from './event.js';

export interface TemplatePollOptions {
  readonly provider: string;
  readonly api: TemplateApi;
  readonly clock: Clock;
}

const LOG = z.object({
  events: z.array(EVENT),
  /** The number of the last event in the answer, or the number that was requested. */
  last: z.number().int(),
  /** The first number that the log still keeps. */
  oldest: z.number().int(),
});

/** The identity provider's log since the cursor: it has what a webhook cannot carry, or loses. */
export function createTemplatePoll(options: TemplatePollOptions): EventPoll {
  const { provider, api, clock } = options;
  return {
    provider,
    // Only the adapter reads the cursor. It is stored once the events are durable, and passed back unchanged. Without a cursor
    // the log starts now, because the directory is read completely at the start.
    async poll(cursor, signal) {
      const receivedAt = isoInstant(clock);
      const answer = await api.get('/events', { after: cursor ?? 'end' }, signal);
      const { events, last, oldest } = parseShape(LOG, answer, `provider ${provider}, /events`);
      return {
        events: events.map((event) => ({
          ...toIdentityEvent(event, { provider, kind: 'poll', receivedAt }),
          // If the webhook delivers the same events: one that it never delivers is reported as a missed signal.
          isSignalled: true,
        })),
        cursor: String(last),
        // Unread events are gone, or the log started again: then everything is compared.
        gap: cursor !== undefined && (Number(cursor) < oldest - 1 || Number(cursor) > last),
      };
    },
  };
}
