import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { decision } from '../../support/decisions.js';
import { trailOf } from '../../support/trail-history.js';

let cli: CommandLine;
beforeEach(async () => {
  cli = createCommandLine();
  const opened = decision({
    id: '01JABCDEFGHJKMNPQRSTVWXYZ0',
    action: 'grant',
    reason: 'ScopeGranted',
    before: null,
    after: { access: 'allow' },
    scopes: ['orders:connect'],
  });
  await (await trailOf(join(cli.directory, 'state'), [opened])).close();
});
afterEach(() => cli.close());

const id = (service: string) => `spiffe://a.consul/ns/default/dc/dc1/svc/${service}`;
const call = (start_time: string) =>
  JSON.stringify({
    start_time,
    method: 'GET',
    path: '/',
    response_code_details: 'via_upstream',
    downstream_peer_uri_san: id('web'),
    downstream_local_uri_san: id('orders'),
  });
const EARLY = call('2026-03-01T09:00:00.000Z');
const LATER = call('2026-03-01T11:00:00.000Z');

const linesIn = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('scopemesh logs', () => {
  it('prints each line of the standard input and of files with who called', async () => {
    const file = join(cli.directory, 'access.log');
    writeFileSync(file, `${LATER}\n`);
    const { status, out, err } = await cli.run(['logs', '-', file], { piped: `${EARLY}\n` });
    const [early, later] = out.trimEnd().split('\n');
    expect([status, err, early?.startsWith(EARLY.slice(0, -1))]).toEqual([0, '', true]);
    expect(JSON.parse(early ?? '')).toMatchObject({
      path: '/',
      scopemesh: { source: 'web', destination: 'orders', client: null, decision: null },
    });
    expect(JSON.parse(later ?? '')).toMatchObject({
      scopemesh: {
        client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
        decision: { id: '01JABCDEFGHJKMNPQRSTVWXYZ0', reason: 'ScopeGranted' },
        verdict: 'allowed',
        agrees: true,
      },
    });
    expect(err).toBe('');
  });

  it('passes on what is no JSON object, counts it, and keeps long lines short', async () => {
    const file = join(cli.directory, 'access.log');
    writeFileSync(file, `[warning] envoy\n[1]\n{"a":"${'x'.repeat(300_000)}"}\n\n${LATER}`);
    const { status, out, err } = await cli.run(['logs', file]);
    const lines = linesIn(out);
    expect(lines.map(({ line }) => String(line).length)).toEqual([15, 3, 1024, 0, 9]);
    expect(lines[0]).toEqual({
      line: '[warning] envoy',
      scopemesh: { unknown: ['the line is no JSON object'] },
    });
    expect(lines[2]).toMatchObject({ scopemesh: { unknown: ['the line has more than 262144 characters'] } });
    expect(lines[4]).toMatchObject({ scopemesh: { verdict: 'allowed' } });
    expect([status, err]).toEqual([0, 'scopemesh: 4 lines are not JSON objects\n']);
    writeFileSync(file, `[1]\n${LATER}`);
    expect((await cli.run(['logs', file])).err).toBe('scopemesh: 1 line is not a JSON object\n');
  });

  it('goes on after a line that is nested too deeply to be printed', async () => {
    const file = join(cli.directory, 'access.log');
    writeFileSync(file, `{"a":${'['.repeat(120_000)}${']'.repeat(120_000)}}\n${LATER}\n`);
    const { status, out } = await cli.run(['logs', file]);
    const [deep, later] = linesIn(out);
    expect([status, String(deep?.line).length]).toEqual([0, 1024]);
    expect(later).toMatchObject({ scopemesh: { verdict: 'allowed' } });
  });

  it('leaves out lines before --since', async () => {
    const file = join(cli.directory, 'access.log');
    writeFileSync(file, `${EARLY}\n${LATER}\n`);
    const { out } = await cli.run(['logs', file, '--since', '2026-03-01T10:00:00Z', '--json']);
    expect(linesIn(out)).toMatchObject([{ start_time: '2026-03-01T11:00:00.000Z' }]);
  });

  it('works without a complete configuration, and then names no rule', async () => {
    cli.configure({ providers: 'none' });
    const file = join(cli.directory, 'access.log');
    writeFileSync(file, `${LATER}\n`);
    const { status, out, err } = await cli.run(['logs', file]);
    expect([status, err]).toEqual([0, expect.stringContaining('no rules are named')]);
    expect(linesIn(out)).toMatchObject([{ scopemesh: { verdict: 'allowed', rules: null } }]);
  });

  it('ends with ctrl-c while it waits for input', async () => {
    const stop = new AbortController();
    const ran = cli.run(['logs'], {
      piped: `${LATER}\n`,
      staysOpen: true,
      signal: stop.signal,
      onOut: () => stop.abort(),
    });
    expect(await ran).toMatchObject({ status: 0, err: '' });
  });

  it('fails for a file that does not exist', async () => {
    const { status, err } = await cli.run(['logs', join(cli.directory, 'missing.log')]);
    expect([status, err]).toEqual([1, expect.stringContaining('missing.log')]);
  });
});
