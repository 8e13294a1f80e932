import { z } from 'zod';
import type { BreakGlass } from '../model/break-glass.js';
import { parsePrincipalText } from '../model/cause.js';
import { FREEZE_KINDS, type Freeze } from '../model/freeze.js';
import type { Deny } from '../model/ruling.js';
import type { toFreezeView } from '../operator/freezes.js';
import { BREAK_GLASS_STATES } from '../plan/break-glass.js';
import type { BreakGlassView } from '../plan/break-glass-view.js';
import type { DenyView } from '../plan/deny-view.js';

/*
 * What the daemon shows of the decisions of people, in its status and in the answers of its API. `--json` prints the same. Each
 * schema is the type that the daemon makes: another one does not compile.
 */

const text = z.string();
const instant = z.iso.datetime();

const FREEZE = z.object({
  kind: z.enum(FREEZE_KINDS),
  since: instant,
  until: instant.nullable(),
  reason: text.nullable(),
  by: text.nullable(),
}) satisfies z.ZodType<NonNullable<ReturnType<typeof toFreezeView>>>;

/** The freeze in effect. */
export const FREEZE_DOCUMENT = z.object({ freeze: FREEZE.nullable() });

const DENY = z.object({
  source: text,
  destination: text,
  partition: text,
  namespace: text,
  reason: text,
  by: text,
  since: instant,
  until: instant,
  endedAt: instant.nullable(),
}) satisfies z.ZodType<DenyView>;

export const DENY_DOCUMENT = z.object({ deny: DENY, needsSecond: z.literal(true).exactOptional() });
export const DENIES_STATUS = z.object({ denies: z.array(DENY) });

const BREAK_GLASS = z.object({
  id: text,
  source: text,
  destination: text,
  partition: text,
  namespace: text,
  methods: z.array(text).nullable(),
  path: text.nullable(),
  state: z.enum(BREAK_GLASS_STATES),
  reason: text,
  forSeconds: z.number(),
  duringFreeze: z.boolean(),
  askedAt: text.nullable(),
  askedBy: text,
  openedAt: text.nullable(),
  approvedBy: text.nullable(),
  until: text.nullable(),
}) satisfies z.ZodType<BreakGlassView>;
/** As the status shows it. */
const GRANT = BREAK_GLASS.extend({ opensEdge: z.boolean().exactOptional() });

export const GRANT_DOCUMENT = z.object({ grant: BREAK_GLASS, heldBy: text.nullable() });
export const GRANTS_DOCUMENT = z.object({ grants: z.array(GRANT) });
export const GRANTS_STATUS = z.object({ breakGlass: z.array(GRANT) });

export const PARKED_DOCUMENT = z.object({
  parked: z.array(z.object({ key: text, attempts: z.number(), error: text, since: text })),
  parkedCount: z.number(),
});

export const CLIENT_DOCUMENT = z.object({ provider: text, clientId: text });

export function freezeOf({ freeze }: z.infer<typeof FREEZE_DOCUMENT>): Freeze | undefined {
  if (freeze === null) return undefined;
  const { kind, since, until, reason, by } = freeze;
  return {
    kind,
    since: Date.parse(since),
    ...(until === null ? {} : { until: Date.parse(until) }),
    ...(reason === null ? {} : { reason }),
    ...(by === null ? {} : { by: parsePrincipalText(by) }),
  };
}

export function denyOf({ reason, by, since, until, endedAt, ...about }: DenyView): Deny {
  return {
    about,
    reason,
    by: parsePrincipalText(by),
    since: Date.parse(since),
    until: Date.parse(until),
    ...(endedAt === null ? {} : { endedAt: Date.parse(endedAt) }),
  };
}

/** The grant that a view shows, for a plan. */
export function breakGlassOf(view: BreakGlassView): BreakGlass {
  const { methods, path, forSeconds, askedAt, askedBy, openedAt, approvedBy, until } = view;
  const { id, source, destination, partition, namespace, reason, duringFreeze, state } = view;
  return {
    ...{ id, source, destination, partition, namespace, reason, duringFreeze },
    ...(methods === null ? {} : { methods }),
    ...(path === null ? {} : { path }),
    forMs: forSeconds * 1000,
    askedAt: Date.parse(askedAt ?? ''),
    askedBy: parsePrincipalText(askedBy),
    ...(openedAt === null ? {} : { openedAt: Date.parse(openedAt) }),
    ...(approvedBy === null ? {} : { approvedBy: parsePrincipalText(approvedBy) }),
    ...(state === 'ended' && until !== null ? { endedAt: Date.parse(until) } : {}),
  };
}
