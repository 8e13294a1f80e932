import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { PERSONS_REASON } from '../model/cause.js';
import { type BreakGlassResult, endBreakGlass, requestBreakGlass } from '../operator/break-glass.js';
import type { RulingDeps } from '../operator/ruling-store.js';
import { REQUEST_FIELDS } from '../operator/stored-break-glass.js';
import { toBreakGlassView } from '../plan/break-glass-view.js';
import { addChange, ChangeBody, type ChangeDeps } from './api-change.js';

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
    return answer(reply, await requestBreakGlass(asked, by, deps.breakGlass()), deps.breakGlass());
  });
  addChange(
    server,
    '/api/break-glass/:id/end',
    'endBreakGlass',
    deps,
    EndBody,
    async ({ by, body, params, reply }) => {
      const { id } = z.object({ id: z.string() }).parse(params);
      return answer(reply, await endBreakGlass(id, body.reason, by, deps.breakGlass()), deps.breakGlass());
    },
  );
}

function answer(reply: FastifyReply, result: BreakGlassResult, { world, clock }: RulingDeps): FastifyReply {
  switch (result.kind) {
    case 'done': {
      const now = world.breakGlass.timeAt(clock.now());
      return reply.send({
        grant: toBreakGlassView(result.glass, world.mapping, now),
        heldBy: result.note ?? null,
      });
    }
    case 'refused':
      return reply.code(409).send({ error: result.why });
    case 'unknown':
      return reply.code(404).send({ error: 'no break-glass grant has this ID; it may be over' });
  }
}
