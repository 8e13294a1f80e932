import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { type HttpAnswer, parseJson } from '../http-client.js';
import type { EventSubscription } from '../source.js';
import { errorCodeOf, type GraphApi } from './graph-api.js';
import { parse, readCollection } from './pages.js';

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
/**
 * A renewal authorises again too, so it is done while the access token of the one before is good, and not only when Graph
 * asks for it: that may have reached another process.
 */
const RENEW_EVERY_MS = 30 * MINUTE_MS;
/** How soon a lifecycle notification is acted upon. */
const LOOK_EVERY_MS = MINUTE_MS;

const RESOURCES = ['users', 'groups'] as const;
type Resource = (typeof RESOURCES)[number];
/** What it takes to subscribe to them (https://learn.microsoft.com/graph/api/subscription-post-subscriptions). */
const PERMISSION: Readonly<Record<Resource, string>> = { users: 'User.Read.All', groups: 'Group.Read.All' };

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

const LISTED = z.object({
  id: z.string().min(1).max(255),
  resource: z.string(),
  notificationUrl: z.string(),
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
  const place = api.placeOf('subscription');
  const instantIn = (ms: number) => new Date(clock.now() + ms).toISOString();

  const send = (method: 'POST' | 'PATCH' | 'DELETE', path: string, body: object, signal: AbortSignal) => {
    const headers = { 'content-type': 'application/json' };
    const request = method === 'DELETE' ? { method } : { method, headers, body: JSON.stringify(body) };
    return api.send(api.addressOf(path, {}), place, request, signal);
  };
  const toHeld = (answer: HttpAnswer): Held => {
    const { id, expirationDateTime } = parse(SUBSCRIPTION, parseJson(answer, place), place);
    return { id, expiresAt: new Date(expirationDateTime).toISOString(), renewedAt: instantIn(0), made };
  };

  /** Undefined if Graph does not know it any more. */
  const extend = async (held: Held, signal: AbortSignal): Promise<Held | undefined> => {
    const body = { expirationDateTime: instantIn(LIFETIME_MS) };
    const answer = await send('PATCH', pathOf(held), body, signal);
    if (answer.status === 200) return toHeld(answer);
    if (answer.status === 404 && errorCodeOf(answer) !== undefined) return undefined;
    throw api.refusalOf(answer, place);
  };

  const remove = async (id: string, signal: AbortSignal): Promise<void> => {
    const answer = await send('DELETE', pathOf({ id }), {}, signal);
    if (answer.status !== 204 && answer.status !== 404) throw api.refusalOf(answer, place);
  };

  /** Graph allows one subscription of an application to a resource; ours from before its state was lost goes. */
  const removeTwin = async (resource: Resource, signal: AbortSignal): Promise<void> => {
    const collection = { path: '/subscriptions', query: {}, what: 'subscription' };
    const known = await readCollection(api, collection, LISTED, signal);
    for (const twin of known.filter((each) => each.resource === resource)) {
      if (twin.notificationUrl !== url) {
        const message = `${place}: the application already has one to ${resource} for another address; give each scopemesh an app registration of its own`;
        throw new SyncError('ERR_CONFIG', message, { retriable: false });
      }
      await remove(twin.id, signal);
    }
  };

  const create = async (resource: Resource, signal: AbortSignal): Promise<Held> => {
    const subscription = {
      // `updated` tells of new and softly deleted ones too.
      changeType: 'updated,deleted',
      notificationUrl: url,
      lifecycleNotificationUrl: url,
      resource,
      expirationDateTime: instantIn(LIFETIME_MS),
      clientState: secret.reveal(),
    };
    let answer = await send('POST', '/subscriptions', subscription, signal);
    if (answer.status === 409) {
      await removeTwin(resource, signal);
      answer = await send('POST', '/subscriptions', subscription, signal);
    }
    if (answer.status === 201 || answer.status === 200) return toHeld(answer);
    if (answer.status === 403) {
      const message = `${place}: answered 403; grant the application permission ${PERMISSION[resource]}`;
      throw new SyncError('ERR_DIRECTORY_DENIED', message, { retriable: false });
    }
    throw api.refusalOf(answer, place);
  };

  /** What was made in a renewal that failed later on, and so was never stored. */
  let unstored: Partial<Record<Resource, Held>> = {};
  /** One was made anew, and no renewal came to its end since, to say so. */
  let isGapOwed = false;

  return {
    provider: api.provider,
    async renew(text, signal) {
      const before = { ...parseStored(text), ...unstored };
      const after: Partial<Record<Resource, Held>> = {};
      for (const resource of RESOURCES) {
        const held = before[resource];
        const isOurs = held !== undefined && held.made === made && Date.parse(held.expiresAt) > clock.now();
        const isFresh = isOurs && Date.parse(held.renewedAt) + RENEW_EVERY_MS > clock.now();
        if (isFresh && !upkeep.isDue(held.id)) {
          after[resource] = held;
          continue;
        }
        const extended = isOurs ? await extend(held, signal) : undefined;
        if (held !== undefined && !isOurs) await remove(held.id, signal);
        const current = extended ?? (await create(resource, signal));
        after[resource] = current;
        unstored = { ...unstored, [resource]: current };
        if (held === undefined) continue;
        upkeep.done(held.id);
        if (extended !== undefined) continue;
        // Between the end of the old one and the new one nothing was told.
        isGapOwed = true;
      }
      const gap = isGapOwed;
      isGapOwed = false;
      unstored = {};
      const [first] = Object.values(after)
        .map(({ expiresAt }) => expiresAt)
        .toSorted();
      return {
        stored: JSON.stringify(after),
        ...(first === undefined ? {} : { expiresAt: first }),
        renewAfterMs: LOOK_EVERY_MS,
        gap,
      };
    },
  };
}

function pathOf({ id }: Pick<Held, 'id'>): string {
  return `/subscriptions/${encodeURIComponent(id)}`;
}

function parseStored(text: string | undefined): z.output<typeof STORED> {
  if (text === undefined) return {};
  try {
    return STORED.parse(JSON.parse(text));
  } catch {
    return {};
  }
}
