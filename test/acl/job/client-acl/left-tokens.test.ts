import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientKey } from '../../../../src/model/key.js';
import { type AclRig, createAclRig, type Login, loggedIn, type RawObject } from '../../../support/acl-rig.js';
import { clientOf } from '../../../support/daemon.js';
import { startWorker, type Worker, withAcl } from '../../../support/reconcile-rig.js';
import { until } from '../../../support/until.js';

const WEB = 'scopemesh-payments-main-web-app';
const PEOPLE = 'scopemesh-payments-main-_people';
const ANYBODY = { Selector: '"client_id" in value' };

let rig: AclRig;
let worker: Worker;
beforeEach(async () => {
  rig = await createAclRig({
    clients: [{ ...clientOf('web', 'config:read'), accessTokenLifetimeSeconds: 600 }],
  });
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  worker = await startWorker(rig);
  await hasRule();
  await worker.idle();
});
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const hasRule = () => until('the binding rule', async () => (await rig.objects('binding-rules')).length > 0);

async function editRule(edit: object, of = WEB): Promise<void> {
  const rule = (await rig.objects('binding-rules')).find(({ AuthMethod: method }) => method === of);
  await rig.mesh.request('PUT', `/v1/acl/binding-rule/${rule?.ID}`, { ...rule, ...edit });
}

async function isLeft({ accessorId }: Login): Promise<boolean> {
  const left = (await rig.mesh.request('GET', '/v1/acl/tokens')) as readonly { AccessorID: string }[];
  return left.some(({ AccessorID: id }) => id === accessorId);
}

/** Somebody changed the rule and logged in; the process that found it died once the rule was taken away. */
async function crashed(edit: object): Promise<{ readonly own: Login; readonly intruder: Login }> {
  await worker.stop();
  await editRule(edit);
  const own = loggedIn(await rig.login('web-app'));
  const intruder = loggedIn(await rig.login('other', {}, WEB));
  await dieAtRule();
  return { own, intruder };
}

/** A process that dies once it has taken away a binding rule. */
async function dieAtRule(): Promise<void> {
  let isDead = false;
  worker = await startWorker(rig, (consul) =>
    withAcl(consul, ({ delete: remove, write, tokens }) => ({
      delete: async (...args) => {
        if (isDead) throw new Error('dead');
        isDead = true;
        return remove(...args);
      },
      write: (...args) => (isDead ? Promise.reject(new Error('dead')) : write(...args)),
      tokens: (...args) => (isDead ? Promise.reject(new Error('dead')) : tokens(...args)),
    })),
  );
  await until('no rule', async () => (await rig.objects('binding-rules')).length === 0);
  await worker.stop();
}

describe('a process that is killed after it took away a rule that somebody changed', () => {
  it.each([
    ['admits others', ANYBODY],
    ['gives a service', { ...ANYBODY, BindType: 'service', BindName: 'vault' }],
  ])('and that %s leaves no token of it alive', async (_name, edit) => {
    const { own, intruder } = await crashed(edit);
    worker = await startWorker(rig);
    await hasRule();
    await worker.idle();
    expect(await isLeft(intruder)).toBe(false);
    expect(await isLeft(own)).toBe(false);
    expect(await rig.readKey(loggedIn(await rig.login('web-app')), 'config/a')).toBe(200);
  });

  it('leaves none alive while the identity provider cannot be read either', async () => {
    const { intruder } = await crashed(ANYBODY);
    rig.idp.fault = () => ({ status: 503 });
    worker = await startWorker(rig);
    await until('the token gone', async () => !(await isLeft(intruder)));
    rig.idp.fault = undefined;
  });

  it('leaves none alive of a person who left the group meanwhile and is back', async () => {
    rig.idp.people = new Map([['ann', ['oncall']]]);
    rig.idp.put('web-app');
    await worker.stop();
    rig.writeFile({ groups: { oncall: { acl: 'key_prefix "config/" { policy = "read" }' } } });
    worker = await startWorker(rig);
    const isPeoples = ({ AuthMethod: method }: RawObject) => method === PEOPLE;
    await until('the rule of ann alone', async () => (await rig.objects('binding-rules')).every(isPeoples));
    await worker.idle();
    await worker.stop();
    await editRule({ Selector: '"subject" in value' }, PEOPLE);
    const intruder = loggedIn(await rig.login('web-app', { sub: 'mallory' }, PEOPLE));
    rig.idp.people = new Map([['ben', ['oncall']]]);
    await dieAtRule();
    rig.idp.people = new Map([['ann', ['oncall']]]);
    worker = await startWorker(rig);
    await hasRule();
    await worker.idle();
    expect(await isLeft(intruder)).toBe(false);
  });

  it.each(['observe', 'extend'])('in mode %s leaves them to the next that ends any', async (mode) => {
    const { intruder } = await crashed(ANYBODY);
    rig.writeFile({ mode });
    worker = await startWorker(rig);
    await worker.add(clientKey('main', 'web-app'));
    await worker.idle();
    expect(await isLeft(intruder)).toBe(true);
    await worker.stop();
    rig.writeFile({});
    worker = await startWorker(rig);
    await hasRule();
    await worker.idle();
    expect(await isLeft(intruder)).toBe(false);
  });
});

describe('a token of somebody else', () => {
  it('that has a role of ours stays, whatever ends those of ours', async () => {
    const method = (await rig.mesh.request('GET', `/v1/acl/auth-method/${WEB}`)) as object;
    await rig.mesh.request('PUT', '/v1/acl/auth-method', { ...method, Name: 'theirs', Description: 'Mine' });
    await rig.mesh.request('PUT', '/v1/acl/binding-rule', {
      Description: 'Mine',
      AuthMethod: 'theirs',
      BindType: 'role',
      BindName: WEB,
      Selector: '"client_id" in value',
    });
    const theirs = loggedIn(await rig.login('web-app', {}, 'theirs'));
    const own = loggedIn(await rig.login('web-app'));
    await editRule(ANYBODY);
    await worker.add(clientKey('main', 'web-app'), 'consul-watch');
    await until('the own token gone', async () => !(await isLeft(own)));
    await worker.idle();
    expect(await isLeft(theirs)).toBe(true);
  });
});
