import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { fromSpec } from '../../../src/consul/crd/manifest.js';
import { clientOf, type Daemon, type Rig } from '../../support/daemon.js';
import { EDGE, ordersRig } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const manifest = () => join(rig.directory, 'manifests', 'serviceintentions.orders.yaml');
const sources = () =>
  existsSync(manifest()) ? parse(readFileSync(manifest(), 'utf8')).spec.sources : undefined;
/** Of the writes that were made: a clock that jumps can end a lease before a write. */
const reasons = async () =>
  (await rig.decisions())
    .filter(({ subject, outcome }) => subject === EDGE && outcome === 'applied')
    .map(({ reason }) => reason);
const unsynced = (count: number) =>
  until(`${count} unsynced`, async () => {
    rig.clock.advance(250);
    return (await daemon.metric('scopemesh_manifests_unsynced')) === count;
  });

/** What the GitOps tool and consul-k8s do. */
async function sync(): Promise<void> {
  if (!existsSync(manifest())) return rig.mesh.remove('orders');
  const Meta = { 'external-source': 'kubernetes', 'consul.hashicorp.com/source-datacenter': 'dc1' };
  const entry = { Kind: 'service-intentions', Name: 'orders', Meta, Sources: fromSpec(sources()) };
  await rig.mesh.request('PUT', '/v1/config', entry);
}

describe('a daemon that writes manifests', () => {
  it('follows the identity provider, corrects what others change, and says what Consul does not have yet', async () => {
    rig = await ordersRig({
      prepare: (each) => {
        const directory = join(each.directory, 'manifests');
        mkdirSync(directory);
        const { address } = each.proxy;
        const token = each.mesh.consul.managementToken;
        each.writeFile({ resync: '1m', consul: { address, token, target: { kind: 'crd', directory } } });
      },
    });
    daemon = await rig.start();
    await until('a manifest', () => sources() !== undefined);
    await unsynced(1);
    await sync();
    await unsynced(0);
    const text = readFileSync(manifest(), 'utf8');
    writeFileSync(manifest(), text.replace('"GET"', '"PUT"'));
    await until('a correction', () => {
      rig.clock.advance(250);
      return readFileSync(manifest(), 'utf8') === text;
    });
    rig.idp.clients.set('web-app', clientOf('web'));
    await daemon.tell('client.updated', 'web-app');
    await until('a revocation', () => sources() === undefined);
    await unsynced(1);
    await sync();
    await unsynced(0);
    await daemon.idle();
    expect([...new Set(await reasons())]).toEqual(['ScopeGranted', 'DriftCorrected', 'ScopeRevoked']);
    expect(rig.proxy.writes.filter(({ target }) => target.startsWith('/v1/config'))).toEqual([]);
  });
});
