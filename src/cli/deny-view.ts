import { z } from 'zod';
import { parsePrincipalText } from '../model/cause.js';
import type { Deny } from '../model/ruling.js';
import type { DenyView } from '../plan/deny-view.js';

const View = z.object({
  source: z.string(),
  destination: z.string(),
  partition: z.string(),
  namespace: z.string(),
  reason: z.string(),
  by: z.string(),
  since: z.iso.datetime(),
  until: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
});
const StatusBody = z.object({ denies: z.array(View) });
const AnswerBody = z.object({ deny: View, needsSecond: z.literal(true).optional() });

/** The denies of a status; undefined if it has none of this form. */
export function parseDenies(status: unknown): readonly Deny[] | undefined {
  return StatusBody.safeParse(status).data?.denies.map(fromDenyView);
}

/** An answer of the API. */
export function parseDenyAnswer(
  body: unknown,
): { readonly deny: DenyView; readonly needsSecond?: true | undefined } | undefined {
  return AnswerBody.safeParse(body).data;
}

function fromDenyView({ reason, by, since, until, endedAt, ...about }: DenyView): Deny {
  return {
    about,
    reason,
    by: parsePrincipalText(by),
    since: Date.parse(since),
    until: Date.parse(until),
    ...(endedAt === null ? {} : { endedAt: Date.parse(endedAt) }),
  };
}

/** One line for a person. */
export function denyLine({ source, destination, reason, by, until, endedAt }: DenyView): string {
  return `${source} -> ${destination}  ${endedAt === null ? `until ${until}` : `ended ${endedAt}`}  ${by}: ${reason}`;
}
