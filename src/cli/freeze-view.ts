import { z } from 'zod';
import { parsePrincipalText } from '../model/cause.js';
import { FREEZE_KINDS, type Freeze } from '../model/freeze.js';

const FreezeView = z.object({
  kind: z.enum(FREEZE_KINDS),
  since: z.iso.datetime(),
  until: z.iso.datetime().nullable(),
  reason: z.string().nullable(),
  by: z.string().nullable(),
});

const FreezeBody = z.object({ freeze: FreezeView.nullable() });

/** The freeze of a status, or of an answer of the API; undefined if it has none. */
export function parseFreeze(body: unknown): Freeze | undefined {
  const view = FreezeBody.safeParse(body).data?.freeze ?? undefined;
  if (view === undefined) return undefined;
  const { kind, since, until, reason, by } = view;
  return {
    kind,
    since: Date.parse(since),
    ...(until === null ? {} : { until: Date.parse(until) }),
    ...(reason === null ? {} : { reason }),
    ...(by === null ? {} : { by: parsePrincipalText(by) }),
  };
}
