import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../clock.js';
import { parseKey } from '../model/key.js';
import { type AdoptionDeps, commandOf } from '../operator/deps.js';
import { MAX_SUBJECTS } from '../operator/requested-adoptions.js';
import { policyOf } from '../plan/mode.js';
import { addChange, ChangeBody, type ChangeDeps } from './api-change.js';
import { MAX_KEY_LENGTH } from './parked-api.js';

export interface AdoptionApiDeps extends ChangeDeps {
  /** Of the present term. */
  readonly live: () => Pick<AdoptionDeps, 'adoptions' | 'queue' | 'world'>;
  readonly clock: Clock;
}

const Body = ChangeBody.extend({
  key: z.string().min(1).max(MAX_KEY_LENGTH),
  subjects: z.array(z.string().min(1).max(MAX_KEY_LENGTH)).min(1).max(MAX_SUBJECTS),
});

const NOT_READ =
  'the daemon has not read Consul and every identity provider completely yet; run scopemesh adopt again; if it lasts, scopemesh doctor says what cannot be read';

/** `POST /api/adoptions`: adopts at one key what equals the desired state, in the turn of the key. */
export function addAdoptionApi(server: FastifyInstance, deps: AdoptionApiDeps): void {
  addChange(server, '/api/adoptions', deps, Body, async ({ by, body: { key: text, subjects }, reply }) => {
    const key = parseKey(text);
    const { adoptions, queue, world } = deps.live();
    if (key === undefined || key.kind === 'directory')
      return reply.code(400).send({ error: 'the key is not that of a destination, a client or a provider' });
    if (!policyOf(world.mapping).writes)
      return reply.code(409).send({ error: `nothing is adopted in mode ${world.mapping.mode}` });
    const { hasEntries, catalog, hasDirectory } = world;
    if (!hasEntries || catalog === undefined || !world.mapping.providers.every(hasDirectory))
      return reply.code(503).send({ error: NOT_READ });
    const cause = commandOf(by, deps);
    const wake = () => queue.add([{ key, cause }]);
    const asked = { key, subjects: new Set(subjects), by };
    return reply.send({ adopted: await adoptions.ask(asked, wake, deps.clock) });
  });
}
