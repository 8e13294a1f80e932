import { beforeEach, describe, expect, it } from 'vitest';
import { type RecoveredTarget, recoverWrites } from '../../src/apply/recover-writes.js';
import type { DraftDecision } from '../../src/model/decision.js';
import { NOW } from '../plan/scene.js';
import { type ApplyRig, applyRig, draft, KEY, sourceOf } from './apply-rig.js';

let rig: ApplyRig;
let warnings: string[];
beforeEach(() => {
  rig = applyRig();
  warnings = [];
});

const OVER_MS = 30_000;
/** Recorded so long ago. */
const left = (source: string, agoMs = OVER_MS): DraftDecision => ({
  ...draft(source, rig),
  recordedAt: new Date(NOW - agoMs).toISOString(),
});

/** Of the pending writes those of `made` were made; the others find everything as it was. */
async function recovered(
  pending: readonly DraftDecision[],
  made: readonly string[],
  more: Partial<RecoveredTarget> = {},
  lastApplied: ReadonlyMap<string, string> = new Map(),
) {
  await rig.deps.journal.record(KEY, pending);
  const deps = {
    ...rig.deps,
    logger: {
      ...rig.deps.logger,
      warn: (fields: object, text: string) => warnings.push(`${text} ${JSON.stringify(fields)}`),
    },
  };
  const find: RecoveredTarget['find'] = (each) => {
    const isMade = made.includes(sourceOf(each));
    return { isNow: (view) => (view !== null) === isMade, index: isMade ? 8 : 7 };
  };
  const target = { find, rivalOf: ({ subject }: DraftDecision) => subject, ...more };
  return recoverWrites(KEY, { pending, lastApplied }, target, deps);
}

describe('writes that a crash or a lost answer left open', () => {
  it('of none settle nothing, and leave what the key remembers', async () => {
    const lastApplied = new Map([['s', 'x']]);
    expect(await recovered([], [], {}, lastApplied)).toEqual({ lastApplied, open: [] });
    expect([rig.settled, warnings]).toEqual([[], []]);
  });

  it('are settled in one step, with a line of the log each, except those that may still come', async () => {
    const [web, api, late] = [left('web'), left('api'), left('late', 0)];
    const { open } = await recovered([web, api, late], ['web']);
    expect(open).toEqual([late]);
    expect(rig.settled.map((each) => `${sourceOf(each)} ${each.outcome}`)).toEqual([
      'web applied',
      'api failed',
    ]);
    expect(rig.updates).toHaveLength(1);
    const text = 'settled a write that a crash or a lost answer left open';
    expect(warnings).toEqual([
      `${text} {"subject":"${web.subject}","outcome":"applied","decision":"${web.id}"}`,
      `${text} {"subject":"${api.subject}","outcome":"failed","decision":"${api.id}"}`,
    ]);
  });

  it('have the detail of their target where they were made, and otherwise what became of them', async () => {
    const asked: string[] = [];
    const detailOf = async (each: DraftDecision) => {
      asked.push(sourceOf(each));
      return 'ended 3 live tokens';
    };
    await recovered([left('web'), left('api')], ['web'], { detailOf });
    expect(asked).toEqual(['web']);
    expect(rig.settled.map(({ detail }) => detail)).toEqual([
      'ended 3 live tokens',
      expect.stringContaining('interrupted before this write reached Consul'),
    ]);
  });

  it('change what the key remembers one after the other, those that stay open last', async () => {
    const seen: string[] = [];
    const { lastApplied } = await recovered(
      [left('late', 0), left('web'), left('api')],
      ['web'],
      {
        remember: (each, outcome, known) => {
          seen.push(`${sourceOf(each)} ${outcome} ${[...known.values()].join('+')}`);
          return outcome === 'failed' ? null : outcome === 'applied' ? 'made' : 'maybe';
        },
      },
      new Map([[left('api').subject, 'before']]),
    );
    expect(seen).toEqual(['web applied before', 'api failed before+made', 'late undefined made']);
    const remembered = new Map([
      [left('web').subject, 'made'],
      [left('late').subject, 'maybe'],
    ]);
    expect(lastApplied).toEqual(remembered);
    expect(rig.updates).toEqual([
      {
        lastApplied: new Map<string, string | null>([
          [left('web').subject, 'made'],
          [left('api').subject, null],
          [left('late').subject, 'maybe'],
        ]),
      },
    ]);
  });
});
