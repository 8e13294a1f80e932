import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../stack/ports.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { type Mesh, startMesh } from '../../support/mesh.js';
import { until } from '../../support/until.js';

let mesh: Mesh;
let cli: CommandLine;
const web = { clientId: 'web-app', scopes: ['orders:connect'], attributes: { 'consul-services': 'web' } };
beforeEach(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  cli.configure({});
  cli.idp(web);
  await mesh.register('orders');
  await mesh.register('web', { client: 'web-app' });
});
afterEach(async () => {
  cli.close();
  await mesh.consul.close();
});

const START = ['freeze', 'start', '--reason', 'release 42'];
const holds = (found: { json(): Record<string, unknown> }) =>
  (found.json().holds as { reason: string; detail: string }[]).map(({ reason }) => reason);

describe('scopemesh freeze', () => {
  it('without a daemon is kept in the store, and apply heeds it', async () => {
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
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await mesh.access('orders')).toBeUndefined();
    expect((await cli.run(['freeze', 'start', '--json'])).json()).toMatchObject({
      freeze: { kind: 'started', reason: null, until: null },
    });
    expect((await cli.run(['freeze'])).out).toMatch(/pass until scopemesh freeze end: no reason given\n$/);
    expect((await cli.run(['freeze', 'end'])).status).toBe(0);
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
  });

  it('beside a daemon asks it, and plan knows of it; a command that cannot find it writes nothing', async () => {
    const listen = `127.0.0.1:${await freePort()}`;
    cli.configure({ http: { listen } });
    cli.idp({ ...web, scopes: [] });
    const other = createCommandLine(mesh);
    const stop = new AbortController();
    const running = cli.run(['--log-level', 'error', 'run'], { signal: stop.signal });
    try {
      // It takes events before it leads.
      await until('the daemon leads', () =>
        fetch(`http://${listen}/statusz`).then(
          async (answer) => answer.ok && Object(await answer.json()).leader === true,
          () => false,
        ),
      );
      // Its store has no sign of life of the leader, as a Redis has none after a restart.
      for (const args of [START, ['freeze', 'end', '--reason', 'done']])
        expect(await other.run(args)).toMatchObject({
          status: 1,
          err: expect.stringMatching(/must lead for a moment, by the store and Consul, .*\/\d+ on /),
        });
      expect((await other.run(['freeze'])).out).toBe('no freeze is in effect\n');
      await until('a freeze', async () =>
        (await cli.run(['freeze', 'start'])).status === 0 ? true : undefined,
      );
      // The secrets of a service are not in the environment of a person.
      const missing = '$' + '{NOT_SET}';
      cli.configure({
        consul: { address: mesh.consul.address, token: missing },
        http: { listen, tokens: [{ name: 'alice', token: missing }] },
      });
      expect((await cli.run(['plan'])).err).toContain('NOT_SET');
      expect((await cli.run(['freeze'])).out).toContain('started a freeze');
      expect((await cli.run(['webhooks', 'list', '--json'])).json()).toEqual({ webhooks: [] });
      cli.configure({ http: { listen } });
      cli.idp(web);
      const plan = await cli.run(['plan', '--json']);
      expect(plan.json().changes).toEqual([]);
      expect(holds(plan)).toEqual(['Frozen']);
      expect((await cli.run(['freeze', 'status', '--json'])).json()).toMatchObject({
        freeze: { kind: 'started', until: null },
      });
      expect((await cli.run(['freeze', 'end', '--json'])).json()).toEqual({
        freeze: null,
      });
      expect((await cli.run(['plan', '--json'])).json().holds).toEqual([]);
    } finally {
      stop.abort(new Error('stopped by a signal'));
      await running;
      other.close();
    }
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
