import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createEmbeddedDecisionLog } from '../../src/decisions/embedded/embedded-decision-log.js';
import { openEmbeddedTrail } from '../../src/decisions/embedded/embedded-trail.js';
import { type DecisionLog, parseLogEvent } from '../../src/decisions/log.js';
import type { Trail } from '../../src/decisions/trail.js';
import { type Decision, isMade } from '../../src/model/decision.js';
import { silentLogger } from '../../src/observe.js';
import { isOpen, toAccess } from '../../src/trail/content.js';
import { PRESENT_EDGES, type PresentEdges, presentEdges } from '../../src/trail/present-edges.js';
import { edgeDecision } from '../support/decisions.js';
import { createMovableClock } from '../support/movable-clock.js';
import { newDirectory } from '../support/use-directory.js';

const ALLOW = { access: 'allow' };
const READ = { access: 'http', permissions: [{ methods: ['GET'] }] };
const DENY = { access: 'deny' };
/** All of them: the instant does not tell which decision is later. */
const TIME = '2026-03-01T10:00:00.000Z';

let directory: string;
let log: DecisionLog;
let trail: Trail;
beforeEach(async () => {
  directory = newDirectory();
  log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: createMovableClock() });
  await log.check();
  trail = await openEmbeddedTrail({ directory, logger: silentLogger, clock: createMovableClock() });
});
afterEach(() => Promise.all([trail.close(), log.close()]));

interface Row {
  readonly access: unknown;
  readonly possible?: unknown;
}
/** What a consumer knows of each edge, by its subject. */
type Table = Readonly<Record<string, Row>>;

function tableOf({ edges }: PresentEdges): Table {
  return Object.fromEntries(
    edges.map(({ subject, access, possible }) => [
      subject,
      { access, ...(possible === undefined ? {} : { possible }) },
    ]),
  );
}

/** The table of a snapshot after the events that follow its decision, as a consumer of the stream folds them. */
async function followed(snapshot: PresentEdges): Promise<Table> {
  const table: Record<string, Row> = { ...tableOf(snapshot) };
  const after = snapshot.asOf === null ? {} : { after: snapshot.asOf.id };
  const stop = AbortSignal.timeout(5_000);
  for await (const text of log.readEvents({ from: 'start', follow: false, ...after }, stop)) {
    const decision = parseLogEvent(text);
    if (decision === undefined) continue;
    const { subject, before, after: to, outcome } = decision;
    if (isMade(decision)) table[subject] = { access: to };
    else if (outcome === 'unknown') table[subject] = { access: before, possible: to };
  }
  const isLetting = (access: unknown) => isOpen(toAccess(access));
  return Object.fromEntries(
    Object.entries(table).filter(([, { access, possible }]) => isLetting(access) || isLetting(possible)),
  );
}

let runs = 0;
/** Decisions as scopemesh makes them: `before` is what the last one left. No two histories have an edge in common. */
const HISTORY: fc.Arbitrary<readonly Decision[]> = fc
  .array(
    fc.record({
      source: fc.constantFrom('web', 'batch', 'bot'),
      to: fc.constantFrom(ALLOW, READ, DENY, null),
      outcome: fc.constantFrom('applied', 'applied', 'applied', 'held', 'unknown', 'failed'),
    }),
    { maxLength: 30 },
  )
  .map((steps) => {
    const known = new Map<string, unknown>();
    const run = ++runs;
    return steps.map(({ source, to, outcome }) => {
      const before = known.get(source) ?? null;
      if (outcome === 'applied') known.set(source, to);
      return edgeDecision(`${source}-${run}`, TIME, before, to, { outcome } as Partial<Decision>);
    });
  });

it('the edges and the events after their decision are the edges of a later snapshot', async () => {
  await fc.assert(
    fc.asyncProperty(HISTORY, fc.nat(30), async (history, cut) => {
      await log.append(history.slice(0, cut));
      // What is decided while the trail is read is not in the snapshot, and comes after it.
      const during: Trail = {
        extent: () => trail.extent(),
        newestFirst: (subject, at) => trail.newestFirst(subject, at),
        next: (subject, at) => trail.next(subject, at),
        decision: (id) => trail.decision(id),
        eventsAround: (id) => trail.eventsAround(id),
        history: (of, between) => trail.history(of, between),
        close: () => trail.close(),
        async *subjects(of) {
          await log.append(history.slice(cut));
          yield* trail.subjects(of);
        },
      };
      const isEmpty = (await presentEdges(trail)).asOf === null;
      const snapshot = PRESENT_EDGES.parse(await presentEdges(isEmpty ? trail : during));
      if (isEmpty) await log.append(history.slice(cut));
      expect(await followed(snapshot)).toEqual(tableOf(await presentEdges(trail)));
    }),
    { numRuns: 20 },
  );
});

it('an edge has what a consumer needs of it, and an empty log has none', async () => {
  expect(await presentEdges(trail)).toMatchObject({ asOf: null, edges: [] });
  const opened = edgeDecision('web', TIME, null, READ, { reason: 'ScopeGranted' });
  const closed = edgeDecision('bot', TIME, ALLOW, DENY);
  await log.append([opened, closed]);
  expect(await presentEdges(trail)).toEqual({
    asOf: { id: closed.id, time: TIME },
    edges: [
      {
        subject: opened.subject,
        source: 'web',
        destination: 'orders',
        namespace: 'default',
        partition: 'default',
        access: READ,
        client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
        scopes: ['orders:write'],
        decision: opened.id,
        reason: 'ScopeGranted',
      },
    ],
    unknown: [expect.stringContaining('does not own'), expect.stringContaining('older than the trail')],
  });
});
