import { describe, expect, it, onTestFinished } from 'vitest';
import { type Metrics, noMetrics } from '../../../src/observe.js';
import { ACL_TOKEN, against, connect, failureOf, startFaultServer } from './fault-server.js';

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
