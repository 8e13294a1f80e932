import { afterEach, expect, it } from 'vitest';
import { readApiToken } from '../../../src/app/api-token.js';
import type { Rig } from '../../support/daemon.js';
import { isOpen, ordersRig, READ } from '../../support/orders-rig.js';

let rig: Rig;
afterEach(() => rig.close());

it('a daemon answers who may call a service, with the decision it has just published', async () => {
  rig = await ordersRig();
  const daemon = await rig.start();
  await isOpen(rig, READ);
  const { id } = await rig.decided({ outcome: 'applied' });
  const token = await readApiToken(await rig.load());
  const ask = async (query: string) => {
    const answer = await fetch(`${daemon.admin}/api/trail/${query}`, {
      headers: { authorization: `Bearer ${token.reveal()}` },
    });
    const body = (await answer.json()) as Record<string, unknown>;
    return answer.ok ? body : { ...body, status: answer.status };
  };
  expect((await ask('who-can-call?service=orders')).callers).toMatchObject([
    { source: 'web', since: { id } },
  ]);
  expect(await ask('blast-radius?name=web-app')).toMatchObject({
    from: 'consul',
    reached: [{ service: 'orders', edge: { decisionId: id } }],
  });
  expect(await ask('access-diff?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z')).toEqual({
    error: 'the first instant must be before the second.',
    status: 400,
  });
});
