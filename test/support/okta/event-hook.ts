import { randomUUID } from 'node:crypto';
import type { OktaOrg } from './org.js';
import { shape } from './shapes.js';
import type { LoggedEvent } from './system-log.js';

export interface Delivery {
  readonly event: LoggedEvent;
  /** Of each attempt; 0 where no answer came in time. */
  readonly statuses: number[];
}

const PATIENCE_MS = 3000;

/**
 * An event hook (developer.okta.com/docs/concepts/event-hooks): asks once whether the address is its owner's, sends the
 * types it is subscribed to, waits three seconds for an answer, tries once more, and never again after a 4xx.
 */
export class EventHook {
  readonly deliveries: Delivery[] = [];
  /** Events that are lost on their way. */
  isCut = false;
  secret: string;
  readonly #url: string;
  readonly #types: ReadonlySet<string>;

  constructor(org: OktaOrg, options: { url: string; secret: string; types: readonly string[] }) {
    this.#url = options.url;
    this.secret = options.secret;
    this.#types = new Set(options.types);
    org.listeners.add((event) => {
      if (this.#types.has(event.eventType) && !this.isCut) void this.send([event]);
    });
  }

  async verify(): Promise<boolean> {
    const challenge = randomUUID();
    const answer = await fetch(this.#url, {
      headers: { 'x-okta-verification-challenge': challenge },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const body = (await answer.json()) as { verification?: unknown };
    return answer.status === 200 && body.verification === challenge;
  }

  async send(events: readonly LoggedEvent[]): Promise<Delivery> {
    const [event] = events;
    if (event === undefined) throw new Error('nothing to send');
    const delivery: Delivery = { event, statuses: [] };
    this.deliveries.push(delivery);
    const body = JSON.stringify(shape('event-hook', { eventId: randomUUID(), data: { events } }));
    for (let attempt = 1; attempt <= 2; attempt++) {
      const status = await this.#post(body);
      delivery.statuses.push(status);
      if (status >= 200 && status < 500 && status !== 408) break;
    }
    return delivery;
  }

  async #post(body: string): Promise<number> {
    try {
      const answer = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: this.secret },
        body,
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      await answer.text();
      return answer.status;
    } catch {
      return 0;
    }
  }
}
