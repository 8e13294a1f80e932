import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { BreakGlass } from '../model/break-glass.js';
import { PERSONS_REASON } from '../model/cause.js';
import { endBreakGlass, heldBy, requestBreakGlass } from '../operator/break-glass.js';
import type { RulingDeps } from '../operator/ruling-store.js';
import { REQUEST_FIELDS } from '../operator/stored-break-glass.js';
import { toBreakGlassView } from '../plan/break-glass-view.js';
import { addChange, ChangeBody, type ChangeDeps, sendEnd } from './api-change.js';

interface BreakGlassApiDeps extends ChangeDeps {
  /** Of the present term. */
  readonly breakGlass: () => RulingDeps;
  /** Of every grant: the configured partition and namespace. */
  readonly place: { readonly partition: string; readonly namespace: string };
}

const MAX_SECONDS = 31 * 86_400;
const AskBody = ChangeBody.extend({
  ...REQUEST_FIELDS,
  forSeconds: z.number().int().min(1).max(MAX_SECONDS),
  duringFreeze: z.boolean().exactOptional(),
});
const EndBody = ChangeBody.extend({ reason: z.string().regex(PERSONS_REASON) });

/**
 * `POST /api/break-glass` and `/api/break-glass/:id/end`. The second person uses `/api/holds/:id/approve`, and `/statusz` shows
 * the grants.
 */
export function addBreakGlassApi(server: FastifyInstance, deps: BreakGlassApiDeps): void {
  addChange(server, '/api/break-glass', 'askBreakGlass', deps, AskBody, async ({ by, body, reply }) => {
    const { user: _, forSeconds, ...requested } = body;
    const asked = { ...requested, ...deps.place, forMs: forSeconds * 1000 };
    const live = deps.breakGlass();
    return sendEnd(reply, await requestBreakGlass(asked, by, live), (grant) => ({
      grant: viewOf(grant, live),
      heldBy: heldBy(grant, live) ?? null,
    }));
  });
  addChange(
    server,
    '/api/break-glass/:id/end',
    'endBreakGlass',
    deps,
    EndBody,
    async ({ by, body, params, reply }) => {
      const { id } = z.object({ id: z.string() }).parse(params);
      const live = deps.breakGlass();
      return sendEnd(reply, await endBreakGlass(id, body.reason, by, live), (grant) => ({
        grant: viewOf(grant, live),
        heldBy: null,
      }));
    },
  );
}

function viewOf(grant: BreakGlass, { world, clock }: RulingDeps) {
  return toBreakGlassView(grant, world.mapping, world.breakGlass.timeAt(clock.now()));
}
