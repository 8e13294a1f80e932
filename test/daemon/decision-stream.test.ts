import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HttpToken } from '../../config/config.js';
import { type Clock, systemClock } from '../../src/clock.js';
import { createApiAccess } from '../../src/daemon/api-access.js';
import { addDecisionStream } from '../../src/daemon/decision-stream.js';
import { createEventStreams } from '../../src/daemon/event-streams.js';
import { createHttpServer } from '../../src/daemon/http-server.js';
import { openDecisionFeed } from '../../src/decisions/embedded/decision-feed.js';
import { createEmbeddedDecisionLog } from '../../src/decisions/embedded/embedded-decision-log.js';
import { type DecisionFeed, follow } from '../../src/decisions/feed.js';
import type { DecisionLog } from '../../src/decisions/log.js';
import { Secret } from '../../src/model/secret.js';
import { type Metrics, noMetrics, silentLogger } from '../../src/observe.js';
import { decisions } from '../support/decisions.js';

const TOKEN = 'local-token-of-the-state-directory';

async function serve(
  feed: DecisionFeed | Promise<DecisionFeed> | undefined,
  metrics: Metrics = noMetrics,
  {
    tokens = [],
    clock = systemClock,
  }: { readonly tokens?: readonly HttpToken[]; readonly clock?: Clock } = {},
) {
  const server = createHttpServer();
  const local = { token: new Secret(TOKEN), path: '/state/api-token' };
  const access = createApiAccess({ host: '127.0.0.1', tokens, local });
  const streams = createEventStreams(server, { access, clock, logger: silentLogger, metrics });
  addDecisionStream(server, { feed: feed && (async () => feed), streams, access });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  const ask = (headers: Readonly<Record<string, string>> = {}, query = '?from=start') =>
    fetch(`${address}/api/decisions/stream${query}`, {
      headers: { authorization: `Bearer ${TOKEN}`, ...headers },
    });
  return { server, address, ask };
}

async function openLog(): Promise<{ readonly log: DecisionLog; readonly feed: DecisionFeed }> {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-stream-'));
  const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
  const feed = await openDecisionFeed({ directory, isIndex: false, clock: systemClock });
  onTestFinished(async () => {
    await Promise.all([log.close(), feed.close()]);
    rmSync(directory, { recursive: true, force: true });
  });
  return { log, feed };
}

/** The IDs and events of a stream, until there are so many. */
async function take(answer: Response, count: number): Promise<readonly (readonly [string, string])[]> {
  const found: (readonly [string, string])[] = [];
  let rest = '';
  const text = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    const blocks = (rest + text.decode(chunk, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, id = '', data = ''] = /^id: (.+)\nevent: decision\ndata: (.+)$/.exec(block) ?? [];
      if (id !== '') found.push([id, data]);
    }
    if (found.length >= count) break;
  }
  return found;
}

describe('the stream of decisions', () => {
  it('ends when a reload removes its token', async () => {
    const tokens = [{ name: 'somebody', token: new Secret('token-of-somebody'), approve: false }];
    const { ask } = await serve((await openLog()).feed, noMetrics, { tokens });
    const answer = await ask({ authorization: 'Bearer token-of-somebody' });
    tokens.pop();
    expect(await answer.text()).toMatch(/^: /);
  });

  it('sends what is there, then what comes, and goes on after the last event that a consumer has', async () => {
    const { log, feed } = await openLog();
    const all = decisions(6);
    await log.append(all.slice(0, 3));
    const { ask } = await serve(feed);
    const first = await ask();
    expect(first.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const taking = take(first, 4);
    await log.append(all.slice(3, 4));
    const seen = await taking;
    expect(seen.map(([id]) => id)).toEqual(all.slice(0, 4).map(({ id }) => id));
    expect(JSON.parse(seen[0]?.[1] ?? '')).toMatchObject({ specversion: '1.0', id: all[0]?.id });
    await log.append(all.slice(4));
    const again = await take(await ask({ 'last-event-id': all[3]?.id ?? '' }), 2);
    expect(again.map(([id]) => id)).toEqual(all.slice(4).map(({ id }) => id));
    // A browser connects again with the address that it had first, and the header of the last event.
    const connected = await ask({ 'last-event-id': all[4]?.id ?? '' }, `?after=${all[0]?.id}`);
    expect((await take(connected, 1)).map(([id]) => id)).toEqual([all[5]?.id]);
    const joined = await take(await ask({}, `?after=${all[2]?.id}`), 2);
    expect(joined.slice(0, 2).map(([id]) => id)).toEqual(all.slice(3, 5).map(({ id }) => id));
  });

  it('begins with new decisions unless the start is asked for', async () => {
    const { log, feed } = await openLog();
    const [old, fresh] = decisions(2);
    if (old === undefined || fresh === undefined) return;
    await log.append([old]);
    const { ask } = await serve(feed);
    const answer = await ask({}, '');
    const taking = take(answer, 1);
    await log.append([fresh]);
    expect((await taking).map(([id]) => id)).toEqual([fresh.id]);
  });

  it.each([
    [410, { 'last-event-id': '01J0000000000000000000GONE' }, '', 'older than decisions.keep'],
    [410, {}, '?after=01J0000000000000000000GONE', 'older than decisions.keep'],
    [400, { 'last-event-id': 'ä' }, '', 'not the ID of an event'],
    [400, {}, '?from=yesterday', 'start or end'],
    [401, { authorization: 'Bearer wrong' }, '', 'not one of http.tokens'],
    [403, { origin: 'https://example.com' }, '', 'does not answer web pages'],
  ])('answers %i to a request with %j%s', async (status, headers, query, error) => {
    const { ask } = await serve((await openLog()).feed);
    const answer = await ask(headers, query);
    expect([answer.status, await answer.json()]).toEqual([status, { error: expect.stringContaining(error) }]);
  });

  it('answers that the decisions are on a topic where they are, without an index', async () => {
    const { ask } = await serve(undefined);
    expect((await ask()).status).toBe(404);
  });

  it('lets 8 consumers of one principal in, another principal beside them, and the next one when one has left', async () => {
    const reader = 'token-of-a-reader-that-only-reads';
    const tokens = [{ name: 'reader', token: new Secret(reader), approve: false }];
    const { ask } = await serve((await openLog()).feed, noMetrics, { tokens });
    const open = await Promise.all(Array.from({ length: 8 }, () => ask()));
    expect(open.every(({ status }) => status === 200)).toBe(true);
    const refused = await ask();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10']);
    expect((await ask({ authorization: `Bearer ${reader}` })).status).toBe(200);
    await open[0]?.body?.cancel();
    await expect.poll(async () => (await ask()).status).toBe(200);
  });

  it('lets others have their turn while a fast consumer reads a long log', async () => {
    const { log, feed } = await openLog();
    await log.append(decisions(2_000));
    const { signal } = new AbortController();
    for (const read of [log.readEvents({ from: 'start', follow: false }, signal), follow(feed, 0, signal)]) {
      let turns = 0;
      const turn = () => {
        turns++;
        timer = setImmediate(turn);
      };
      let timer = setImmediate(turn);
      for await (const _ of read) if (turns >= 3) break;
      clearImmediate(timer);
      expect(turns).toBe(3);
    }
  });

  it('gives the slot of a consumer back that left while the log was opened', async () => {
    let opened = (_: DecisionFeed) => {};
    const opening = new Promise<DecisionFeed>((resolve) => {
      opened = resolve;
    });
    const open: (number | undefined)[] = [];
    const { address, server } = await serve(opening, {
      ...noMetrics,
      gauge: (_, value) => void open.push(value),
    });
    let isLeft = false;
    server.server.on('request', (_, answer) =>
      answer.once('close', () => {
        isLeft = true;
      }),
    );
    const { hostname, port } = new URL(address);
    const socket = connect(Number(port), hostname);
    socket.write(
      `GET /api/decisions/stream HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`,
    );
    await expect.poll(() => open).toEqual([1]);
    socket.destroy();
    await expect.poll(() => isLeft).toBe(true);
    opened((await openLog()).feed);
    await expect.poll(() => open).toEqual([1, 0]);
  });

  it('ends when the server closes', async () => {
    const { server, ask } = await serve((await openLog()).feed);
    const taking = take(await ask(), 1);
    await server.close();
    expect(await taking).toEqual([]);
  });

  it('reads no further than a consumer takes', async () => {
    let read = 0;
    const event = JSON.stringify({ id: 'x', text: 'x'.repeat(10_000) });
    const { feed } = await openLog();
    const endless: DecisionFeed = {
      more: (signal) => feed.more(signal),
      last: () => Number.MAX_SAFE_INTEGER,
      find: () => undefined,
      newestId: () => undefined,
      close: async () => {},
      page() {
        read += 100;
        return Array.from({ length: 100 }, (_, at) => ({ seq: read + at, event }));
      },
    };
    const { address } = await serve(endless);
    const { hostname, port } = new URL(address);
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    socket.pause();
    socket.write(
      `GET /api/decisions/stream HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`,
    );
    // It stops by itself: two looks that are far enough apart see the same number.
    let before = -1;
    await expect
      .poll(
        () => {
          const isStill = read > 0 && read === before;
          before = read;
          return isStill;
        },
        { interval: 100 },
      )
      .toBe(true);
    expect(read).toBeLessThan(5_000);
  });
});
