import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/app/metrics.js';
import { silentLogger } from '../../../src/observe.js';
import { openStore } from '../../../workers/wire.js';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import { clientOf, type Daemon } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());

const EDGE = 'intention/default/default/orders/web';
const ROLE = 'acl-role/scopemesh-payments-main-web-app';

/** A client with an edge and ACL objects, and a mark that somebody else wrote. */
async function started(): Promise<void> {
  rig = await createAclRig({
    clients: [clientOf('web', 'orders:call', 'config:read')],
    prepare: ({ mesh }) => mesh.register('web', { client: 'web-app' }),
  });
  daemon = await rig.start();
  await until('the role', async () => (await rig.objects('roles')).length === 1);
  await until('the edge', async () => (await rig.mesh.access('orders')) !== undefined);
  await rig.mesh.write('evil', [
    { Name: 'ghost', Action: 'allow', Description: 'scopemesh:payments client=main/ghost' },
  ]);
  await rig.decided({ reason: 'MarkUnrecorded' });
  await daemon.idle();
  await daemon.stop();
}

async function restarted(): Promise<readonly string[]> {
  daemon = await rig.start();
  await daemon.idle();
  await daemon.stop();
  return (await rig.decisions())
    .filter(({ type }) => type.endsWith('.found'))
    .map(({ subject, outcome, reason }) => `${subject} ${outcome} ${reason}`)
    .toSorted();
}

const OURS = [
  'acl-auth-method/scopemesh-payments-main-web-app',
  'acl-binding-rule/scopemesh-payments-main-web-app/scopemesh-payments-main-web-app',
  'acl-policy/scopemesh-payments-_rules-9e1adbd6148437f2b31a62be62da8676be6f6add',
  ROLE,
  EDGE,
].map((subject) => `${subject} observed Found`);

describe('what Consul has of scopemesh', () => {
  it('begins the log of a store that was lost, each object once, and nothing that only has the mark', async () => {
    await started();
    expect((await rig.decisions()).filter(({ reason }) => reason === 'Found')).toEqual([]);
    await rig.forgetDecisions();
    for (const name of readdirSync(rig.directory).filter((each) => each.includes('.db')))
      rmSync(join(rig.directory, name));
    expect(await restarted()).toEqual(OURS);
    const all = await rig.decisions();
    expect(all.find(({ subject }) => subject === EDGE)).toMatchObject({
      before: null,
      after: { access: 'allow' },
      client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
      scopes: ['orders:call'],
    });
    expect(all.find(({ subject }) => subject === ROLE)).toMatchObject({
      client: { provider: 'main', clientId: 'web-app' },
    });
    expect(await restarted()).toEqual(OURS);
  });

  it('begins a log that the store has not written to before anything else', async () => {
    await started();
    const [config, runtime] = [
      await rig.load(),
      { logger: silentLogger, metrics: createMetrics(), clock: rig.clock },
    ];
    const store = await openStore(config, runtime);
    await store.keyValues.set('decisions/opened', 'kafka/decisions');
    await store.close();
    await rig.forgetDecisions();
    for (const name of readdirSync(rig.directory).filter((each) => each.startsWith('decisions.db')))
      rmSync(join(rig.directory, name));
    rig.idp.put('web-app');
    expect(await restarted()).toEqual(OURS);
    const order = (await rig.decisions())
      .filter(({ subject }) => subject === EDGE)
      .map(({ type, reason }) => `${type} ${reason}`);
    expect(order).toEqual([
      'dev.scopemesh.intention.found Found',
      'dev.scopemesh.intention.deleted ScopeRevoked',
    ]);
    expect(await restarted()).toEqual(OURS);
  });
});
