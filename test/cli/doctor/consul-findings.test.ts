import { afterEach, beforeEach, expect, it } from 'vitest';
import { consulFindings } from '../../../src/cli/doctor/consul-findings.js';
import { systemClock } from '../../../src/clock.js';
import type { Consul } from '../../../src/consul/consul.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { openConsul } from '../../../workers/wire.js';
import { loadText } from '../../config/load-text.js';
import { type Mesh, startMesh } from '../../support/mesh.js';
import { withIntentions } from '../../support/reconcile-rig.js';

let mesh: Mesh;
let consul: Consul;
const signal = new AbortController().signal;

async function load() {
  return loadText(
    JSON.stringify({
      owner: 'payments',
      mode: 'observe',
      scopes: {},
      consul: { address: mesh.consul.address, token: mesh.consul.managementToken },
      providers: [{ name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', directory: '/x.json' }],
    }),
  );
}

beforeEach(async () => {
  mesh = await startMesh();
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  consul = await openConsul((await load()).consul, 'payments', runtime);
});
afterEach(async () => {
  await consul.close();
  await mesh.consul.close();
});

it.each([
  [32, 'ok', /takes 32 more/, ''],
  [3, 'warning', /takes only 3 more/, 'http_max_conns_per_client'],
  [0, 'error', /takes only 0 more/, 'ss -tnp'],
])('of %i connections that Consul still takes, doctor says %s', async (left, severity, message, remedy) => {
  const limited = { ...withIntentions(consul, () => ({})), connectionsLeft: async () => left };
  const findings = await consulFindings(await load(), limited, () => Date.now(), signal);
  expect(findings.filter(({ id }) => id === 'consul.connections')).toEqual([
    {
      id: 'consul.connections',
      severity,
      message: expect.stringMatching(message),
      remedy: expect.stringContaining(remedy),
    },
  ]);
});

it('if connections cannot be counted, doctor says nothing about them', async () => {
  const connectionsLeft = () => Promise.reject(new Error('no socket'));
  const findings = await consulFindings(
    await load(),
    { ...consul, connectionsLeft },
    () => Date.now(),
    signal,
  );
  expect(findings.map(({ id }) => id)).not.toContain('consul.connections');
});
