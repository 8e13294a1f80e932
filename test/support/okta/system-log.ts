import { randomUUID } from 'node:crypto';
import { shape, type Wire } from './shapes.js';

export interface LoggedEvent extends Wire {
  readonly uuid: string;
  readonly eventType: string;
  readonly published: string;
}

export interface Target extends Wire {
  readonly id: string;
  readonly type: string;
}

/** How a read of the log is answered. */
export type LogAnswer =
  | { readonly status: 400; readonly why: string }
  | { readonly status: 200; readonly events: readonly Wire[]; readonly next: URL | undefined };

const MOST = 1000;
const SEVEN_DAYS_MS = 7 * 24 * 3600_000;

/**
 * The System Log: bounded requests end, polling requests (ascending, no `until`) always say where to go on, also when
 * there is nothing (developer.okta.com/docs/reference/system-log-query).
 */
export class SystemLog {
  readonly events: LoggedEvent[] = [];
  /** Events before this place are over their retention. */
  #expired = 0;
  #epoch = 1;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  write(eventType: string, target: readonly Target[], fields: Wire = {}): LoggedEvent {
    const written = shape('log-event', {
      uuid: randomUUID(),
      published: new Date(this.#now()).toISOString(),
      eventType,
      target: target.map((each) => ({
        alternateId: 'unknown',
        displayName: null,
        detailEntry: null,
        ...each,
      })),
      ...fields,
    }) as LoggedEvent;
    this.events.push(written);
    return written;
  }

  /** What is in the log now has passed its 90 days, and with it the cursors that were given out. */
  expire(): void {
    this.#expired = this.events.length;
    this.#epoch++;
  }

  read(address: URL): LogAnswer {
    const query = address.searchParams;
    const limit = Number(query.get('limit') ?? '100');
    if (!Number.isInteger(limit) || limit < 0 || limit > MOST) return refuse('limit');
    const types = typesIn(query.get('filter'));
    if (types === undefined) return refuse('filter');
    const order = query.get('sortOrder') ?? 'ASCENDING';
    if (order !== 'ASCENDING') return refuse('sortOrder');
    const first = this.#first(query);
    if (first === undefined) return refuse('after');
    const until = query.get('until');
    const found: LoggedEvent[] = [];
    let at = first;
    for (; at < this.events.length && found.length < limit; at++) {
      const event = this.events[at];
      if (event === undefined || (until !== null && event.published >= until)) break;
      if (types.length === 0 || types.includes(event.eventType)) found.push(event);
    }
    const next = new URL(address.href);
    next.searchParams.delete('since');
    next.searchParams.set('after', `${this.#epoch}_${at}`);
    return { status: 200, events: found, next: until !== null && found.length < limit ? undefined : next };
  }

  #first(query: URLSearchParams): number | undefined {
    const after = query.get('after');
    if (after !== null) {
      const [epoch, at] = after.split('_').map(Number);
      return epoch === this.#epoch && at !== undefined && at <= this.events.length ? at : undefined;
    }
    const since = query.get('since');
    const from = since === null ? this.#now() - SEVEN_DAYS_MS : Date.parse(since);
    if (Number.isNaN(from)) return undefined;
    const first = this.events.findIndex(({ published }) => Date.parse(published) >= from);
    return Math.max(first === -1 ? this.events.length : first, this.#expired);
  }
}

/** Only the form that is used: `eventType eq "…"`, several joined by `or`. */
function typesIn(filter: string | null): readonly string[] | undefined {
  if (filter === null) return [];
  const types = filter.split(' or ').map((part) => /^eventType eq "([a-zA-Z0-9_.]+)"$/.exec(part)?.[1]);
  return types.every((type) => type !== undefined) ? types : undefined;
}

function refuse(why: string): LogAnswer {
  return { status: 400, why };
}
