import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogEntry } from '../../support/auth0/tenant.js';
import { type PollRig, startPollRig } from './poll-rig.js';

const signal = new AbortController().signal;

let rig: PollRig;
afterEach(() => rig.stop());

describe('the poll of the log', () => {
  beforeEach(async () => {
    rig = await startPollRig(false);
  });

  it('reads many pages, each entry once, and then nothing', async () => {
    for (let at = 0; at < 250; at++) rig.tenant.changeClient('app', { name: `app-${at}` });
    const { events, gap } = await rig.next();
    expect(new Set(events.map(({ id }) => id)).size).toBe(250);
    expect(gap).toBe(false);
    expect(await rig.next()).toMatchObject({ events: [], gap: false });
  });

  it('is refused as a whole if a page leads back to an earlier one', async () => {
    const last = rig.tenant.log.at(-1) as LogEntry;
    const page = (from: string) =>
      Array.from({ length: 100 }, (_, at) => ({ ...last, log_id: `${from}${String(at).padStart(3, '0')}` }));
    rig.tenant.fault = ({ segments, query }) =>
      segments[0] === 'logs' && query.has('from')
        ? { json: page(query.get('from')?.startsWith('91') ? '92' : '91') }
        : undefined;
    await expect(rig.next()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
    rig.tenant.fault = undefined;
    expect((await rig.next()).gap).toBe(false);
  });

  it('continues at once if there are more entries than one poll reads', async () => {
    const last = rig.tenant.log.at(-1) as LogEntry;
    for (let at = 0; at < 5_001; at++) {
      const id = `91${String(at).padStart(6, '0')}`;
      rig.tenant.log.push({ ...last, type: 's', details: {}, log_id: id });
    }
    expect(await rig.next()).toMatchObject({ isMore: true });
    expect(await rig.next()).toMatchObject({ isMore: false });
  });

  it('reports a gap if the pause was longer than the log retention', async () => {
    rig.clock.advance(25 * 3600_000);
    expect((await rig.next()).gap).toBe(true);
    expect((await rig.next()).gap).toBe(false);
  });

  it.each([400, 404])(
    'reports a gap if the checkpoint is answered with %d, and continues from the end',
    async (status) => {
      rig.tenant.fault = ({ segments, query }) =>
        segments[0] === 'logs' && query.has('from') ? { status, json: { statusCode: status } } : undefined;
      rig.tenant.changeClient('app', { name: 'x' });
      expect(await rig.next()).toMatchObject({ events: [], gap: true });
      rig.tenant.fault = undefined;
      rig.tenant.changeClient('app', { name: 'y' });
      expect(await rig.next()).toMatchObject({ events: [{}], gap: false });
    },
  );

  it('reports a gap for a cursor of another version', async () => {
    for (const text of ['', '{}', 'null', '{"log":1,"at":2}'])
      expect((await rig.parts.poll.poll(text, signal)).gap, text).toBe(true);
  });

  it('is refused as a whole for an answer that is no log', async () => {
    for (const json of [{}, 'x', [{}], [{ log_id: '' }]]) {
      rig.tenant.fault = ({ segments }) => (segments[0] === 'logs' ? { json } : undefined);
      await expect(rig.next()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
    }
  });

  it('skips an entry that cannot be parsed, names it, and leads to a complete comparison', async () => {
    rig.tenant.changeClient('app', { name: 'x' });
    const before = rig.tenant.log.at(-1) as LogEntry;
    rig.tenant.log.push({ ...before, log_id: `${before.log_id}a`, date: 'yesterday' });
    rig.tenant.log.push({ ...before, log_id: `${before.log_id}b` });
    const result = await rig.next();
    expect(result.events.map(({ id }) => id)).toEqual([before.log_id, `${before.log_id}b`]);
    expect(result).toMatchObject({ gap: true, rejected: [{ code: 'ERR_EVENT_INVALID', status: 400 }] });
    expect(result.rejected?.[0]?.message).toContain(`${before.log_id}a`);
    expect(await rig.next()).toMatchObject({ events: [], gap: false, rejected: [] });
  });

  it('continues after an entry that cannot be parsed and is the last', async () => {
    const last = rig.tenant.log.at(-1) as LogEntry;
    rig.tenant.log.push({ ...last, log_id: `${last.log_id}!`, type: 'x'.repeat(100) });
    expect(await rig.next()).toMatchObject({ events: [], gap: true, rejected: [{}] });
    expect(await rig.next()).toMatchObject({ events: [], gap: false, rejected: [] });
    await rig.restart('nothing');
    expect(await rig.next()).toMatchObject({ gap: false });
  });

  it('continues after an entry without an ID as soon as another follows', async () => {
    const last = rig.tenant.log.at(-1) as LogEntry;
    const next = { ...last, log_id: `${last.log_id}a` };
    const show = (...json: readonly object[]) => {
      rig.tenant.fault = ({ segments }) => (segments[0] === 'logs' ? { json } : undefined);
    };
    const { log_id: _, ...nameless } = last;
    show(nameless);
    await expect(rig.next()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
    show(nameless, next);
    expect(await rig.next()).toMatchObject({ events: [{ id: next.log_id }], gap: true, rejected: [{}] });
  });
});
