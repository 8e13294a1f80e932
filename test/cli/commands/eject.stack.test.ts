import { afterAll, beforeAll, describe, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../../stack/consul.js';
import { type EjectScene, ejectAndComeBack, startEjectScene } from './eject-scene.js';

let consul: ConsulHandle;
let scene: EjectScene;

beforeAll(async () => {
  consul = await startConsul();
  const register = (body: object) => consul.request('PUT', '/v1/agent/service/register', body);
  await register({ Name: 'web', Port: 1, Meta: { 'oauth-client-id': 'web-app' } });
  await register({ Name: 'orders', Port: 2 });
  scene = await startEjectScene(
    { consul: { address: consul.httpAddress, managementToken: consul.managementToken } },
    (method, path, body) => consul.request(method, path, body),
  );
});

afterAll(async () => {
  await scene?.close();
  await consul?.stop();
});

describe('scopemesh eject on a real Consul', () => {
  it('leaves Consul equal to itself but for the marks, and adopt undoes it', () => ejectAndComeBack(scene));
});
