import { afterAll, beforeAll, describe, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../../stack/consul.js';
import type { ConsulAddress } from '../../support/command-line.js';
import { type ImportScene, moveInAndLeave, startImportScene } from './import-scene.js';

let consul: ConsulHandle;
let address: ConsulAddress;
let scene: ImportScene;

beforeAll(async () => {
  consul = await startConsul();
  address = { consul: { address: consul.httpAddress, managementToken: consul.managementToken } };
  const request = (method: string, path: string, body?: unknown) => consul.request(method, path, body);
  scene = await startImportScene(address, request, { intentions: 200, callers: 24, apis: 20 });
});

afterAll(async () => {
  scene?.cli.close();
  await consul?.stop();
});

describe('scopemesh import on a real Consul with 200 intentions', () => {
  it('explains what the scopes explain, and after adopt the plan is empty and eject restores every byte', () =>
    moveInAndLeave(scene, address));
});
