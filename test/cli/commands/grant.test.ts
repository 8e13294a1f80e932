import { beforeEach, expect, it } from 'vitest';
import { besideDaemon } from '../../support/beside-daemon.js';
import type { CommandLine } from '../../support/command-line.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';
import { until } from '../../support/until.js';

let mesh: Mesh;
let cli: CommandLine;
beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  cli.idp({ clientId: 'web-app', scopes: [], attributes: { 'consul-services': 'web' } });
  await mesh.register('orders');
  await mesh.speaks('orders', 'http');
  await mesh.register('web', { client: 'web-app' });
});

const GRANT = ['grant', 'web', 'orders', '--for', '30m', '--reason', 'INC-1'];

it('scopemesh grant needs a daemon, and says what is missing or wrong', async () => {
  cli.configure({ guards: { breakGlass: {} } });
  expect(await cli.run(GRANT)).toMatchObject({
    status: 1,
    err: expect.stringContaining('start scopemesh run'),
  });
  for (const [args, why] of [
    [['grant', 'web', 'orders', '--reason', 'x'], '--for <duration>'],
    [[...GRANT, '--for', '0s'], 'write a duration'],
    [[...GRANT, '--reason', 'a\nb'], 'write one line'],
    [[...GRANT, '--method', 'get'], 'write a method in capitals'],
  ] as const)
    expect(await cli.run([...args])).toMatchObject({ status: 1, err: expect.stringContaining(why) });
});

it('scopemesh grant opens an edge, list, plan and explain show it, and grant end closes it', async () => {
  cli.configure({ guards: { breakGlass: {} } });
  await besideDaemon(cli, async () => {
    const granted = await cli.run([...GRANT, '--json']);
    expect((await cli.run(['grant', 'web', 'Orders', ...GRANT.slice(3)])).err).toContain(
      'the value of "destination" must be a plain service name',
    );
    const { id } = granted.json().grant as { id: string };
    await until('the edge', async () => ((await mesh.access('orders'))?.web === 'allow' ? true : undefined));
    const line = new RegExp(`${id}  web -> orders  until \\S+Z  local \\(\\S+\\): INC-1\n`);
    expect((await cli.run(['grant', 'list'])).out).toMatch(line);
    const plan = await cli.run(['plan']);
    expect(plan.out).toContain('No changes.');
    expect(plan.out).toMatch(line);
    expect(await cli.run(['explain', 'web', 'orders'])).toMatchObject({
      status: 0,
      out: expect.stringMatching(line),
    });
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({ breakGlass: [{ id, state: 'open' }] });
    expect((await cli.run(['grant', 'end', 'unknown', '--reason', 'done'])).status).toBe(1);
    expect(await cli.run(['grant', 'end', id, '--reason', 'done'])).toMatchObject({
      status: 0,
      out: expect.stringContaining('  ended '),
    });
    await until('no edge', async () => ((await mesh.access('orders'))?.web === undefined ? true : undefined));
    const narrow = ['--method', 'GET', '--method', 'HEAD', '--path', '/v1/orders'];
    const { status, json } = await cli.run([...GRANT, ...narrow, '--json']);
    expect(status).toBe(0);
    expect(json()).toMatchObject({
      grant: { state: 'open', methods: ['GET', 'HEAD'], path: '/v1/orders' },
      heldBy: null,
    });
    const narrowed = await until('the narrow edge', async () => (await mesh.access('orders'))?.web);
    expect(narrowed).toBe('GET+HEAD /v1/orders and below');
    for (const [path, allowed] of [
      ['/v1/orders/7', 0],
      ['/v2', 4],
    ] as const)
      expect((await cli.run(['explain', 'web', 'orders', '--path', path])).status).toBe(allowed);
    expect((await cli.run(['grant', 'list'])).out).toContain('GET,HEAD /v1/orders');
  });
});
