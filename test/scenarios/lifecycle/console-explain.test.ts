import { expect, it } from 'vitest';
import { loadConfig } from '../../../config/load.js';
import { readTextFile } from '../../../config/read-text-file.js';
import { readApiToken } from '../../../src/app/api-token.js';
import { Fault, ROUTES } from '../../../src/console/answers.js';
import { besideDaemon } from '../../support/beside-daemon.js';
import type { CommandLine } from '../../support/command-line.js';
import { openCommandLine } from '../../support/open-command-line.js';
import { startOrdersCommandLine } from '../../support/orders-command-line.js';
import { until } from '../../support/until.js';

/** Asks the route of the page `/why`. */
async function createAsker({ configFile: path }: CommandLine) {
  const { config } = await loadConfig({ path, environment: {}, readFile: readTextFile });
  const headers = { authorization: `Bearer ${(await readApiToken(config)).reveal()}` };
  const { host, port } = config.http.listen;
  return (call: Readonly<Record<string, string>>) =>
    fetch(`http://${host}:${port}/api/explain?${new URLSearchParams(call)}`, { headers });
}

it('explains a call with the document of the command, and says what to mend first', async () => {
  const { cli } = await startOrdersCommandLine();
  await besideDaemon(cli, async () => {
    const ask = await createAsker(cli);
    for (const [from, to, path] of [
      ['web', 'orders', '/v1/orders'],
      ['web', 'billing'],
      ['orders', 'billing'],
    ] as const) {
      const answer = await ask({ from, to, ...(path === undefined ? {} : { path }) });
      const body = ROUTES.explain.answer.parse(await answer.json());
      const asked = path === undefined ? [] : ['--path', path];
      const { json } = await cli.run(['explain', from, to, ...asked, '--json']);
      expect(body).toMatchObject(json());
      expect(body.remedy?.what ?? null).toBe(body.mend);
      const broken = path === undefined ? (from === 'web' ? 'scope' : 'claim') : 'arrival';
      expect([body.firstBroken, body.steps.length]).toEqual([broken, 6]);
    }
    const unknown = await ask({ from: 'web', to: 'gone' });
    expect([unknown.status, Fault.parse(await unknown.json()).code]).toEqual([400, 'BadQuestion']);
  });
});

/** The cause, the call, its first broken link, whose turn it is, and what to do. */
const CAUSES: readonly (readonly [string, string, string, string, string, RegExp])[] = [
  ['no claim', 'stray', 'orders', 'claim', 'service', /^register stray with the meta that names its OAuth/],
  ['not confirmed', 'thief', 'orders', 'claim', 'service', /ClaimUnconfirmed, .* attribute consul-services$/],
  ['client disabled', 'ended', 'orders', 'client', 'identity-provider', /^enable the client main\/ended-app/],
  ['no scope', 'poor', 'orders', 'scope', 'identity-provider', /^give the client a scope that .* for orders/],
  [
    'actor never',
    'robot',
    'orders',
    'rule',
    'mapping',
    /^let clients of kind agent use the scope \(actors\)/,
  ],
  ['protected', 'web', 'vault', 'intention', 'scopemesh', /ProtectedDestination, .* from guards\.protected /],
  ['held by freeze', 'late', 'orders', 'intention', 'scopemesh', /settle what holds the change: Frozen, /],
  ['tcp with L7', 'web', 'ledger', 'intention', 'consul', /ProtocolUnsuitable, .* set Protocol http /],
  ['foreign deny', 'web', 'denied', 'intention', 'consul', /ForeignSource, .* does not own it; remove it/],
  ['quarantine', 'leaked', 'orders', 'client', 'person', /scopemesh approve main\/leaked-app$/],
];

it('names each of ten causes of a refusal first, with whose turn it is and the remedy', async () => {
  const { mesh, cli } = await openCommandLine();
  const clientOf = (name: string, scope: string, more: object = {}) => ({
    clientId: `${name}-app`,
    scopes: scope.split(' '),
    attributes: { 'consul-services': name },
    ...more,
  });
  const clients = [
    clientOf('thief', 'orders:read', { attributes: { 'consul-services': 'other' } }),
    clientOf('ended', 'orders:read', { enabled: false }),
    clientOf('poor', 'orders:print'),
    clientOf('robot', 'orders:read'),
    clientOf('web', 'vault:connect ledger:read denied:connect'),
    clientOf('leaked', 'orders:read'),
  ];
  cli.idp(...clients, clientOf('late', 'orders:print'));
  for (const each of ['stray', 'orders', 'vault', 'ledger', 'denied']) await mesh.register(each);
  for (const each of ['thief', 'ended', 'poor', 'robot', 'web', 'leaked', 'late'])
    await mesh.register(each, { client: `${each}-app` });
  await mesh.speaks('orders', 'http');
  await mesh.write('denied', [{ Name: 'web', Action: 'deny' }]);
  const directory = { directory: `${cli.directory}/clients.json`, poll: '100ms', fullRead: '1s' };
  cli.configure({
    providers: [{ name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', ...directory }],
    scopes: {
      '{service}:read': { to: '{service}', methods: ['GET'] },
      '{service}:connect': { to: '{service}' },
    },
    actors: { classify: [{ clientId: 'robot-app', kind: 'agent' }], agent: { never: ['orders:*'] } },
    guards: { protected: ['vault'] },
  });
  await besideDaemon(cli, async () => {
    const answer = await createAsker(cli);
    const ask = async (from: string, to: string) =>
      ROUTES.explain.answer.parse(await (await answer({ from, to })).json());
    const isHeld = (from: string) =>
      until(`the recorded hold of ${from}`, async () =>
        JSON.stringify((await ask(from, 'orders')).lastDecision).includes('intention.held'),
      );
    await cli.run(['quarantine', 'main/leaked-app', '--reason', 'a leak']);
    await isHeld('leaked');
    await cli.run(['freeze', 'start', '--reason', 'a release']);
    cli.idp(...clients, clientOf('late', 'orders:read'));
    await isHeld('late');
    for (const [cause, from, to, broken, who, what] of CAUSES) {
      const { json, status } = await cli.run(['explain', from, to, '--json']);
      const asked = await ask(from, to);
      expect
        .soft([status, asked.verdict, asked.firstBroken, asked.remedy?.who], cause)
        .toEqual([4, 'denied', broken, who]);
      expect.soft(asked.remedy?.what, cause).toMatch(what);
      expect.soft(json().mend, cause).toBe(asked.remedy?.what);
      expect.soft(asked, cause).toMatchObject(json());
    }
  });
});
