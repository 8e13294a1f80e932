import { afterEach, expect, it } from 'vitest';
import { personName } from '../../../src/plan/object-names.js';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import { clientOf, type Daemon, type DaemonOptions, OWNER } from '../../support/daemon.js';
import { until } from '../../support/until.js';

// The end of each trail is compared with Consul when its rig closes.
let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());

const WEB = 'scopemesh-payments-main-web-app';
const PEOPLE = 'scopemesh-payments-main-_people';
const ofClient = [`acl-auth-method/${WEB}`, `acl-binding-rule/${WEB}/${WEB}`, `acl-role/${WEB}`];

async function start(options: DaemonOptions, people?: ReadonlyMap<string, readonly string[]>) {
  rig = await createAclRig(options);
  if (people !== undefined) rig.idp.people = new Map(people);
  daemon = await rig.start();
  await until('the rule', async () => (await rig.objects('binding-rules')).length === 1);
  await daemon.idle();
}

/** While no daemon runs, somebody deletes every role and auth method, and with the methods their rules go. */
async function deleteAll(meanwhile: () => void): Promise<void> {
  await daemon.stop();
  for (const { ID } of await rig.objects('roles')) await rig.mesh.request('DELETE', `/v1/acl/role/${ID}`);
  for (const { Name } of await rig.objects('auth-methods'))
    await rig.mesh.request('DELETE', `/v1/acl/auth-method/${Name}`);
  meanwhile();
  daemon = await rig.start();
  await daemon.idle();
}

const gone = async () =>
  (await rig.decisions())
    .filter(({ reason }) => reason === 'RemovedElsewhere')
    .map(({ subject, outcome, action }) => `${action} ${outcome} ${subject}`)
    .toSorted();
const observed = (subjects: readonly string[]) => subjects.map((each) => `revoke observed ${each}`);

it.each([
  ['disabled', () => rig.idp.change('web-app', { enabled: false })],
  ['deleted', () => void rig.idp.clients.delete('web-app')],
])('objects of a client that was %s, deleted by hand, have one decision each', async (_, end) => {
  await start({ clients: [clientOf('web', 'config:read'), clientOf('other')] });
  await deleteAll(end);
  expect(await gone()).toEqual(observed(ofClient));
  const role = await rig.decided({ subject: `acl-role/${WEB}`, reason: 'RemovedElsewhere' });
  expect(role).toMatchObject({
    client: { provider: 'main', clientId: 'web-app' },
    scopes: ['config:read'],
    before: { name: WEB },
    after: null,
  });
  expect(role.principal).toBeUndefined();
  await daemon.stop();
  daemon = await rig.start();
  await daemon.idle();
  expect(await gone()).toHaveLength(3);
});

it('so have the objects of a person who left the group', async () => {
  const groups = { oncall: { acl: 'key_prefix "config/" { policy = "read" }' } };
  const options = { clients: [clientOf('web')], file: { groups } };
  await start(options, new Map([['ann', ['oncall']]]));
  await deleteAll(() => void rig.idp.people?.set('ann', []));
  const role = personName(OWNER, 'main', 'ann', 'oncall');
  expect(await gone()).toEqual(
    observed([`acl-auth-method/${PEOPLE}`, `acl-binding-rule/${PEOPLE}/${role}`, `acl-role/${role}`]),
  );
  expect(await rig.decided({ subject: `acl-role/${role}`, reason: 'RemovedElsewhere' })).toMatchObject({
    person: { provider: 'main', subject: 'ann', group: 'oncall' },
  });
});

it('objects that are still wanted are put back, and are not called gone', async () => {
  await start({ clients: [clientOf('web', 'config:read')] });
  await deleteAll(() => {});
  await until('the rule again', async () => (await rig.objects('binding-rules')).length === 1);
  await daemon.idle();
  expect(await gone()).toEqual([]);
});
