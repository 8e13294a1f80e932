import type { RejectedEvent } from '../errors.js';
import type { RevocationOrder } from '../model/order.js';
import type { Trigger } from '../model/trigger.js';

/** A request as received. Nothing in it is trusted, and the body is not parsed. */
export interface RawRequest {
  readonly method: string;
  /** Lower-case names; several values are joined as Node does. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  /** ISO 8601. */
  readonly receivedAt: string;
}

/** How an event arrived. */
export interface EventOrigin {
  readonly kind: 'webhook' | 'poll';
  /** ISO 8601. */
  readonly receivedAt: string;
}

/**
 * One event of an identity provider. `id` is the provider's own ID, the same by webhook and by poll, so that duplicates are
 * found.
 */
export interface IdentityEvent {
  readonly id: string;
  /** ISO 8601 by the identity provider's clock; only a hint at the order. */
  readonly occurredAt?: string;
  /** Empty if the event concerns no client (a login). */
  readonly triggers: readonly Trigger[];
  readonly orders: readonly RevocationOrder[];
  /**
   * For an event from a poll: the webhook delivers such events too. If it never does so under the same ID, that is a
   * missed signal.
   */
  readonly isSignalled?: boolean;
  /** The ID of the event that this is a part of. The parts may come on different channels, and all count as one event. */
  readonly partOf?: string;
  /** A subscription requested this event to test delivery. Its ID is remembered although it concerns no client. */
  readonly isProof?: boolean;
}

export type Reception =
  | {
      readonly kind: 'events';
      readonly events: readonly IdentityEvent[];
      /** Parts of the request that are not accepted. They are recorded as a refused request is. */
      readonly rejected?: readonly RejectedEvent[];
      /** A shared signal: once all events are durable, the answer is 202 without a body (RFC 8935, section 2.2). */
      readonly isSignal?: boolean;
    }
  /** A handshake: send exactly this answer. */
  | { readonly kind: 'reply'; readonly status: number; readonly contentType: string; readonly body: string };

/** Turns requests of an identity provider into triggers and orders. */
export interface EventSource {
  readonly provider: string;
  /** Whether the identity provider verifies the address by a GET request. */
  readonly answersGet?: boolean;
  /** Verifies the raw bytes before it parses them. Throws RejectedEvent. Not called if the kind has no webhook. */
  receive(request: RawRequest): Promise<Reception>;
}

/** The backstop: events from the identity provider's own log since a stored cursor. */
export interface EventPoll {
  readonly provider: string;
  /**
   * Events since `cursor` (opaque; undefined: from now on), oldest first, and the cursor to store once they are durably
   * queued. `gap`: events may be lost (the log expired, the cursor is unknown), so a complete comparison is due. Throws
   * SyncError as a Directory does.
   */
  poll(cursor: string | undefined, signal: AbortSignal): Promise<PollResult>;
  /**
   * Resolves when the log should be read before its next time, because the webhook announced something that only the log
   * proves, or when the signal aborts. Absent if the webhook proves its events.
   */
  nextWakeup?(signal: AbortSignal): Promise<void>;
}

export interface PollResult {
  readonly events: readonly IdentityEvent[];
  readonly cursor: string;
  readonly gap: boolean;
  /** Log entries that were refused. They are recorded as those of a webhook are. */
  readonly rejected?: readonly RejectedEvent[];
  /** More events are available: poll again at once. */
  readonly isMore?: boolean;
}

/**
 * Keeps alive at the identity provider what events depend on: a subscription that expires, a stream that may stop. An
 * adapter keeps no state of its own: `stored` is what it last returned, and the caller keeps it durably.
 */
export interface EventSubscription {
  readonly provider: string;
  /**
   * Creates, verifies or renews what is due. Safe to repeat. `hasSeen` says whether the event with this ID arrived, in any
   * process. Throws SyncError as a Directory does; the last returned state then stays valid.
   */
  renew(
    stored: string | undefined,
    signal: AbortSignal,
    hasSeen: (eventId: string) => Promise<boolean>,
  ): Promise<SubscriptionState>;
  /** Resolves when `renew` should be called before its time, because the provider said that the subscription changed. */
  nextWakeup?(signal: AbortSignal): Promise<void>;
}

export interface SubscriptionState {
  /** Opaque; holds no secret. */
  readonly stored: string;
  /** ISO 8601; absent if it does not expire. */
  readonly expiresAt?: string;
  /** When `renew` is to be called again. */
  readonly renewAfterMs: number;
  /** Events may be lost, because it had expired or was silent: compare completely. */
  readonly gap: boolean;
}
