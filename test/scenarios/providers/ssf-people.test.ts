import { afterEach, describe, expect, it } from 'vitest';
import { type AclRig, createAclRig, loggedIn } from '../../support/acl-rig.js';
import { clientOf, type Daemon } from '../../support/daemon.js';
import { type StandInTransmitter, startTransmitter } from '../../support/ssf/transmitter.js';

const METHOD = 'scopemesh-payments-main-_people';
const GROUPS = { oncall: { acl: 'key_prefix "config/" { policy = "read" }' } };
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';

let transmitter: StandInTransmitter;
let rig: AclRig;
let daemon: Daemon;
afterEach(async () => {
  await rig.close();
  await transmitter.close();
});

/** Ann and Ben are on call; the stream of their signals was made by hand. */
async function start(): Promise<void> {
  transmitter = await startTransmitter({ now: () => rig.clock.now() });
  rig = await createAclRig({
    clients: [clientOf('web')],
    file: { groups: GROUPS },
    provider: {
      ssf: {
        transmitter: transmitter.issuer,
        audience: transmitter.aud,
        pushTokens: ['push-token-0123456789'],
      },
    },
  });
  rig.idp.people = new Map([
    ['ann', ['oncall']],
    ['ben', ['oncall']],
  ]);
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  daemon = await rig.start();
  await daemon.idle();
}

const login = async (subject: string) =>
  loggedIn(await rig.login('web-app', { sub: subject, groups: ['oncall'] }, METHOD));
const may = (token: Awaited<ReturnType<typeof login>>) => rig.readKey(token, 'config/a');

async function signal(type: string, said: object, sub_id: unknown): Promise<void> {
  const claims = transmitter.claims({ [type]: said }, { sub_id });
  const answer = await fetch(`${daemon.address}/events/main`, {
    method: 'POST',
    headers: { 'content-type': 'application/secevent+jwt', authorization: 'Bearer push-token-0123456789' },
    body: transmitter.signers[0]?.sign(claims) ?? '',
  });
  expect([answer.status, await answer.text()]).toEqual([202, '']);
  await daemon.idle();
}

const ann = () => ({ format: 'iss_sub', iss: rig.keys.address, sub: 'ann' });

describe('a person in Consul', () => {
  it.each<[string, object]>([
    [`${CAEP}session-revoked`, {}],
    [`${CAEP}credential-change`, { credential_type: 'password', change_type: 'update' }],
    [`${CAEP}risk-level-change`, { principal: 'USER', current_level: 'HIGH' }],
    [`${RISC}credential-compromise`, { credential_type: 'password' }],
  ])('has lost the tokens from before %s, and nobody else has', async (type, said) => {
    await start();
    const [before, ben] = [await login('ann'), await login('ben')];
    expect(await may(before)).toBe(200);
    await signal(type, said, ann());
    expect(await may(before)).toBe(403);
    expect(await may(ben)).toBe(200);
    expect(await may(await login('ann'))).toBe(200);
    const ended = await rig.decided({ type: 'dev.scopemesh.acl-token.deleted', reason: 'SessionRevoked' });
    expect(ended).toMatchObject({
      outcome: 'applied',
      person: { provider: 'main', subject: 'ann' },
      cause: { kind: 'webhook', eventId: expect.stringMatching(/^set\//) },
    });
  });

  it('whose account was disabled loses the membership too, as soon as the directory says so', async () => {
    await start();
    const before = await login('ann');
    rig.idp.people?.set('ann', []);
    await signal(`${RISC}account-disabled`, {}, { format: 'complex', user: ann() });
    expect(await may(before)).toBe(403);
    expect(await rig.login('web-app', { sub: 'ann', groups: ['oncall'] }, METHOD)).toBe(403);
  });

  it('keeps access after signals about another issuer’s person, a lower risk or an earlier session', async () => {
    await start();
    const token = await login('ann');
    await signal(`${CAEP}session-revoked`, {}, { ...ann(), iss: 'https://other.example.com' });
    await signal(`${CAEP}risk-level-change`, { principal: 'USER', current_level: 'LOW' }, ann());
    await signal(
      `${CAEP}session-revoked`,
      { event_timestamp: Math.floor(rig.clock.now() / 1000) - 3600 },
      ann(),
    );
    expect(await may(token)).toBe(200);
  });
});
