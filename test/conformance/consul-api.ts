import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConsulUnderTest, Scenario } from './consul-api/exchange.js';
import { readScenarios } from './consul-api/fixtures.js';
import { type QueryWaits, ScenarioRun } from './consul-api/scenario-run.js';
import { selectorsMet, selectorsWritten } from './consul-api/selectors.js';

/** Every exchange, as a real Consul 1.14.11 answered it. */
export const consulApiScenarios: readonly Scenario[] = [
  ...['entries', 'intentions', 'kv', 'catalog', 'requests', 'acl-objects'].flatMap(readScenarios),
  selectorsWritten,
  selectorsMet,
  ...['acl-logins', 'acl-access'].flatMap(readScenarios),
];

/** One test for each exchange; those of a scenario build on one another. The server starts once. */
export function describeConsulApi(
  name: string,
  start: () => Promise<ConsulUnderTest>,
  waits: QueryWaits = {},
): void {
  describe(`Consul's HTTP API as served by ${name}`, () => {
    let server: ConsulUnderTest;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.stop());

    for (const scenario of consulApiScenarios) {
      describe(scenario.name, () => {
        let run: ScenarioRun;
        beforeAll(async () => {
          run = await ScenarioRun.begin(server, waits);
        });
        for (const exchange of scenario.exchanges) {
          it(exchange.name, async () => {
            expect(await run.answer(exchange)).toEqual(exchange.expected);
          });
        }
      });
    }
  });
}
