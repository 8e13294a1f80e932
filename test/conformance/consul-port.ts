import { afterAll, beforeAll, describe } from 'vitest';
import { catalog } from './consul-port/catalog.js';
import { claims } from './consul-port/claims.js';
import { inspect } from './consul-port/inspect.js';
import { intentions } from './consul-port/intentions.js';
import { lock } from './consul-port/lock.js';
import { permissions } from './consul-port/permissions.js';
import { quarantines } from './consul-port/quarantines.js';
import { reachability } from './consul-port/reachability.js';
import { type ConsulRig, type ConsulUnderTest, startConsulRig } from './consul-port/rig.js';
import { watch } from './consul-port/watch.js';

/** What each adapter of the port `Consul` must do, run against a real or an embedded Consul. */
export function describeConsulPort(name: string, start: () => Promise<ConsulUnderTest>): void {
  describe(`the Consul port on ${name}`, () => {
    let rig: ConsulRig | undefined;
    beforeAll(async () => {
      rig = await startConsulRig(start);
      await rig.request('PUT', '/v1/catalog/register', { Node: 'machine-1', Address: '10.0.0.1' });
    }, 300_000);
    afterAll(() => rig?.stop());
    const theRig = (): ConsulRig => {
      if (rig === undefined) throw new Error('Consul was not started');
      return rig;
    };
    describe('intentions', () => intentions(theRig));
    describe('permissions', () => permissions(theRig));
    describe('the catalog', () => catalog(theRig));
    describe('what decides whether a call arrives', () => reachability(theRig));
    describe('claims', () => claims(theRig));
    describe('quarantines', () => quarantines(theRig));
    describe('the lock', () => lock(theRig));
    describe('a watch', () => watch(theRig));
    describe('inspect', () => inspect(theRig));
  });
}
