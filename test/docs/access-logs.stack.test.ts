import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accessLogFormat } from '../../src/cli/doctor/log-findings.js';
import type { ActorKind } from '../../src/model/actor.js';
import type { Decision } from '../../src/model/decision.js';
import { type CommandLine, createCommandLine } from '../support/command-line.js';
import { edgeDecision } from '../support/decisions.js';
import { trailOf } from '../support/trail-history.js';
import { example } from './manual.js';

const PAGE = 'docs/how-to/read-access-logs.md';
const DAY = '2026-11-03';

const grant = (source: string, actorKind: ActorKind, changes: Partial<Decision> = {}) =>
  edgeDecision(
    source,
    '2026-11-01T08:00:00.000Z',
    null,
    { access: 'allow' },
    {
      id: `granted-${source}`,
      client: { provider: 'main', clientId: `${source}-app`, actorKind },
      action: 'grant',
      reason: 'ScopeGranted',
      scopes: ['orders:read'],
      ...changes,
    },
  );
const revoked = grant('agent', 'agent', {
  id: 'revoked-agent',
  time: `${DAY}T12:00:00.000Z`,
  action: 'revoke',
  reason: 'ScopeRevoked',
  before: { access: 'allow' },
  after: null,
});

const id = (service: string) => `spiffe://a.consul/ns/default/dc/dc1/svc/${service}`;
const line = (time: string, source: string, isRefused = false) =>
  JSON.stringify({
    start_time: `${DAY}T${time}.000Z`,
    method: 'GET',
    path: '/v1/orders/7',
    response_code: isRefused ? 403 : 200,
    response_code_details: isRefused ? 'rbac_access_denied_matched_policy[none]' : 'via_upstream',
    downstream_peer_uri_san: id(source),
    downstream_local_uri_san: id('orders'),
  });

let cli: CommandLine;
beforeAll(async () => {
  cli = createCommandLine();
  const decisions = [grant('web', 'human'), grant('batch', 'workload'), grant('agent', 'agent'), revoked];
  await (await trailOf(join(cli.directory, 'state'), decisions)).close();
  const log = join(cli.directory, 'access.log');
  const lines = [
    line('09:00:00', 'web'),
    line('09:30:00', 'web'),
    line('10:00:00', 'batch'),
    line('11:00:00', 'agent'),
    line('12:30:00', 'agent', true),
    line('12:40:00', 'foreign'),
    '[warning] not a line of the access log',
  ];
  writeFileSync(log, lines.join('\n'));
  writeFileSync(join(cli.directory, 'calls.jsonl'), (await cli.run(['logs', log])).out);
});
afterAll(() => cli.close());

/** Runs the shell lines of the page on a day with people, a bot, and an agent that lost its scope at noon. */
const shell = (name: string) =>
  execFileSync('sh', ['-c', example(PAGE, name)], { cwd: cli.directory, encoding: 'utf8', timeout: 60_000 });

it('the page splits a day of traffic into people, bots and agents', () => {
  expect(JSON.parse(shell('kinds'))).toEqual(JSON.parse(example(PAGE, 'kinds-shown')));
  expect(shell('agents')).toBe(
    [
      `${DAY}T11:00:00.000Z\tagent-app\tGET\t/v1/orders/7\t200\torders:read\n`,
      `${DAY}T12:30:00.000Z\tagent-app\tGET\t/v1/orders/7\t403\t\n`,
    ].join(''),
  );
  expect(shell('refused')).toBe('agent\torders\tScopeRevoked\trevoked-agent\n');
  expect(shell('passed')).toBe('');
});

it('the page shows a line with the fields that scopemesh adds, and the format that doctor prints', async () => {
  const shown = JSON.parse(example(PAGE, 'line')) as Record<string, object>;
  const { scopemesh, ...before } = shown;
  const log = join(cli.directory, 'one.log');
  writeFileSync(log, JSON.stringify(before));
  const made = JSON.parse((await cli.run(['logs', log])).out) as Record<string, object>;
  expect(Object.keys(made.scopemesh ?? {})).toEqual(Object.keys(scopemesh ?? {}));
  expect(JSON.stringify(JSON.parse(example(PAGE, 'listener')))).toContain(
    JSON.stringify(accessLogFormat(new Map())),
  );
});
