import { createReadStream } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type ApiAccess, onlyCallers } from '../../daemon/api-access.js';
import { addChange, ChangeBody, type ChangeDeps } from '../../daemon/api-change.js';
import type { Jobs } from '../../daemon/jobs.js';
import { codeOf, messageOf } from '../../errors.js';
import { principalText } from '../../model/cause.js';
import { fromSegments } from '../../model/segment.js';
import { safeParse } from '../../safe-parse.js';
import { ROUTES } from '../answers.js';

interface JobDeps extends ChangeDeps {
  readonly access: ApiAccess;
  readonly jobs: Jobs;
}

const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString());
const EvidenceBody = ChangeBody.extend({ from: instant, to: instant.exactOptional() }).refine(
  ({ from, to }) => to === undefined || from < to,
  { path: ['to'], message: 'must be after "from"' },
);
const File = z.object({ id: z.string(), name: z.string() });

/**
 * Reports of evidence. Who may read may start one and have its files: it changes nothing, and has only what the log answers
 * the same person. They are the leader's, so that a reader finds them again.
 */
export function addJobs(server: FastifyInstance, deps: JobDeps): void {
  const { access, jobs, logger } = deps;
  addChange(server, '/api/jobs/evidence', 'read', deps, EvidenceBody, async ({ by, body, reply }) => {
    try {
      const job = jobs.start({ from: body.from, to: body.to }, principalText(by));
      logger.info(
        { job: job.id, by: by.id, from: job.from, to: job.to },
        'a report of evidence is being made',
      );
      return reply.code(202).send(job);
    } catch (error) {
      if (codeOf(error) !== 'ERR_BUSY') throw error;
      return reply
        .code(429)
        .header('retry-after', '10')
        .send({ error: messageOf(error), code: 'Busy' });
    }
  });
  const preHandler = onlyCallers(access);
  server.get(ROUTES.jobs.path, { preHandler }, async (_request, reply) => {
    const standby = await deps.standby();
    if (standby !== undefined) return reply.code(503).send({ error: standby, code: 'NotLeading' });
    return reply.send({ rows: jobs.list() });
  });
  server.get('/api/jobs/:id/files/:name', { preHandler }, async ({ params }, reply) => {
    const { data } = safeParse(File, fromSegments(params));
    const path = data && jobs.fileOf(data.id, data.name);
    if (path === undefined)
      return reply.code(404).send({ error: 'there is no such file, or its hour is over', code: 'NotFound' });
    reply.header('content-disposition', `attachment; filename="${data?.name}"`);
    return reply.type('application/octet-stream').send(createReadStream(path));
  });
}
