import { z } from 'zod';
import type { Clock } from '../../../src/clock.js';
import { isoInstant } from '../../../src/clock.js';
import { IncompleteRead } from '../../../src/errors.js';
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
  /** The number of the last event given, or that asked after. */
  last: z.number().int(),
  /** The first number that is still kept. */
  oldest: z.number().int(),
});

/** The IdP's log since the cursor: what a webhook cannot carry, or lost. */
export function createTemplatePoll(options: TemplatePollOptions): EventPoll {
  const { provider, api, clock } = options;
  return {
    provider,
    // The cursor is ours alone: it is kept once the events are durable, and given back as it was. Without one the log
    // begins now, since the directory is read completely at the start anyway.
    async poll(cursor, signal) {
      const receivedAt = isoInstant(clock);
      const after = cursor === undefined ? 'end' : cursor;
      const answer = LOG.safeParse(await api.get('/events', { after }, signal));
      if (!answer.success) {
        const message = `provider ${provider}, /events: the log has another form than expected`;
        throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true });
      }
      const { events, last, oldest } = answer.data;
      return {
        events: events.map((event) => ({
          ...toIdentityEvent(event, { provider, kind: 'poll', receivedAt }),
          // Where the webhook brings the same events: one that it never brings is a missed signal, which is told.
          isSignalled: true,
        })),
        cursor: String(last),
        // What was not read is no longer kept, or the log began anew: everything is compared then.
        gap: cursor !== undefined && (Number(cursor) < oldest - 1 || Number(cursor) > last),
      };
    },
  };
}
