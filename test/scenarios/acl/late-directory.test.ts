import { afterEach, describe, expect, it } from 'vitest';
import { clientKey, formatKey } from '../../../src/model/key.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { holdKey } from '../../../src/plan/holds.js';
import { openStore } from '../../../workers/wire.js';
import { type AclRig, createAclRig, loggedIn } from '../../support/acl-rig.js';
import { clientOf } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: AclRig;
afterEach(() => rig.close());

const roleOf = (service: string) => `scopemesh-payments-main-${service}-app`;

/** Records what a former leader may have held: another client named the same service. */
async function holdLogin(service: string): Promise<void> {
  const subject = `acl-auth-method/${roleOf(service)}`;
  const reason = 'ClaimAmbiguous';
  const store = await openStore(await rig.load(), {
    logger: silentLogger,
    metrics: noMetrics,
    clock: rig.clock,
  });
  const since = new Date(rig.clock.now()).toISOString();
  const hold = {
    subject,
    reason,
    decisionId: 'held',
    since,
    detail: 'ambiguous',
    fingerprint: 'held',
  } as const;
  const holds = new Map([[holdKey(hold), hold]]);
  await store.journal.settle(formatKey(clientKey('main', `${service}-app`)), [], { holds });
  await store.close();
}

describe('the login of a client before the first complete read of its directory', () => {
  it('loses what an event reports, and gains nothing', async () => {
    const both = ['config:read', 'orders:keys'];
    rig = await createAclRig({
      clients: [
        clientOf('gone', 'config:read'),
        clientOf('off', 'config:read'),
        clientOf('less', ...both),
        clientOf('more', 'config:read'),
        clientOf('other', 'config:read'),
      ],
    });
    await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
    const first = await rig.start();
    await until('all rules', async () => (await rig.objects('binding-rules')).length === 5);
    const gone = loggedIn(await rig.login('gone-app'));
    await first.idle();
    await first.stop();

    await holdLogin('less');

    const linked = async (service: string) => {
      const role = (await rig.objects('roles')).find(({ Name }) => Name === roleOf(service));
      return (role?.Policies as readonly unknown[] | undefined)?.length;
    };
    expect([await linked('less'), await linked('more')]).toEqual([2, 1]);
    const next = `${rig.idp.url}?page=2`;
    rig.idp.fault = (path) => {
      if (path === '/directory') return { json: { clients: [], single: true, next } };
      return path.includes('page=2') ? { status: 503, json: {} } : undefined;
    };
    const daemon = await rig.start();
    // An order closes everything after 5 s.
    rig.clock.freeze();
    rig.idp.clients.delete('gone-app');
    rig.idp.change('off-app', { enabled: false });
    rig.idp.put('less-app', 'config:read');
    rig.idp.put('more-app', ...both);
    rig.idp.put('other-app');
    await daemon.tell('client.updated', 'more-app');
    await daemon.tell('client.deleted', 'gone-app');
    await daemon.tell('client.updated', 'off-app');
    await daemon.tell('client.updated', 'less-app');
    const lost = (service: string) =>
      rig.decided(({ subject, action }) => subject === `acl-role/${roleOf(service)}` && action === 'revoke');
    expect(await lost('gone')).toMatchObject({
      reason: 'ClientDeleted',
      type: 'dev.scopemesh.acl-role.deleted',
    });
    expect(await lost('off')).toMatchObject({
      reason: 'ClientDisabled',
      type: 'dev.scopemesh.acl-role.deleted',
    });
    expect(await lost('less')).toMatchObject({ reason: 'ScopeRevoked', scopes: ['orders:keys'] });
    // Other clients decide whether the hold ends.
    const released = (await rig.decisions()).filter(({ reason }) => reason === 'HoldEnded');
    expect(released).toEqual([]);
    expect(await rig.readKey(gone, 'config/a')).toBe(403);
    expect([await linked('less'), await linked('more'), await linked('other')]).toEqual([1, 1, 1]);
    expect((await daemon.status()).directories).toMatchObject([{ ageSeconds: null }]);

    rig.idp.fault = undefined;
    await until('the complete read adds and removes the rest', async () => {
      // The read that failed is tried again after some seconds, and this may come before it has failed.
      rig.clock.advance(10_000);
      return (await linked('more')) === 2 && (await linked('other')) === undefined;
    });
    expect(await linked('less')).toBe(1);
    await rig.decided({ subject: `acl-auth-method/${roleOf('less')}`, reason: 'HoldEnded' });
  });
});
