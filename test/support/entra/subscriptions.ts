import { randomUUID } from 'node:crypto';
import { type Answer, graphError } from './answers.js';
import { shape } from './shapes.js';
import type { ChangeEntry } from './tenant.js';

const MAX_MS = 41_760 * 60_000;

export interface Subscription {
  readonly id: string;
  readonly resource: string;
  readonly changeType: string;
  readonly notificationUrl: string;
  readonly lifecycleNotificationUrl: string;
  readonly clientState: string;
  expirationDateTime: string;
}

export interface Subscriptions {
  readonly active: Map<string, Subscription>;
  /** Requests about subscriptions, as `POST users`, `PATCH <id>`. */
  readonly log: string[];
  /** How the address answered the last validation: status, content type, body. */
  lastValidation: { status: number; contentType: string; body: string } | undefined;
  create(body: string): Promise<Answer>;
  list(): Answer;
  renew(id: string, body: string): Answer;
  remove(id: string): Answer;
  /** What Graph sends for a change; nobody may have subscribed to it. */
  notifyOf(entry: ChangeEntry): Promise<readonly number[]>;
  /** Resolves with the status of the receiver. */
  lifecycle(id: string, lifecycleEvent: string): Promise<number>;
  /** A batch with one notification, as it would be sent. */
  bodyOf(subscription: Subscription, fields: object): string;
}

/** https://learn.microsoft.com/graph/change-notifications-delivery-webhooks */
export function createSubscriptions(options: {
  readonly tenantId: string;
  readonly now: () => number;
}): Subscriptions {
  const active = new Map<string, Subscription>();
  const send = async (url: string, body: string): Promise<number> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) });
    await answer.text();
    return answer.status;
  };
  const lengthOf = (expiration: unknown): number =>
    typeof expiration === 'string' ? Date.parse(expiration) - options.now() : Number.NaN;
  const shown = (subscription: Subscription) => shape('subscription', { ...subscription, clientState: null });

  const self: Subscriptions = {
    active,
    log: [],
    lastValidation: undefined,
    async create(body) {
      const asked = JSON.parse(body) as Record<string, unknown>;
      const { resource, changeType, notificationUrl, lifecycleNotificationUrl, clientState } = asked;
      self.log.push(`POST ${String(resource)}`);
      const length = lengthOf(asked.expirationDateTime);
      if (!(length > 0 && length <= MAX_MS))
        return graphError(
          400,
          'InvalidRequest',
          'Subscription expiration can only be 41760 minutes in the future.',
        );
      if (resource !== 'users' && resource !== 'groups')
        return graphError(400, 'ExtensionError', 'Operation: Create; Exception: [Status Code: BadRequest]');
      if (typeof clientState !== 'string' || clientState.length > 128)
        return graphError(400, 'InvalidRequest', 'clientState must not be longer than 128 characters.');
      const isTwin = (each: Subscription) => each.resource === resource && each.changeType === changeType;
      const isAlive = (each: Subscription) => Date.parse(each.expirationDateTime) > options.now();
      if ([...active.values()].some((each) => isTwin(each) && isAlive(each)))
        return graphError(409, 'Conflict', 'A subscription with these values exists already.');
      for (const url of new Set([String(notificationUrl), String(lifecycleNotificationUrl)])) {
        const token = `Validation: Testing client application reachability for subscription Request-Id: ${randomUUID()}`;
        const answer = await fetch(`${url}?validationToken=${encodeURIComponent(token)}`, {
          method: 'POST',
          headers: { 'content-type': 'text/plain; charset=utf-8' },
          signal: AbortSignal.timeout(10_000),
        }).catch(() => undefined);
        const contentType = answer?.headers.get('content-type') ?? '';
        const text = (await answer?.text()) ?? '';
        self.lastValidation = { status: answer?.status ?? 0, contentType, body: text };
        if (answer?.status !== 200 || text !== token || !contentType.startsWith('text/plain'))
          return graphError(400, 'InvalidRequest', 'Subscription validation request failed.');
      }
      const subscription: Subscription = {
        id: randomUUID(),
        resource,
        changeType: String(changeType),
        notificationUrl: String(notificationUrl),
        lifecycleNotificationUrl: String(lifecycleNotificationUrl),
        clientState,
        expirationDateTime: String(asked.expirationDateTime),
      };
      active.set(subscription.id, subscription);
      return { status: 201, json: shown(subscription) };
    },
    list: () => ({ status: 200, json: { value: [...active.values()].map(shown) } }),
    renew(id, body) {
      self.log.push(`PATCH ${id}`);
      const subscription = active.get(id);
      if (subscription === undefined || Date.parse(subscription.expirationDateTime) <= options.now())
        return graphError(404, 'ResourceNotFound', 'The object was not found.');
      const { expirationDateTime } = JSON.parse(body) as { expirationDateTime: string };
      if (!(lengthOf(expirationDateTime) > 0 && lengthOf(expirationDateTime) <= MAX_MS))
        return graphError(
          400,
          'InvalidRequest',
          'Subscription expiration can only be 41760 minutes in the future.',
        );
      subscription.expirationDateTime = expirationDateTime;
      return { status: 200, json: shown(subscription) };
    },
    remove(id) {
      self.log.push(`DELETE ${id}`);
      return active.delete(id)
        ? { status: 204 }
        : graphError(404, 'ResourceNotFound', 'The object was not found.');
    },
    async notifyOf({ collection, id, removed }) {
      const interested = [...active.values()].filter(({ resource }) => resource === collection);
      const type = collection === 'users' ? '#Microsoft.Graph.User' : '#Microsoft.Graph.Group';
      const path = `${collection === 'users' ? 'Users' : 'Groups'}/${id}`;
      return Promise.all(
        interested.map((subscription) => {
          const resourceData = {
            '@odata.type': type,
            '@odata.id': path,
            id,
            organizationId: options.tenantId,
          };
          const changeType = removed ? 'deleted' : 'updated';
          const body = self.bodyOf(subscription, { changeType, resource: path, resourceData });
          return send(subscription.notificationUrl, body);
        }),
      );
    },
    async lifecycle(id, lifecycleEvent) {
      const subscription = active.get(id);
      if (subscription === undefined) throw new Error(`no subscription ${id}`);
      return send(subscription.lifecycleNotificationUrl, self.bodyOf(subscription, { lifecycleEvent }));
    },
    bodyOf(subscription, fields) {
      const kind = 'lifecycleEvent' in fields ? 'lifecycle-notification' : 'change-notification';
      const notification = shape(kind, {
        subscriptionId: subscription.id,
        subscriptionExpirationDateTime: subscription.expirationDateTime,
        tenantId: options.tenantId,
        clientState: subscription.clientState,
        ...fields,
      });
      return JSON.stringify({ value: [notification] });
    },
  };
  return self;
}
