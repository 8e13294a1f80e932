import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** A file that begins last and takes minutes keeps one worker busy while the other has nothing left to do. */
const LONGEST = [
  'test/e2e/crash.test.ts',
  'test/secrets/every-secret.stack.test.ts',
  'test/faults/idp.stack.test.ts',
  'test/faults/consul.stack.test.ts',
  'test/conformance/provider-keycloak-chaos.stack.test.ts',
  'test/docs/login.stack.test.ts',
  'test/decisions/relay.stack.test.ts',
  'test/identity/ssf/ssf/keycloak.stack.test.ts',
  'test/conformance/provider-chaos.stack.test.ts',
  'test/conformance/provider-keycloak.stack.test.ts',
  'test/stack/stack.stack.test.ts',
  'test/trail/history.stack.test.ts',
  // Of the unit tests.
  'test/conformance/consul-embedded.test.ts',
  'test/state/world-state/operations.test.ts',
  'test/acl/job/client-acl.test.ts',
  'test/conformance/store-embedded.test.ts',
  'test/plan/plan-destination/properties.test.ts',
  'test/conformance/mutations.test.ts',
  'test/workers/reaper.test.ts',
  'test/operator/rulings.test.ts',
  'test/daemon/reload.test.ts',
  'test/identity/ssf/set/hostile.test.ts',
  'test/decisions/verify-trail/every-bit.test.ts',
];

/** Vitest's own order, with these files first in their group: on a clean checkout it knows no file's time. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const group = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((file) => moduleId.endsWith(`/${file}`));
      return at === -1 ? LONGEST.length : at;
    };
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => group(a) - group(b) || rank(a) - rank(b));
  }
}
