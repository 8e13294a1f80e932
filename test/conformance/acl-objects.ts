import { afterAll, beforeAll, describe } from 'vitest';
import { aclDeletes } from './acl-objects/deletes.js';
import { aclReads } from './acl-objects/reads.js';
import { type AclRig, startAclRig } from './acl-objects/rig.js';
import { aclTokens } from './acl-objects/tokens.js';
import { aclWrites } from './acl-objects/writes.js';
import type { ConsulUnderTest } from './consul-port/rig.js';

/** What each adapter of the port `AclObjects` must do, run against a real or an embedded Consul. */
export function describeAclObjects(name: string, start: () => Promise<ConsulUnderTest>): void {
  describe(`the ACL objects of ${name}`, () => {
    let rig: AclRig | undefined;
    beforeAll(async () => {
      rig = await startAclRig(start);
    }, 300_000);
    afterAll(() => rig?.stop());
    const theRig = (): AclRig => {
      if (rig === undefined) throw new Error('Consul was not started');
      return rig;
    };
    describe('reading', () => aclReads(theRig));
    describe('writing', () => aclWrites(theRig));
    describe('deleting', () => aclDeletes(theRig));
    describe('tokens', () => aclTokens(theRig));
  });
}
