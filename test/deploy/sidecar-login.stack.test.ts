import { once } from 'node:events';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { type Mesh, startMesh } from '../stack/envoy.js';
import { installed } from '../stack/installed.js';
import { freePorts } from '../stack/ports.js';
import {
  createRunDirectory,
  removeRunDirectory,
  type ServerProcess,
  startProcess,
  until,
} from '../stack/process.js';
import { envoyOptions } from '../stack/sidecar.js';
import { type KeySetServer, startKeySetServer } from '../support/key-set-server.js';

const script = fileURLToPath(new URL('../../deploy/sidecar-login.sh', import.meta.url));

let consul: ConsulHandle;
let mesh: Mesh;
let idp: KeySetServer;
let directory: string;
let orders: Server;
let running: ServerProcess | undefined;

const intention = (action: 'allow' | 'deny') =>
  consul.request('PUT', '/v1/config', {
    Kind: 'service-intentions',
    Name: 'orders',
    Sources: [{ Name: 'caller', Action: action }],
  });
const CALL = { from: 'caller', to: 'orders', method: 'GET', path: '/' };

beforeAll(async () => {
  directory = await createRunDirectory('sidecar-login');
  consul = await startConsul();
  idp = await startKeySetServer();
  await consul.request('PUT', '/v1/acl/auth-method', {
    Name: 'orders-app',
    Type: 'jwt',
    MaxTokenTTL: '1m',
    Config: {
      OIDCDiscoveryURL: idp.address,
      BoundIssuer: idp.address,
      BoundAudiences: ['consul'],
      JWTSupportedAlgs: ['RS256'],
      ClaimMappings: { sub: 'client_id' },
    },
  });
  await consul.request('PUT', '/v1/acl/binding-rule', {
    AuthMethod: 'orders-app',
    BindType: 'service',
    BindName: 'orders',
    Selector: 'value.client_id == "orders-app"',
  });
  await consul.request('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'orders', Protocol: 'http' });
  await intention('allow');
  mesh = await startMesh(consul, {
    services: [{ name: 'caller', protocol: 'http', upstreams: ['orders'] }],
    drainTimeSeconds: 1,
  });
  orders = createServer((_, answer) => answer.end('ok')).listen(0, '127.0.0.1');
  await once(orders, 'listening');
  await mkdir(join(directory, 'bin'));
  await symlink(consul.binary, join(directory, 'bin', 'consul'));
});

afterAll(async () => {
  await running?.stop();
  await mesh?.stop();
  orders?.close();
  await idp?.close();
  await consul?.stop();
  await removeRunDirectory(directory);
});

async function start(
  renewSeconds: number,
): Promise<{ readonly sidecar: ServerProcess; readonly adminAddress: string }> {
  const [port = 0, admin = 0] = await freePorts(2);
  const address = orders.address();
  const servicePort = typeof address === 'object' && address !== null ? address.port : 0;
  const file = join(directory, 'orders.hcl');
  await writeFile(
    file,
    `service {
  name = "orders"
  address = "127.0.0.1"
  port = ${servicePort}
  connect { sidecar_service {
    port = ${port}
    checks = [{ name = "listens", tcp = "127.0.0.1:${port}", interval = "1s" }]
  } }
}
`,
  );
  const accessToken = join(directory, 'access');
  await writeFile(accessToken, await idp.sign({ sub: 'orders-app' }), { mode: 0o600 });
  await chmod(script, 0o755);
  running = await startProcess({
    name: 'sidecar-login',
    command: 'sh',
    args: [
      script,
      'orders',
      file,
      '-envoy-binary',
      await installed('envoy'),
      '-admin-bind',
      `127.0.0.1:${admin}`,
      '-grpc-addr',
      `127.0.0.1:${consul.grpcPort}`,
      ...(await envoyOptions(consul.binary)),
      '--',
      '--concurrency',
      '1',
      '--log-level',
      'warn',
    ],
    env: {
      PATH: `${join(directory, 'bin')}:${process.env.PATH ?? ''}`,
      TMPDIR: directory,
      CONSUL_HTTP_ADDR: consul.httpAddress,
      AUTH_METHOD: 'orders-app',
      ACCESS_TOKEN_COMMAND: `cat ${accessToken}`,
      RENEW_SECONDS: String(renewSeconds),
      CHECK_SECONDS: '1',
    },
    logFile: join(directory, 'sidecar-login.log'),
  });
  return { sidecar: running, adminAddress: `http://127.0.0.1:${admin}` };
}

async function tokens(): Promise<readonly string[]> {
  const list = await consul.request('GET', '/v1/acl/tokens?authmethod=orders-app');
  return Array.isArray(list) ? list.map((each) => String(Reflect.get(Object(each), 'AccessorID'))) : [];
}

const saysToken = (count: number) => async () =>
  (await readFile(join(directory, 'sidecar-login.log'), 'utf8')).includes(`runs with token ${count}`);

async function hearsOfDenials(): Promise<void> {
  await mesh.waitForStatus(200, CALL);
  await intention('deny');
  // Sooner than the next renewal, which would tell it as well.
  expect(await mesh.waitForStatus(403, CALL, 5_000)).toBeLessThan(5_000);
  await intention('allow');
  await mesh.waitForStatus(200, CALL);
}

describe('a sidecar that logs in', () => {
  it('goes on hearing of denials after its first token is gone, and leaves nothing behind', async () => {
    const { sidecar } = await start(8);
    await mesh.waitForStatus(200, CALL);
    const [first] = await tokens();
    await until('the second token', saysToken(2), { process: sidecar });
    await until('the first one is logged out', async () => {
      const now = await tokens();
      return now.length === 1 && now[0] !== first;
    });
    await hearsOfDenials();
    process.kill(sidecar.pid, 'SIGTERM');
    await sidecar.exited;
    expect(await tokens()).toEqual([]);
    expect(await consul.request('GET', '/v1/catalog/service/orders')).toEqual([]);
  });

  it('logs in again when its token is ended early, and still receives denials', async () => {
    const { sidecar } = await start(40);
    await mesh.waitForStatus(200, CALL);
    const [first] = await tokens();
    await consul.request('DELETE', `/v1/acl/token/${first}`);
    const isAnother = async () => {
      const now = await tokens();
      return now.length === 1 && now[0] !== first;
    };
    await until('another token', isAnother, { process: sidecar });
    await hearsOfDenials();
    process.kill(sidecar.pid, 'SIGTERM');
    await sidecar.exited;
  });

  it('ends with its Envoy, so that a supervisor can restart it', async () => {
    const { sidecar, adminAddress } = await start(40);
    await mesh.waitForStatus(200, CALL);
    await fetch(`${adminAddress}/quitquitquit`, { method: 'POST' });
    await until('it has ended', () => !sidecar.isRunning());
    expect(await tokens()).toEqual([]);
  });

  it('does not go on with a proxy that nobody can close, once it can log in no more', async () => {
    const { sidecar } = await start(40);
    await mesh.waitForStatus(200, CALL);
    await consul.request('DELETE', '/v1/acl/auth-method/orders-app');
    await until('it has ended', () => !sidecar.isRunning(), { timeoutMs: 30_000 });
    expect(await readFile(join(directory, 'sidecar-login.log'), 'utf8')).toContain('has no live token');
    expect(await mesh.call(CALL.from, CALL.to, CALL.method, CALL.path)).not.toBe(200);
  });
});
