import { readFileSync } from 'node:fs';
import type { Call, Exchange, Scenario } from './exchange.js';

type Written<Kind extends Call> = Omit<Kind, 'method' | 'path'> & { readonly call: string };
type WrittenExchange = Omit<Written<Exchange>, 'blocks'> & {
  readonly blocks?: Omit<NonNullable<Exchange['blocks']>, 'meanwhile'> & {
    readonly meanwhile?: readonly Written<Call>[];
  };
};
type WrittenScenario = { readonly name: string; readonly exchanges: readonly WrittenExchange[] };

/** The content of a file of `test/fixtures/consul-api`. */
export function readFixture(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../fixtures/consul-api/${name}.json`, import.meta.url), 'utf8'));
}

/** The scenarios of one area, as recorded. A call is written as `METHOD /path`. */
export function readScenarios(area: string): readonly Scenario[] {
  return (readFixture(area) as readonly WrittenScenario[]).map(({ name, exchanges }) => ({
    name,
    exchanges: exchanges.map(toExchange),
  }));
}

function toExchange({ blocks, ...exchange }: WrittenExchange): Exchange {
  if (blocks === undefined) return toCall(exchange);
  return { ...toCall(exchange), blocks: { ...blocks, meanwhile: (blocks.meanwhile ?? []).map(toCall) } };
}

function toCall<Rest extends { readonly call: string }>({ call, ...rest }: Rest) {
  const [, method, path] = /^(GET|PUT|POST|DELETE|OPTIONS) (.+)$/s.exec(call) ?? [];
  if (method === undefined || path === undefined) throw new Error(`not a call: ${call}`);
  return { ...rest, method, path };
}
