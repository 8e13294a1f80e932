import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../clock.js';
import { type ApiAccess, onlyCallers } from '../../daemon/api-access.js';
import { NO_FEED } from '../../daemon/decision-stream.js';
import type { Begun, EventStream, EventStreams } from '../../daemon/event-streams.js';
import type { Jobs } from '../../daemon/jobs.js';
import type { DecisionFeed, FeedEvent } from '../../decisions/feed.js';
import { parseLogEvent } from '../../decisions/log.js';
import { fieldOf } from '../../model/field-of.js';
import { jsonIn } from '../../model/json-in.js';
import { safeParse } from '../../safe-parse.js';
import { ROUTES } from '../answers.js';
import { toDecisionRow } from './decision-row.js';

export interface ConsoleStreamDeps {
  readonly feed: (() => Promise<DecisionFeed>) | undefined;
  readonly streams: EventStreams;
  /** The answer of `/api/status`, or a fault, as JSON. */
  readonly status: () => Promise<string>;
  readonly access: ApiAccess;
  readonly jobs: Pick<Jobs, 'list'>;
  readonly clock: Clock;
}

/** What is decided meanwhile comes together. */
const BATCH_MS = 100;
const STATUS_MS = 2_000;
/** Who is further behind asks again for what it shows: that costs both sides less. */
const MOST_BEHIND = 2_000;

/** `GET /api/stream`: decisions in batches, the status, and that a job went on. Every stream takes the same events from one feed. */
export function addConsoleStream(server: FastifyInstance, deps: ConsoleStreamDeps): void {
  const { access, feed: openFeed, streams } = deps;
  const { path, query: shape } = ROUTES.stream;
  server.get(path, { preHandler: onlyCallers(access) }, async (request, reply) => {
    if (openFeed === undefined) return reply.code(404).send({ error: NO_FEED, code: 'NotFound' });
    const query = safeParse(shape, request.query);
    if (!query.success) return reply.code(400).send({ error: 'after is not an ID', code: 'BadQuestion' });
    return streams.serve(request, reply, async (): Promise<Begun> => {
      const feed = await openFeed();
      const id = request.headers['last-event-id'] ?? query.data.after;
      const found = id === undefined ? feed.last() : feed.find(String(id));
      return {
        first: found === undefined ? RESYNC : ': scopemesh\n\n',
        run: (stream) =>
          Promise.all([
            sendDecisions(feed, found ?? feed.last(), stream, deps.clock),
            sendStatus(stream, deps),
          ]).then(() => {}),
      };
    });
  });
}

const RESYNC = 'event: resync\ndata: {}\n\n';

export async function sendDecisions(
  feed: DecisionFeed,
  from: number,
  { stop, write }: EventStream,
  clock: Clock,
): Promise<void> {
  let after = from;
  while (!stop.aborted) {
    const page = feed.page(after);
    const last = page.at(-1);
    if (last === undefined) {
      await feed.more(stop);
      continue;
    }
    const newest = feed.last();
    if (newest - after > MOST_BEHIND) {
      after = newest;
      if (!(await write(RESYNC))) return;
      continue;
    }
    after = last.seq;
    const rows = page.flatMap((each) => messageOf(each).row ?? []);
    const { id } = messageOf(last);
    if (rows.length > 0 && !(await write(`id: ${id}\nevent: decisions\ndata: {"rows":[${rows.join()}]}\n\n`)))
      return;
    await clock.sleep(BATCH_MS, stop).catch(() => {});
  }
}

/** Every stream sends an event in the same words. */
const messages = new WeakMap<FeedEvent, { readonly id: string; readonly row: string | undefined }>();

/** `row`: undefined for a checkpoint, and for what is no event of scopemesh. */
function messageOf(each: FeedEvent) {
  const known = messages.get(each);
  if (known !== undefined) return known;
  const made = { id: String(fieldOf(jsonIn(each.event), 'id')), row: rowIn(each.event) };
  messages.set(each, made);
  return made;
}

function rowIn(event: string): string | undefined {
  try {
    const decision = parseLogEvent(event);
    return decision && JSON.stringify(toDecisionRow(decision));
  } catch {
    return undefined;
  }
}

async function sendStatus(
  { stop, write }: EventStream,
  { status, jobs, clock }: Pick<ConsoleStreamDeps, 'status' | 'jobs' | 'clock'>,
): Promise<void> {
  let before = jobs.list();
  while (!stop.aborted) {
    if (!(await write(`event: status\ndata: ${await status()}\n\n`))) return;
    // Each step of a job makes another list.
    if (jobs.list() !== before && !(await write('event: jobs\ndata: {}\n\n'))) return;
    before = jobs.list();
    await clock.sleep(STATUS_MS, stop).catch(() => {});
  }
}
