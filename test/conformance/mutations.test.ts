import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createEmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import type { ConsulUnderTest, Scenario } from './consul-api/exchange.js';
import { type QueryWaits, runScenarios } from './consul-api/scenario-run.js';
import { consulApiScenarios } from './consul-api.js';

/** A call on its way to the embedded Consul. */
interface ProxiedCall {
  method: string;
  url: URL;
  token: string | undefined;
  body: Buffer;
}

/** An answer of the embedded Consul on its way back. */
interface ProxiedAnswer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** One way in which an imitation of Consul could be wrong. */
interface Mutation {
  readonly name: string;
  /** The scenarios that notice it: few, so that the test stays quick. */
  readonly scenarios: readonly string[];
  readonly waits?: QueryWaits;
  onCall?(call: ProxiedCall, managementToken: string): void;
  onAnswer?(answer: ProxiedAnswer, call: ProxiedCall): void;
}

/** An embedded Consul answers in a few milliseconds. */
const QUICK = { endedMs: 100 };

const mutations: readonly Mutation[] = [
  {
    name: 'compare-and-set is not checked',
    scenarios: ['compare-and-set of config entries'],
    onCall: ({ url }) => url.searchParams.delete('cas'),
  },
  {
    name: 'a conflict is reported as done',
    scenarios: ['compare-and-set of config entries'],
    onAnswer: (answer, call) => {
      if (call.method === 'PUT' && answer.body === 'false') answer.body = 'true';
    },
  },
  {
    name: 'ModifyIndex moves with every write, equal ones too',
    scenarios: ['an intentions entry is written, read and rewritten'],
    onAnswer: (() => {
      let reads = 0;
      return (answer: ProxiedAnswer, call: ProxiedCall) => {
        if (call.method !== 'GET') return;
        reads += 1;
        answer.body = answer.body.replace(/"ModifyIndex":(\d+)/g, (_all, index: string) => {
          return `"ModifyIndex":${Number(index) + reads}`;
        });
      };
    })(),
  },
  {
    name: 'a filtered list does not say so',
    scenarios: ['with a token that may do a little'],
    onAnswer: ({ headers }) => headers.delete('x-consul-results-filtered-by-acls'),
  },
  {
    name: 'a filtered list also tells callers without a token',
    scenarios: ['without a token'],
    onAnswer: (answer, call) => {
      const isEmpty = answer.body === '[]' || answer.body === '{}';
      if (call.token === undefined && isEmpty)
        answer.headers.set('x-consul-results-filtered-by-acls', 'true');
    },
  },
  {
    name: 'a caller without a token may do everything',
    scenarios: ['without a token'],
    onCall: (call, managementToken) => {
      call.token ??= managementToken;
    },
  },
  {
    name: 'a blocking query does not wait',
    scenarios: ['waiting on keys'],
    onCall: ({ url }) => url.searchParams.delete('index'),
  },
  {
    name: 'a blocking query always waits to the end',
    scenarios: ['waiting on keys'],
    waits: { wokenMs: 500 },
    onCall: ({ url }) => {
      // No index is ever reached.
      if (url.searchParams.has('index')) url.searchParams.set('index', '999999999');
    },
  },
  {
    name: 'L7 permissions are accepted on a tcp destination',
    scenarios: ['L7 intentions and the destination’s protocol'],
    onAnswer: (answer) => {
      if (!answer.body.includes('incompatible with L7 intentions')) return;
      answer.status = 200;
      answer.body = 'true';
      answer.headers.set('content-type', 'application/json');
    },
  },
  {
    name: 'sources keep the order in which they were written',
    scenarios: ['an intentions entry is written, read and rewritten'],
    onAnswer: (answer) => {
      answer.body = answer.body.replace(/"Sources":(\[.*?\}\])/, (_all, sources: string) => {
        const parsed: unknown[] = JSON.parse(sources);
        return `"Sources":${JSON.stringify(parsed.reverse())}`;
      });
    },
  },
  {
    name: 'lock-delay is not kept',
    scenarios: ['lock-delay'],
    onCall: (call) => {
      if (!call.url.pathname.endsWith('/session/create')) return;
      const asked: object = call.body.length === 0 ? {} : JSON.parse(call.body.toString());
      call.body = Buffer.from(JSON.stringify({ ...asked, LockDelay: '0s' }));
    },
  },
];

describe('the exchanges notice an embedded Consul that', () => {
  let stop: (() => Promise<void>) | undefined;
  afterEach(async () => {
    await stop?.();
    stop = undefined;
  });

  const run = async (mutation: Mutation) => {
    const server = await startMutated(mutation);
    stop = () => server.stop();
    return runScenarios(scenariosOf(mutation), server, 1, { ...QUICK, ...mutation.waits });
  };

  for (const mutation of mutations) {
    it(`is wrong in that ${mutation.name}`, async () => {
      expect(await run(mutation)).not.toEqual([]);
    });
  }

  it('is right: behind a proxy that changes nothing, none of these scenarios fails', async () => {
    const names = [...new Set(mutations.flatMap((mutation) => mutation.scenarios))];
    expect(await run({ name: 'nothing', scenarios: names })).toEqual([]);
  });
});

function scenariosOf(mutation: Mutation): Scenario[] {
  return mutation.scenarios.map((name) => {
    const scenario = consulApiScenarios.find((candidate) => candidate.name === name);
    if (scenario === undefined) throw new Error(`there is no scenario called ${name}`);
    return scenario;
  });
}

/** An embedded Consul behind a proxy that makes it wrong. */
async function startMutated(mutation: Mutation): Promise<ConsulUnderTest> {
  const consul = await createEmbeddedConsul({ defaultPolicy: 'deny' });
  const proxy = createServer(async (incoming, outgoing) => {
    try {
      const call = await toCall(incoming, consul.address);
      mutation.onCall?.(call, consul.managementToken);
      const answer = await forward(call);
      mutation.onAnswer?.(answer, call);
      outgoing.writeHead(answer.status, Object.fromEntries(answer.headers)).end(answer.body);
    } catch (error) {
      outgoing.writeHead(502).end(String(error));
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${portOf(proxy)}`,
    managementToken: consul.managementToken,
    stop: async () => {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
      await consul.close();
    },
  };
}

async function toCall(incoming: IncomingMessage, address: string): Promise<ProxiedCall> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
  const token = incoming.headers['x-consul-token'];
  return {
    method: incoming.method ?? 'GET',
    url: new URL(incoming.url ?? '/', address),
    token: typeof token === 'string' ? token : undefined,
    body: Buffer.concat(chunks),
  };
}

async function forward(call: ProxiedCall): Promise<ProxiedAnswer> {
  const response = await fetch(call.url, {
    method: call.method,
    headers: call.token === undefined ? {} : { 'X-Consul-Token': call.token },
    signal: AbortSignal.timeout(60_000),
    ...(call.body.length === 0 ? {} : { body: call.body }),
  });
  const kept = ['content-type', 'allow', 'x-consul-effective-consistency', 'x-consul-index'];
  const names = [...kept, 'x-consul-results-filtered-by-acls'];
  const headers = names.flatMap((name): [string, string][] => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  return { status: response.status, headers: new Map(headers), body: await response.text() };
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the proxy does not listen');
  return address.port;
}
