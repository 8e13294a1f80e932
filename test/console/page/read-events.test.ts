import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readEvents, retryWaitMs, type StreamEvent } from '../../../src/console/page/read-events.js';

const STREAM = [
  ': scopemesh\n\n',
  'id: 01A\nevent: decisions\ndata: [{"id":"01A"}]\n\n',
  'event:status\r\ndata:{"mode":"enforce"}\r\n\r\n',
  'data: größer\ndata: 😀\n\n',
  ': heartbeat\n\n',
  'event: decisions\ndata: unfinished',
].join('');
const EVENTS = [
  { kind: 'decisions', id: '01A', text: '[{"id":"01A"}]' },
  { kind: 'status', id: undefined, text: '{"mode":"enforce"}' },
  { kind: 'message', id: undefined, text: 'größer\n😀' },
];

async function eventsOf(chunks: readonly Uint8Array[]) {
  async function* arriving() {
    yield* chunks;
  }
  const events: StreamEvent[] = [];
  for await (const event of readEvents(arriving())) events.push(event);
  return events;
}

it('reads the same events however the network cuts the stream, and leaves out an unfinished one', async () => {
  const bytes = new TextEncoder().encode(STREAM);
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: bytes.length }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(cuts, async (places) => {
      const ends = [...places.toSorted((a, b) => a - b), bytes.length];
      const chunks = ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
      expect(await eventsOf(chunks)).toEqual(EVENTS);
    }),
  );
});

it('waits longer after each failure, within limits, and not all pages the same time', () => {
  expect(retryWaitMs(0, 0)).toBe(250);
  expect(retryWaitMs(0, 1)).toBe(500);
  expect(retryWaitMs(3, 1)).toBe(4_000);
  expect(retryWaitMs(1_000, 1)).toBe(15_000);
  expect(retryWaitMs(1_000, 0)).toBe(7_500);
});
