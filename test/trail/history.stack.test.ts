import { afterAll, beforeAll, describe, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { expectTrailOfHistory } from '../support/trail-history.js';

const INSTANTS = 200;

describe('who-can-call at 200 instants of a random history', () => {
  let consul: ConsulHandle;
  beforeAll(async () => {
    consul = await startConsul();
  });
  afterAll(() => consul.stop());

  it('answers as an embedded Consul had it then', () => expectTrailOfHistory(INSTANTS, 1));

  it('answers as a real Consul had it then', () =>
    expectTrailOfHistory(INSTANTS, 2, {
      address: consul.httpAddress,
      token: consul.managementToken,
      request: (method, path, body) => consul.request(method, path, body),
    }));
});
