import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import type { Secret } from '../../model/secret.js';
import { parseJson } from '../http-client.js';
import type { EventSubscription } from '../source.js';
import { errorCodeOf, type GraphApi } from './graph-api.js';
import { parse } from './pages.js';

/** What lifecycle notifications asked for, until it is done. */
export interface Upkeep {
  note(lifecycleEvent: string, subscriptionId: string): void;
  isDue(subscriptionId: string): boolean;
  done(subscriptionId: string): void;
}

export function createUpkeep(): Upkeep {
  const due = new Set<string>();
  return {
    note(_lifecycleEvent, subscriptionId) {
      // The sender has proven itself; the bound is against one that has gone mad.
      if (due.size < 1000) due.add(subscriptionId);
    },
    isDue: (subscriptionId) => due.has(subscriptionId),
    done: (subscriptionId) => void due.delete(subscriptionId),
  };
}

export interface EntraSubscriptionOptions {
  readonly api: GraphApi;
  /** Where Graph is to send notifications: the address of this provider's webhook as seen from the internet. */
  readonly url: string;
  /** The first becomes the `clientState`. */
  readonly secrets: readonly [Secret, ...Secret[]];
  readonly upkeep: Upkeep;
  readonly clock: Clock;
}

const MINUTE_MS = 60_000;
/** The longest that Graph keeps a subscription to users or groups is 41,760 minutes; a little less, for clocks differ. */
const LIFETIME_MS = (41_760 - 60) * MINUTE_MS;
/** A renewal authorises again too, so it is done much more often than the end demands. */
const RENEW_EVERY_MS = 6 * 60 * MINUTE_MS;
/** How soon a lifecycle notification is acted upon. */
const LOOK_EVERY_MS = MINUTE_MS;

const RESOURCES = ['users', 'groups'] as const;
type Resource = (typeof RESOURCES)[number];

const HELD = z.object({
  id: z.string().min(1).max(255),
  expiresAt: z.iso.datetime(),
  renewedAt: z.iso.datetime(),
  /** Of the address and the secret it was made for; short, so that no secret can be found from it. */
  made: z.string(),
});
type Held = z.output<typeof HELD>;
const STORED = z.object({ users: HELD.optional(), groups: HELD.optional() });

const SUBSCRIPTION = z.object({
  id: z.string().min(1).max(255),
  expirationDateTime: z.iso.datetime({ offset: true }),
});

/**
 * Subscriptions to users and groups (https://learn.microsoft.com/graph/api/resources/subscription), renewed long before
 * their end, and made anew where one is gone or was made for another address or secret. While Graph makes one it asks
 * the address itself, so the webhook must answer already.
 */
export function createEntraSubscription(options: EntraSubscriptionOptions): EventSubscription {
  const { api, url, secrets, upkeep, clock } = options;
  const [secret] = secrets;
  const made = createHash('sha256')
    .update(JSON.stringify([url, secret.reveal()]))
    .digest('hex')
    .slice(0, 6);
  const instantIn = (ms: number) => new Date(clock.now() + ms).toISOString();

  const ask = async (method: 'POST' | 'PATCH', path: string, body: object, signal: AbortSignal) => {
    const place = api.placeOf('subscription');
    const headers = { 'content-type': 'application/json' };
    const request = { method, headers, body: JSON.stringify(body) };
    const answer = await api.send(api.addressOf(path, {}), place, request, signal);
    if (method === 'PATCH' && answer.status === 404 && errorCodeOf(answer) !== undefined) return undefined;
    if (answer.status !== 200 && answer.status !== 201) throw api.refusalOf(answer, place);
    const { id, expirationDateTime } = parse(SUBSCRIPTION, parseJson(answer, place), place);
    const expiresAt = new Date(expirationDateTime).toISOString();
    return { id, expiresAt, renewedAt: instantIn(0), made };
  };

  const renew = (held: Held, signal: AbortSignal) =>
    ask(
      'PATCH',
      `/subscriptions/${encodeURIComponent(held.id)}`,
      { expirationDateTime: instantIn(LIFETIME_MS) },
      signal,
    );

  const create = (resource: Resource, signal: AbortSignal) => {
    const subscription = {
      // `updated` tells of new and softly deleted ones too.
      changeType: 'updated,deleted',
      notificationUrl: url,
      lifecycleNotificationUrl: url,
      resource,
      expirationDateTime: instantIn(LIFETIME_MS),
      clientState: secret.reveal(),
    };
    return ask('POST', '/subscriptions', subscription, signal);
  };

  return {
    provider: api.provider,
    async renew(text, signal) {
      const before = parseStored(text);
      const after: Partial<Record<Resource, Held>> = {};
      let gap = false;
      for (const resource of RESOURCES) {
        const held = before[resource];
        const isOurs = held !== undefined && held.made === made && Date.parse(held.expiresAt) > clock.now();
        const isFresh = isOurs && Date.parse(held.renewedAt) + RENEW_EVERY_MS > clock.now();
        if (isFresh && !upkeep.isDue(held.id)) {
          after[resource] = held;
          continue;
        }
        const renewed = isOurs ? await renew(held, signal) : undefined;
        const current = renewed ?? (await create(resource, signal));
        if (current !== undefined) after[resource] = current;
        // Between the end of the old one and the new one nothing was told.
        gap ||= held !== undefined && renewed === undefined;
        if (held !== undefined) upkeep.done(held.id);
      }
      const ends = Object.values(after)
        .map(({ expiresAt }) => expiresAt)
        .toSorted();
      const [first] = ends;
      return {
        stored: JSON.stringify(after),
        ...(first === undefined ? {} : { expiresAt: first }),
        renewAfterMs: LOOK_EVERY_MS,
        gap,
      };
    },
  };
}

function parseStored(text: string | undefined): z.output<typeof STORED> {
  if (text === undefined) return {};
  try {
    return STORED.parse(JSON.parse(text));
  } catch {
    return {};
  }
}
