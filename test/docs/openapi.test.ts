import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { withConsole } from '../../docs/console-openapi.js';
import { createMetrics } from '../../src/app/metrics.js';
import { ROUTES } from '../../src/console/answers.js';
import { SHELL_ROUTES } from '../../src/console/shell.js';
import { createHttpServer } from '../../src/daemon/http-server.js';
import { addRoutes, type RouteParts } from '../../src/daemon/routes.js';
import { Secret } from '../../src/model/secret.js';
import { PRESENT_EDGES } from '../../src/trail/present-edges.js';
import { freePort } from '../stack/ports.js';
import { createCommandLine } from '../support/command-line.js';
import { until } from '../support/until.js';
import { textOf } from './manual.js';

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: Readonly<Record<'schemas', Readonly<Record<string, unknown>>>>;
}

const description: Description = parse(textOf('docs/openapi.yaml'));
const METHODS = ['get', 'post', 'put', 'delete', 'patch'];

it('openapi.yaml has every route of the daemon, and no other', async () => {
  const server = createHttpServer();
  const routes: string[] = [];
  server.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat())
      if (each !== 'HEAD' && !SHELL_ROUTES.includes(url))
        routes.push(`${each} ${url.replaceAll(/:(\w+)/g, '{$1}')}`);
  });
  const parts = {
    config: {
      consul: {},
      decisions: { kind: 'embedded', webhooks: [] },
      http: { listen: { host: '127.0.0.1', port: 0 }, tokens: [], console: { roles: {} } },
    },
    logins: new Map(),
    store: {},
    providers: [],
    leading: () => ({ isLeader: true }),
    live: () => ({}),
    intake: {},
    metrics: createMetrics(),
    isIntake: true,
  } as unknown as RouteParts;
  addRoutes({ main: server, admin: undefined }, parts, { token: new Secret('x'), path: '' });
  await server.close();
  const described = Object.entries(description.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => method in item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.length).toBeGreaterThan(8);
  expect(described.toSorted()).toEqual([...new Set(routes)].toSorted());
});

it('openapi.yaml refers only to what it has, and uses all of it', () => {
  const references = [...textOf('docs/openapi.yaml').matchAll(/"#\/components\/(\w+)\/(\w+)"/g)].map(
    ([, kind = '', name = '']) => `${kind}/${name}`,
  );
  const defined = Object.entries(description.components).flatMap(([kind, all]) =>
    kind === 'securitySchemes' ? [] : Object.keys(all).map((name) => `${kind}/${name}`),
  );
  expect([...new Set(references)].toSorted()).toEqual(defined.toSorted());
});

it('openapi.yaml describes the routes of the console as their schemas do (else run `npx tsx docs/write-tables.ts`)', () => {
  const text = textOf('docs/openapi.yaml');
  expect(withConsole(text)).toBe(text);
  expect(Object.keys(description.paths)).toEqual(
    expect.arrayContaining(Object.values(ROUTES).map(({ path }) => path)),
  );
});

it('openapi.yaml describes the present edges as their schema does', () => {
  const { $schema: _, ...schema } = z.toJSONSchema(PRESENT_EDGES);
  expect(description.components.schemas.PresentEdges).toEqual(schema);
});

it('a running daemon answers /statusz and a refusal as openapi.yaml says', async () => {
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } });
  ajv.addSchema({ $id: 'openapi', ...description });
  const matches = (name: string, value: unknown) => {
    const validate = ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
    validate(value);
    expect(validate.errors ?? []).toEqual([]);
  };
  const cli = createCommandLine();
  const stop = new AbortController();
  try {
    cli.idp();
    const listen = `127.0.0.1:${await freePort()}`;
    cli.configure({ http: { listen } });
    const running = cli.run(['--log-level', 'error', 'run'], { signal: stop.signal });
    const status = await until('the daemon answers', () =>
      fetch(`http://${listen}/statusz`).then(
        (answer) => answer.json(),
        () => undefined,
      ),
    );
    matches('Status', status);
    const { properties } = description.components.schemas.Status as { readonly properties: object };
    expect(Object.keys(status as object).toSorted()).toEqual(Object.keys(properties).toSorted());
    const refused = await fetch(`http://${listen}/api/parked/retry`, { method: 'POST', body: '{}' });
    expect(refused.status).toBe(401);
    matches('Error', await refused.json());
    stop.abort(new Error('stopped by a signal'));
    await running;
  } finally {
    cli.close();
  }
});
