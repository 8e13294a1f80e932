import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Clock, isoInstant } from '../../clock.js';
import { configError, SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { type HttpAnswer, parseJson } from '../http-client.js';
import { parseShape, parseStored } from '../records.js';
import type { EventSubscription } from '../source.js';
import { errorCodeOf, type GraphApi } from './graph-api.js';
import { readCollection } from './pages.js';

interface EntraSubscriptionOptions {
  readonly api: GraphApi;
  /** The address of this provider's webhook as Graph reaches it. */
  readonly url: string;
  /** The first one becomes the `clientState`. */
  readonly secrets: readonly Secret[];
  /** The IDs of subscriptions for which a lifecycle notification requested a renewal. */
  readonly requestedRenewals: Set<string>;
  readonly clock: Clock;
}

const MINUTE_MS = 60_000;
/** Graph keeps a subscription to users or groups for 41,760 minutes. A little less, because clocks differ. */
const LIFETIME_MS = (41_760 - 60) * MINUTE_MS;
/**
 * A renewal also authorizes the subscription again. So it is done while the last access token is valid, and not only when
 * Graph requests it: that request may have reached another process.
 */
const RENEW_EVERY_MS = 30 * MINUTE_MS;
/** How often lifecycle notifications are looked for. */
const LOOK_EVERY_MS = MINUTE_MS;

const RESOURCES = ['users', 'groups'] as const;
type Resource = (typeof RESOURCES)[number];
/** The permission that a subscription needs (https://learn.microsoft.com/graph/api/subscription-post-subscriptions). */
const PERMISSION: Readonly<Record<Resource, string>> = { users: 'User.Read.All', groups: 'Group.Read.All' };

const KNOWN_SUBSCRIPTION = z.object({
  id: z.string().min(1).max(255),
  expiresAt: z.iso.datetime(),
  renewedAt: z.iso.datetime(),
  /** A digest of its address and secret; short, so that nobody can find the secret from it. */
  made: z.string(),
});
type KnownSubscription = z.output<typeof KNOWN_SUBSCRIPTION>;
const STORED = z.object({ users: KNOWN_SUBSCRIPTION.optional(), groups: KNOWN_SUBSCRIPTION.optional() });

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
 * Subscriptions to users and groups (https://learn.microsoft.com/graph/api/resources/subscription). They are renewed long
 * before they expire, and created again if one is missing or was made for another address or secret. Graph tests the
 * address while it creates one, so the webhook must answer already.
 */
export function createEntraSubscription(options: EntraSubscriptionOptions): EventSubscription {
  const { api, url, secrets, requestedRenewals, clock } = options;
  const place = api.placeOf('subscription');
  const clientState = () => {
    const [secret] = secrets;
    if (secret !== undefined) return secret.reveal();
    throw configError(`${place}: webhook.secrets is empty; add a secret and reload, or restart scopemesh`);
  };
  const madeWith = (state: string) =>
    createHash('sha256')
      .update(JSON.stringify([url, state]))
      .digest('hex')
      .slice(0, 6);
  const newExpiry = () => new Date(clock.now() + LIFETIME_MS).toISOString();

  const send = (method: 'POST' | 'PATCH' | 'DELETE', path: string, body: object, signal: AbortSignal) => {
    const headers = { 'content-type': 'application/json' };
    const request = method === 'DELETE' ? { method } : { method, headers, body: JSON.stringify(body) };
    return api.send(api.addressOf(path, {}), place, request, signal);
  };
  const toKnown = (answer: HttpAnswer, made: string): KnownSubscription => {
    const { id, expirationDateTime } = parseShape(SUBSCRIPTION, parseJson(answer, place), place);
    return {
      id,
      expiresAt: new Date(expirationDateTime).toISOString(),
      renewedAt: isoInstant(clock),
      made,
    };
  };

  /** Undefined if Graph does not know the subscription any more. */
  const extend = async (
    known: KnownSubscription,
    signal: AbortSignal,
  ): Promise<KnownSubscription | undefined> => {
    const body = { expirationDateTime: newExpiry() };
    const answer = await send('PATCH', pathOf(known), body, signal);
    if (answer.status === 200) return toKnown(answer, known.made);
    if (answer.status === 404 && errorCodeOf(answer) !== undefined) return undefined;
    throw api.refusalOf(answer, place);
  };

  const remove = async (id: string, signal: AbortSignal): Promise<void> => {
    const answer = await send('DELETE', pathOf({ id }), {}, signal);
    if (answer.status !== 204 && answer.status !== 404) throw api.refusalOf(answer, place);
  };

  /** Graph allows one subscription per application and resource. Ours from before the state was lost is removed. */
  const removeTwin = async (resource: Resource, signal: AbortSignal): Promise<void> => {
    const collection = { path: '/subscriptions', query: {}, what: 'subscription' };
    const known = await readCollection(api, collection, LISTED, signal);
    for (const twin of known.filter((each) => each.resource === resource)) {
      if (twin.notificationUrl !== url) {
        const remedy = 'give each scopemesh an app registration of its own';
        throw configError(
          `${place}: the application already has a subscription to ${resource} for another address; ${remedy}`,
        );
      }
      await remove(twin.id, signal);
    }
  };

  /** `state`: the secret, which a reload may change during the request. */
  const create = async (
    resource: Resource,
    state: string,
    signal: AbortSignal,
  ): Promise<KnownSubscription> => {
    const subscription = {
      // `updated` also reports new and softly deleted ones.
      changeType: 'updated,deleted',
      notificationUrl: url,
      lifecycleNotificationUrl: url,
      resource,
      expirationDateTime: newExpiry(),
      clientState: state,
    };
    let answer = await send('POST', '/subscriptions', subscription, signal);
    if (answer.status === 409) {
      await removeTwin(resource, signal);
      answer = await send('POST', '/subscriptions', subscription, signal);
    }
    if (answer.status === 201 || answer.status === 200) return toKnown(answer, madeWith(state));
    if (answer.status === 403) {
      const message = `${place}: answered 403; grant the application permission ${PERMISSION[resource]}`;
      throw new SyncError('ERR_DIRECTORY_DENIED', message, { retriable: false });
    }
    throw api.refusalOf(answer, place);
  };

  /** Created by a renewal that failed later, and so was never stored. */
  let unstored: Partial<Record<Resource, KnownSubscription>> = {};
  /** One was created again, and no renewal has completed since to report the gap. */
  let hasUnreportedGap = false;

  return {
    provider: api.provider,
    async renew(text, signal) {
      const before = { ...parseStored(STORED, text), ...unstored };
      const after: Partial<Record<Resource, KnownSubscription>> = {};
      const state = clientState();
      for (const resource of RESOURCES) {
        const known = before[resource];
        const isCurrent =
          known !== undefined && known.made === madeWith(state) && Date.parse(known.expiresAt) > clock.now();
        const isFresh = isCurrent && Date.parse(known.renewedAt) + RENEW_EVERY_MS > clock.now();
        if (isFresh && !requestedRenewals.has(known.id)) {
          after[resource] = known;
          continue;
        }
        const extended = isCurrent ? await extend(known, signal) : undefined;
        if (known !== undefined && !isCurrent) await remove(known.id, signal);
        const current = extended ?? (await create(resource, state, signal));
        after[resource] = current;
        unstored = { ...unstored, [resource]: current };
        if (known === undefined) continue;
        requestedRenewals.delete(known.id);
        if (extended !== undefined) continue;
        // Nothing was delivered between the end of the old one and the new one.
        hasUnreportedGap = true;
      }
      const gap = hasUnreportedGap;
      hasUnreportedGap = false;
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

function pathOf({ id }: Pick<KnownSubscription, 'id'>): string {
  return `/subscriptions/${encodeURIComponent(id)}`;
}
