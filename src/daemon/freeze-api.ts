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
import { addChange, ChangeBody, type ChangeDeps } from './api-change.js';

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
  addChange(server, '/api/freeze/start', deps, StartBody, async ({ by, body, reply }) => {
    const { reason, forSeconds } = body;
    const forMs = forSeconds === undefined ? undefined : forSeconds * 1000;
    const freeze = await startFreeze({ reason, forMs }, by, deps.freezes());
    return reply.send({ freeze: toFreezeView(freeze) });
  });
  addChange(server, '/api/freeze/end', deps, EndBody, async ({ by, body, reply }) => {
    const end = await endFreeze(body.reason, by, deps.freezes());
    switch (end.kind) {
      case 'ended':
        return reply.send({ freeze: toFreezeView(end.left) });
      case 'none':
        return reply.code(409).send({ error: NO_FREEZE });
      case 'scheduled':
        return reply.code(409).send({ error: SCHEDULED_FREEZE });
    }
  });
}
