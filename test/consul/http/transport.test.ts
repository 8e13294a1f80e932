import { describe, expect, it, onTestFinished } from 'vitest';
import { type Metrics, noMetrics } from '../../../src/observe.js';
import { ACL_TOKEN, against, connect, type Exchange, failureOf, startFaultServer } from './fault-server.js';

const never = new AbortController().signal;

describe('an aborted call', () => {
  it('rejects at once with the reason of the signal, while the server hangs', async () => {
    let asked = () => {};
    const request = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { consul } = await against(() => asked());
    const stop = new AbortController();
    const list = consul.intentions.list(stop.signal);
    const outcome = expect(list).rejects.toThrow('stopping');
    await request;
    stop.abort(new Error('stopping'));
    await outcome;
  });

  it('sends nothing when aborted before', async () => {
    const { consul, seen } = await against((exchange) => exchange.reply(200, []));
    await expect(consul.intentions.list(AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
    expect(seen).toEqual([]);
  });
});

describe('the transport', () => {
  it('sends no write that waited for a connection until it was no longer allowed, and reads and locks all the same', async () => {
    const hanging: Exchange[] = [];
    let full = () => {};
    const isFull = new Promise<void>((resolve) => (full = resolve));
    const server = await startFaultServer((exchange) => {
      if (exchange.target.includes('/a')) {
        hanging.push(exchange);
        if (hanging.length === 128) full();
      } else if (exchange.method === 'GET') exchange.reply(200, []);
      else exchange.reply(200, true);
    });
    onTestFinished(() => server.close());
    let mayWrite = true;
    const consul = connect(server.address, { mayWrite: () => mayWrite });
    const named = (name: string) => ({ partition: 'default', namespace: 'default', name });
    const reads = Array.from({ length: 128 }, (_, at) => consul.intentions.read(named(`a${at}`), never));
    await isFull;
    const late = failureOf(consul.intentions.write(named('late'), undefined, [], 0, never));
    mayWrite = false;
    for (const exchange of hanging.splice(0)) exchange.reply(404, 'Config entry not found');
    await Promise.all(reads);
    expect(await late).toMatchObject({ code: 'ERR_TIMEOUT', retriable: true });
    expect(await consul.lock.acquire('session', 'text', never)).toBe(true);
    await consul.intentions.list(never);
    expect(server.seen.filter((each) => /^(PUT|DELETE)/.test(each))).toEqual([
      expect.stringContaining('/leader?acquire=session'),
    ]);
  });

  it('has a connection for each watch while 128 calls hang, and never sends a call that was aborted before its turn', async () => {
    const hanging: Exchange[] = [];
    let full = () => {};
    const isFull = new Promise<void>((resolve) => (full = resolve));
    const { consul, seen } = await against((exchange) => {
      if (exchange.target.startsWith('/v1/config?') || exchange.target.includes('/waits')) {
        hanging.push(exchange);
        if (hanging.length === 128) full();
      } else exchange.reply(200, []);
    });
    const named = (name: string) => ({ partition: 'default', namespace: 'default', name });
    const calls = Array.from({ length: 128 }, (_, at) =>
      consul.intentions.write(named(`a${at}`), undefined, [], 0, never),
    );
    await isFull;
    const stop = new AbortController();
    const waiting = expect(consul.intentions.read(named('waits'), stop.signal)).rejects.toThrow('enough');
    await Promise.all(
      (['intentions', 'protocols', 'catalog', 'claims', 'jwt-providers', 'acl'] as const).map((table) => {
        const watched = new AbortController();
        return consul.watch(table, { changed() {}, alive: () => watched.abort() }, watched.signal);
      }),
    );
    stop.abort(new Error('enough'));
    await waiting;
    for (const exchange of hanging.splice(0)) exchange.reply(200, true);
    await Promise.all(calls);
    await consul.intentions.list(never);
    expect(seen.filter((each) => each.includes('waits'))).toEqual([]);
  });

  it('takes the answer that comes after one of 1xx', async () => {
    const { consul } = await against((exchange) => {
      exchange.response.writeEarlyHints({ link: '</x>; rel=preload' });
      exchange.reply(200, []);
    });
    expect(await consul.intentions.list(never)).toEqual([]);
  });

  it('warns of no leak where many calls share a signal', async () => {
    const warnings: unknown[] = [];
    const listen = (warning: Error) => warnings.push(warning.message);
    process.on('warning', listen);
    onTestFinished(() => {
      process.off('warning', listen);
    });
    const { consul } = await against((exchange) => exchange.reply(200, []));
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 40 }, () => consul.intentions.list(signal)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  });

  it('sends the ACL token as a header alone, and the datacenter with each request', async () => {
    const tokens: unknown[] = [];
    const { consul, seen } = await against(
      (exchange) => {
        tokens.push(exchange.headers['x-consul-token']);
        exchange.reply(200, []);
      },
      { datacenter: 'dc 2' },
    );
    await consul.intentions.list(never);
    expect(tokens).toEqual([ACL_TOKEN]);
    expect(seen).toEqual(['GET /v1/config/service-intentions?consistent&dc=dc%202']);
  });

  it('keeps a path in the address as a prefix', async () => {
    const server = await startFaultServer((exchange) => exchange.reply(200, []));
    onTestFinished(server.close);
    const consul = connect(`${server.address}/consul/`);
    onTestFinished(() => consul.close());
    await consul.intentions.list(never);
    expect(server.seen).toEqual(['GET /consul/v1/config/service-intentions?consistent']);
  });

  it('refuses an address that is no http URL, without repeating it', () => {
    expect(() => connect('ftp://user:hunter2@consul')).toThrow(/consul\.address/);
    expect(() => connect('ftp://user:hunter2@consul')).not.toThrow(/hunter2/);
  });

  it('counts each request by operation and result', async () => {
    const counted: unknown[] = [];
    const timed: unknown[] = [];
    const metrics: Metrics = {
      ...noMetrics,
      count: (name, labels) => counted.push([name, labels]),
      time: (name, _, labels) => timed.push([name, labels]),
    };
    let status = 200;
    const { consul } = await against((exchange) => exchange.reply(status, []), { metrics });
    await consul.intentions.list(never);
    status = 500;
    await failureOf(consul.intentions.list(never));
    expect(counted).toEqual([
      ['scopemesh_consul_requests_total', { operation: 'intentions.list', result: '200' }],
      ['scopemesh_consul_requests_total', { operation: 'intentions.list', result: 'ERR_CONSUL_UNREACHABLE' }],
    ]);
    expect(timed).toHaveLength(2);
  });
});
