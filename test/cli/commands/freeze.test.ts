import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { besideDaemon } from '../../support/beside-daemon.js';
import type { CommandLine } from '../../support/command-line.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';
import { until } from '../../support/until.js';

let mesh: Mesh;
let cli: CommandLine;
const web = { clientId: 'web-app', scopes: ['orders:connect'], attributes: { 'consul-services': 'web' } };
beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  cli.configure({});
  cli.idp(web);
  await mesh.register('orders');
  await mesh.register('web', { client: 'web-app' });
});

const START = ['freeze', 'start', '--reason', 'release 42'];
const holds = (found: { json(): Record<string, unknown> }) =>
  (found.json().holds as { reason: string; detail: string }[]).map(({ reason }) => reason);

describe('scopemesh freeze', () => {
  it('asks the daemon, survives it, and apply heeds it', async () => {
    cli.idp({ ...web, scopes: [] });
    await besideDaemon(cli, async () => {
      expect((await cli.run(['freeze'])).out).toBe('no freeze is in effect\n');
      expect(await cli.run(['freeze', 'end', '--reason', 'none'])).toMatchObject({
        status: 1,
        err: expect.stringContaining('no freeze is in effect'),
      });
      expect((await cli.run([...START, '--for', '2h', '--json'])).json()).toMatchObject({
        freeze: { kind: 'started', reason: 'release 42', until: expect.stringMatching(/Z$/) },
      });
      expect(await cli.run(['freeze', 'status'])).toMatchObject({
        status: 0,
        out: expect.stringMatching(/^local \(\S+\) started a freeze, .* until 2\S+Z: release 42\n$/),
      });
      expect((await cli.run(['freeze', 'start', '--json'])).json()).toMatchObject({
        freeze: { kind: 'started', reason: null, until: null },
      });
      expect((await cli.run(['freeze'])).out).toMatch(/pass until scopemesh freeze end: no reason given\n$/);
    });
    cli.idp(web);
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await mesh.access('orders')).toBeUndefined();
    await besideDaemon(cli, async () => {
      const plan = await cli.run(['plan', '--json']);
      expect(plan.json().changes).toEqual([]);
      expect(holds(plan)).toEqual(['Frozen']);
      expect((await cli.run(['freeze', 'end', '--json'])).json()).toEqual({ freeze: null });
      expect((await cli.run(['plan', '--json'])).json().holds).toEqual([]);
      await until('the edge', async () => (await mesh.access('orders'))?.web === 'allow');
    });
  });

  it('needs of the file only where the daemon is, as the other commands that ask it', async () => {
    await besideDaemon(cli, async () => {
      // The secrets of a service are not in the environment of a person.
      const { http, state, owner } = JSON.parse(readFileSync(cli.configFile, 'utf8'));
      const missing = '$' + '{NOT_SET}';
      const tokens = [{ name: 'alice', token: missing }];
      const consul = { address: mesh.consul.address, token: missing };
      cli.configure({ owner, consul, state, http: { ...http, tokens } });
      expect((await cli.run(['plan'])).err).toContain('NOT_SET');
      expect((await cli.run(['freeze', 'start'])).status).toBe(0);
      expect((await cli.run(['freeze'])).out).toContain('started a freeze');
      expect((await cli.run(['parked', 'list', '--json'])).json()).toMatchObject({ parked: [] });
      expect((await cli.run(['webhooks', 'list', '--json'])).json()).toEqual({ webhooks: [] });
    });
  });

  it('refuses a reason of several lines and an invalid time', async () => {
    for (const args of [
      ['start', '--reason', 'a\nb'],
      ['start', '--reason', 'x', '--for', 'soon'],
      ['end', '--reason', ''],
    ])
      expect((await cli.run(['freeze', ...args])).status).not.toBe(0);
  });
});
