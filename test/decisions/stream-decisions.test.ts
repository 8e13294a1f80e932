import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { toStoredText } from '../../src/decisions/chain.js';
import { readDecisionFile, streamDecisions } from '../../src/decisions/index.js';
import { decisions } from '../support/decisions.js';
import { chained, signer } from '../support/signed-log.js';

const EVENTS = chained(decisions(6));
const TEXTS = EVENTS.map(toStoredText);
const IDS = EVENTS.map(({ id }) => id);
/** Waits between attempts take no time. */
const quick: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms > 40_000 ? ms : 1, signal),
};

/** A server that answers one request after the other in these ways, and notes what it was asked. */
async function serve(...answers: readonly ((response: ServerResponse) => void)[]) {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers['last-event-id']?.toString());
    answers[asked.length - 1]?.(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { asked, url: `http://127.0.0.1:${port}` };
}

/** Sends these events, and ends the connection or leaves it open. */
const sends =
  (texts: readonly string[], end = true) =>
  (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': scopemesh\n\n');
    for (const text of texts)
      response.write(`id: ${JSON.parse(text).id}\nevent: decision\ndata: ${text}\n\n`);
    if (end) response.end();
  };
const refuses = (status: number) => (response: ServerResponse) => void response.writeHead(status).end('{}');

async function take(url: string, count: number, lastEventId?: string): Promise<readonly string[]> {
  const stop = new AbortController();
  const options = {
    url,
    token: 'secret',
    keys: [signer.verifierKey],
    clock: quick,
    ...(lastEventId === undefined ? {} : { lastEventId }),
  };
  const taken: string[] = [];
  for await (const { id } of streamDecisions(options, stop.signal))
    if (taken.push(id) === count) stop.abort();
  return taken;
}

describe('a consumer of the stream', () => {
  it('goes on after its last decision when the connection ends or is refused for a while', async () => {
    const { url, asked } = await serve(
      sends(TEXTS.slice(0, 2)),
      refuses(503),
      sends(TEXTS.slice(2, 3)),
      sends(TEXTS.slice(3), false),
    );
    expect(await take(url, 6)).toEqual(IDS);
    expect(asked).toEqual([undefined, IDS[1], IDS[1], IDS[2]]);
  });

  it('misses nothing when it is interrupted before its first decision', async () => {
    const start = (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`id: ${IDS[2]}\n\n`);
    };
    const { url, asked } = await serve(start, sends(TEXTS.slice(3), false));
    expect(await take(url, 1)).toEqual([IDS[3]]);
    expect(asked).toEqual([undefined, IDS[2]]);
  });

  it('begins after the decision that it handled last', async () => {
    const { url, asked } = await serve(sends(TEXTS.slice(4), false));
    expect(await take(url, 2, IDS[3])).toEqual(IDS.slice(4));
    expect(asked).toEqual([IDS[3]]);
  });

  it.each([
    ['is missing', TEXTS.toSpliced(2, 1), 'does not continue number 2'],
    ['comes twice', TEXTS.toSpliced(2, 0, TEXTS[1] ?? ''), 'does not continue number 2'],
    ['is changed', TEXTS.with(2, (TEXTS[2] ?? '').replace('Revoked', 'Granted')), 'does not have the hash'],
  ])('ends with an error where a decision %s', async (_, texts, error) => {
    const { url } = await serve(sends(texts, false));
    await expect(take(url, 6)).rejects.toMatchObject({
      code: 'ERR_EVENT_INVALID',
      message: expect.stringContaining(error),
    });
  });

  it.each([
    [401, 'ERR_DECISIONS_UNREACHABLE'],
    [410, 'ERR_EVENT_INVALID'],
  ])('ends with an error at the answer %i', async (status, code) => {
    const { url } = await serve(refuses(status));
    await expect(take(url, 1)).rejects.toMatchObject({ code, retriable: false });
  });
});

describe('a file of decisions', () => {
  const read = async (lines: readonly string[]) => {
    const directory = mkdtempSync(join(tmpdir(), 'scopemesh-file-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, 'decisions.jsonl'), `${lines.join('\n')}\n`);
    const found: string[] = [];
    for await (const { id } of readDecisionFile(join(directory, 'decisions.jsonl'), [signer.verifierKey]))
      found.push(id);
    return found;
  };

  it('gives its decisions in their order', async () => {
    expect(await read(TEXTS)).toEqual(IDS);
  });

  it('is refused where a decision is missing, or a line is no event', async () => {
    await expect(read(TEXTS.toSpliced(3, 1))).rejects.toThrow('does not continue number 3');
    await expect(read([...TEXTS, 'text'])).rejects.toThrow('not one that scopemesh wrote');
  });
});
