import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RejectedEvent } from '../../../../src/errors.js';
import { recordings } from '../recordings.js';
import { one, open, signed } from '../webhook-source.js';

describe('the Keycloak webhook', () => {
  const recorded = recordings();

  it('refuses what Keycloak never sends, even if it is signed', async () => {
    const event = { id: 'e', time: 1, realmName: 'wh2', type: 'access.LOGIN' };
    expect((await one(open(), signed(event))).id).toBe('e');
    const bad = [
      '',
      '{',
      'null',
      '[]',
      '7',
      '"x"',
      Buffer.from([0xff, 0xfe]),
      `${JSON.stringify(event)}x`,
      { ...event, id: undefined },
      { ...event, id: 7 },
      { ...event, id: 'x'.repeat(101) },
      { ...event, time: '1' },
      { ...event, time: -1 },
      { ...event, time: 1e300 },
      { ...event, time: 9e15 },
      { ...event, time: 1.5 },
      { ...event, type: undefined },
      { ...event, type: 'admin.CLIENT-DELETE' },
    ];
    for (const body of bad) {
      await expect(open().receive(signed(body)), String(body)).rejects.toMatchObject({
        status: 400,
        code: 'ERR_EVENT_INVALID',
      });
    }
  });

  it('refuses a body beyond its limit before anything else', async () => {
    await expect(open().receive(signed('x'.repeat(1024 * 1024 + 1)))).rejects.toMatchObject({ status: 413 });
  });

  it('gives no trigger and no other error for any change to a recorded body under its old signature', async () => {
    const source = open();
    const mutation = fc.tuple(fc.nat(25), fc.nat(), fc.uint8Array({ maxLength: 8 }), fc.nat(8));
    await fc.assert(
      fc.asyncProperty(mutation, async ([index, at, insert, remove]) => {
        const { request } = recorded[index] as (typeof recorded)[number];
        const start = at % request.body.length;
        const body = Buffer.concat([
          request.body.slice(0, start),
          insert,
          request.body.slice(start + remove),
        ]);
        fc.pre(!body.equals(request.body));
        await expect(source.receive({ ...request, body })).rejects.toMatchObject({ status: 401 });
      }),
    );
  });

  it('fails on signed content only with RejectedEvent', async () => {
    const source = open();
    const field = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('clients/x', 'UPDATE', 'DELETE', 'CLIENT', '{"enabled":false}', 'wh2'),
    );
    const event = fc.record(
      {
        id: field,
        time: fc.oneof(field, fc.nat()),
        realmName: field,
        operationType: field,
        resourceType: field,
        resourcePath: field,
        representation: field,
        authDetails: field,
        type: field,
        error: field,
      },
      { requiredKeys: [] },
    );
    const body = fc.oneof(
      fc.uint8Array(),
      fc.json(),
      event.map((each) => JSON.stringify(each)),
    );
    await fc.assert(
      fc.asyncProperty(body, async (content) => {
        const outcome = await source.receive(signed(content)).catch((error: unknown) => error);
        if (outcome instanceof RejectedEvent) expect(outcome.status).toBe(400);
        else expect(outcome).toMatchObject({ kind: 'events' });
      }),
      { numRuns: 500 },
    );
  });
});
