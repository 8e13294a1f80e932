import type { Principal } from './cause.js';

/** A freeze that begins again and again (`guards.freeze`). */
export interface FreezeSchedule {
  /** Five cron fields, in `timeZone`. */
  readonly schedule: string;
  readonly durationMs: number;
  readonly timeZone: string;
}

export const FREEZE_KINDS = ['scheduled', 'started'] as const;

/** A freeze in effect: only changes that narrow are made. Instants are in milliseconds since the epoch. */
export interface Freeze {
  readonly kind: (typeof FREEZE_KINDS)[number];
  readonly since: number;
  /** Undefined: until a person ends it. */
  readonly until?: number;
  /** Why a person started it, and who. */
  readonly reason?: string;
  readonly by?: Principal;
}
