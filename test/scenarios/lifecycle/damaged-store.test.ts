import { join } from 'node:path';
import Database from 'libsql';
import { expect, it } from 'vitest';
import { createCommandLine } from '../../support/command-line.js';
import { startMesh } from '../../support/mesh.js';
import { overwritePages } from '../../support/overwrite-pages.js';
import { until } from '../../support/until.js';

it('the daemon ends with the remedy if the bytes of queue.db are overwritten while it runs', async () => {
  const mesh = await startMesh();
  const cli = createCommandLine(mesh);
  const stop = new AbortController();
  try {
    const provider = { name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', poll: '1s', fullRead: '1s' };
    cli.configure({
      http: { listen: '127.0.0.1:0' },
      providers: [{ ...provider, directory: join(cli.directory, 'clients.json') }],
    });
    await mesh.register('orders');
    await mesh.register('web', { client: 'web-app' });
    const web = { clientId: 'web-app', attributes: { 'consul-services': 'web' } };
    cli.idp({ ...web, scopes: ['orders:connect'] });
    const running = cli.run(['--log-level', 'error', 'run'], { signal: stop.signal });
    let isEnded = false;
    void running.finally(() => {
      isEnded = true;
    });
    await until('the edge', async () => isEnded || (await mesh.access('orders'))?.web === 'allow');
    expect(isEnded).toBe(false);

    const path = join(cli.directory, 'state', 'queue.db');
    const other = new Database(path);
    let turn = 0;
    await until(
      'the end of the daemon',
      () => {
        if (isEnded) return true;
        try {
          // What is in the write-ahead log alone would hide the damage.
          other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
          overwritePages(path);
          // SQLite answers from its memory until somebody else writes. This writes the first page alone.
          other.prepare(`PRAGMA application_id = ${++turn}`).all();
        } catch (error) {
          // The daemon is in this process too: waiting for its lock here would keep it from ending.
          expect(error).toMatchObject({ code: expect.stringMatching(/^SQLITE_/) });
        }
        return false;
      },
      120_000,
    );
    other.close();
    const { status, err } = await running;
    expect(status).toBe(1);
    expect(err).toMatch(
      /queue\.db is damaged .*Stop scopemesh, move .*queue\.db with its -wal and -shm files away/,
    );
  } finally {
    stop.abort(new Error('stopped by a signal'));
    cli.close();
    await mesh.consul.close();
  }
}, 200_000);
