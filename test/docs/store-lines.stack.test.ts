import { readFileSync } from 'node:fs';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { BUILT } from '../e2e/scopemesh.js';
import { freePort } from '../stack/ports.js';
import { startProcess, until } from '../stack/process.js';
import { clientOf, createRig } from '../support/daemon.js';
import { createLinesShell, linesOf } from './lines-shell.js';
import { addCaller, startLinesWorld } from './lines-world.js';
import { blocks, codesInProse, ROOT, section } from './manual.js';

it('the lines of back-up-and-restore.md make a copy from which scopemesh goes on', async () => {
  const world = await startLinesWorld({
    prepare: async (each) => {
      await addCaller(each, 'web', 'ledger:connect');
      await addCaller(each, 'shop', 'orders:read');
    },
  });
  onTestFinished(() => world.close());
  const state = world.daemon.stateDirectory;
  const copy = join(world.cwd, 'copy');
  await world.send({ type: 'client.secret-compromised', data: { clientId: 'shop-app' } });
  await world.decided({ reason: 'ClientQuarantined', outcome: 'applied' });
  await world.daemon.idle();
  const before = await world.decisions();
  const [backUp] = linesOf('back-up-and-restore.md');
  await world.run(backUp, { '/var/backups/scopemesh/$(date +%F)': copy });
  expect((await readdir(copy)).toSorted()).toEqual([
    'decisions.db',
    'journal.db',
    'queue.db',
    'trail-key.pem',
    'trail-key.pub',
  ]);

  // What happens after the backup is not in it.
  await addCaller(world, 'late', 'ledger:connect');
  await world.decided({ subject: 'intention/default/default/ledger/late', outcome: 'applied' });
  const key = await readFile(join(state, 'trail-key.pem'), 'utf8');
  await world.restart(async () => {
    for (const file of await readdir(state)) await rm(join(state, file), { recursive: true });
    await cp(copy, state, { recursive: true });
  });
  expect((await world.decisions()).slice(0, before.length)).toEqual(before);
  expect(await readFile(join(state, 'trail-key.pem'), 'utf8')).toBe(key);
  // Nothing has signed the log yet, which the exit status says.
  expect(await world.run('scopemesh decisions verify || true')).toMatch(/chain of \d+ decisions is intact/);
  expect(await world.mesh.access('orders')).toBeUndefined();
  expect(await world.mesh.access('ledger')).toMatchObject({ web: 'allow', late: 'allow' });
  // The mark of the late source has a record again, because it equals the desired state.
  expect((await world.daemon.status()).holds.map(({ reason }) => reason)).not.toContain('MarkUnrecorded');
});

it('the lines of troubleshoot.md list a parked key, and retry it once the cause is gone', async () => {
  const port = await freePort();
  const rig = await createRig({
    file: { http: { listen: `127.0.0.1:${port}` }, resync: '1h' },
    clients: [clientOf('web', 'orders:read')],
    prepare: async ({ mesh }) => {
      await mesh.speaks('orders', 'http');
      await mesh.register('orders');
      await mesh.register('web', { client: 'web-app' });
    },
  });
  onTestFinished(() => rig.close());
  const daemon = await rig.start();
  const configFile = join(rig.directory, 'scopemesh.yaml');
  const shell = await createLinesShell({ consul: rig.mesh.consul, configFile });
  onTestFinished(() => shell.close());
  const [list, retry] = blocks(section('docs/how-to/troubleshoot.md', 'A key is parked'), 'sh');
  const untilParked = () =>
    until('a parked key', async () => {
      const { parked, queue } = await daemon.status();
      if (parked.some(({ key }) => key === 'client/main/web-app')) return true;
      // Beside a running job an hour would soon be over, and the next comparison tries the key once more.
      if (queue?.active === 0) rig.clock.advance(30_000);
      return false;
    });

  await until('the edge', async () => Object.keys((await rig.mesh.access('orders')) ?? {}).includes('web'));
  rig.idp.fault = () => ({ status: 403 });
  await daemon.tell('client.updated', 'web-app');
  await untilParked();
  expect(rig.logs.some((line) => /"job failed".*"exhausted":true/.test(line))).toBe(true);
  // The clock may have passed the time of the next try too.
  expect(await shell.run(list)).toMatch(/client\/main\/web-app {2}([89]|1\d) attempts failed/);
  rig.idp.fault = undefined;
  await shell.run(retry);
  await until('no key is parked', async () => (await daemon.status()).parked.length === 0);
  expect(await shell.run(list)).toBe('no key is parked\n');

  const [drop = ''] = codesInProse('docs/how-to/troubleshoot.md').filter((code) =>
    code.startsWith('scopemesh parked drop '),
  );
  rig.idp.fault = () => ({ status: 403 });
  await daemon.tell('client.updated', 'web-app');
  await untilParked();
  await shell.run(drop);
  expect(await shell.run(list)).not.toContain('client/main/web-app');
  expect(await rig.mesh.access('orders')).toHaveProperty('web');
});

it('the command of run-as-a-service.md starts the daemon, which reloads at SIGHUP and stops at SIGTERM', async () => {
  const [start = ''] = codesInProse('docs/how-to/run-as-a-service.md').filter((code) =>
    code.endsWith(' dist/workers/main.js run -c FILE'),
  );
  const world = await startLinesWorld({ prepare: (each) => addCaller(each, 'web', 'ledger:connect') });
  onTestFinished(() => world.close());
  await world.daemon.stop();
  const logFile = join(world.cwd, 'service.log');
  const daemon = await startProcess({
    name: 'scopemesh',
    command: 'sh',
    args: ['-c', start.replace('FILE', world.daemon.configFile)],
    cwd: ROOT,
    logFile,
  });
  onTestFinished(() => daemon.stop());
  const logged = (text: string) => until(text, () => readFileSync(logFile, 'utf8').includes(text));
  await logged('scopemesh is running');
  await world.configure({ guards: { protected: ['ledger'] } });
  process.kill(daemon.pid, 'SIGHUP');
  await world.decided({ reason: 'ConfigReloaded' });
  process.kill(daemon.pid, 'SIGTERM');
  expect(await daemon.exited).toBe(0);

  // A second process with this state directory says why it ends.
  await world.daemon.start();
  await world.daemon.ready();
  const second = await startProcess({
    name: 'scopemesh',
    command: process.execPath,
    args: [BUILT, 'run', '-c', world.daemon.configFile],
    logFile: join(world.cwd, 'second.log'),
  });
  expect(await second.exited).toBe(1);
  const inUse = 'is in use by another scopemesh process';
  expect(readFileSync(join(world.cwd, 'second.log'), 'utf8')).toContain(inUse);
  for (const page of ['run-as-a-service', 'run-replicas', 'troubleshoot'])
    expect(codesInProse(`docs/how-to/${page}.md`)).toContain(inUse);
});

it('the reload of a broken file changes nothing, as change-the-configuration.md says', async () => {
  const page = codesInProse('docs/how-to/change-the-configuration.md');
  const world = await startLinesWorld({
    prepare: (each) => addCaller(each, 'web', 'ledger:connect'),
  });
  onTestFinished(() => world.close());
  const [check = '', show = ''] = page.filter((code) => code.endsWith(' -c FILE'));
  expect(await world.run(check, { FILE: world.daemon.configFile })).toContain('is valid');
  expect(await world.run(show, { FILE: world.daemon.configFile })).toContain('No changes');
  await writeFile(world.daemon.configFile, 'owner: [');
  world.daemon.signal('SIGHUP');
  const line = 'the new configuration is refused; the old one keeps running';
  expect(page).toContain(line);
  await until('the refusal is logged', async () => (await world.daemon.log()).includes(line));
  expect(await world.mesh.access('ledger')).toEqual({ web: 'allow' });
  await world.configure({});
  await world.decided({ reason: 'ConfigRefused' });
});
