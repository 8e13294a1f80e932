import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RejectedEvent } from '../../../../src/errors.js';
import { runsOf } from '../../../support/soak.js';
import { CAEP, JANE, pushOf, type Receiver, startReceiver } from '../receiver.js';

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver({ isHasty: true });
});
afterAll(() => receiver.close());

const claims = (rest: Record<string, unknown> = {}) =>
  receiver.transmitter.claims({ [`${CAEP}session-revoked`]: {} }, { sub_id: JANE, ...rest });
const sign = (payload: object | Uint8Array, header: Record<string, unknown> = {}) =>
  receiver.transmitter.signers[0]?.sign(payload, header) ?? '';

describe('an invalid set', () => {
  it('is refused after any change', async () => {
    const set = sign(claims());
    const changes = fc.array(
      fc.record({
        at: fc.nat(),
        by: fc.constantFrom('drop', 'put', 'double'),
        byte: fc.integer({ min: 0, max: 255 }),
      }),
      { minLength: 1, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(changes, async (all) => {
        const body = [...Buffer.from(set)];
        for (const { at, by, byte } of all) {
          const where = at % Math.max(1, body.length);
          if (by === 'drop') body.splice(where, 1);
          else if (by === 'put') body[where] = byte;
          else body.splice(where, 0, ...body.slice(where, where + 40));
        }
        fc.pre(Buffer.compare(Buffer.from(body), Buffer.from(set)) !== 0);
        const outcome: unknown = await receiver.ssf.source
          .receive(pushOf(Uint8Array.from(body), {}, receiver.clock.now()))
          .catch((error: unknown) => error);
        expect(outcome).toBeInstanceOf(RejectedEvent);
        expect(outcome).toMatchObject({ code: 'ERR_SIGNATURE', status: 400 });
      }),
      runsOf(600, 150),
    );
  });

  it('is an event or a refusal, whatever the transmitter signs', async () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    const said = fc.dictionary(
      fc.constantFrom('event_timestamp', 'change_type', 'subject', 'state', 'status', 'claims', '__proto__'),
      json,
    );
    const member = fc.oneof(
      json,
      fc.constant(JANE),
      fc.constant({ format: 'complex', user: JANE, application: JANE }),
    );
    const type = fc.constantFrom(
      `${CAEP}session-revoked`,
      `${CAEP}credential-change`,
      'https://schemas.openid.net/secevent/ssf/event-type/verification',
      'https://schemas.openid.net/secevent/ssf/event-type/stream-updated',
      '__proto__',
      'constructor',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(type, fc.oneof(said, json), { maxKeys: 3 }),
        fc.record({ sub_id: member, toe: json, jti: json, aud: json, iat: json }, { requiredKeys: [] }),
        async (events, rest) => {
          const outcome: unknown = await receiver
            .push(claims({ ...rest, events }))
            .catch((error: unknown) => error);
          if (outcome instanceof RejectedEvent) {
            expect(outcome.answer).toHaveProperty('err');
            return;
          }
          expect(outcome).toMatchObject({ triggers: expect.any(Array), orders: expect.any(Array) });
          const issuedAtMs = typeof rest.iat === 'number' ? rest.iat * 1000 : 0;
          for (const { at } of Object(outcome).orders)
            expect(Date.parse(at)).toBeLessThanOrEqual(Math.max(receiver.clock.now(), issuedAtMs));
        },
      ),
      // A length that no comparison takes.
      { ...runsOf(600, 150), examples: [[{}, { aud: { length: { toString: null } } }]] },
    );
  });

  it('is refused if a byte order mark hides its issuer until the signature is verified', async () => {
    const { iss: own, ...rest } = claims();
    const text = (iss: unknown) => new TextEncoder().encode(`\uFEFF${JSON.stringify({ iss, ...rest })}`);
    expect(await receiver.push(sign(text(own)))).toMatchObject({ orders: [expect.anything()] });
    await expect(receiver.push(sign(text('https://other.example')))).rejects.toMatchObject({
      answer: { err: 'invalid_issuer' },
    });
  });

  it('has no subject if that is no readable text, or is too long', async () => {
    const nested = (depth: number) => `${'{"user":'.repeat(depth)}{}${'}'.repeat(depth)}`;
    const deep = nested(50);
    const of = (subject: string) =>
      sign(new TextEncoder().encode(JSON.stringify(claims({ sub_id: 'here' })).replace('"here"', subject)));
    for (const subject of ['{"format":{"toString":1}}', '{"user":{"format":{"toString":1}}}', deep]) {
      expect(await receiver.push(of(subject))).toMatchObject({ triggers: [], orders: [] });
    }
    await expect(receiver.push(of(nested(4_500)))).rejects.toMatchObject({
      answer: { err: 'invalid_request' },
    });
  });

  it('is refused, whatever is in a header that the transmitter signs', async () => {
    const members = fc.dictionary(
      fc.constantFrom('alg', 'typ', 'kid', 'crit', 'b64', 'jwk', 'zip', 'enc'),
      fc.jsonValue({ maxDepth: 2 }),
      { minKeys: 1 },
    );
    await fc.assert(
      fc.asyncProperty(members, async (header) => {
        // These are no faults: what is not understood and need not be, and no name of a key.
        fc.pre('alg' in header || 'typ' in header || 'crit' in header);
        await expect(receiver.push(sign(claims(), header))).rejects.toBeInstanceOf(RejectedEvent);
      }),
      { numRuns: 200 },
    );
  });
});

describe('memory', () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const heapMiB = () => {
    collect();
    return process.memoryUsage().heapUsed / 1024 / 1024;
  };

  it('does not grow with accepted or refused sets', async () => {
    // As long as they may be, so that to remember them would show: three thousand are 1.2 MB and more.
    const name = (index: number) => `${index}`.padStart(400, '-');
    const round = async (from: number, to: number) => {
      for (let index = from; index < to; index += 50) {
        const names = Array.from({ length: 50 }, (_, at) => name(index + at));
        for (const jti of names) await receiver.push(claims({ jti }));
        // One reading of the keys for all of them.
        await Promise.allSettled(names.map((kid) => receiver.push(sign(claims(), { kid }))));
      }
    };
    await round(0, 500);
    const before = heapMiB();
    await round(500, 3_500);
    expect(heapMiB() - before).toBeLessThan(1);
  }, 120_000);
});
