/** What became of one request to the receiver of a webhook. */
export type Delivery =
  | { readonly kind: 'delivered' }
  | {
      readonly kind: 'failed';
      /** A status or an error code; nothing that the receiver wrote. */
      readonly error: string;
      /** When the receiver said how long to wait. */
      readonly retryAfterMs?: number;
    };

/** An event of the log as it is sent. */
export interface WebhookEvent {
  readonly id: string;
  /** The CloudEvent as JSON. */
  readonly text: string;
}

/** Sends to one receiver. */
export interface WebhookSender {
  /** Never throws. Repeating is safe: the receiver knows the event by its ID. */
  send(event: WebhookEvent, signal: AbortSignal): Promise<Delivery>;
  close(): Promise<void>;
}
