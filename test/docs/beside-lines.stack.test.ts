import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { startIdp } from '../support/idp.js';
import { startMesh } from '../support/mesh.js';
import { startWebhookReceiver } from '../support/webhook-receiver.js';
import { createLinesShell, linesOf } from './lines-shell.js';
import { addCaller, providerOf, startLinesWorld } from './lines-world.js';
import { blocks, codesInProse, textOf } from './manual.js';

const yamlOf = (page: string) => blocks(textOf(`docs/how-to/${page}`), 'yaml').map((block) => parse(block));
const BY_HAND = { Name: 'web', Action: 'allow', Description: 'ticket 17' };

it('the lines of adopt-existing-objects.md adopt what is equal, and list what is left', async () => {
  const world = await startLinesWorld({
    prepare: async (each) => {
      await addCaller(each, 'web', 'ledger:connect', 'orders:read');
      await each.mesh.write('ledger', [BY_HAND]);
      await each.mesh.write('orders', [BY_HAND]);
    },
  });
  onTestFinished(() => world.close());
  expect(await world.run('scopemesh plan')).toMatch(/ForeignSource.*web -> ledger/s);
  const [adopt = ''] = linesOf('adopt-existing-objects.md');
  const shown = await world.run(`${adopt.trim()} --yes`);
  expect(shown).toContain('Adopted: 1 of 1.');
  expect(shown).toContain('1 left as it is:');
  const entry = await world.mesh.entry('ledger');
  expect(entry?.Sources[0]?.Description).toBe('scopemesh:payments client=main/web-app text=ticket 17');
  const left = await world.run('scopemesh plan');
  expect(left).toMatch(/ForeignSource.*web -> orders/s);
  expect(left).not.toMatch(/web -> ledger .*=>/);
});

it('the lines of run-several-instances.md give a team its own claims and destinations', async () => {
  const [claims, selection] = yamlOf('run-several-instances.md');
  const world = await startLinesWorld({
    withConsul: true,
    file: { ...claims, ...selection },
    prepare: async ({ mesh, idp }) => {
      // Of another team, by its own meta.
      await mesh.register('shop', { client: 'payments-shop' });
      for (const [clientId, service] of [
        ['payments-web', 'web'],
        ['payments-shop', 'shop'],
      ] as const) {
        idp.put(clientId, 'orders:read', 'ledger:connect');
        idp.change(clientId, { attributes: { 'consul-services': service } });
      }
    },
  });
  onTestFinished(() => world.close());
  const [register] = linesOf('run-several-instances.md');
  await world.run(register, { '=web-app': '=payments-web' });
  await until('the team has access', async () => (await world.mesh.access('orders'))?.web !== undefined);
  await world.daemon.idle();
  expect(await world.mesh.access('orders')).toEqual({ web: 'GET+HEAD /v1/orders and below' });
  // Outside the selection.
  expect(await world.mesh.access('ledger')).toBeUndefined();
  expect(await world.run('scopemesh plan')).not.toMatch(/ledger|shop/);
});

it('the lines of move-in.md propose a mapping, and adopt what it explains', async () => {
  const mesh = await startMesh();
  onTestFinished(() => mesh.consul.close());
  const idp = await startIdp({ single: true, now: Date.now });
  onTestFinished(() => idp.close());
  await mesh.register('ledger');
  await addCaller({ mesh, idp }, 'web', 'ledger:connect');
  await mesh.write('ledger', [BY_HAND]);
  const [page] = yamlOf('move-in.md');
  const shell = await createLinesShell({ consul: mesh.consul, configFile: 'scopemesh.yaml' });
  onTestFinished(() => shell.close());
  const file = {
    ...page,
    consul: { address: mesh.consul.address, token: mesh.consul.managementToken },
    providers: [providerOf(idp)],
    state: { directory: join(shell.cwd, 'state') },
    http: { listen: `127.0.0.1:${await freePort()}` },
  };
  await writeFile(join(shell.cwd, 'scopemesh.yaml'), stringify(file));
  const [propose, guess, look, adopt = ''] = linesOf('move-in.md');
  await shell.run(propose);
  await shell.run(guess);
  expect(await readFile(join(shell.cwd, 'proposal/report.md'), 'utf8')).toContain('| `web` | `ledger` |');
  const planned = await shell.run(look);
  expect(planned).toContain('The configuration is valid.');
  expect(planned).toContain('ForeignSource');
  const enforce = "sed -i.old 's/^mode: observe/mode: enforce/' proposal/scopemesh.yaml";
  const [run = ''] = codesInProse('docs/how-to/move-in.md').filter((code) => code.endsWith(' run'));
  const [take = '', ...rest] = adopt.trim().split('\n');
  const beside = `${run} 2> daemon.log & until ${take} --yes; do :; done\n${rest.join('\n')}\nkill "$!" && wait`;
  const done = await shell.run(`${enforce}\n${beside}`);
  expect(done).toContain('Adopted: 1 of 1.');
  expect(done).toContain('No changes.');
});

it('the lines of try-before-enforcing.md show what would break, with requests of the logs', async () => {
  const world = await startLinesWorld({
    file: { mode: 'observe' },
    prepare: async (each) => {
      await addCaller(each, 'web', 'orders:read');
      // Enforcing narrows what this one allows.
      await each.mesh.write('orders', [{ Name: '*', Action: 'allow' }]);
    },
  });
  onTestFinished(() => world.close());
  await world.decided({ subject: 'intention/default/default/orders/web', outcome: 'observed' });
  const request = {
    start_time: new Date().toISOString(),
    method: 'POST',
    path: '/v1/orders',
    response_code_details: 'via_upstream',
    downstream_peer_uri_san: 'spiffe://a.consul/ns/default/dc/dc1/svc/web',
    downstream_local_uri_san: 'spiffe://a.consul/ns/default/dc/dc1/svc/orders',
  };
  await writeFile(join(world.cwd, 'envoy-1.json'), `${JSON.stringify(request)}\n`);
  const [ask = '', withLogs = ''] = linesOf('try-before-enforcing.md');
  const endsWith1 = ' || echo "ended with $?"';
  expect(await world.run(ask.trim() + endsWith1)).toMatch(/replaces \* -> orders.*ended with 1/s);
  // The log is younger than the time of the page.
  const shown = await world.run(withLogs.trim() + endsWith1, { '/var/log/envoy/': '', ' --from 7d': '' });
  expect(shown).toMatch(/enforcing would refuse.*web -> orders.*POST \/v1\/orders.*ended with 1/s);
});

it('the lines of write-manifests-for-consul-k8s.md write a file that Git shows, and then none', async () => {
  const mesh = await startMesh();
  onTestFinished(() => mesh.consul.close());
  const idp = await startIdp({ single: true, now: Date.now });
  onTestFinished(() => idp.close());
  await mesh.register('ledger');
  await addCaller({ mesh, idp }, 'web', 'ledger:connect');
  const shell = await createLinesShell({ consul: mesh.consul, configFile: 'scopemesh.yaml' });
  onTestFinished(() => shell.close());
  const [page] = yamlOf('write-manifests-for-consul-k8s.md');
  const { address, managementToken: token } = mesh.consul;
  const file = {
    owner: 'payments',
    mode: 'enforce',
    consul: { ...page.consul, address, token },
    providers: [providerOf(idp)],
    scopes: { '{service}:connect': { to: '{service}' } },
    http: { listen: '127.0.0.1:9' },
    state: { directory: join(shell.cwd, 'state') },
  };
  await writeFile(join(shell.cwd, 'scopemesh.yaml'), stringify(file));
  const [make, apply] = linesOf('write-manifests-for-consul-k8s.md');
  await shell.run(`git init -q deployments\n${make}`);
  const shown = await shell.run(`${apply}\ngit -C deployments add -A\ngit -C deployments status --short`);
  expect(shown).toContain('Applied: 1 written.');
  expect(shown).toContain('Untracked files:');
  expect(shown).toContain('A  mesh/intentions/serviceintentions.ledger.yaml');
  const again = await shell.run(`${apply}\ngit -C deployments diff`);
  expect(again).toContain('No changes.');
  expect(again).not.toContain('+++');
});

it('the lines of send-decisions-to-a-webhook.md test a webhook, and skip an event that it refuses', async () => {
  const receiver = await startWebhookReceiver();
  onTestFinished(() => receiver.close());
  const [page] = yamlOf('send-decisions-to-a-webhook.md');
  const [webhook] = page.decisions.webhooks;
  const decisions = {
    ...page.decisions,
    webhooks: [{ ...webhook, url: receiver.url, secrets: [receiver.secret] }],
  };
  const world = await startLinesWorld({
    file: { decisions },
    prepare: (each) => addCaller(each, 'web', 'ledger:connect'),
  });
  onTestFinished(() => world.close());
  const [secret, check, mend = ''] = linesOf('send-decisions-to-a-webhook.md');
  expect((await world.run(secret)).trim()).toMatch(/^whsec_[\w+/]{43}=$/);
  await world.run(check);
  expect(receiver.received.some(({ body }) => body.includes('dev.scopemesh.webhook.tested'))).toBe(true);

  receiver.answer = () => ({ status: 500 });
  const before = receiver.received.length;
  await addCaller(world, 'shop', 'ledger:connect');
  const failing = await until('a request that fails', () => receiver.received[before]);
  const [list, skip = ''] = mend.split('\n');
  await until('the failure is listed', async () => (await world.run(list)).includes('500'));
  receiver.answer = () => ({ status: 204 });
  await world.run(skip, { 'EVENT-ID': failing.id });
  await addCaller(world, 'desk', 'ledger:connect');
  await until('the next event is delivered', () => receiver.taken.length > 0);
  expect(receiver.taken).not.toContain(failing.id);
});
