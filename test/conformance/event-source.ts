import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RejectedEvent, StaleEvent } from '../../src/errors.js';
import type { EventSource, IdentityEvent, RawRequest } from '../../src/identity/source.js';
import { anyCharacter } from '../support/any-character.js';

/** What a kind of provider must offer so that its source can be held to the port's contract. */
export interface EventSourceHarness {
  /** A source that trusts both secrets, and whose clock shows `nowMs`. */
  create(nowMs: number): EventSource;
  /** An authentic request about the client `web-app`, taking something away, under one of the two secrets. */
  request(options: { id: string; atMs: number; secret: 'current' | 'previous' | 'unknown' }): RawRequest;
  /** The same envelope and a right signature around this body. */
  signed(body: Uint8Array, atMs: number): RawRequest;
  /** The header that carries the signature, or its place in the body. */
  readonly signatureHeader: string | SignatureInBody;
  /** How a forged event is answered where the provider's protocol prescribes it; 401 by default. */
  readonly forgedStatus?: 400;
  /** Whether the text means the same signature (hexadecimal in capitals, a list with spaces around it). */
  isSameSignature(text: string, signature: string): boolean;
  /** False where the proof is a header that never changes: it proves the sender, and not what is sent. True by default. */
  readonly coversBody?: boolean;
  /** Undefined where the provider's signature covers no time. */
  readonly toleranceMs: number | undefined;
}

/** For events that are signed tokens (RFC 7515): the body holds what is signed, and the signature. */
export interface SignatureInBody {
  read(body: Uint8Array): string;
  /** The body with this in the place of its signature; with nothing there if undefined. */
  write(body: Uint8Array, signature: string | undefined): Uint8Array;
}

const NOW = Date.parse('2026-03-01T12:00:00.000Z');

/** The contract of EventSource, for every adapter that receives signed events. */
export function describeEventSource(name: string, harness: EventSourceHarness): void {
  const ID = '7f3c2a10-0000-4000-8000-000000000001';
  const source = harness.create(NOW);
  const authentic = () => harness.request({ id: ID, atMs: NOW, secret: 'current' });
  const receive = async (request: RawRequest): Promise<IdentityEvent> => {
    const reception = await source.receive(request);
    const event = reception.kind === 'events' ? reception.events[0] : undefined;
    if (event === undefined) throw new Error('no event was received');
    return event;
  };
  const refusalOf = async (request: RawRequest): Promise<RejectedEvent> => {
    const outcome = await source.receive(request).catch((error: unknown) => error);
    if (outcome instanceof RejectedEvent) return outcome;
    throw new Error(`not refused: ${JSON.stringify(outcome)}`);
  };

  const coversBody = harness.coversBody ?? true;
  const forged = { code: 'ERR_SIGNATURE', status: harness.forgedStatus ?? 401 };
  const place = harness.signatureHeader;
  const signatureOf = (request: RawRequest): string | undefined =>
    typeof place === 'string' ? request.headers[place] : place.read(request.body);
  const withSignature = (request: RawRequest, signature: string | undefined): RawRequest =>
    typeof place === 'string'
      ? { ...request, headers: { ...request.headers, [place]: signature } }
      : { ...request, body: place.write(request.body, signature) };

  describe(`the event source ${name}`, () => {
    test('turns an authentic event into triggers with their cause', async () => {
      const request = authentic();
      const event = await receive(request);
      expect(event.triggers.length).toBeGreaterThan(0);
      for (const { cause } of event.triggers) {
        expect(cause).toMatchObject({ kind: 'webhook', eventId: event.id, receivedAt: request.receivedAt });
      }
    });

    test('marks what may take something away as urgent', async () => {
      expect((await receive(authentic())).triggers.some(({ urgent }) => urgent)).toBe(true);
    });

    test('gives an event that is sent again the same ID, which the intake remembers', async () => {
      const again = harness.request({ id: ID, atMs: NOW - 1000, secret: 'current' });
      expect((await receive(again)).id).toBe((await receive(authentic())).id);
      const other = harness.request({ id: ID.replace(/1$/, '2'), atMs: NOW, secret: 'current' });
      expect((await receive(other)).id).not.toBe((await receive(authentic())).id);
    });

    test('accepts both secrets during a rotation', async () => {
      const previous = await receive(harness.request({ id: ID, atMs: NOW, secret: 'previous' }));
      expect(previous).toEqual(await receive(authentic()));
    });

    test('refuses an event under another secret as forged', async () => {
      const refusal = await refusalOf(harness.request({ id: ID, atMs: NOW, secret: 'unknown' }));
      expect(refusal).toMatchObject(forged);
    });

    test('refuses an event without a signature, or with that of another event, as forged', async () => {
      const other = signatureOf(harness.signed(new TextEncoder().encode('{}'), NOW));
      for (const signature of [undefined, '', 'v1,', ...(coversBody ? [other] : [])]) {
        expect(await refusalOf(withSignature(authentic(), signature))).toMatchObject(forged);
      }
    });

    if (coversBody) {
      test('refuses a body with any changed, added or missing byte as forged', async () => {
        const request = authentic();
        await fc.assert(
          fc.asyncProperty(
            fc.nat(),
            fc.integer({ min: 0, max: 255 }),
            fc.nat(2),
            async (where, byte, how) => {
              const at = where % request.body.length;
              const kept = how === 2 ? at : at + 1;
              const inserted = how === 0 ? [] : [byte];
              const body = Uint8Array.from([
                ...request.body.subarray(0, at),
                ...inserted,
                ...request.body.subarray(kept),
              ]);
              fc.pre(Buffer.compare(body, request.body) !== 0);
              expect(await refusalOf({ ...request, body })).toMatchObject(forged);
            },
          ),
          { numRuns: 200 },
        );
      });
    } else {
      test('brings only hints, never an order', async () => {
        expect((await receive(authentic())).orders).toEqual([]);
      });
    }

    test('does not verify a signature with any change', async () => {
      const request = authentic();
      const signature = signatureOf(request) ?? '';
      await fc.assert(
        fc.asyncProperty(fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), async (where, character) => {
          const at = where % signature.length;
          const mutated = signature.slice(0, at) + character + signature.slice(at + 1);
          fc.pre(!harness.isSameSignature(mutated, signature));
          expect(await refusalOf(withSignature(request, mutated))).toMatchObject({ code: 'ERR_SIGNATURE' });
        }),
        { numRuns: 200 },
      );
    });

    test.each<[string, Uint8Array]>([
      ['no body', new Uint8Array()],
      ['half a document', new TextEncoder().encode('{"type":')],
      ['bytes that are no UTF-8', Uint8Array.from([0x7b, 0xff, 0xfe, 0x7d])],
      ['a list', new TextEncoder().encode('[1,2,3]')],
      ['null', new TextEncoder().encode('null')],
      ['an object of nothing', new TextEncoder().encode('{}')],
    ])('refuses an authentic request with %s as invalid', async (_, body) => {
      const refusal = await refusalOf(harness.signed(body, NOW));
      expect(refusal).toMatchObject({ code: 'ERR_EVENT_INVALID', status: 400 });
      expect(refusal).not.toBeInstanceOf(StaleEvent);
    });

    test('refuses an oversized body with 413 before it computes anything over it', async () => {
      const huge = new Uint8Array(8 * 1024 * 1024).fill(0x20);
      expect(await refusalOf({ ...authentic(), body: huge })).toMatchObject({ status: 413 });
    });

    test('never answers a stranger with anything but a refusal', async () => {
      const headers = fc.dictionary(
        fc.constantFrom(...(typeof place === 'string' ? [place] : []), ...Object.keys(authentic().headers)),
        fc.string({ unit: anyCharacter }),
      );
      await fc.assert(
        fc.asyncProperty(headers, fc.uint8Array(), async (given, body) => {
          await refusalOf({
            method: 'POST',
            headers: given,
            query: {},
            body,
            receivedAt: authentic().receivedAt,
          });
        }),
      );
    });

    if (harness.toleranceMs === undefined) return;
    const { toleranceMs } = harness;

    test('reports an authentic event outside the tolerance as stale, not as forged', async () => {
      for (const atMs of [NOW - toleranceMs - 1000, NOW + toleranceMs + 1000]) {
        const refusal = await refusalOf(harness.request({ id: ID, atMs, secret: 'current' }));
        expect(refusal).toBeInstanceOf(StaleEvent);
        expect(refusal).toMatchObject({ code: 'ERR_EVENT_INVALID', status: 400 });
        expect(await refusalOf(harness.request({ id: ID, atMs, secret: 'unknown' }))).toMatchObject(forged);
      }
      await expect(
        receive(harness.request({ id: ID, atMs: NOW - toleranceMs, secret: 'current' })),
      ).resolves.toBeDefined();
    });
  });
}
