import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { narrowedInTrial } from '../../support/decisions.js';
import { type Mesh, startMesh } from '../../support/mesh.js';
import { makeOrders } from '../../support/orders-command-line.js';
import { trailOf } from '../../support/trail-history.js';

let mesh: Mesh;
let cli: CommandLine;

/** web may call all of orders by a wildcard of others, and its scope is narrower. */
beforeAll(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  await makeOrders(mesh, cli);
  await mesh.write('orders', [{ Name: '*', Action: 'allow', Description: 'made by hand' }]);
  const planned = {
    ...narrowedInTrial(new Date(Date.now() - 3_600_000).toISOString()),
    id: '01JABCDEFGHJKMNPQRSTVWXYZ0',
  };
  await (await trailOf(join(cli.directory, 'state'), [planned])).close();
});
afterAll(async () => {
  cli.close();
  await mesh.consul.close();
});

const san = (service: string) => `spiffe://a.consul/ns/default/dc/dc1/svc/${service}`;
const call = (method: string) => ({
  start_time: new Date(Date.now() - 60_000).toISOString(),
  method,
  path: '/v1/orders/7',
  response_code_details: 'via_upstream',
  downstream_peer_uri_san: san('web'),
  downstream_local_uri_san: san('orders'),
});

describe('scopemesh trial', () => {
  it('shows what enforcing would take away, since when, and the requests that it would refuse', async () => {
    cli.configure({ mode: 'observe' });
    const log = join(cli.directory, 'access.json');
    writeFileSync(log, `${JSON.stringify(call('GET'))}\n${JSON.stringify(call('POST'))}\nnot JSON\n`);
    const { status, out, err } = await cli.run(['trial', '--logs', log]);
    expect([status, err]).toEqual([1, '']);
    expect(out).toContain('Enforcing would take access away: 1 edge\n  narrows  web -> orders\n');
    expect(out).toContain('everything => GET,HEAD /v1/orders and below');
    expect(out).toContain('replaces * -> orders, which decides now');
    expect(out).toMatch(/since {4}\S+ {2}ModeForbids by alice {2}01JABCDEFGHJKMNPQRSTVWXYZ0/);
    expect(out).toContain('Enforcing would open: 1 edge\n  opens  bot -> billing\n');
    expect(out).toContain('Requests: 3 lines, 2 judged, 0 refused already');
    expect(out).toMatch(
      /1 enforcing would refuse now\n {4}1 {2}web -> orders {2}POST \/v1\/orders\/ {2}last /,
    );
  });

  it('as JSON has edges, intentions of others and requests, and exits 0 if nothing would break', async () => {
    cli.configure({ mode: 'observe' });
    const { status, json } = await cli.run(['trial', '--json']);
    expect(status).toBe(1);
    expect(json()).toMatchObject({
      isBreaking: true,
      edges: [
        { source: 'bot', effect: 'opens', isStill: true },
        { source: 'web', effect: 'narrows' },
      ],
      foreign: [{ source: '*', destination: 'orders', access: { kind: 'allow' } }],
      requests: null,
    });
    cli.configure({ mode: 'observe', scopes: { 'billing:connect': { to: 'billing' } } });
    const harmless = await cli.run(['trial', '--json']);
    expect([harmless.status, harmless.json()]).toMatchObject([
      0,
      { isBreaking: false, edges: [{ source: 'bot' }, { source: 'web', isStill: false }] },
    ]);
  });

  it('says what to run instead in a mode that writes, and from when it can answer', async () => {
    cli.configure({ mode: 'enforce' });
    const enforcing = await cli.run(['trial']);
    expect([enforcing.status, enforcing.err]).toEqual([1, expect.stringContaining('scopemesh access diff')]);
    cli.configure({ mode: 'extend' });
    expect((await cli.run(['trial'])).err).toContain('what extend holds back');
    cli.configure({ mode: 'observe' });
    const early = await cli.run(['trial', '--from', '2d']);
    expect([early.status, early.err]).toEqual([1, expect.stringContaining('the decision log begins at')]);
  });
});
