import { z } from 'zod';
import type { BreakGlass } from '../model/break-glass.js';
import { parsePrincipalText } from '../model/cause.js';
import { BREAK_GLASS_STATES } from '../plan/break-glass.js';
import type { BreakGlassView } from '../plan/break-glass-view.js';

const View = z.object({
  id: z.string(),
  source: z.string(),
  destination: z.string(),
  partition: z.string(),
  namespace: z.string(),
  methods: z.array(z.string()).nullable(),
  path: z.string().nullable(),
  state: z.enum(BREAK_GLASS_STATES),
  reason: z.string(),
  forSeconds: z.number(),
  duringFreeze: z.boolean(),
  askedAt: z.string().nullable(),
  askedBy: z.string(),
  openedAt: z.string().nullable(),
  approvedBy: z.string().nullable(),
  until: z.string().nullable(),
  /** Only in a status. */
  opensEdge: z.boolean().exactOptional(),
});

const StatusBody = z.object({ breakGlass: z.array(View) });
const AnswerBody = z.object({ grant: View, heldBy: z.string().nullable() });

/** The grants of a status; undefined if a daemon of an earlier version answers, or none. */
export function parseBreakGlasses(
  status: unknown,
): readonly (BreakGlassView & { readonly opensEdge?: boolean })[] | undefined {
  return StatusBody.safeParse(status).data?.breakGlass;
}

/** An answer of the API. */
export function parseBreakGlassAnswer(
  body: unknown,
): { readonly grant: BreakGlassView; readonly heldBy: string | null } | undefined {
  return AnswerBody.safeParse(body).data;
}

/** The grant that a view shows, for a plan. */
export function fromBreakGlassView(view: BreakGlassView): BreakGlass {
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

/** One line for a person. */
export function breakGlassLine(view: BreakGlassView): string {
  const { id, state, source, destination, methods, path, until, askedBy, approvedBy, reason } = view;
  const what = [`${source} -> ${destination}`, methods?.join(','), path].filter(Boolean).join(' ');
  const who = approvedBy === null ? askedBy : `${askedBy}, approved by ${approvedBy}`;
  const when =
    state === 'asked' ? 'waits for a second person' : `${state === 'open' ? 'until' : 'ended'} ${until}`;
  return `${id}  ${what}  ${when}  ${who}: ${reason}`;
}
