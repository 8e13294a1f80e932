import { beforeEach, describe, expect, it } from 'vitest';
import type { Trail, TrailEnd } from '../../src/decisions/trail.js';
import type { Decision } from '../../src/model/decision.js';
import { accessDiff } from '../../src/trail/access-diff.js';
import { callAt } from '../../src/trail/call-at.js';
import { whoCanCall } from '../../src/trail/who-can-call.js';
import { decision } from '../support/decisions.js';
import { trailOf, withIndex } from '../support/trail-history.js';
import { newDirectory } from '../support/use-directory.js';

const ALLOW = { access: 'allow' };
const FROM = '2026-03-01T00:00:00.000Z';
const TO = '2026-03-02T00:00:00.000Z';
const CALL = { source: 'web', destination: 'orders' };

let directory: string;
beforeEach(() => {
  directory = newDirectory();
});

async function ask<T>(decisions: readonly Decision[], question: (trail: Trail) => Promise<T>): Promise<T> {
  const trail = await trailOf(directory, decisions);
  try {
    return await question(trail);
  } finally {
    await trail.close();
  }
}

/** A change of web -> orders in a namespace. */
function change(namespace: string, changes: Partial<Decision>): Decision {
  const resource = { kind: 'intention', ...CALL, namespace, partition: 'default' } as const;
  return decision({ subject: `intention/default/${namespace}/orders/web`, resource, ...changes });
}

const OPENED = { before: null, after: ALLOW };
const CLOSED = { before: ALLOW, after: null };
const READ = { access: 'http', permissions: [{ methods: ['GET'], pathExact: '/' }] };
const LOST = { ...OPENED, outcome: 'unknown' } as const;

describe('the difference of two instants', () => {
  it('has the edges of a write whose outcome is unknown, and says so', async () => {
    const lost = change('default', LOST);
    const { edges, unknown } = await ask([lost], (trail) => accessDiff(trail, FROM, TO));
    expect(edges).toMatchObject([
      {
        kind: 'unclear',
        source: 'web',
        after: { possible: { kind: 'allow' } },
        decisions: [{ id: lost.id }],
      },
    ]);
    expect(unknown).toContain(
      'A crash left the outcome of a write unknown for web -> orders: both possibilities are shown.',
    );
  });

  it('has an edge that was perhaps open before, and is closed', async () => {
    const earlier = change('default', { ...LOST, time: '2026-02-01T00:00:00.000Z' });
    const closed = change('default', { before: null, after: null });
    const { edges, unknown } = await ask([earlier, closed], (trail) => accessDiff(trail, FROM, TO));
    expect(edges).toMatchObject([{ kind: 'unclear', before: { certainty: 'unknown' } }]);
    expect(unknown).toContainEqual(expect.stringContaining('A crash left the outcome'));
  });
});

describe('the reads of a difference', () => {
  const OPENED_TWICE = [change('default', OPENED), change('default', CLOSED), change('default', OPENED)];
  const NARROWED = change('default', { before: ALLOW, after: READ });
  const MANY = Array.from({ length: 30 }, () => change('default', { before: READ, after: READ }));
  it.each([
    ['one for an edge that the period itself opened', [change('default', OPENED)], 'came', [FROM]],
    ['one for an edge that was closed and opened', OPENED_TWICE, 'came', [FROM]],
    ['one for an edge that was narrowed since', [...OPENED_TWICE, NARROWED], 'came', [FROM]],
    ['two for an edge that is older than the period', [NARROWED], 'narrowed', [FROM, TO]],
    ['two for an edge that changed very often', [...OPENED_TWICE, ...MANY], 'came', [FROM, TO]],
  ])('are %s', async (_, decisions, kind, asked) => {
    const reads: unknown[] = [];
    const { edges } = await ask(decisions, (trail) => {
      const newestFirst = (subject: string, at: TrailEnd) => {
        reads.push(at);
        return trail.newestFirst(subject, at);
      };
      return accessDiff(
        { ...withIndex(trail, { until: TO, isBehind: false, gaps: [] }), newestFirst },
        FROM,
        TO,
      );
    });
    expect(edges).toMatchObject([{ kind }]);
    expect(reads).toEqual(asked);
  });
});

describe('a call at an instant', () => {
  it('is judged by the edge that is open, whatever a closed one of these names says', async () => {
    const order = [change('a', OPENED), change('a', CLOSED), change('b', OPENED)];
    const answer = await ask(order, (trail) => callAt(trail, CALL, TO));
    expect(answer).toMatchObject({ verdict: 'allowed', edge: { namespace: 'b' } });
  });

  it('is unclear if open edges of several namespaces differ, and is named with them', async () => {
    const order = [change('a', { before: null, after: READ }), change('b', OPENED)];
    const call = { ...CALL, request: { method: 'POST', path: '/', headers: {} } };
    const { verdict, unknown } = await ask(order, (trail) => callAt(trail, call, TO));
    expect(verdict).toBe('unclear');
    expect(unknown).toContain('Edges of 2 namespaces have these names: default/a, default/b.');
  });

  it('is unclear if a crash left the edge perhaps open', async () => {
    const { verdict } = await ask([change('default', LOST)], (trail) => callAt(trail, CALL, TO));
    expect(verdict).toBe('unclear');
  });
});

it('every answer says that it may lack edges that are older than the trail', async () => {
  const { unknown } = await ask([change('default', OPENED)], (trail) => whoCanCall(trail, 'stock', TO));
  expect(unknown).toContainEqual(expect.stringMatching(/^An edge that is older than the trail/));
});
