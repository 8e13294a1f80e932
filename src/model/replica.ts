import type { Mode } from './rule.js';

/** One process of `scopemesh run`. */
export interface Replica {
  /** Names the process among the replicas, as in `Leader`. */
  readonly replica: string;
  readonly host: string;
  /** `http://HOST:PORT` of its API. */
  readonly address: string | null;
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** The parts that it runs (`--only`). */
  readonly parts: readonly string[];
  readonly mapping: OwnMapping;
}

/** The part of a replica's file that decides access. */
export interface OwnMapping {
  readonly mode: Mode;
  /** `Mapping.revision`: equal for equal mappings. */
  readonly revision: string;
  /** ISO 8601: when this replica first read this mapping. */
  readonly readAt: string;
}

/** The mapping of the last leader that wrote, as it left it in the store. */
export interface MappingInForce extends Pick<OwnMapping, 'revision' | 'readAt'> {
  /** ISO 8601: its last sign of life; `readAt` after a clean stop. */
  readonly seenAt: string;
}

/**
 * Whether a replica with this mapping is meant to lead after one with another mapping: all replicas that live have it, and it
 * is the newer one. A replica that others confirm is newer if one of them read it after the last leader had read its own.
 * One that is alone must have read it after the last leader stopped, or stopped to live: a standby that saw another mapping
 * in force does not take its place because the leader died.
 */
export function isMeant(own: OwnMapping, former: MappingInForce, others: readonly OwnMapping[]): boolean {
  if (own.revision === former.revision) return true;
  if (others.some(({ revision }) => revision !== own.revision)) return false;
  const since = others.length > 0 ? former.readAt : former.seenAt;
  return [own, ...others].some(({ readAt }) => readAt > since);
}
