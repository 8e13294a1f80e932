import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Jobs as Answer } from '../../../src/console/answers.js';
import { addJobs } from '../../../src/console/api/jobs.js';
import type { ApiAccess } from '../../../src/daemon/api-access.js';
import { createHttpServer } from '../../../src/daemon/http-server.js';
import type { Jobs } from '../../../src/daemon/jobs.js';
import type { PersonsRole } from '../../../src/daemon/rights.js';
import { silentLogger } from '../../../src/observe.js';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'jobs-api-'));
  writeFileSync(join(directory, 'report.html'), '<p>');
});
afterAll(() => rmSync(directory, { recursive: true }));

const JOB = {
  id: 'J1',
  by: 'oidc:main/1',
  from: '2026-01-01T00:00:00.000Z',
  to: null,
  startedAt: '2026-04-01T00:00:00.000Z',
  state: 'running',
  checked: null,
  of: null,
  files: [],
  verified: null,
  error: null,
  keptUntil: null,
} as const;

async function ask(
  url: string,
  {
    body,
    roles = ['viewer'],
    standby,
  }: { body?: object; roles?: readonly PersonsRole[]; standby?: string } = {},
) {
  const server = createHttpServer();
  const started: unknown[] = [];
  const jobs = {
    list: () => [JOB],
    start: (...given: unknown[]) => {
      started.push(given);
      return JOB;
    },
    fileOf: (id, name) => (id === 'J1' && name === 'report.html' ? join(directory, name) : undefined),
  } satisfies Partial<Jobs> as unknown as Jobs;
  const person = { principal: { id: 'oidc:main/1' }, roles, provider: 'main', isStale: true, endsAt: 0 };
  const access = { callerOf: () => ({ kind: 'person', person }) } as unknown as ApiAccess;
  addJobs(server, { access, jobs, standby: async () => standby, logger: silentLogger });
  const headers = { 'content-type': 'application/json' };
  const answer = await server.inject(
    body === undefined ? { url } : { url, method: 'POST', headers, body: JSON.stringify(body) },
  );
  await server.close();
  return { status: answer.statusCode, text: answer.body, started, headers: answer.headers };
}

it('an auditor without another role starts a report, sees it and has its files, however old the sign-in is', async () => {
  const { from } = JOB;
  const { status, started } = await ask('/api/jobs/evidence', { body: { from } });
  expect(status).toBe(202);
  expect(started).toEqual([[{ from, to: undefined }, 'oidc:main/1']]);
  expect(Answer.parse(JSON.parse((await ask('/api/jobs')).text)).rows).toEqual([JOB]);
  const file = await ask('/api/jobs/J1/files/report.html');
  expect([file.status, file.text]).toEqual([200, '<p>']);
  expect(file.headers['content-disposition']).toBe('attachment; filename="report.html"');
});

it('a person without a role gets nothing of it', async () => {
  for (const url of ['/api/jobs', '/api/jobs/J1/files/report.html'])
    expect((await ask(url, { roles: [] })).status).toBe(403);
  const refused = await ask('/api/jobs/evidence', { body: { from: JOB.from }, roles: [] });
  expect([refused.status, refused.started]).toEqual([403, []]);
});

it('a period that is none, or that could be an option of the command, starts nothing', async () => {
  for (const body of [
    {},
    { from: '--out=/' },
    { from: JOB.from, to: JOB.from },
    { from: JOB.from, out: '/' },
  ]) {
    const { status, started } = await ask('/api/jobs/evidence', { body });
    expect([status, started]).toEqual([400, []]);
  }
});

it('a file that the report does not name is not found, and a standby says that it has none', async () => {
  expect((await ask('/api/jobs/J1/files/..%2Ftrail-key.pem')).status).toBe(404);
  expect(await ask('/api/jobs', { standby: 'another leads' })).toMatchObject({ status: 503 });
});
