import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aclAuthMethods } from './consul-api/acl-auth-methods.js';
import { aclBindingRules } from './consul-api/acl-binding-rules.js';
import { aclChanges } from './consul-api/acl-changes.js';
import { aclLogins } from './consul-api/acl-logins.js';
import { aclNobody } from './consul-api/acl-nobody.js';
import { aclPolicies } from './consul-api/acl-policies.js';
import { aclReader } from './consul-api/acl-reader.js';
import { aclRoles } from './consul-api/acl-roles.js';
import { aclSelectors, aclSelectorsMet } from './consul-api/acl-selectors.js';
import { aclTokens } from './consul-api/acl-tokens.js';
import { aclWriter } from './consul-api/acl-writer.js';
import { agent } from './consul-api/agent.js';
import { catalog } from './consul-api/catalog.js';
import { catalogBlocking } from './consul-api/catalog-blocking.js';
import { defaultsRefusals } from './consul-api/defaults-refusals.js';
import { entryBlocking } from './consul-api/entry-blocking.js';
import { entryBodies } from './consul-api/entry-bodies.js';
import { entryCas } from './consul-api/entry-cas.js';
import { entryKinds } from './consul-api/entry-kinds.js';
import { entryNames } from './consul-api/entry-names.js';
import { entryProtocols } from './consul-api/entry-protocols.js';
import { entryWrites } from './consul-api/entry-writes.js';
import type { ConsulUnderTest, Scenario } from './consul-api/exchange.js';
import { health } from './consul-api/health.js';
import { intentionCheck } from './consul-api/intention-check.js';
import { intentionExact } from './consul-api/intention-exact.js';
import { intentionLegacy } from './consul-api/intention-legacy.js';
import { intentionList } from './consul-api/intention-list.js';
import { intentionRefusals } from './consul-api/intention-refusals.js';
import { kvBlocking } from './consul-api/kv-blocking.js';
import { kvLocks } from './consul-api/kv-locks.js';
import { kvReadsAndWrites } from './consul-api/kv-reads-and-writes.js';
import { lockDelay } from './consul-api/lock-delay.js';
import { permissionRefusals } from './consul-api/permission-refusals.js';
import { requests } from './consul-api/requests.js';
import { ScenarioRun } from './consul-api/scenario-run.js';
import { sessions } from './consul-api/sessions.js';
import { transactions } from './consul-api/transactions.js';

/** Every exchange, as a real Consul 1.14.11 answered it. */
export const consulApiScenarios: readonly Scenario[] = [
  entryWrites,
  entryNames,
  entryCas,
  entryBodies,
  entryKinds,
  entryProtocols,
  entryBlocking,
  defaultsRefusals,
  intentionRefusals,
  permissionRefusals,
  intentionList,
  intentionCheck,
  intentionExact,
  intentionLegacy,
  kvReadsAndWrites,
  kvBlocking,
  kvLocks,
  lockDelay,
  sessions,
  transactions,
  catalog,
  health,
  catalogBlocking,
  requests,
  agent,
  aclPolicies,
  aclRoles,
  aclTokens,
  aclAuthMethods,
  aclBindingRules,
  aclSelectors,
  aclSelectorsMet,
  aclLogins,
  aclNobody,
  aclReader,
  aclWriter,
  aclChanges,
];

/** One test for each exchange; those of a scenario build on one another. The server is started once. */
export function describeConsulApi(name: string, start: () => Promise<ConsulUnderTest>): void {
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
          run = await ScenarioRun.begin(server);
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
