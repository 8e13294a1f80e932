import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { readLogin } from '../app/login-view.js';
import type { PrometheusMetrics } from '../app/metrics.js';
import { readBuild } from '../app/version.js';
import type { Clock } from '../clock.js';
import { addConsoleApi } from '../console/api/console-api.js';
import { addJobs } from '../console/api/jobs.js';
import { addPageErrors } from '../console/api/page-errors.js';
import { FREEZE_ID, quarantineId, waitingRow } from '../console/api/waiting.js';
import { EntryCodes } from '../console/session/entry-codes.js';
import { addBackChannelLogout, addLogin } from '../console/session/login-api.js';
import type { OidcClient } from '../console/session/oidc-client.js';
import { addSession } from '../console/session/session-api.js';
import { Sessions } from '../console/session/sessions.js';
import { addShell } from '../console/shell.js';
import type { DecisionFeed } from '../decisions/feed.js';
import { composeSources } from '../identity/with-signals.js';
import { NEVER } from '../linked-signal.js';
import { PERSONS_REASON } from '../model/cause.js';
import { definedFields } from '../model/defined-fields.js';
import { parseKey } from '../model/key.js';
import { type AdoptionDeps, commandOf } from '../operator/deps.js';
import { endFreeze, startFreeze, toFreezeView } from '../operator/freezes.js';
import { MAX_SUBJECTS } from '../operator/requested-adoptions.js';
import type { RulingDeps } from '../operator/ruling-store.js';
import { createRulings } from '../operator/rulings.js';
import { packageFile } from '../package-file.js';
import { policyOf } from '../plan/mode.js';
import type { Fence } from '../queue/fence.js';
import { inabilityOf } from '../state/failed-reads.js';
import { addApi } from './api.js';
import {
  type ApiAccess,
  type ApiAccessSettings,
  createApiAccess,
  type FindSession,
  onlyCallers,
} from './api-access.js';
import { addChange, ChangeBody, type ChangeDeps, sendEnd } from './api-change.js';
import { addBreakGlassApi } from './break-glass-api.js';
import { addDecisionStream } from './decision-stream.js';
import { addDenyApi } from './deny-api.js';
import { createEventStreams } from './event-streams.js';
import { addIntake, type IntakeDeps } from './events.js';
import { forwardToLeader } from './forward.js';
import { addProbes, addStatus } from './health.js';
import type { Jobs } from './jobs.js';
import type { Listeners } from './listeners.js';
import { addParkedApi, MAX_KEY_LENGTH } from './parked-api.js';
import { type FindWaiting, requireComment, requireSeen, SEEN_FIELDS } from './seen.js';
import { readStatus, type StatusParts } from './status.js';
import { addTrailApi, type TrailApiDeps } from './trail-api.js';
import { addWebhookApi } from './webhook-api.js';

export interface RouteParts extends Omit<StatusParts, 'metrics'> {
  readonly metrics: PrometheusMetrics;
  /** Opened at the first stream; undefined if the decisions are on a topic without an index. */
  readonly feed: (() => Promise<DecisionFeed>) | undefined;
  readonly intake: Omit<IntakeDeps, 'sources'>;
  readonly questions: TrailApiDeps['questions'];
  readonly jobs: Jobs;
  /** Where persons of the console sign in, by the name of the provider. */
  readonly logins: ReadonlyMap<string, OidcClient>;
  /** Whether this process takes events. */
  readonly isIntake: boolean;
}

/** Adds every route of the daemon. `local`: the token for commands on this machine. */
export function addRoutes(
  { main, admin }: Pick<Listeners, 'main' | 'admin'>,
  parts: RouteParts,
  local: ApiAccessSettings['local'],
): void {
  const { config, store, providers, live, leading, metrics, intake } = parts;
  const { clock, logger } = intake;
  const { host } = config.http.admin ?? config.http.listen;
  const { console: settings } = config.http;
  const { origin } = settings;
  const sessions = new Sessions(store.sessions, settings, clock);
  const findSession: FindSession = (sessionToken, isUse) => sessions.find(sessionToken, isUse);
  const access = createApiAccess({
    host,
    tokens: config.http.tokens,
    local,
    findSession,
    ...definedFields({ origin }),
  });
  const canStore = () => store.inbox.check();
  const sides = providers.map(({ settings }) => settings.name);
  const inability = () => {
    const { deps, isReconciling } = live();
    return leading().isLeader && isReconciling ? inabilityOf(deps.reads, sides, clock.now()) : undefined;
  };
  for (const server of [main, admin]) if (server !== undefined) addProbes(server, { canStore, inability });
  const rest = admin ?? main;
  rest.addHook('onRequest', access.readSession);
  forwardToLeader(rest, { access, isLeader: () => leading().isLeader, fence: store.fence, logger });
  rest.addHook('onSend', async (request, reply) => {
    if (origin?.startsWith('https:') === true) reply.header('strict-transport-security', 'max-age=31536000');
    if (request.url.startsWith('/api/'))
      reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  });
  addStatus(rest, {
    access,
    metrics,
    status: (holdsAfter) => readStatus(parts, holdsAfter),
    records: () => {
      const { isReconciling, deps } = live();
      const { records } = deps.world;
      return isReconciling && records.areKnown ? records.ofJobs() : undefined;
    },
  });
  const standby = async () => (leading().isLeader ? undefined : standbyText(await store.fence.read()));
  const change = { standby, access, logger };
  const waiting: FindWaiting = (id, caller) => waitingRow(parts, id, NEVER, caller);
  const { partition = 'default', namespace = 'default' } = config.consul;
  const place = { partition, namespace };
  addApi(rest, {
    ...change,
    rulings: () => createRulings(live().deps),
    waiting,
    quarantineId,
    login: (id) => readLogin(live().deps, id, clock.now()),
  });
  addAdoptionApi(rest, { ...change, live: () => live().deps, clock });
  addFreezeApi(rest, { ...change, freezes: () => live().deps, waiting });
  addBreakGlassApi(rest, {
    ...change,
    breakGlass: () => live().deps,
    place,
  });
  addDenyApi(rest, {
    ...change,
    live: () => live().deps,
    orders: () => ({ ...live().deps, queue: live().queue }),
    waiting,
    place,
  });
  const { feed } = parts;
  const streams = createEventStreams(rest, { access, clock, logger, metrics });
  addDecisionStream(rest, { feed, streams, access });
  addTrailApi(rest, {
    questions: parts.questions,
    world: () => live().deps.world,
    isReconciling: () => live().isReconciling,
    access,
    clock,
    logger,
  });
  addParkedApi(rest, {
    ...change,
    parked: {
      async unpark(key, how) {
        const { queue, deps } = live();
        const unparked = await queue.unpark(key, how);
        if (how === 'drop' && unparked === 'done') deps.revocations.done(key);
        return unparked;
      },
    },
    // While nobody leads, the store itself is changed.
    standby: async () => ((await store.fence.read())?.isAlive === true ? standby() : undefined),
  });
  const build = readBuild();
  const instance = () => {
    const { mode } = live().deps.world.mapping;
    return { name: settings.name ?? config.owner, mode, ...build };
  };
  const codes = new EntryCodes(clock);
  const { logins: clients } = parts;
  const { keyValues } = store;
  addSession(rest, { access, sessions, codes, clients, instance, logger });
  const sendRefused = addShell(rest);
  addLogin(rest, {
    ...{ clients, origin, roles: settings.roles, sessions, codes, keyValues },
    ...{ sendRefused, logger, clock },
  });
  addBackChannelLogout(main, { clients, store: store.sessions, logger });
  addConsoleApi(rest, { ...parts, ...change, streams, clock });
  addJobs(rest, { ...change, jobs: parts.jobs });
  addPageErrors(rest, { access, logger, metrics, clock });
  addOpenapi(rest, { access });
  const names = config.decisions.webhooks.map(({ name }) => name);
  addWebhookApi(rest, { names, keyValues: store.keyValues, access, logger });
  if (!parts.isIntake) return;
  const sources = providers.flatMap((provider) => {
    const source = composeSources(provider);
    return source === undefined ? [] : [[source.provider, source] as const];
  });
  addIntake(main, { ...intake, sources: new Map(sources) });
}

/** Why a replica that does not lead cannot answer. */
function standbyText(lease: Awaited<ReturnType<Fence['read']>>): string {
  if (lease === undefined || !lease.isAlive)
    return 'no replica leads at this moment, and only the leader can make this change; try again in 30 seconds, and run scopemesh doctor if there is no leader then either';
  const { replica, host, address } = lease.leader;
  return `this replica does not lead; ${replica} on ${host} does${address === undefined ? '' : `: send the request to ${address}`}`;
}

/** `GET /api/openapi.yaml`, and one answer for every path under `/api` that does not exist: the access is checked first. */
export function addOpenapi(server: FastifyInstance, { access }: { readonly access: ApiAccess }): void {
  const preHandler = onlyCallers(access);
  server.addHook('onRequest', async (request, reply) => {
    if (request.is404 && /^\/api(?:[/?]|$)/.test(request.url)) return preHandler(request, reply);
  });
  server.get('/api/openapi.yaml', { preHandler }, async (_request, reply) => {
    return reply.type('application/yaml').send(await readFile(packageFile('docs/openapi.yaml'), 'utf8'));
  });
}

interface AdoptionApiDeps extends ChangeDeps {
  /** Of the present term. */
  readonly live: () => Pick<AdoptionDeps, 'adoptions' | 'queue' | 'world'>;
  readonly clock: Clock;
}

const AdoptBody = ChangeBody.extend({
  key: z.string().min(1).max(MAX_KEY_LENGTH),
  subjects: z.array(z.string().min(1).max(MAX_KEY_LENGTH)).min(1).max(MAX_SUBJECTS),
});

const UNREAD_AT_ADOPTION =
  'the daemon has not read Consul and every identity provider completely yet; run scopemesh adopt again; if it lasts, scopemesh doctor says what cannot be read';

/** `POST /api/adoptions`: adopts at one key what equals the desired state, in the turn of the key. */
export function addAdoptionApi(server: FastifyInstance, deps: AdoptionApiDeps): void {
  addChange(
    server,
    '/api/adoptions',
    'adopt',
    deps,
    AdoptBody,
    async ({ by, body: { key: text, subjects }, reply }) => {
      const key = parseKey(text);
      const { adoptions, queue, world } = deps.live();
      if (key === undefined || key.kind === 'directory')
        return reply
          .code(400)
          .send({ error: 'the key must be the key of a destination, a client or a provider' });
      if (!policyOf(world.mapping).writes)
        return reply.code(409).send({ error: `nothing is adopted in mode ${world.mapping.mode}` });
      const { hasEntries, catalog, hasDirectory } = world;
      if (!hasEntries || catalog === undefined || !world.mapping.providers.every(hasDirectory))
        return reply.code(503).send({ error: UNREAD_AT_ADOPTION });
      const cause = commandOf(by, deps);
      const wake = () => queue.add([{ key, cause }]);
      const asked = { key, subjects: new Set(subjects), by };
      return reply.send({ adopted: await adoptions.ask(asked, wake, deps.clock) });
    },
  );
}

interface FreezeApiDeps extends ChangeDeps {
  /** Of the present term. */
  readonly freezes: () => RulingDeps;
  readonly waiting: FindWaiting;
}

const FreezeReason = z.string().regex(PERSONS_REASON).exactOptional();
const MAX_FREEZE_SECONDS = 366 * 86_400;
const StartFreezeBody = ChangeBody.extend({
  reason: FreezeReason,
  forSeconds: z.number().int().min(1).max(MAX_FREEZE_SECONDS).exactOptional(),
});
const EndFreezeBody = ChangeBody.extend({ reason: FreezeReason, fingerprint: SEEN_FIELDS.fingerprint });

/** `POST /api/freeze/start` and `/api/freeze/end`. `/statusz` shows the freeze in effect. */
function addFreezeApi(server: FastifyInstance, deps: FreezeApiDeps): void {
  addChange(
    server,
    '/api/freeze/start',
    'freeze',
    deps,
    StartFreezeBody,
    async ({ by, caller, body, reply }) => {
      const { reason, forSeconds } = body;
      requireComment(caller, reason);
      const forMs = forSeconds === undefined ? undefined : forSeconds * 1000;
      const freeze = await startFreeze({ reason, forMs }, by, deps.freezes());
      return reply.send({ freeze: toFreezeView(freeze) });
    },
  );
  addChange(
    server,
    '/api/freeze/end',
    'unfreeze',
    deps,
    EndFreezeBody,
    async ({ by, caller, body, reply }) => {
      requireComment(caller, body.reason);
      await requireSeen(FREEZE_ID, body.fingerprint, caller, deps.waiting);
      const end = await endFreeze(body.reason, by, deps.freezes());
      return sendEnd(reply, end, (left) => ({ freeze: toFreezeView(left) }));
    },
  );
}
