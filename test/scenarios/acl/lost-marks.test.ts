import { afterEach, describe, expect, it } from 'vitest';
import { personName } from '../../../src/plan/object-names.js';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import { clientOf, type Daemon, OWNER } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());

const WEB = 'scopemesh-payments-main-web-app';
const GROUPS = { oncall: { acl: 'key_prefix "config/" { policy = "read" }' } };

/** Somebody rewrites the Description of every role and auth method, as a tool that takes them over does. */
async function takeMarks(): Promise<void> {
  for (const role of await rig.objects('roles'))
    await rig.mesh.request('PUT', `/v1/acl/role/${role.ID}`, { ...role, Description: 'by hand' });
  for (const { Name } of await rig.objects('auth-methods')) {
    const method = (await rig.mesh.request('GET', `/v1/acl/auth-method/${Name}`)) as object;
    await rig.mesh.request('PUT', `/v1/acl/auth-method/${Name}`, { ...method, Description: 'by hand' });
  }
}

const lost = async () =>
  (await rig.decisions())
    .filter(({ reason, outcome }) => reason === 'MarkLost' && outcome === 'held')
    .map(({ subject, action }) => `${action} ${subject}`);

describe('an object that lost its mark is reported and never removed', () => {
  it('of a client that is disabled while scopemesh is away', async () => {
    rig = await createAclRig({ clients: [clientOf('web', 'config:read')] });
    daemon = await rig.start();
    await until('the rule', async () => (await rig.objects('binding-rules')).length === 1);
    await daemon.stop();
    await takeMarks();
    rig.idp.change('web-app', { enabled: false });
    daemon = await rig.start();
    await daemon.idle();
    expect((await lost()).toSorted()).toEqual([`revoke acl-auth-method/${WEB}`, `revoke acl-role/${WEB}`]);
    expect((await rig.objects('auth-methods')).map(({ Name }) => Name)).toContain(WEB);
  });

  it('of a person who left the group', async () => {
    rig = await createAclRig({ clients: [clientOf('web')], file: { groups: GROUPS } });
    rig.idp.people = new Map([['ann', ['oncall']]]);
    daemon = await rig.start();
    await until('the rule', async () => (await rig.objects('binding-rules')).length === 1);
    await daemon.stop();
    await takeMarks();
    rig.idp.people.set('ann', []);
    daemon = await rig.start();
    await daemon.idle();
    const role = personName(OWNER, 'main', 'ann', 'oncall');
    expect((await lost()).toSorted()).toEqual([
      'revoke acl-auth-method/scopemesh-payments-main-_people',
      `revoke acl-role/${role}`,
    ]);
  });

  it("a foreign role with the name of a person's role is held, and not written again and again", async () => {
    const role = personName(OWNER, 'main', 'ann', 'oncall');
    rig = await createAclRig({ clients: [clientOf('web')], file: { groups: GROUPS } });
    rig.idp.people = new Map([['ann', ['oncall']]]);
    await rig.mesh.request('PUT', '/v1/acl/role', { Name: role, Description: 'mine' });
    daemon = await rig.start();
    await daemon.idle();
    const reported = (await rig.decisions()).filter(({ subject }) => subject === `acl-role/${role}`);
    expect(reported.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual(['held ForeignObject']);
  });
});
