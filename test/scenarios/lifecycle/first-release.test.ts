import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Rig } from '../../support/daemon.js';
import { CONSUL_STATE, firstWorld } from '../../support/first-state.js';
import { READ } from '../../support/orders-rig.js';
import { send } from '../../support/send.js';

const FIXTURE = new URL('../../fixtures/state-1/', import.meta.url);

let rig: Rig;
afterEach(() => rig.close());

/** The state directory and Consul as a daemon of 1.0.0 left them. */
async function leftByFirstRelease({ mesh, directory }: Rig): Promise<void> {
  const state = new URL('state/', FIXTURE);
  for (const name of readdirSync(state)) cpSync(new URL(name, state), join(directory, name));
  const { kv, entries } = CONSUL_STATE.parse(
    JSON.parse(readFileSync(new URL('consul.json', FIXTURE), 'utf8')),
  );
  const headers = { 'X-Consul-Token': mesh.consul.managementToken };
  for (const { Key, Value } of kv) {
    const body = Buffer.from(Value, 'base64').toString();
    const { status } = await send(`${mesh.consul.address}/v1/kv/${Key}`, { method: 'PUT', headers, body });
    expect(status).toBe(200);
  }
  for (const entry of entries) await mesh.request('PUT', '/v1/config', entry);
}

it('goes on with the state of 1.0.0: nothing opens, closes or is decided twice, and the log goes on', async () => {
  rig = await firstWorld({ prepare: leftByFirstRelease });
  const before = await rig.decisions();
  expect(before.map(({ reason }) => reason)).toContain('ClientQuarantined');

  const daemon = await rig.start();
  await daemon.idle();
  expect(await rig.mesh.access('orders')).toEqual({ web: READ });
  expect(await rig.mesh.access('evil')).toEqual({ ghost: 'allow' });
  expect(await daemon.status()).toMatchObject({
    ownedEdges: 1,
    closures: [{ provider: 'main', clientId: 'batch-app', closure: 'ClientQuarantined' }],
    holds: expect.arrayContaining([expect.objectContaining({ reason: 'MarkUnrecorded' })]),
    parkedCount: 0,
  });
  // What waited still waits, and has its decision: only that another process leads, and has compared everything, is new.
  const since = (await rig.decisions()).slice(before.length);
  expect(since.map(({ reason }) => reason)).toEqual(['LeaderChanged', 'SweepCompleted']);

  rig.idp.change('web-app', { scopes: ['orders:read', 'orders:write'] });
  await daemon.tell('client.updated', 'web-app');
  await rig.decided({ reason: 'ScopeGranted' }, before.length);
  expect((await daemon.post('/api/quarantines/main/batch-app/release', { user: 'alice' })).status).toBe(200);
  await rig.decided({ reason: 'QuarantineEnded' }, before.length);
});
