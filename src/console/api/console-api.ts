import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Clock } from '../../clock.js';
import { type ApiAccess, onlyCallers, sendRefusal } from '../../daemon/api-access.js';
import type { EventStreams } from '../../daemon/event-streams.js';
import { keptFor, sinceAsked } from '../../daemon/health.js';
import type { Jobs } from '../../daemon/jobs.js';
import type { Questions } from '../../daemon/questions.js';
import { type Caller, principalOf } from '../../daemon/rights.js';
import type { StatusParts } from '../../daemon/status.js';
import type { DecisionFeed } from '../../decisions/feed.js';
import { codeOf, configError, messageOf } from '../../errors.js';
import { NEVER } from '../../linked-signal.js';
import { isRecord } from '../../model/is-record.js';
import { fromSegments } from '../../model/segment.js';
import type { Logger } from '../../observe.js';
import { safeParse } from '../../safe-parse.js';
import { KeyedMutex } from '../../state/mutex.js';
import { type Fault, ROUTES } from '../answers.js';
import { listClients, readClient } from './client-pages.js';
import { explainNow } from './explain.js';
import { readHealth } from './health.js';
import { readMesh } from './map.js';
import { answerOfMap } from './map-part.js';
import { type Coded, type ConsoleParts, NoSuchThing } from './parts.js';
import { answerWhatIf, readPlan } from './plan.js';
import { search } from './search.js';
import { listServices } from './service-list.js';
import { readService } from './service-page.js';
import { readNow } from './status.js';
import { addConsoleStream } from './stream.js';
import { answerTokens, readTokenList } from './tokens.js';
import { listWaiting, readWaiting } from './waiting.js';

export interface ConsoleApiDeps extends Omit<ConsoleParts, 'newest'>, StatusParts {
  readonly access: ApiAccess;
  /** Why this replica does not answer; undefined if it leads. */
  readonly standby: () => Promise<string | undefined>;
  readonly feed: (() => Promise<DecisionFeed>) | undefined;
  readonly streams: EventStreams;
  readonly questions: Questions;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Route<Q extends z.ZodType, A extends z.ZodType> {
  readonly path: string;
  readonly query: Q;
  readonly answer: A;
}

interface Asker {
  readonly principal: string;
  readonly headers: FastifyRequest['headers'];
  readonly caller: Caller;
  /** Aborts when the asker has gone. */
  readonly signal: AbortSignal;
}

type Refusal = Fault & { readonly status: number };

/** The status by the code of an error. */
const REFUSALS: Readonly<Record<string, Pick<Refusal, 'status' | 'code'>>> = {
  ERR_CONFIG: { status: 400, code: 'BadQuestion' },
  ERR_BUSY: { status: 429, code: 'Busy' },
  ERR_CONSUL_DENIED: { status: 503, code: 'Denied' },
};
/** A large map takes some tenth of the event loop at most: between two reads of it there is a pause. */
const MAP_PAUSE_MS = 3_000;
/** A plan of everything takes some tenth of the event loop at most. */
const PLAN_PAUSE_MS = 3_000;
/** Two reads of all tokens: Consul, too, has a rest between them. */
const TOKENS_PAUSE_MS = 10_000;
/** All streams together ask so often. */
const STATUS_LIFE_MS = 1_500;

/** The routes of the console that only read. What they say of the world the leader has in memory; the rest is of the trail. */
export function addConsoleApi(server: FastifyInstance, deps: ConsoleApiDeps): void {
  const { access, clock, feed, questions, live } = deps;
  const parts = { ...deps, newest: async () => (await feed?.())?.newestId() };
  const ofWorld = <Q extends z.ZodType, A extends z.ZodType>(
    route: Route<Q, A>,
    answer: (query: z.output<Q>, signal: AbortSignal, asker: Asker) => Promise<z.input<A>>,
  ) =>
    addRoute(server, route, deps, async (query, asker) => {
      const refusal = await unreadiness(deps);
      return refusal === undefined
        ? JSON.stringify(await answer(query, asker.signal, asker))
        : { status: 503, ...refusal };
    });
  const ofTrail = <Q extends z.ZodType>(
    route: Route<Q, z.ZodType>,
    kind: 'decisions' | 'decision' | 'latency' | 'proof',
  ) =>
    addRoute(server, route, deps, async (query, { principal, signal }) => {
      const { protectedServices } = live().deps.world.mapping;
      const question = { kind, query, now: clock.now(), protectedServices };
      const answer = await questions.ask(principal, question, signal);
      return answer === 'null' ? new NoSuchThing('the log has no decision with this ID').fault : answer;
    });
  ofWorld(ROUTES.status, (_, signal) => readNow(parts, signal));
  ofWorld(ROUTES.services, (query, signal) => listServices(parts, query, signal));
  ofWorld(ROUTES.service, ({ name }, signal) => readService(parts, name, signal));
  ofWorld(ROUTES.clients, (query, signal) => listClients(parts, query, signal));
  ofWorld(ROUTES.client, (id, signal) => readClient(parts, id, signal));
  ofWorld(ROUTES.explain, ({ from, to, method, path }, signal, { principal }) => {
    if (method !== undefined && path === undefined) throw configError('method needs path');
    const call = { source: from, destination: to, method: method?.toUpperCase(), path };
    return explainNow(parts, call, { principal, signal });
  });
  ofWorld(ROUTES.search, ({ q }, signal) => search(parts, q, signal));
  ofWorld(ROUTES.waiting, (query, signal, { caller }) => listWaiting(parts, query, signal, caller));
  ofWorld(ROUTES.waitingFor, ({ id }, signal, { caller }) => readWaiting(parts, id, signal, caller));
  const plan = sinceAsked(() => readPlan(parts, NEVER), PLAN_PAUSE_MS);
  ofWorld(ROUTES.plan, () => plan());
  const tokens = sinceAsked(() => readTokenList(parts, NEVER), TOKENS_PAUSE_MS);
  ofWorld(ROUTES.tokens, async (query) => answerTokens(await tokens(), query));
  // One at a time, and of each asker one waits for that.
  const turns = new KeyedMutex();
  ofWorld(ROUTES.whatIf, (query, signal, { principal }) =>
    turns.run(`of ${principal}`, () =>
      turns.run('all', async () => {
        signal.throwIfAborted();
        return answerWhatIf(parts, query, signal);
      }),
    ),
  );
  ofTrail(ROUTES.decisions, 'decisions');
  ofTrail(ROUTES.decision, 'decision');
  const mesh = sinceAsked(() => readMesh(parts), MAP_PAUSE_MS);
  addRoute(server, ROUTES.map, deps, async (query, { headers }) => {
    const refusal = await unreadiness(deps);
    return refusal === undefined ? answerOfMap(await mesh(), query, headers) : { status: 503, ...refusal };
  });
  ofTrail(ROUTES.proof, 'proof');
  ofTrail(ROUTES.latency, 'latency');
  const health = sinceAsked(async () =>
    JSON.stringify(await readHealth({ ...parts, unready: await unreadiness(deps) })),
  );
  addRoute(server, ROUTES.health, deps, health);
  const status = keptFor(STATUS_LIFE_MS, async () => {
    try {
      return JSON.stringify((await unreadiness(deps)) ?? (await readNow(parts, NEVER)));
    } catch (error) {
      return JSON.stringify({ error: messageOf(error), code: 'Unreachable' } satisfies Fault);
    }
  });
  addConsoleStream(server, { ...{ feed, status, access, clock }, streams: deps.streams, jobs: deps.jobs });
}

/** Why this process does not know the world; undefined if it does. */
async function unreadiness({
  standby,
  live,
  store,
}: Pick<ConsoleApiDeps, 'standby' | 'live' | 'store'>): Promise<Fault | undefined> {
  const why = await standby();
  if (why !== undefined) {
    const leader = (await store.fence.read())?.leader.address ?? null;
    return { error: why, code: 'NotLeading', leader, retryAfterSeconds: 1 };
  }
  if (live().isReconciling) return undefined;
  return {
    error: 'this process does not reconcile, so it does not know the mesh; ask the one that does',
    code: 'NotReconciling',
  };
}

/** `answer`: JSON, perhaps compressed, or why there is no answer. */
function addRoute<Q extends z.ZodType>(
  server: FastifyInstance,
  { path, query: shape }: Route<Q, z.ZodType>,
  { access, logger }: Pick<ConsoleApiDeps, 'access' | 'logger'>,
  answer: (query: z.output<Q>, asker: Asker) => Promise<string | Coded | Refusal>,
): void {
  const url = path.replaceAll(/\{(\w+)\}/g, ':$1');
  server.get(url, { preHandler: onlyCallers(access) }, async (request, reply) => {
    const refuse = ({ status, ...fault }: Refusal) => {
      const { retryAfterSeconds: seconds } = fault;
      if (seconds !== undefined) reply.header('retry-after', String(seconds));
      return reply.code(status).send(fault);
    };
    const query = safeParse(shape, { ...recordOf(request.query), ...fromSegments(request.params) });
    if (!query.success) return refuse({ status: 400, error: faultOf(query.error), code: 'BadQuestion' });
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    try {
      const { headers } = request;
      const caller = access.callerOf(request);
      if ('status' in caller) return await sendRefusal(reply, caller);
      const asker = { principal: principalOf(caller).id, caller, signal: gone.signal, headers };
      const answered = await answer(query.data, asker);
      if (typeof answered !== 'string' && 'error' in answered) return refuse(answered);
      reply.type('application/json; charset=utf-8');
      if (typeof answered === 'string') return await reply.send(answered);
      return await reply.code(answered.status).headers(answered.headers).send(answered.body);
    } catch (error) {
      if (error instanceof NoSuchThing) return refuse(error.fault);
      const known = REFUSALS[codeOf(error)] ?? { status: 503, code: 'Unreachable' };
      if (known.status === 503 && !gone.signal.aborted)
        logger.warn({ path, error: messageOf(error) }, 'a question of the console failed');
      const retry = known.status === 400 ? {} : { retryAfterSeconds: 1 };
      return refuse({ ...known, error: messageOf(error), ...retry });
    }
  });
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function faultOf({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.map(String).join('.') || 'the query'} is missing or not valid: ${issue?.message ?? ''}`;
}
