import { installed } from '../../test/stack/installed.js';
import { type Bench, type Figure, LIMIT, OURS, type Row, type Sample, Skipped, type Target } from './row.js';
import { median, type Spread, spreadOf } from './statistics.js';

export interface RowResult {
  readonly row: string;
  readonly title: string;
  readonly limit?: string;
  readonly figures: readonly FigureResult[];
  /** Why a contestant, or the row as a whole, has no figures. */
  readonly remarks: readonly string[];
  readonly seconds: number;
}

export interface FigureResult {
  readonly id: string;
  readonly label: string;
  readonly unit: string;
  readonly contestants: Readonly<Record<string, Spread>>;
  /** scopemesh divided by each other contestant: the median over the repetitions that have both. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly targets: readonly TargetResult[];
}

export interface TargetResult extends Target {
  /** Undefined where the figure was not measured. */
  readonly isMet?: boolean;
}

/** Runs every contestant of a row once in each repetition, in turn. Never throws: a failure is a remark. */
export async function runRow(row: Row, repetitions: number, bench: Bench): Promise<RowResult> {
  const begun = performance.now();
  const remarks: string[] = [];
  const samples = new Map<string, (Sample | undefined)[]>();
  try {
    for (const server of row.needs) await installed(server);
    const session = await row.open(bench);
    try {
      const absent = new Set<string>();
      for (let repetition = 1; repetition <= repetitions; repetition++) {
        for (const [name, measure] of session.contestants) {
          if (absent.has(name)) continue;
          bench.progress(`${row.name}: ${name}, repetition ${repetition} of ${repetitions}`);
          const sample = await measure().catch((error: unknown) => {
            const remark = remarkOn(name, error);
            if (!remarks.includes(remark)) remarks.push(remark);
            // A failure may be a bad moment of the machine; what is missing stays missing.
            if (error instanceof Skipped) absent.add(name);
            return undefined;
          });
          samples.set(name, [...(samples.get(name) ?? []), sample]);
        }
      }
    } finally {
      await session.close();
    }
  } catch (error) {
    remarks.push(remarkOn('the row', error));
  }
  return {
    row: row.name,
    title: row.title,
    ...(row.limit === undefined ? {} : { limit: row.limit }),
    figures: row.figures.map((figure) => judge(figure, samples)),
    remarks,
    seconds: (performance.now() - begun) / 1000,
  };
}

function remarkOn(name: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${name} ${error instanceof Skipped ? 'was skipped' : 'failed'}: ${message}${cause}`;
}

/** Adds the ratios and says which targets are met. */
export function judge(
  { id, label, unit, targets = [] }: Figure,
  samples: ReadonlyMap<string, readonly (Sample | undefined)[]>,
): FigureResult {
  const ours = samples.get(OURS) ?? [];
  const contestants: Record<string, Spread> = {};
  const ratios: Record<string, number> = {};
  for (const [name, theirs] of samples) {
    const spread = spreadOf(theirs.flatMap((sample) => sample?.[id] ?? []));
    if (spread === undefined) continue;
    contestants[name] = spread;
    if (name === OURS) continue;
    const pairs = theirs.flatMap((sample, at) => {
      const [mine, other] = [ours[at]?.[id], sample?.[id]];
      return mine === undefined || other === undefined || other === 0 ? [] : [mine / other];
    });
    if (pairs.length > 0) ratios[name] = median(pairs);
  }
  return {
    id,
    label,
    unit,
    contestants,
    ratios,
    targets: targets.map((target) => {
      const value = target.against === undefined ? contestants[OURS]?.median : ratios[target.against];
      return value === undefined ? target : { ...target, isMet: isMet(target, value) };
    }),
  };
}

function isMet({ atLeast, atMost }: Target, value: number): boolean {
  return (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost);
}

/** `>= 0.6 of the limit`, `>= 40x curl`, `<= 3 s`. */
export function textOfTarget({ against, atLeast, atMost }: Target, unit: string): string {
  const [sign, value] = atLeast === undefined ? ['<=', atMost] : ['>=', atLeast];
  if (against === undefined) return `${sign} ${value} ${unit}`.trimEnd();
  return against === LIMIT ? `${sign} ${value}x limit` : `${sign} ${value}x ${against}`;
}
