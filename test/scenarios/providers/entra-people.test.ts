import { afterEach, describe, expect, it } from 'vitest';
import { type AclRig, createAclRig, type Login, loggedIn } from '../../support/acl-rig.js';
import { guidOf } from '../../support/entra/tenant.js';
import { startEntraWorld } from '../../support/entra/world.js';
import { until } from '../../support/until.js';

const TEAM = guidOf('team');
const METHOD = 'scopemesh-payments-main-_people';

let world: Awaited<ReturnType<typeof startEntraWorld>>;
let rig: AclRig;
afterEach(async () => {
  await rig.close();
  await world.stop();
});

async function prepare(...members: readonly string[]) {
  world = await startEntraWorld();
  for (const name of members) person(name, true);
  group(...members);
  const none = { directory: undefined, directoryToken: undefined, webhook: undefined };
  rig = await createAclRig({
    provider: { ...none, ...world.settings, poll: '100ms', audience: 'consul' },
    file: { groups: { [TEAM]: { acl: 'key_prefix "config/" { policy = "read" }' } } },
  });
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
}

async function start(...members: readonly string[]) {
  await prepare(...members);
  const daemon = await rig.start();
  await until('an auth method for people', async () => (await rig.objects('auth-methods')).length > 0);
  await daemon.idle();
}
const group = (...members: readonly string[]) =>
  world.entra.tenant.put('groups', { id: TEAM, displayName: 'Team', members: members.map(guidOf) });
const person = (name: string, accountEnabled: boolean) =>
  world.entra.tenant.put('users', { id: guidOf(name), displayName: name, accountEnabled });

async function login(claims: Readonly<Record<string, unknown>>): Promise<number | Login> {
  const token = await world.entra.login.sign({ azp: guidOf('cli'), groups: [TEAM], ...claims });
  const answer = await fetch(`${rig.mesh.consul.address}/v1/acl/login`, {
    method: 'POST',
    body: JSON.stringify({ AuthMethod: METHOD, BearerToken: token }),
  });
  const text = await answer.text();
  if (!answer.ok) return answer.status;
  const { SecretID, AccessorID } = JSON.parse(text);
  return { secretId: SecretID, accessorId: AccessorID };
}
/** `sub` is another for every client, so that it says nothing here. */
const loginOf = (name: string) => login({ oid: guidOf(name), sub: 'pairwise-0123', idtyp: 'user' });

describe('People of a tenant', () => {
  it('log in to Consul by oid, with the rules of their groups, and an app with the same id does not', async () => {
    await start('ann');
    expect(await rig.readKey(loggedIn(await loginOf('ann')), 'config/a')).toBe(200);
    expect(await loginOf('eve')).toBe(403);
    expect(await login({ oid: 'nobody', sub: guidOf('ann'), idtyp: 'user' })).toBe(403);
    expect(await login({ oid: guidOf('ann'), sub: guidOf('ann'), idtyp: 'app' })).toBe(403);
    expect(await login({ oid: guidOf('ann'), sub: guidOf('ann') })).toBe(403);
  });

  it('who leave the group, or whose account ends, lose their tokens within a poll', async () => {
    await start('ann', 'ben');
    const [ann, ben] = [loggedIn(await loginOf('ann')), loggedIn(await loginOf('ben'))];
    group('ben');
    await until('no token of ann', async () => (await rig.readKey(ann, 'config/a')) === 403);
    expect(await rig.readKey(ben, 'config/a')).toBe(200);
    person('ben', false);
    await until('no token of ben', async () => (await rig.readKey(ben, 'config/a')) === 403);
    await rig.decided({ reason: 'MembershipRemoved', outcome: 'applied' });
    const held = (await rig.decisions()).filter(({ outcome }) => outcome === 'held');
    expect(held).toEqual([]);
  });

  it('whose sessions are revoked at Entra lose what they logged in with before, and can log in again', async () => {
    await start('ann', 'ben');
    const [ann, ben] = [loggedIn(await loginOf('ann')), loggedIn(await loginOf('ben'))];
    world.entra.tenant.put('users', {
      id: guidOf('ann'),
      displayName: 'ann',
      accountEnabled: true,
      signInSessionsValidFromDateTime: new Date(rig.clock.now()).toISOString(),
    });
    await until('no token of ann', async () => (await rig.readKey(ann, 'config/a')) === 403);
    expect(await rig.readKey(ben, 'config/a')).toBe(200);
  });

  it('are also polled by a process that reads no members itself', async () => {
    await prepare('ann');
    const daemon = await rig.start(['watch']);
    const { requests } = world.entra;
    await until('both delta queries', () =>
      ['users', 'groups'].every((name) => requests.some((each) => each.endsWith(`/${name}/delta`))),
    );
    await daemon.stop();
  });
});
