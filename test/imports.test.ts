import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isTypeOnly: boolean;
}

const SOURCES = ['src', 'workers', 'config'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file)),
);

const STATEMENT = /^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|import\('([^']+)'\)/gms;

const imports: readonly Import[] = SOURCES.flatMap((from) =>
  [...readFileSync(join(root, from), 'utf8').matchAll(STATEMENT)].map((found) => {
    const target = found[2] ?? found[3] ?? '';
    const to = target.startsWith('.')
      ? relative(root, resolve(root, dirname(from), target.replace(/\.js$/, '.ts')))
      : target;
    return { from, to, isTypeOnly: found[1] !== undefined };
  }),
);

/** The stage of a file and, inside a stage, its adapter folder. */
function placeOf(file: string): { readonly stage: string; readonly adapter: string | undefined } {
  const [top, stage, ...rest] = file.split('/');
  if (top !== 'src') return { stage: top ?? '', adapter: undefined };
  if (rest.length === 0) return { stage: `src/${stage}`, adapter: undefined };
  return { stage: stage ?? '', adapter: rest.length > 1 ? rest[0] : undefined };
}

const STAGES = new Set(['identity', 'queue', 'consul', 'decisions']);
const BASE = new Set(['model', 'src/errors.ts', 'src/observe.ts', 'src/clock.ts', 'src/make-directory.ts']);

/** Why an import of our own is not allowed; undefined where it is. */
function fault({ from, to, isTypeOnly }: Import): string | undefined {
  if (!/^(src|workers|config|test)\//.test(to)) return undefined;
  const [a, b] = [placeOf(from), placeOf(to)];
  if (to.startsWith('test/')) return 'nothing imports tests';
  // What the package exports is put together here.
  if (from === 'src/index.ts' || from === 'src/decisions/index.ts') return undefined;
  if (a.stage === 'config')
    return ['config', 'model', 'src/errors.ts'].includes(b.stage) ||
      (b.stage === 'plan' && isTypeOnly) ||
      to === 'src/plan/pattern.ts' ||
      to === 'src/plan/acl/rules-text.ts'
      ? undefined
      : 'config imports the model, errors and types of the plan';
  if (a.stage === 'workers')
    return b.adapter !== undefined && STAGES.has(b.stage) && !isWire(from)
      ? 'only wire names adapter folders'
      : undefined;
  if (['workers', 'config'].includes(b.stage)) return 'src never imports workers or config';
  if (a.stage === 'model') return b.stage === 'model' ? undefined : 'the model imports nothing';
  if (a.stage === 'plan')
    return ['plan', 'model'].includes(b.stage) ? undefined : 'the plan imports the model alone';
  if (a.stage === 'state')
    return ['state', 'plan', 'model'].includes(b.stage)
      ? undefined
      : 'the state imports the model and the plan';
  if (STAGES.has(a.stage)) {
    if (BASE.has(b.stage)) return undefined;
    if (b.stage !== a.stage)
      return to === 'src/queue/journal.ts' && isTypeOnly ? undefined : `a stage imports no other stage`;
    return b.adapter === undefined || b.adapter === a.adapter
      ? undefined
      : 'an adapter imports no other adapter';
  }
  if (a.stage === 'apply') {
    if (BASE.has(b.stage) || ['plan', 'state', 'apply'].includes(b.stage)) return undefined;
    return STAGES.has(b.stage) && b.adapter === undefined && isTypeOnly
      ? undefined
      : 'a write sees the plan and the state, and ports as types';
  }
  if (['reconcile', 'src/reconciler.ts'].includes(a.stage)) {
    if (BASE.has(b.stage) || ['plan', 'state', 'apply', 'reconcile', 'src/reconciler.ts'].includes(b.stage))
      return undefined;
    return STAGES.has(b.stage) && b.adapter === undefined && isTypeOnly
      ? undefined
      : 'the reconciler sees ports, as types';
  }
  if (
    a.stage === 'src/errors.ts' ||
    a.stage === 'src/clock.ts' ||
    a.stage === 'src/observe.ts' ||
    a.stage === 'src/make-directory.ts'
  )
    return b.stage === 'model' ? undefined : 'the ground imports nothing';
  return undefined;
}

/** The composition root, and the demo, which composes embedded parts. */
function isWire(file: string): boolean {
  return file === 'workers/wire.ts' || file.startsWith('workers/demo/');
}

describe('the layout', () => {
  it('has imports to look at', () => {
    expect(imports.length).toBeGreaterThan(200);
  });

  it('follows the import rules', () => {
    const faults = imports.flatMap((each) => {
      const why = fault(each);
      return why === undefined ? [] : [`${each.from} imports ${each.to}: ${why}`];
    });
    expect(faults).toEqual([]);
  });

  it('has no import cycle at run time', () => {
    const graph = new Map<string, string[]>();
    for (const { from, to, isTypeOnly } of imports)
      if (to.endsWith('.ts') && !isTypeOnly) graph.set(from, [...(graph.get(from) ?? []), to]);
    const cycles: string[] = [];
    const state = new Map<string, 'open' | 'done'>();
    const visit = (file: string, path: readonly string[]) => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
        return;
      }
      state.set(file, 'open');
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of graph.keys()) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('keeps every file under 400 lines', () => {
    const long = SOURCES.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 400);
    expect(long).toEqual([]);
  });

  it('keeps the environment, arguments, signals and the wall clock out of src', () => {
    const reading = SOURCES.filter(
      (file) => file.startsWith('src/') && file !== 'src/clock.ts' && !/\/write-[a-z-]+\.ts$/.test(file),
    ).filter((file) =>
      /process\.(env|argv|on|exit)|Date\.now\(\)|new Date\(\)/.test(
        readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''),
      ),
    );
    expect(reading).toEqual([]);
  });
});
