import { z } from 'zod';
import { blastAt, blastNow, type MeshNow } from '../app/blast-view.js';
import { isoText } from '../clock.js';
import { toDecisionPage, toDecisions } from '../console/api/decision-row.js';
import { toCloudEvent } from '../decisions/envelope.js';
import { proveInclusion } from '../decisions/proofs.js';
import type { Trail } from '../decisions/trail.js';
import { codeOf, configError, messageOf, SyncError } from '../errors.js';
import { accessDiff } from '../trail/access-diff.js';
import { nowIn } from '../trail/answer.js';
import { callAt } from '../trail/call-at.js';
import { historyOf } from '../trail/history.js';
import { listDecisions } from '../trail/list-decisions.js';
import { presentEdges } from '../trail/present-edges.js';
import { timesOf } from '../trail/times.js';
import { whatCan } from '../trail/what-can.js';
import { whoCanCall } from '../trail/who-can-call.js';

/** What an answer needs besides the trail. Plain values: another thread gives the answer. */
export interface Question {
  readonly kind: QuestionKind;
  /** As the shape of its kind accepts it. */
  readonly query: unknown;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly protectedServices: readonly string[];
  /** What Consul has, for a question that needs it. */
  readonly mesh?: MeshNow;
}

const name = z.string().min(1).max(512);
const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString());
const HISTORY = z.strictObject({
  name,
  since: instant.optional(),
  until: instant.optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
const CALL = z.strictObject({
  source: name,
  destination: name,
  at: instant.optional(),
  method: z
    .string()
    .regex(/^[A-Z]{1,16}$/)
    .default('GET'),
  path: z.string().startsWith('/').max(4_096).optional(),
});
const NAMED = z.strictObject({ name, at: instant.optional() });
const SERVICE = z.strictObject({ service: name, at: instant.optional() });
const DIFF = z.strictObject({ from: instant, to: instant.optional() });

function kind<T extends z.ZodType>(
  shape: T,
  answer: (trail: Trail, query: z.output<T>, question: Question) => Promise<unknown>,
) {
  return {
    shape,
    answer: (trail: Trail, question: Question) => answer(trail, shape.parse(question.query), question),
  };
}

const when = async (trail: Trail, at: string | undefined, { now }: Question) =>
  at ?? nowIn(trail, isoText(now));

const FILTER = z.strictObject({
  cursor: name.optional(),
  limit: z.number(),
  kind: name.optional(),
  outcome: name.optional(),
  action: name.optional(),
  cause: name.optional(),
  reason: name.optional(),
  service: name.optional(),
  client: name.optional(),
  since: instant.optional(),
  until: instant.optional(),
});

/** The questions of the command line, with the same answers as its `--json`; and `edges`, the present for a consumer. */
export const QUESTIONS = {
  history: kind(HISTORY, async (trail, { name: about, since, until, limit }) => {
    const answer = await historyOf(trail, about, { from: since, to: until, limit });
    return { ...answer, decisions: answer.decisions.map(toCloudEvent) };
  }),
  explain: kind(CALL, async (trail, { source, destination, at, method, path }, question) => {
    const request = path === undefined ? undefined : { method, path };
    return callAt(trail, { source, destination, request }, await when(trail, at, question));
  }),
  'who-can-call': kind(SERVICE, async (trail, { service, at }, question) =>
    whoCanCall(trail, service, await when(trail, at, question)),
  ),
  'what-can': kind(NAMED, async (trail, { name: about, at }, question) =>
    whatCan(trail, about, await when(trail, at, question)),
  ),
  'access-diff': kind(DIFF, async (trail, { from, to }, question) =>
    accessDiff(trail, from, await when(trail, to, question)),
  ),
  edges: kind(z.strictObject({}), presentEdges),
  'blast-radius': kind(NAMED, async (trail, { name: about, at }, { mesh, now, protectedServices }) => {
    if (at !== undefined) return blastAt(about, protectedServices, trail, at);
    if (mesh !== undefined) return blastNow(mesh, trail, now);
    throw configError(
      'this process does not reconcile, so it does not know what Consul has: add at=, or ask the process that does',
    );
  }),
};

const DAY_MS = 86_400_000;

/** What the console asks the trail besides. */
const CONSOLE_QUESTIONS = {
  decisions: kind(FILTER, async (trail, { cursor, limit, ...filter }) => {
    return toDecisions(await listDecisions(trail, filter, { cursor, limit }));
  }),
  decision: kind(z.strictObject({ id: name }), async (trail, { id }) => {
    const found = await trail.decision(id);
    return found === undefined ? null : toDecisionPage(found);
  }),
  latency: kind(
    z.strictObject({ from: instant.optional(), to: instant.optional() }),
    async (trail, query, question) => {
      const to = await when(trail, query.to, question);
      const from = query.from ?? new Date(Date.parse(to) - DAY_MS).toISOString();
      if (from >= to) throw configError('from must be before to');
      return timesOf(trail, { from, to });
    },
  ),
  proof: kind(z.strictObject({ id: name }), async (trail, { id }) => {
    if ((await trail.decision(id)) === undefined) return null;
    try {
      return await proveInclusion(trail.eventsAround(id), id);
    } catch (error) {
      // It is not signed yet, or the log lacks what the proof needs.
      throw codeOf(error) === 'ERR_EVENT_INVALID' ? configError(messageOf(error)) : error;
    }
  }),
};

const ALL = { ...QUESTIONS, ...CONSOLE_QUESTIONS };
type QuestionKind = keyof typeof ALL;

/** The answer as JSON. Throws as `openTrail` and the trail do, and ERR_CONFIG for a question that cannot be answered. */
export async function answerQuestion(openTrail: () => Promise<Trail>, question: Question): Promise<string> {
  const { kind: which, mesh, now } = question;
  let trail: Trail;
  try {
    trail = await openTrail();
  } catch (error) {
    // What Consul has now needs no trail: it only cites the decisions.
    if (mesh === undefined || !isBadQuestion(error)) throw error;
    return JSON.stringify(await blastNow(mesh, undefined, now));
  }
  return JSON.stringify(await ALL[which].answer(trail, question));
}

/** The question cannot be answered; another one may be. */
export function isBadQuestion(error: unknown): boolean {
  return error instanceof SyncError && error.code === 'ERR_CONFIG';
}
