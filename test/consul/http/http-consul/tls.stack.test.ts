import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Consul } from '../../../../src/consul/consul.js';
import type { HttpConsulOptions } from '../../../../src/consul/http/http-consul.js';
import { installed } from '../../../stack/installed.js';
import { CONSUL_HEADERS, connect } from '../fault-server.js';

const never = new AbortController().signal;

/** Certificates made by Consul itself, as an operator makes them; the server asks for a client's. */
describe('Consul over TLS', () => {
  let directory: string;
  let server: Server;
  let address: string;
  const files = new Map<string, Buffer>();

  const list = (consul: Consul): Promise<unknown> => consul.intentions.list(never);
  /** By the package that the lease uses. */
  const renew = (consul: Consul): Promise<unknown> => consul.lock.renewSession('one', never);
  const tried = async (ask: typeof list, tls: HttpConsulOptions['tls']) => {
    const consul = connect(address, { tls });
    try {
      return await ask(consul);
    } finally {
      await consul.close();
    }
  };
  const file = (name: string): Buffer => {
    const found = files.get(name);
    if (found === undefined) throw new Error(`consul made no ${name}: ${[...files.keys()].join(' ')}`);
    return found;
  };

  beforeAll(async () => {
    const binary = await installed('consul');
    directory = await mkdtemp(join(tmpdir(), 'scopemesh-tls-'));
    const consul = (...args: string[]) => promisify(execFile)(binary, args, { cwd: directory });
    await consul('tls', 'ca', 'create');
    await consul('tls', 'cert', 'create', '-server');
    await consul('tls', 'cert', 'create', '-client');
    for (const name of await readdir(directory)) files.set(name, await readFile(join(directory, name)));
    server = createServer(
      {
        ca: file('consul-agent-ca.pem'),
        cert: file('dc1-server-consul-0.pem'),
        key: file('dc1-server-consul-0-key.pem'),
        requestCert: true,
        rejectUnauthorized: true,
      },
      (_, response) => response.writeHead(200, CONSUL_HEADERS).end('[]'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    address = `https://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
  });

  afterAll(async () => {
    server?.closeAllConnections();
    server?.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('is reached with the CA, a client certificate and the name of the server', async () => {
    const client = { cert: file('dc1-client-consul-0.pem'), key: file('dc1-client-consul-0-key.pem') };
    const ca = file('consul-agent-ca.pem');
    const tls = { ca, ...client, serverName: 'server.dc1.consul' };
    expect(await tried(list, tls)).toEqual([]);
    expect(await tried(renew, tls)).toBe(true);
  });

  it('is not believed without its CA, under another name, or where it refuses the client', async () => {
    const client = { cert: file('dc1-client-consul-0.pem'), key: file('dc1-client-consul-0-key.pem') };
    const ca = file('consul-agent-ca.pem');
    const unreachable = { code: 'ERR_CONSUL_UNREACHABLE' };
    const wrong = [
      { ...client, serverName: 'server.dc1.consul' },
      { ca, ...client, serverName: 'other.example' },
      { ca, serverName: 'server.dc1.consul' },
    ];
    for (const tls of wrong)
      for (const ask of [list, renew]) await expect(tried(ask, tls)).rejects.toMatchObject(unreachable);
  });
});
