import type { Principal } from './cause.js';
import type { ServiceName } from './intention.js';

/** What a person decided about something, for some time. Instants are in milliseconds since the epoch. */
export interface Ruling<T> {
  readonly about: T;
  readonly reason: string;
  readonly by: Principal;
  readonly since: number;
  readonly until: number;
  /** A person ended it before its time. The record stays until then, so that nothing brings the ruling back. */
  readonly endedAt?: number;
}

/** What became of what a person asked for. */
export type RulingEnd<T> =
  /** `ruling`: as it is now. */
  | { readonly kind: 'done'; readonly ruling: T }
  /** It is recorded, and another person must ask for it too. */
  | { readonly kind: 'first'; readonly ruling: T }
  | { readonly kind: 'refused' | 'unknown'; readonly why: string };

/** The edge of a ruling. Both services are in one partition and namespace. */
export interface RuledEdge {
  readonly source: string;
  /** In lower case, as Consul ignores the case of its entries. */
  readonly destination: string;
  readonly partition: string;
  readonly namespace: string;
}

/** An edge that a person closes, whatever the identity provider says. */
export type Deny = Ruling<RuledEdge>;

/** A longer deny is refused, and a mark that says so is not believed. */
export const LONGEST_DENY_MS = 31 * 86_400_000;

export function sourceOf({ source, partition, namespace }: RuledEdge): ServiceName {
  return { partition, namespace, name: source };
}

export function destinationOf({ destination, partition, namespace }: RuledEdge): ServiceName {
  return { partition, namespace, name: destination };
}
