import type { Principal } from './cause.js';
import type { RuledEdge } from './ruling.js';

/** The limits of `guards.breakGlass`. */
export interface BreakGlassLimits {
  /** The longest time of one grant. */
  readonly longestMs: number;
  /** Lower-case names of services that no such grant has as its source or its destination. */
  readonly never: readonly string[];
}

/**
 * A break-glass grant: an edge that a person opens for some time although the identity provider does not grant it. Instants
 * are in milliseconds since the epoch.
 */
export interface BreakGlass extends RuledEdge {
  /** ULID. */
  readonly id: string;
  /** What the source claimed when it was asked for: a later claim gets it round no order about this client. */
  readonly client?: { readonly provider: string; readonly clientId: string };
  /** Absent: every method. */
  readonly methods?: readonly string[];
  /** The path and everything under it. Absent: every path; without methods too, the grant is L4. */
  readonly path?: string;
  readonly reason: string;
  readonly forMs: number;
  /** A freeze does not hold it. */
  readonly duringFreeze: boolean;
  readonly askedAt: number;
  readonly askedBy: Principal;
  /** Absent while it waits for a second person. */
  readonly openedAt?: number;
  /** The second person; absent where one is enough. */
  readonly approvedBy?: Principal;
  /** Present once it has ended. The record then stays until its edge is closed. */
  readonly endedAt?: number;
  /** The last reminder, or when it opened. */
  readonly remindedAt?: number;
}
