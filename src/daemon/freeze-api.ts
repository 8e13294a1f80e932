import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { PERSONS_REASON } from '../model/cause.js';
import {
  endFreeze,
  type FreezeDeps,
  NO_FREEZE,
  SCHEDULED_FREEZE,
  startFreeze,
  toFreezeView,
} from '../operator/freezes.js';
import { answerChange, ChangeBody, type ChangeDeps } from './api-change.js';

export interface FreezeApiDeps extends ChangeDeps {
  /** Of the present term. */
  readonly freezes: () => FreezeDeps;
}

const Reason = z.string().regex(PERSONS_REASON).exactOptional();
const MAX_SECONDS = 366 * 86_400;
const StartBody = ChangeBody.extend({
  reason: Reason,
  forSeconds: z.number().int().min(1).max(MAX_SECONDS).exactOptional(),
});
const EndBody = ChangeBody.extend({ reason: Reason });

/** `POST /api/freeze/start` and `/api/freeze/end`. `/statusz` shows the freeze in effect. */
export function addFreezeApi(server: FastifyInstance, deps: FreezeApiDeps): void {
  server.post('/api/freeze/start', (request, reply) =>
    answerChange(request, reply, deps, StartBody, async (by, { reason, forSeconds }) => {
      const forMs = forSeconds === undefined ? undefined : forSeconds * 1000;
      const freeze = await startFreeze({ reason, forMs }, by, deps.freezes());
      return reply.send({ freeze: toFreezeView(freeze) });
    }),
  );
  server.post('/api/freeze/end', (request, reply) =>
    answerChange(request, reply, deps, EndBody, async (by, { reason }) => {
      const end = await endFreeze(reason, by, deps.freezes());
      switch (end.kind) {
        case 'ended':
          return reply.send({ freeze: toFreezeView(end.left) });
        case 'none':
          return reply.code(409).send({ error: NO_FREEZE });
        case 'scheduled':
          return reply.code(409).send({ error: SCHEDULED_FREEZE });
      }
    }),
  );
}
