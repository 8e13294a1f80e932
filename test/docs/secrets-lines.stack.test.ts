import { writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { configJsonSchema } from '../../config/json-schema.js';
import { configurationKeys } from '../../docs/configuration-keys.js';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { secretOf } from '../support/idp.js';
import { linesOf } from './lines-shell.js';
import { addCaller, type LinesWorld, providerOf, startLinesWorld } from './lines-world.js';
import { blocks, codesInProse, ROOT, section, textOf } from './manual.js';

const [policy, withLogins] = linesOf('give-scopemesh-a-consul-token.md');
/** The lines run elsewhere than in the folder of the package. */
const FOLDER = { '@deploy/': `@${ROOT}deploy/` };
const secretIdIn = (shown: string) => /^SecretID: +(\S+)$/m.exec(shown)?.[1] ?? '';
const accessorIdIn = (shown: string) => /^AccessorID: +(\S+)$/m.exec(shown)?.[1] ?? '';

it('the lines of give-scopemesh-a-consul-token.md and change-the-configuration.md make tokens that are just enough', async () => {
  const world = await startLinesWorld({
    withConsul: true,
    prepare: (each) => addCaller(each, 'web', 'ledger:connect'),
  });
  onTestFinished(() => world.close());
  const consul = (token: string) => ({ consul: { address: world.mesh.consul.address, token } });
  const warnings = async () => {
    const { findings } = JSON.parse(await world.run('scopemesh doctor --json || true'));
    const severe = z.array(z.object({ id: z.string(), severity: z.string() })).parse(findings);
    return severe.filter(({ severity }) => /error|warning/.test(severity)).map(({ id }) => id);
  };
  expect(await warnings()).toContain('consul.token');

  const first = await world.run(policy, FOLDER);
  await world.configure(consul(secretIdIn(first)));
  await world.restart();
  expect(await warnings()).not.toContain('consul.token');
  await addCaller(world, 'shop', 'ledger:connect');
  await until('the new token writes', async () => (await world.mesh.access('ledger'))?.shop === 'allow');

  // A second token with the same policies, and the end of the first one.
  const [again] = linesOf('change-the-configuration.md');
  const second = await world.run(again);
  await world.configure(consul(secretIdIn(second)));
  await world.restart();
  const [end = ''] = codesInProse('docs/how-to/change-the-configuration.md').filter((code) =>
    code.startsWith('consul acl token delete '),
  );
  await world.run(end, { '-id ID': `-id ${accessorIdIn(first)}` });
  await addCaller(world, 'late', 'ledger:connect');
  await until('the second token writes', async () => (await world.mesh.access('ledger'))?.late === 'allow');

  const third = await world.run(withLogins, FOLDER);
  const provider = { ...providerOf(world.idp), audience: 'consul' };
  await world.configure({ ...consul(secretIdIn(third)), login: 'on', providers: [provider] });
  await world.restart();
  expect(await warnings()).not.toContain('consul.token');
});

it('the steps of change-the-configuration.md for a webhook secret lose no event', async () => {
  const world = await startLinesWorld({ prepare: (each) => addCaller(each, 'web', 'ledger:connect') });
  onTestFinished(() => world.close());
  const [old, next] = [world.idp.webhookSecret, secretOf(9)];
  const directory = dirname(world.daemon.configFile);
  await writeFile(join(directory, 'old-secret'), old, { mode: 0o600 });
  await writeFile(join(directory, 'new-secret'), next, { mode: 0o600 });
  const [block = ''] = blocks(section('docs/how-to/change-the-configuration.md', 'Rotate secrets'), 'yaml');
  const { webhook } = parse(block);
  const reload = async (secrets: readonly string[]) => {
    const count = async () =>
      (await world.decisions()).filter(({ reason }) => reason === 'ConfigReloaded').length;
    const before = await count();
    await world.configure({ providers: [{ ...providerOf(world.idp), webhook: { secrets } }] });
    world.daemon.signal('SIGHUP');
    await until('the reload', async () => (await count()) > before);
  };
  const send = (secret: string) =>
    world.send({ type: 'client.updated', data: { clientId: 'web-app' }, secret });

  expect([await send(old), await send(next)]).toEqual([202, 401]);
  await reload(webhook.secrets);
  expect([await send(old), await send(next)]).toEqual([202, 202]);
  await reload([webhook.secrets[0]]);
  expect([await send(old), await send(next)]).toEqual([401, 202]);
});

/** An address of this machine that is not loopback, as other machines see it. */
const OUTSIDE = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

it.skipIf(OUTSIDE === undefined)(
  'the lines of listen-outside-the-machine.md approve a held change from another machine',
  async () => {
    const world = await startLinesWorld({
      file: { guards: { maxRevocations: { percent: 0, atLeast: 0 } } },
      prepare: async (each) => {
        for (const service of ['web', 'shop']) await addCaller(each, service, 'ledger:connect');
      },
    });
    onTestFinished(() => world.close());
    world.idp.clients.delete('web-app');
    const { id } = await world.decided({ reason: 'RevocationLimit', outcome: 'held' });

    const page = 'docs/how-to/listen-outside-the-machine.md';
    const [make, send = ''] = linesOf('listen-outside-the-machine.md');
    const [tokens, apart] = blocks(textOf(page), 'yaml')
      .slice(0, 2)
      .map((block) => parse(block).http);
    const [alice, prometheus] = [await world.run(make), await world.run(make)].map((token) => token.trim());
    const values = new Map([
      ['ALICE_TOKEN', alice],
      ['PROMETHEUS_TOKEN', prometheus],
    ]);
    const listed = tokens.tokens.map((entry: { token: string }) => ({
      ...entry,
      token: values.get(entry.token.slice(2, -1)),
    }));
    const http = { listen: tokens.listen.replace('8080', String(world.port)), tokens: listed };
    await world.configure({ http, guards: { maxRevocations: { percent: 0, atLeast: 0 } } });
    await restartOutside(world);

    const origin = `http://${OUTSIDE}:${world.port}`;
    for (const path of ['healthz', 'readyz']) expect(await statusOf(`${origin}/${path}`)).toBe(200);
    expect(await statusOf(`${origin}/statusz`)).toBe(401);
    expect(await statusOf(`${origin}/statusz`, prometheus)).toBe(200);
    const placed = { 'http://scopemesh.example.com:8080': origin, '01KAX0WJ4R8W6K1D6M1N2V9B7T': id };
    const approve = await fetch(`${origin}/api/holds/${id}/approve`, {
      method: 'POST',
      headers: { authorization: `Bearer ${prometheus}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(approve.status).toBe(403);
    const shown = await world.run(`export ALICE_TOKEN='${alice}'\n${send}`, placed);
    expect(shown).toContain('"owner":"payments"');
    await until('the removal is made', async () => (await world.mesh.access('ledger'))?.web === undefined);
    const all = await world.run('scopemesh decisions list --json');
    expect(all).toContain('token:alice');

    // Change a token: two entries of one name, and then the new one alone.
    const next = (await world.run(make)).trim();
    const entry = listed.find(({ name }: { name: string }) => name === 'alice');
    const reload = async (given: readonly unknown[], expected: readonly number[]) => {
      await world.configure({ http: { ...http, tokens: given } });
      world.daemon.signal('SIGHUP');
      await until('the tokens', async () => {
        const found = [await statusOf(`${origin}/statusz`, alice), await statusOf(`${origin}/statusz`, next)];
        return found.join() === expected.join();
      });
    };
    await reload([entry, { ...entry, token: next }], [200, 200]);
    await reload([{ ...entry, token: next }], [401, 200]);

    // A listener for the rest.
    const adminPort = await freePort();
    const admin = apart.admin.replace('8081', String(adminPort));
    await world.configure({ http: { listen: http.listen, admin, tokens: [] } });
    await restartOutside(world);
    const near = `http://127.0.0.1:${adminPort}`;
    expect(await statusOf(`${origin}/statusz`)).toBe(404);
    expect(await statusOf(`${near}/statusz`)).toBe(200);
    for (const path of ['healthz', 'readyz'])
      for (const each of [origin, near]) expect(await statusOf(`${each}/${path}`)).toBe(200);
    expect(await world.run('scopemesh parked list')).toBe('no key is parked\n');
  },
);

async function restartOutside({ daemon }: LinesWorld): Promise<void> {
  await daemon.stop();
  await daemon.start();
  await until('the daemon takes events', async () => (await statusOf(`${daemon.address}/readyz`)) === 200);
}

async function statusOf(url: string, token?: string): Promise<number> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return (await fetch(url, { headers })).status;
}

it('the proxy of listen-outside-the-machine.md passes on the webhooks to the default listener', () => {
  const [nginx = ''] = blocks(textOf('docs/how-to/listen-outside-the-machine.md'), 'nginx');
  expect(nginx).toContain('location /events/ {');
  const { fallback } = configurationKeys(configJsonSchema()).find(({ path }) => path === 'http.listen') ?? {};
  expect(nginx).toContain(`proxy_pass http://${JSON.parse(fallback ?? '')};`);
});
