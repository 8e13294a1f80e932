import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { PERSONS_REASON } from '../model/cause.js';
import { LONGEST_DENY_MS } from '../model/ruling.js';
import { DENY_FIELDS, type DenyResult, endDeny, startDeny } from '../operator/denies.js';
import { type OrderDeps, orderQuarantine } from '../operator/order-quarantine.js';
import type { RulingDeps } from '../operator/ruling-store.js';
import { toDenyView } from '../plan/deny-view.js';
import { addChange, ChangeBody, type ChangeDeps } from './api-change.js';

interface DenyApiDeps extends ChangeDeps {
  /** Of the present term. */
  readonly live: () => RulingDeps;
  readonly orders: () => OrderDeps;
  /** Of every deny: the configured partition and namespace. */
  readonly place: { readonly partition: string; readonly namespace: string };
}

const EndBody = ChangeBody.extend(DENY_FIELDS);
const StartBody = EndBody.extend({
  forSeconds: z
    .number()
    .int()
    .min(1)
    .max(LONGEST_DENY_MS / 1000),
});
const QuarantineBody = ChangeBody.extend({ reason: z.string().regex(PERSONS_REASON) });
const Client = z.object({ provider: z.string(), clientId: z.string() });

/** `POST /api/denies`, `/api/denies/end` and `/api/quarantines/:provider/:clientId`: what a person closes at once. */
export function addDenyApi(server: FastifyInstance, deps: DenyApiDeps): void {
  addChange(server, '/api/denies', 'deny', deps, StartBody, async ({ by, body, reply }) => {
    const { source, destination, reason, forSeconds } = body;
    const asked = { reason, forMs: forSeconds * 1000 };
    return answer(reply, await startDeny({ source, destination, ...deps.place }, asked, by, deps.live()));
  });
  addChange(server, '/api/denies/end', 'endDeny', deps, EndBody, async ({ by, body, reply }) => {
    const { source, destination, reason } = body;
    return answer(reply, await endDeny({ source, destination, ...deps.place }, reason, by, deps.live()));
  });
  const path = '/api/quarantines/:provider/:clientId';
  addChange(
    server,
    path,
    'quarantine',
    deps,
    QuarantineBody,
    async ({ by, body: { reason }, params, reply }) => {
      const client = Client.parse(params);
      const result = await orderQuarantine(client, reason, by, deps.orders());
      if (result.kind === 'done') return reply.send(client);
      return reply.code(result.kind === 'unknown' ? 404 : 409).send({ error: result.why });
    },
  );
}

function answer(reply: FastifyReply, result: DenyResult): FastifyReply {
  switch (result.kind) {
    case 'done':
      return reply.send({ deny: toDenyView(result.deny) });
    case 'first':
      return reply.code(202).send({ deny: toDenyView(result.deny), needsSecond: true });
    case 'refused':
      return reply.code(409).send({ error: result.why });
    case 'unknown':
      return reply.code(404).send({ error: result.why });
  }
}
