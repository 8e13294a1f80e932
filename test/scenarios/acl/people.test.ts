import { afterEach, describe, expect, it } from 'vitest';
import { personName } from '../../../src/plan/object-names.js';
import { type AclRig, createAclRig, type Login, loggedIn } from '../../support/acl-rig.js';
import { clientOf, type Daemon, type DaemonOptions, OWNER } from '../../support/daemon.js';

let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());

const METHOD = 'scopemesh-payments-main-_people';
const GROUPS = {
  oncall: { acl: 'key_prefix "config/" { policy = "read" }' },
  audit: { acl: 'key_prefix "orders/" { policy = "read" }' },
};
const roleOf = (subject: string, group: string) => personName(OWNER, 'main', subject, group);
const ruleOf = (subject: string, group: string) => `acl-binding-rule/${METHOD}/${roleOf(subject, group)}`;

type People = Readonly<Record<string, readonly string[]>>;

async function start(people: People, options: DaemonOptions = {}) {
  rig = await createAclRig({
    clients: [clientOf('web')],
    ...options,
    file: { groups: GROUPS, ...options.file },
  });
  rig.idp.people = new Map(Object.entries(people));
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  await rig.mesh.request('PUT', '/v1/kv/orders/a', 'x');
  daemon = await rig.start();
  await daemon.idle();
}

const login = (subject: string, groups: readonly string[], claims: Readonly<Record<string, unknown>> = {}) =>
  rig.login('web-app', { sub: subject, groups, ...claims }, METHOD);
const may = async (token: Login) => [
  await rig.readKey(token, 'config/a'),
  await rig.readKey(token, 'orders/a'),
];
const reported = async () =>
  (await rig.decisions())
    .filter(({ subject }) => subject.startsWith('acl-'))
    .map(({ type, outcome, reason }) => `${type.replace('dev.scopemesh.', '')} ${outcome} ${reason}`);
const tell = async (type: string, data: Record<string, unknown>) => {
  expect(await daemon.send({ type, data })).toBe(202);
  await daemon.idle();
};

describe('a member of a mapped group', () => {
  it('logs in and has the rules of the groups that both the directory and the token name', async () => {
    await start({ 'auth0|ann': ['oncall', 'audit'], ben: ['audit'] });
    expect(await may(loggedIn(await login('auth0|ann', ['oncall', 'audit'])))).toEqual([200, 200]);
    expect(await may(loggedIn(await login('auth0|ann', ['audit'])))).toEqual([403, 200]);
    expect(await login('auth0|ann', [])).toBe(403);
    expect(await login('ben', ['oncall'])).toBe(403);
    expect(await login('eve', ['oncall', 'audit'])).toBe(403);
    const made = await rig.decided({ subject: ruleOf('auth0|ann', 'oncall') });
    expect(made).toMatchObject({
      reason: 'MembershipAdded',
      outcome: 'applied',
      person: { provider: 'main', subject: 'auth0|ann', group: 'oncall', actorKind: 'human' },
    });
  });

  it('cannot be represented: a delegated token is refused, however it names the actor', async () => {
    await start({ ann: ['oncall'] });
    loggedIn(await login('ann', ['oncall']));
    for (const act of [{ sub: 'agent' }, { client_id: 'agent' }, { sub: ['agent'] }, {}, ['agent'], 'agent'])
      expect([act, await login('ann', ['oncall'], { act })]).toEqual([act, act === 'agent' ? 403 : 500]);
  });

  it('who leaves a group loses the token too, and no other member does', async () => {
    await start({ ann: ['oncall', 'audit'], ben: ['oncall'] });
    const [ann, both, ben] = [
      loggedIn(await login('ann', ['oncall'])),
      loggedIn(await login('ann', ['audit'])),
      loggedIn(await login('ben', ['oncall'])),
    ];
    rig.idp.people?.set('ann', ['audit']);
    await tell('person.updated', { subject: 'ann' });
    expect(await may(ann)).toEqual([403, 403]);
    expect(await may(both)).toEqual([403, 200]);
    expect(await may(ben)).toEqual([200, 403]);
    expect(await login('ann', ['oncall'])).toBe(403);
    const ended = await rig.decided({ type: 'dev.scopemesh.acl-token.deleted' });
    expect(ended).toMatchObject({
      reason: 'MembershipRemoved',
      outcome: 'applied',
      person: { subject: 'ann', group: 'oncall' },
      cause: { kind: 'webhook' },
    });
    expect(ended.detail).toMatch(/^ended 1 live token;/);
  });

  it('gets back what somebody deleted or widened by hand', async () => {
    await start({ ann: ['oncall'] });
    const role = roleOf('ann', 'oncall');
    const rules = (await rig.objects('binding-rules')).filter(({ BindName }) => BindName === role);
    await rig.mesh.request('DELETE', `/v1/acl/binding-rule/${rules[0]?.ID}`);
    await rig.decided({ subject: ruleOf('ann', 'oncall'), reason: 'DriftCorrected', outcome: 'applied' });
    const token = loggedIn(await login('ann', ['oncall']));
    const { ID } = (await rig.mesh.request('GET', `/v1/acl/role/name/${role}`)) as { ID: string };
    const audit = (await rig.objects('policies')).map(({ Name }) => ({ Name }));
    await rig.mesh.request('PUT', `/v1/acl/role/${ID}`, {
      ID,
      Name: role,
      Description: `scopemesh:${OWNER}`,
      Policies: audit.filter(({ Name = '' }) => Name.startsWith('scopemesh-')),
      ServiceIdentities: [{ ServiceName: 'vault' }],
    });
    await rig.decided({ subject: `acl-role/${role}`, reason: 'DriftCorrected', action: 'revoke' });
    await daemon.idle();
    expect(await rig.mesh.request('GET', `/v1/acl/role/${ID}`)).not.toHaveProperty('ServiceIdentities');
    expect(await may(token)).toEqual([200, 403]);
  });

  it('who left while scopemesh was away loses the token, also if the directory answers late', async () => {
    await start({ ann: ['oncall', 'audit'] });
    const token = loggedIn(await login('ann', ['oncall']));
    await daemon.stop();
    rig.idp.people?.set('ann', ['audit']);
    const before = (await rig.decisions()).length;
    rig.idp.fault = () => ({ status: 503, json: {} });
    daemon = await rig.start();
    await rig.decided({ reason: 'SweepCompleted' }, before);
    expect(await may(token)).toEqual([200, 403]);
    rig.idp.fault = undefined;
    // Long enough for the read to be tried again; the next regular comparison is an hour away.
    rig.clock.advance(60_000);
    await rig.decided(
      { subject: `acl-role/${roleOf('ann', 'oncall')}`, reason: 'MembershipRemoved' },
      before,
    );
    expect(await may(token)).toEqual([403, 403]);
  });

  it('is also admitted by a group event, and nothing is reported twice', async () => {
    await start({ ann: [] });
    expect(await login('ann', ['oncall'])).toBe(403);
    rig.idp.people?.set('ann', ['oncall']);
    await tell('group.updated', { group: 'oncall' });
    loggedIn(await login('ann', ['oncall']));
    const before = await reported();
    await tell('group.updated', { group: 'oncall' });
    expect(await reported()).toEqual(before);
  });

  it('loses access when the group is removed from the configuration', async () => {
    await start({ ann: ['oncall', 'audit'] });
    const token = loggedIn(await login('ann', ['oncall']));
    rig.writeFile({ groups: { audit: GROUPS.audit } });
    daemon.reload();
    const gone = await rig.decided({
      subject: `acl-role/${roleOf('ann', 'oncall')}`,
      reason: 'MappingChanged',
    });
    expect(gone).toMatchObject({ action: 'revoke', outcome: 'applied' });
    expect(await may(token)).toEqual([403, 403]);
    loggedIn(await login('ann', ['audit']));
  });
});

describe('people whose directory does not list them', () => {
  it('keep what they have, which is reported, and nobody is admitted', async () => {
    await start({ ann: ['oncall'] });
    const token = loggedIn(await login('ann', ['oncall']));
    await daemon.stop();
    rig.idp.people = undefined;
    daemon = await rig.start();
    const held = await rig.decided({ reason: 'IncompleteRead', outcome: 'held' });
    expect(held.subject).toBe(`acl-auth-method/${METHOD}`);
    expect(await may(token)).toEqual([200, 403]);
    rig.idp.people = new Map([['ann', ['oncall']]]);
    await tell('person.updated', { subject: 'ann' });
    await rig.decided({ subject: `acl-auth-method/${METHOD}`, reason: 'HoldEnded' });
    expect(await may(token)).toEqual([200, 403]);
  });
});

describe('a person whose record cannot be parsed', () => {
  it('keeps what they have, and the removal of another person passes', async () => {
    await start({ ann: ['oncall'], ben: ['oncall'] });
    const [ann, ben] = [loggedIn(await login('ann', ['oncall'])), loggedIn(await login('ben', ['oncall']))];
    // What no valid document could say.
    rig.idp.people = new Map([
      ['ann', 'oncall, audit' as unknown as readonly string[]],
      ['ben', []],
    ]);
    await tell('person.updated', { subject: 'ben' });
    await rig.decided({ subject: `acl-role/${roleOf('ben', 'oncall')}`, reason: 'MembershipRemoved' });
    await daemon.idle();
    expect(await may(ben)).toEqual([403, 403]);
    expect(await may(ann)).toEqual([200, 403]);
    expect(rig.logs.filter((line) => line.includes('people or groups cannot be read'))).toHaveLength(1);
  });
});

describe('the mass guard', () => {
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`p${at}`, ['oncall']]));
  const file = { guards: { maxRevocations: { percent: 20, atLeast: 3, window: '10m' } } };

  it('holds memberships that vanish all at once, and passes those that an event names', async () => {
    await start(many, { file });
    const tokens = await Promise.all(
      ['p0', 'p1', 'p2'].map(async (subject) => loggedIn(await login(subject, ['oncall']))),
    );
    rig.idp.people = new Map();
    await tell('person.updated', { subject: 'p1' });
    const held = (await rig.decisions()).filter(({ reason }) => reason === 'RevocationLimit');
    expect(held).toHaveLength(11);
    expect(held.map(({ person }) => person?.subject)).toContain('p0');
    expect(await Promise.all(tokens.map(async (token) => (await may(token))[0]))).toEqual([200, 403, 200]);
    expect(await login('p0', ['oncall'])).not.toBe(403);
    expect(await login('p1', ['oncall'])).toBe(403);
  });

  it('lets a few memberships pass', async () => {
    await start(many, { file });
    const token = loggedIn(await login('p0', ['oncall']));
    rig.idp.people?.delete('p0');
    await tell('group.updated', { group: 'audit' });
    expect(await may(token)).toEqual([403, 403]);
  });
});

describe('a session that ended', () => {
  const ended = (subject: string, clientId?: string) =>
    tell('session.revoked', clientId === undefined ? { subject } : { subject, clientId });

  it('ends the tokens of that person alone, once, with one decision that counts them', async () => {
    await start({ ann: ['oncall', 'audit'], ben: ['oncall'] });
    const tokens = [
      loggedIn(await login('ann', ['oncall'])),
      loggedIn(await login('ann', ['audit'])),
      loggedIn(await login('ann', ['oncall', 'audit'])),
    ];
    const ben = loggedIn(await login('ben', ['oncall']));
    rig.clock.advance(5_000);
    await ended('ann');
    for (const token of tokens) expect(await may(token)).toEqual([403, 403]);
    expect(await may(ben)).toEqual([200, 403]);
    const said = (await rig.decisions()).filter(({ reason }) => reason === 'SessionRevoked');
    expect(said).toHaveLength(1);
    expect(said[0]).toMatchObject({
      type: 'dev.scopemesh.acl-token.deleted',
      outcome: 'applied',
      person: { subject: 'ann', actorKind: 'human' },
      cause: { kind: 'webhook' },
    });
    expect(said[0]?.detail).toMatch(/^ended 3 live tokens; .*acl\.(role|token)_ttl/);
    await ended('ann');
    expect((await rig.decisions()).filter(({ reason }) => reason === 'SessionRevoked')).toHaveLength(1);
    loggedIn(await login('ann', ['oncall']));
  });

  it('leaves tokens that were issued after it ended', async () => {
    await start({ ann: ['oncall'] });
    const token = loggedIn(await login('ann', ['oncall']));
    await daemon.send({
      type: 'session.revoked',
      timestamp: new Date(rig.clock.now() - 60_000).toISOString(),
      data: { subject: 'ann' },
    });
    await daemon.idle();
    expect(await may(token)).toEqual([200, 403]);
  });

  it('is only reported in a mode that ends nothing', async () => {
    await start({ ann: ['oncall'] });
    const token = loggedIn(await login('ann', ['oncall']));
    rig.writeFile({ mode: 'extend' });
    daemon.reload();
    await rig.decided({ reason: 'ConfigReloaded' });
    await daemon.idle();
    rig.clock.advance(5_000);
    await ended('ann');
    const held = await rig.decided({ type: 'dev.scopemesh.acl-token.planned' });
    expect(held).toMatchObject({ reason: 'ModeForbids', outcome: 'observed', person: { subject: 'ann' } });
    expect(held.detail).toContain('1 live token');
    expect(await may(token)).toEqual([200, 403]);
  });
});

describe('somebody who undoes the access of one member again and again', () => {
  it('does not stop the repair of what somebody gives to another member', async () => {
    await start({ ann: ['oncall'], ben: ['oncall'] });
    const edit = async (subject: string, Policies: readonly object[]) => {
      const name = roleOf(subject, 'oncall');
      const role = (await rig.mesh.request('GET', `/v1/acl/role/name/${name}`)) as { ID: string };
      await rig.mesh.request('PUT', `/v1/acl/role/${role.ID}`, { ...role, Policies });
    };
    const subject = `acl-role/${roleOf('ann', 'oncall')}`;
    for (let round = 1; round <= 5; round++) {
      await edit('ann', []);
      await rig.decided((each) => each.subject === subject && each.revision === round + 1);
    }
    await edit('ann', []);
    await rig.decided({ reason: 'Contended', subject, outcome: 'held' });
    await edit('ben', [{ Name: 'global-management' }]);
    await rig.decided({ reason: 'DriftCorrected', subject: `acl-role/${roleOf('ben', 'oncall')}` });
  });
});
