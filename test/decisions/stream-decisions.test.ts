import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { toStoredText } from '../../src/decisions/chain.js';
import { readDecisionFile, type StreamOptions, streamDecisions } from '../../src/decisions/index.js';
import { Secret } from '../../src/model/secret.js';
import { silentLogger } from '../../src/observe.js';
import { decisions } from '../support/decisions.js';
import { beginningOf, chained, signer, stranger } from '../support/signed-log.js';

const LOCK = '🔒\u2028';
const ALL = decisions(6).map((each) => ({ ...each, detail: LOCK }));
const EVENTS = chained(ALL);
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
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
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
  return { asked, requests, url: `http://127.0.0.1:${port}` };
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

async function take(url: string, count: number, more: Partial<StreamOptions> = {}, seen = () => {}) {
  const stop = new AbortController();
  const options = { url, token: 'secret', keys: [signer.verifierKey], clock: quick, ...more };
  const taken: string[] = [];
  for await (const { id } of streamDecisions(options, stop.signal)) {
    if (taken.push(id) === count) stop.abort();
    seen();
  }
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
    expect(await take(url, 2, { lastEventId: IDS[3] ?? '' })).toEqual(IDS.slice(4));
    expect(asked).toEqual([IDS[3]]);
  });

  it.each([
    ['is missing', TEXTS.toSpliced(2, 1), 'does not continue number 2'],
    ['comes twice', TEXTS.toSpliced(2, 0, TEXTS[1] ?? ''), 'does not continue number 2'],
    [
      'is signed by a key that nobody trusts',
      chained(ALL, 'one', stranger).map(toStoredText),
      'none of the keys',
    ],
    ['is no event', ['{"id":"x"}'], 'not one that scopemesh wrote'],
    ['is changed', TEXTS.with(2, (TEXTS[2] ?? '').replace('Revoked', 'Granted')), 'does not have the hash'],
  ])('ends with an error where a decision %s', async (_, texts, error) => {
    const { url } = await serve(sends(texts, false));
    await expect(take(url, 6)).rejects.toMatchObject({
      code: 'ERR_EVENT_INVALID',
      message: expect.stringContaining(error),
    });
  });

  it.each([
    [401, 'ERR_DECISIONS_UNREACHABLE', 'answered 401'],
    [204, 'ERR_DECISIONS_UNREACHABLE', 'answered 204'],
    [410, 'ERR_EVENT_INVALID', 'begin again from the start'],
  ])('ends with an error at the answer %i', async (status, code, text) => {
    const { url } = await serve(refuses(status));
    const message = expect.stringContaining(text);
    await expect(take(url, 1)).rejects.toMatchObject({ code, message, retriable: false });
  });

  it('shows its token to the address that it was given, and to no other one', async () => {
    const other = await serve(sends(TEXTS, false));
    const { url, requests } = await serve(
      (response) => void response.writeHead(307, { location: other.url }).end(),
      sends(TEXTS, false),
      sends(TEXTS, false),
    );
    await take(url, 1, { token: new Secret('hidden'), from: 'start' });
    await take(url, 1);
    expect(requests.map(({ url: path, headers }) => [path, headers.authorization, headers.accept])).toEqual([
      ['/api/decisions/stream?from=start', 'Bearer hidden', 'text/event-stream'],
      ['/api/decisions/stream?from=start', 'Bearer hidden', 'text/event-stream'],
      ['/api/decisions/stream?from=end', 'Bearer secret', 'text/event-stream'],
    ]);
    expect(other.requests).toEqual([]);
  });

  it('asks nothing once it is to end', async () => {
    const { url, requests } = await serve(sends(TEXTS, false));
    const options = { url, token: 'secret', keys: [signer.verifierKey] };
    for await (const _ of streamDecisions(options, AbortSignal.abort()));
    expect(requests).toEqual([]);
  });

  it('waits longer after each refusal that may pass, and reports it, until something comes', async () => {
    const passing = [408, 425, 429, 500, 502, 503, 504];
    const { url } = await serve(
      ...passing.map(refuses),
      sends(TEXTS.slice(0, 1)),
      refuses(503),
      sends(TEXTS.slice(1), false),
    );
    const waits: number[] = [];
    const sleep: Clock['sleep'] = (ms, signal) => {
      if (ms < 40_000) waits.push(ms);
      return quick.sleep(ms, signal);
    };
    const warned: unknown[] = [];
    const warn = (fields: object) => void warned.push(fields);
    expect(await take(url, 6, { clock: { ...quick, sleep }, logger: { ...silentLogger, warn } })).toEqual(
      IDS,
    );
    const longest = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 500, 1_000];
    expect(waits.map((ms, at) => ms > (longest[at] ?? 0) / 2 && ms <= (longest[at] ?? 0))).toEqual(
      longest.map(() => true),
    );
    expect(warned).toEqual(
      [...passing, 503].map((status) => ({ error: expect.stringContaining(`answered ${status}`) })),
    );
  });

  it('connects again when scopemesh has sent nothing for 45 seconds, however long a decision takes', async () => {
    const { url, asked } = await serve(sends(TEXTS.slice(0, 1), false), sends(TEXTS.slice(1), false));
    let now = 0;
    let goOn: () => void = () => {};
    const handled = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const silences: number[] = [];
    const signals: AbortSignal[] = [];
    const sleep: Clock['sleep'] = async (ms, signal) => {
      if (ms > 0 && ms < 1_000) return;
      if (signal !== undefined) signals.push(signal);
      if (silences.push(ms) > 2) return systemClock.sleep(60_000, signal);
      const until = now + ms;
      await handled;
      now = until;
    };
    const taken = take(url, 6, { clock: { now: () => now, sleep } }, () => {
      if (now === 0) now = 20_000;
      setImmediate(goOn);
    });
    expect(await taken).toEqual(IDS);
    expect(asked).toEqual([undefined, IDS[0]]);
    expect(silences).toEqual([45_000, 20_000, 45_000]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
  });

  it('reads what comes in pieces, passes over what is no decision, and goes on after it', async () => {
    const signed = JSON.stringify({ ...JSON.parse(beginningOf('one')), id: 'begun' });
    const pieces = (response: ServerResponse) => {
      response.writeHead(200);
      const sent = Buffer.from(
        `:\nid:${IDS[0]}\nevent:decision\ndata:${TEXTS[0]}\n\nid: x\ndata: {"id":"x"}\n\n` +
          `event: decision\ndata: ${TEXTS[1]}\n\nid: begun\nevent: checkpoint\ndata: ${signed}\n\n`,
      );
      const middle = sent.indexOf(LOCK) + 2;
      response.write(sent.subarray(0, middle));
      setTimeout(() => response.end(sent.subarray(middle)), 20);
    };
    const { url, asked } = await serve(pieces, sends(TEXTS.slice(1), false));
    expect(await take(url, 6)).toEqual(IDS);
    expect(asked).toEqual([undefined, 'begun']);
  });

  it('takes up to 8 MiB for an event that does not end', async () => {
    const { url } = await serve(
      (response) => void response.writeHead(200).write('x'.repeat(8 * 1024 ** 2 + 1)),
    );
    await expect(take(url, 1)).rejects.toThrow('An event of the stream is too long.');
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
