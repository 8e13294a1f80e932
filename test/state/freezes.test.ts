import { describe, expect, it } from 'vitest';
import { Freezes } from '../../src/state/freezes.js';

describe('the freezes', () => {
  const schedule = { schedule: '0 18 * * *', durationMs: 3_600_000, timeZone: 'UTC' };
  const noon = Date.parse('2026-01-05T12:00:00Z');
  const six = Date.parse('2026-01-05T18:00:00Z');

  it('are those of the schedule as the configuration has it now', () => {
    let schedules = [schedule];
    const freezes = new Freezes(() => schedules);
    expect([freezes.at(noon), freezes.at(six - 1)]).toEqual([undefined, undefined]);
    expect(freezes.at(six)).toMatchObject({ kind: 'scheduled', since: six, until: six + 3_600_000 });
    expect(freezes.at(six + 999)).toMatchObject({ kind: 'scheduled' });
    expect(freezes.at(six + 3_600_000)).toBeUndefined();
    freezes.at(six);
    schedules = [];
    expect(freezes.at(six)).toBeUndefined();
  });

  it('are also the one that a person started, until it is over, and the one that ends last counts', () => {
    const freezes = new Freezes(() => [schedule]);
    const started = { kind: 'started', since: noon, until: six + 60_000, reason: 'x' } as const;
    freezes.set([started]);
    expect([freezes.at(noon), freezes.startedAt(six + 60_000)]).toEqual([started, undefined]);
    expect(freezes.at(six)).toMatchObject({ kind: 'scheduled' });
    freezes.set([]);
    expect(freezes.at(noon)).toBeUndefined();
  });
});
