import { expect, it } from 'vitest';
import { loadConfig } from '../../../config/load.js';
import { readTextFile } from '../../../config/read-text-file.js';
import { readApiToken } from '../../../src/app/api-token.js';
import { Fault, ROUTES } from '../../../src/console/answers.js';
import { besideDaemon } from '../../support/beside-daemon.js';
import { startOrdersCommandLine } from '../../support/orders-command-line.js';

it('explains a call with the document of the command, and says what to mend first', async () => {
  const { cli } = await startOrdersCommandLine();
  await besideDaemon(cli, async () => {
    const { config } = await loadConfig({
      path: cli.configFile,
      environment: {},
      readFile: readTextFile,
    });
    const token = await readApiToken(config);
    const headers = { authorization: `Bearer ${token.reveal()}` };
    const { host, port } = config.http.listen;
    for (const [from, to, path] of [
      ['web', 'orders', '/v1/orders'],
      ['web', 'billing'],
      ['orders', 'billing'],
    ] as const) {
      const query = new URLSearchParams({ from, to, ...(path === undefined ? {} : { path }) });
      const answer = await fetch(`http://${host}:${port}/api/explain?${query}`, { headers });
      const body = ROUTES.explain.answer.parse(await answer.json());
      const asked = path === undefined ? [] : ['--path', path];
      const { json } = await cli.run(['explain', from, to, ...asked, '--json']);
      expect(body).toMatchObject(json());
      expect(body.remedy?.what ?? null).toBe(body.mend);
      const broken = path === undefined ? (from === 'web' ? 'scope' : 'claim') : 'arrival';
      expect([body.firstBroken, body.steps.length]).toEqual([broken, 6]);
    }
    const unknown = await fetch(`http://${host}:${port}/api/explain?from=web&to=gone`, { headers });
    expect([unknown.status, Fault.parse(await unknown.json()).code]).toEqual([400, 'BadQuestion']);
  });
});
