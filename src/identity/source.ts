import type { RejectedEvent } from '../errors.js';
import type { RevocationOrder } from '../model/order.js';
import type { Trigger } from '../model/trigger.js';

/** A request as it came off the wire; nothing in it is trusted and the body is not parsed. */
export interface RawRequest {
  readonly method: string;
  /** Lower-case names; several values are joined as Node does. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  /** ISO 8601. */
  readonly receivedAt: string;
}

/** One event of an IdP. `id` is the provider's own, the same by webhook and by poll, for de-duplication. */
export interface IdentityEvent {
  readonly id: string;
  /** ISO 8601 by the IdP's clock; only a hint for order. */
  readonly occurredAt?: string;
  /** Empty for an event that concerns no client (a login). */
  readonly triggers: readonly Trigger[];
  readonly orders: readonly RevocationOrder[];
  /**
   * Of an event that a poll brought: the webhook brings such events too, so that it is a missed signal if it never
   * comes there under the same id.
   */
  readonly isSignalled?: boolean;
  /** A subscription asked for it to see that events arrive: its id is remembered although it concerns nobody. */
  readonly isProof?: boolean;
}

export type Reception =
  | {
      readonly kind: 'events';
      readonly events: readonly IdentityEvent[];
      /** What the same request held and is not believed, to be recorded as a whole request is that is refused. */
      readonly rejected?: readonly RejectedEvent[];
      /** They came as a shared signal: once all are durable the answer is 202 with no body (RFC 8935, section 2.2). */
      readonly isSignal?: boolean;
    }
  /** A handshake: answer exactly this. */
  | { readonly kind: 'reply'; readonly status: number; readonly contentType: string; readonly body: string };

/** Turns what an IdP sends into triggers and orders. */
export interface EventSource {
  readonly provider: string;
  /** Verifies the raw bytes before parsing them; throws RejectedEvent. Not called if the kind has no webhook. */
  receive(request: RawRequest): Promise<Reception>;
}

/** The backstop: events read from the IdP's own log since a stored cursor. */
export interface EventPoll {
  readonly provider: string;
  /**
   * Events since `cursor` (opaque; undefined: from now on), oldest first, and the cursor to store once they are
   * durably queued. `gap` says that events may have been lost (log expired, cursor unknown): a complete
   * comparison is due. Throws SyncError as a Directory does.
   */
  poll(cursor: string | undefined, signal: AbortSignal): Promise<PollResult>;
  /**
   * Resolves once this process has heard by the webhook of something that only the log proves, so that the log is read
   * now and not at its next time; rejects with the signal's reason. Absent where the webhook proves what it says.
   */
  hasNews?(signal: AbortSignal): Promise<void>;
}

export interface PollResult {
  readonly events: readonly IdentityEvent[];
  readonly cursor: string;
  readonly gap: boolean;
  /** Events that the log gave and that were refused, to be recorded as those of a webhook are. */
  readonly rejected?: readonly RejectedEvent[];
  /** There is more already: poll again at once. */
  readonly isMore?: boolean;
}

/**
 * What must be kept alive at the IdP so that events come at all: a subscription that ends, a stream that falls
 * silent. An adapter keeps no state of its own: `stored` is what it last returned, kept durably by the caller.
 */
export interface EventSubscription {
  readonly provider: string;
  /**
   * Creates, verifies or renews whatever is due. Safe to repeat. `hasSeen` tells whether the event of this id came,
   * by whatever process received it. Throws SyncError as a Directory does; what it said before then stands.
   */
  renew(
    stored: string | undefined,
    signal: AbortSignal,
    hasSeen: (eventId: string) => Promise<boolean>,
  ): Promise<SubscriptionState>;
}

export interface SubscriptionState {
  /** Opaque; holds no secret. */
  readonly stored: string;
  /** ISO 8601; absent where it does not end. */
  readonly expiresAt?: string;
  /** When `renew` is to be called again. */
  readonly renewAfterMs: number;
  /** Events may have been lost (it had ended, or was silent where it should have spoken): compare completely. */
  readonly gap: boolean;
}
