import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { PERSONS_REASON } from '../model/cause.js';
import { type Deny, LONGEST_DENY_MS } from '../model/ruling.js';
import { DENY_FIELDS, endDeny, recordOfDeny, startDeny } from '../operator/denies.js';
import { type OrderDeps, orderQuarantine } from '../operator/order-quarantine.js';
import type { RulingDeps } from '../operator/ruling-store.js';
import { toDenyView } from '../plan/deny-view.js';
import { addChange, ChangeBody, type ChangeDeps, sendEnd } from './api-change.js';
import { type FindWaiting, requireSeen, SEEN_FIELDS } from './seen.js';

interface DenyApiDeps extends ChangeDeps {
  /** Of the present term. */
  readonly live: () => RulingDeps;
  readonly orders: () => OrderDeps;
  readonly waiting: FindWaiting;
  /** Of every deny: the configured partition and namespace. */
  readonly place: { readonly partition: string; readonly namespace: string };
}

const EndBody = ChangeBody.extend({ ...DENY_FIELDS, fingerprint: SEEN_FIELDS.fingerprint });
const StartBody = ChangeBody.extend({
  ...DENY_FIELDS,
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
    const about = { source, destination, ...deps.place };
    return sendEnd(reply, await startDeny(about, asked, by, deps.live()), viewOf);
  });
  addChange(server, '/api/denies/end', 'endDeny', deps, EndBody, async ({ by, caller, body, reply }) => {
    const { source, destination, reason } = body;
    const about = { source, destination, ...deps.place };
    await requireSeen(recordOfDeny(about), body.fingerprint, caller, deps.waiting);
    return sendEnd(reply, await endDeny(about, reason, by, deps.live()), viewOf);
  });
  const path = '/api/quarantines/:provider/:clientId';
  addChange(
    server,
    path,
    'quarantine',
    deps,
    QuarantineBody,
    async ({ by, body: { reason }, params, reply }) => {
      const ordered = await orderQuarantine(Client.parse(params), reason, by, deps.orders());
      return sendEnd(reply, ordered, (client) => client);
    },
  );
}

function viewOf(deny: Deny) {
  return { deny: toDenyView(deny) };
}
