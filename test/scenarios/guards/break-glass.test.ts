import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Daemon, DaemonOptions, Rig } from '../../support/daemon.js';
import { BOB, EDGE, HTTP, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';

const OTHER = EDGE.replace('web', 'other');
const HOUR = 3_600_000;

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function running(guards: object = {}, options: DaemonOptions = {}): Promise<void> {
  rig = await ordersRig({
    ...options,
    file: { http: HTTP, guards: { breakGlass: { longest: '4h' }, ...guards } },
  });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
}

const ask = async (body: object = {}) => {
  const requested = {
    user: 'ana',
    source: 'other',
    destination: 'orders',
    forSeconds: 7_200,
    reason: 'INC-1',
  };
  const { status, text } = await daemon.post('/api/break-glass', { ...requested, ...body });
  return { status, body: JSON.parse(text) };
};
const decisions = async (subject: string) =>
  (await rig.decisions()).filter((each) => each.subject === subject);

describe('a break-glass grant', () => {
  it('opens at once, outlives a restart, and ends at its time with its decisions', async () => {
    await running();
    const { status, body } = await ask({ methods: ['GET'], path: '/v1/orders' });
    expect([status, body]).toMatchObject([
      200,
      { grant: { state: 'open', askedBy: 'local (ana)' }, heldBy: null },
    ]);
    await isOpen(rig, 'GET /v1/orders and below', 'other');
    await daemon.stop();
    daemon = await rig.start();
    await daemon.idle();
    await isOpen(rig, 'GET /v1/orders and below', 'other');
    expect(await daemon.status()).toMatchObject({ breakGlass: [{ id: body.grant.id, reason: 'INC-1' }] });
    rig.clock.advance(HOUR);
    await daemon.idle();
    await isOpen(rig, 'GET /v1/orders and below', 'other');
    rig.clock.advance(HOUR);
    await isClosed(rig, 'other');
    await rig.decided({ subject: OTHER, reason: 'BreakGlassEnded' });
    await rig.decided({ subject: `break-glass/${body.grant.id}`, reason: 'BreakGlassEnded' });
    // What is open from now on is of scopes: for commands too, which know no records.
    await daemon.idle();
    expect(await daemon.status()).toMatchObject({ breakGlass: [{ state: 'ended', opensEdge: false }] });
    const [edge] = await decisions(OTHER);
    expect(edge).toMatchObject({ reason: 'BreakGlass', principal: { id: 'local', note: 'ana' } });
    expect((await decisions(`break-glass/${body.grant.id}`))[0]).toMatchObject({
      id: body.grant.id,
      type: 'dev.scopemesh.break-glass.created',
      detail: 'INC-1',
      after: { source: 'other', destination: 'orders', methods: ['GET'] },
    });
  });

  it('that ended while no daemon ran is closed by the next start', async () => {
    await running();
    await ask();
    await isOpen(rig, 'allow', 'other');
    await daemon.stop();
    rig.clock.advance(3 * HOUR);
    daemon = await rig.start();
    await isClosed(rig, 'other');
    await rig.decided({ subject: OTHER, reason: 'BreakGlassEnded' });
  });

  it('of a lost store keeps its edge until the end in its mark, and closes it then', async () => {
    await running();
    await ask();
    await isOpen(rig, 'allow', 'other');
    await daemon.idle();
    await daemon.stop();
    await rig.forgetDecisions();
    for (const name of readdirSync(rig.directory).filter((each) => each.includes('.db')))
      rmSync(join(rig.directory, name));
    daemon = await rig.start();
    await daemon.idle();
    await isOpen(rig, 'allow', 'other');
    expect(await daemon.status()).toMatchObject({
      breakGlass: [],
      holds: [{ subject: OTHER, reason: 'MarkUnrecorded' }],
    });
    rig.clock.advance(2 * HOUR);
    await isClosed(rig, 'other');
    await rig.decided({ subject: OTHER, reason: 'BreakGlassEnded', outcome: 'applied' });
  });

  it('needs another person where two must approve', async () => {
    await running({ approvers: 2 });
    const { body } = await ask();
    const approve = (user: string) => daemon.post(`/api/holds/${body.grant.id}/approve`, { user });
    expect(body.grant).toMatchObject({ state: 'asked', openedAt: null });
    expect(await approve('ana')).toMatchObject({
      status: 409,
      text: expect.stringContaining('another person'),
    });
    expect((await approve('bob')).status).toBe(409);
    const path = `/api/holds/${body.grant.id}/approve`;
    expect((await daemon.post(path, {}, BOB)).status).toBe(200);
    await isOpen(rig, 'allow', 'other');
    await rig.decided({ subject: OTHER, reason: 'BreakGlass' });
    const [edge] = await decisions(OTHER);
    expect(edge).toMatchObject({
      principal: { id: 'token:bob' },
      detail: expect.stringContaining('local (ana) asked'),
    });
    expect(await decisions(`break-glass/${body.grant.id}`)).toMatchObject([
      { reason: 'BreakGlassAsked', principal: { id: 'local', note: 'ana' } },
      {
        reason: 'BreakGlass',
        principal: { id: 'token:bob' },
        after: { askedBy: 'local (ana)', approvedBy: 'token:bob' },
      },
    ]);
    expect((await approve('carl')).status).toBe(409);
  });

  it('is refused with the reason, and opens nothing', async () => {
    await running({ protected: ['billing'], breakGlass: { longest: '1h', never: ['web'] } });
    const short = { forSeconds: 60 };
    const refused: readonly [object, RegExp][] = [
      [{}, /longest is 60 minutes/],
      [{ ...short, destination: 'billing' }, /guards.protected/],
      [{ ...short, source: 'web' }, /guards.breakGlass.never/],
      [{ ...short, path: '/v1/../x' }, /not plain/],
    ];
    for (const [body, why] of refused)
      expect(await ask(body)).toMatchObject({ status: 409, body: { error: expect.stringMatching(why) } });
    await daemon.tell('client.secret-compromised', 'other-app');
    await rig.decided({ type: 'dev.scopemesh.client.quarantined' });
    expect((await ask(short)).body.error).toContain('ClientQuarantined');
    for (const body of [{ reason: '' }, { destination: '*' }, { methods: ['get'] }, { forSeconds: 0 }])
      expect((await ask({ ...short, ...body })).status).toBe(400);
    expect((await daemon.status()).breakGlass).toEqual([]);
  });

  it('is reminded of every day while it is open', async () => {
    await running({ breakGlass: { longest: '7d' } });
    const { body } = await ask({ forSeconds: 3 * 86_400 });
    await isOpen(rig, 'allow', 'other');
    rig.clock.advance(25 * HOUR);
    await rig.decided({ subject: `break-glass/${body.grant.id}`, reason: 'BreakGlassReminder' });
    expect(await daemon.metric('scopemesh_break_glass_open')).toBe(1);
  });
});
