import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { choose, Jar } from '../../console/session/browser.js';
import { textOf } from '../../docs/manual.js';
import { type PEOPLE, type PeopleConsole, startPeopleConsole } from '../../support/people-console.js';

const HOST = 'console.example.com';
const READER = 'token-without-approve-of-thirty-two';
const RULER = 'token-with-approve-of-thirty-two-ch';
const CALLERS = ['none', 'nobody', 'viewer', 'approver', 'operator', 'reader', 'ruler', 'local'] as const;
type Caller = (typeof CALLERS)[number];

/** `reader` and `ruler`: tokens of `http.tokens` without and with approve. `local`: the token file. */
const ANYBODY = CALLERS;
const READS = ['viewer', 'approver', 'operator', 'reader', 'ruler', 'local'] as const;
const RULES = ['approver', 'ruler', 'local'] as const;
const OPERATES = ['operator', 'ruler', 'local'] as const;
const PERSONS = ['viewer', 'approver', 'operator'] as const;
const NONE: readonly Caller[] = [];
/** An identity provider signs what it sends: nothing that a caller here has is a proof. */
const SIGNED: readonly Caller[] = [];
/** The identity provider sends browsers back to the host of the console alone. */
const AT_ITS_HOST = CALLERS.filter((caller) => caller !== 'local');

/** Who may use each route of `docs/openapi.yaml`. */
const TABLE: Readonly<Record<string, readonly Caller[]>> = {
  'POST /events/{provider}': SIGNED,
  'GET /events/{provider}': SIGNED,
  'POST /events/{provider}/logout': SIGNED,
  'GET /login': ANYBODY,
  'GET /login/{provider}': AT_ITS_HOST,
  'GET /login/{provider}/callback': AT_ITS_HOST,
  'GET /healthz': ANYBODY,
  'GET /readyz': ANYBODY,
  'GET /statusz': READS,
  'GET /statusz/records': READS,
  'GET /metrics': READS,
  'POST /api/holds/{id}/approve': RULES,
  'POST /api/holds/{id}/reject': RULES,
  'POST /api/holds/approve': RULES,
  'POST /api/holds/reject': RULES,
  'POST /api/quarantines/{provider}/{clientId}/release': RULES,
  'POST /api/parked/retry': OPERATES,
  'POST /api/parked/drop': OPERATES,
  'POST /api/webhooks/skip': OPERATES,
  'GET /api/openapi.yaml': READS,
  'POST /api/freeze/start': OPERATES,
  'POST /api/freeze/end': OPERATES,
  'POST /api/break-glass': OPERATES,
  'POST /api/break-glass/{id}/end': OPERATES,
  'POST /api/denies': OPERATES,
  'POST /api/denies/end': ['approver', ...OPERATES],
  'POST /api/quarantines/{provider}/{clientId}': OPERATES,
  'POST /api/adoptions': OPERATES,
  'GET /api/clients/{provider}/{clientId}/login': READS,
  'POST /api/session/code': ['local'],
  'POST /api/session': NONE,
  'GET /api/session': READS,
  'DELETE /api/session': PERSONS,
  'GET /api/decisions/stream': READS,
  'GET /api/edges': READS,
  'GET /api/trail/who-can-call': READS,
  'GET /api/trail/what-can': READS,
  'GET /api/trail/explain': READS,
  'GET /api/trail/blast-radius': READS,
  'GET /api/trail/history': READS,
  'GET /api/trail/access-diff': READS,
  'POST /api/jobs/evidence': READS,
  'GET /api/jobs/{id}/files/{name}': READS,
  'GET /api/holds': READS,
  'GET /api/holds/{id}': READS,
  'GET /api/status': READS,
  'GET /api/services': READS,
  'GET /api/services/{name}': READS,
  'GET /api/clients': READS,
  'GET /api/clients/{provider}/{clientId}': READS,
  'GET /api/explain': READS,
  'GET /api/map': READS,
  'GET /api/search': READS,
  'GET /api/decisions': READS,
  'GET /api/decisions/{id}': READS,
  'GET /api/decisions/{id}/proof': READS,
  'GET /api/jobs': READS,
  'GET /api/health': READS,
  'GET /api/latency': READS,
  'GET /api/tokens': READS,
  'GET /api/plan': READS,
  'GET /api/what-if': READS,
  'POST /api/page-errors': READS,
  'GET /api/stream': READS,
};
const PARAMETERS: Readonly<Record<string, string>> = {
  provider: 'main',
  clientId: 'web-app',
  id: 'x',
  name: 'x',
};
/** What only who may read knows. The page has the names of other services in its examples. */
const SERVICE = /\breports\b/;

let open: PeopleConsole;
/** What each caller sends. */
const proofs = new Map<Caller, Readonly<Record<string, string>>>();
const page = { host: HOST, origin: `https://${HOST}`, 'sec-fetch-site': 'same-origin' };

beforeAll(async () => {
  const tokens = [
    { name: 'reader', token: READER },
    { name: 'ruler', token: RULER, approve: 'on' },
  ];
  open = await startPeopleConsole({ tokens }, `https://${HOST}`);
  const file = join(open.cli.directory, 'state', `api-token-${new URL(open.address).port}`);
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  proofs.set('none', page);
  proofs.set('reader', { host: HOST, ...bearer(READER) });
  proofs.set('ruler', { host: HOST, ...bearer(RULER) });
  proofs.set('local', bearer(readFileSync(file, 'utf8').trim()));
  for (const person of ['nobody', ...PERSONS] as const) proofs.set(person, await signIn(person));
});
afterAll(() => open?.close());

async function signIn(person: keyof typeof PEOPLE): Promise<Readonly<Record<string, string>>> {
  const jar = new Jar();
  const take = async (path: string) => {
    const answer = await send('GET', path, { host: HOST, ...jar.header });
    jar.take({ ...answer, location: '', cookies: answer.headers['set-cookie'] ?? [] });
    return answer.headers.location ?? '';
  };
  const back = await choose(await take('/login/main'), person, new Jar());
  await take(back.replace(`https://${HOST}`, ''));
  return { ...page, ...jar.header };
}

async function send(method: string, path: string, headers: Readonly<Record<string, string>>) {
  // No route takes this body, so nothing is changed by who may change it.
  const body = method === 'POST' ? '{"none":1}' : undefined;
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const sent = request(open.address + path, { method, headers: { ...headers, ...type }, agent: false });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const isStream = String(answer.headers['content-type']).startsWith('text/event-stream');
  const said = isStream ? '' : await text(answer);
  if (isStream) answer.destroy();
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: said };
}

const { paths } = parse(textOf('docs/openapi.yaml')) as { paths: Record<string, Record<string, unknown>> };
const ROUTES = Object.entries(paths).flatMap(([path, item]) =>
  ['get', 'post', 'put', 'delete', 'patch']
    .filter((method) => method in item)
    .map((method) => `${method.toUpperCase()} ${path}`),
);
const filled = (path: string) => path.replaceAll(/\{(\w+)\}/g, (_, name: string) => PARAMETERS[name] ?? 'x');

it('the table has each route of openapi.yaml, and no other', () => {
  expect(Object.keys(TABLE).toSorted()).toEqual(ROUTES.toSorted());
});

// The end of a session comes last: its persons are out then.
const last = 'DELETE /api/session';
it.each([...ROUTES.filter((route) => route !== last), last])(
  '%s is for whom the table says',
  async (route) => {
    const [method = '', path = ''] = route.split(' ');
    const allowed: Caller[] = [];
    for (const caller of CALLERS) {
      const { status, headers, body } = await send(method, filled(path), proofs.get(caller) ?? {});
      const isRefused = TABLE[route] === SIGNED ? status >= 400 : status === 401 || status === 403;
      if (!isRefused) allowed.push(caller);
      if (isRefused || caller === 'none' || caller === 'nobody')
        expect([caller, body + JSON.stringify(headers)]).toEqual([
          caller,
          expect.not.stringMatching(SERVICE),
        ]);
    }
    expect(allowed).toEqual(CALLERS.filter((caller) => TABLE[route]?.includes(caller)));
  },
);

it('who has no role learns of no name whether it exists, and finds none in a file', async () => {
  for (const caller of ['none', 'nobody'] as const) {
    const ask = (path: string) => send('GET', path, proofs.get(caller) ?? {});
    for (const [real, other] of [
      ['/api/services/reports', '/api/services/x'],
      ['/api/clients/main/reports-app', '/api/clients/main/x'],
      ['/api/explain?from=reports&to=orders', '/api/explain?from=x&to=y'],
    ] as const) {
      const [first, second] = [await ask(real), await ask(other)];
      expect([first.status, first.body]).toEqual([second.status, second.body]);
    }
    const shell = await ask('/services/reports');
    const files = [...shell.body.matchAll(/"(\/assets\/[^"]+)"/g)].map(([, file = '']) => file);
    for (const path of ['/', '/services/reports', '/api/nothing', ...files])
      expect([path, (await ask(path)).body]).toEqual([path, expect.not.stringMatching(SERVICE)]);
  }
});
