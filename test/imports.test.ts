import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isTypeOnly: boolean;
}

const filesOf = (...folders: readonly string[]) =>
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.tsx?$/.test(file))
      .map((file) => join(folder, file)),
  );
const SOURCES = filesOf('src', 'workers', 'config');

const STATEMENT = /^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|import\('([^']+)'\)/gms;

const imports: readonly Import[] = SOURCES.flatMap((from) =>
  [...readFileSync(join(root, from), 'utf8').matchAll(STATEMENT)].map((found) => {
    const target = found[2] ?? found[3] ?? found[4] ?? '';
    const path = relative(root, resolve(root, dirname(from), target.replace(/\.js$/, '.ts')));
    const to = target.startsWith('.') ? (existsSync(join(root, path)) ? path : `${path}x`) : target;
    return { from, to, isTypeOnly: found[1] !== undefined };
  }),
);

/** Rooms of the ACL house: what a client or a person may do with Consul itself. */
const ACL = ['acl/plan', 'acl/state', 'acl/apply', 'acl/job'];
/** Stages whose root files are ports and whose folders are adapters. */
const STAGES = ['identity', 'queue', 'consul', 'decisions'];
/** Files in `src/` that every folder except `model`, `plan`, `state` and their rooms of the ACL house may import. */
const GROUND = [
  'errors',
  'observe',
  'clock',
  'runtime',
  'notifier',
  'repeat',
  'make-directory',
  'limiter',
  'linked-signal',
  'gather',
  'in-parts',
  'http-exchange',
  'open-once',
  'package-file',
  'retry-after',
  'run-cooperatively',
  'safe-parse',
  'sqlite',
  'standard-webhooks',
];

/**
 * Where a file belongs: `model`, `plan`, a port (`identity`), an adapter (`identity/okta`), `ground`, `entry` (what the
 * package exports), `cli`, `demo`, `embedded`, `config`, `workers`, `wire`.
 */
function placeOf(file: string): string {
  // The thread of questions loads two adapters alone: `wire` loads all.
  if (file === 'workers/wire.ts' || file === 'workers/question-thread.ts') return 'wire';
  const [top = '', stage = '', ...rest] = file.split('/');
  if (top !== 'src') return top;
  if (file === 'src/index.ts' || file === 'src/decisions/index.ts') return 'entry';
  if (rest.length === 0) return GROUND.includes(stage.replace(/\.ts$/, '')) ? 'ground' : 'root';
  if (stage === 'acl') return `acl/${rest[0]}`;
  // What the server and the page have in common: the schemas of the answers.
  if (file === 'src/console/answers.ts' || file.startsWith('src/console/answers/')) return 'console/answers';
  if (file === 'src/console/hub.ts' || file === 'src/console/pages.ts') return 'console/both';
  if (stage === 'console' && rest[0] === 'page') return 'console/page';
  return STAGES.includes(stage) && rest.length > 1 ? `${stage}/${rest[0]}` : stage;
}

interface Rule {
  /** What may be imported. */
  readonly any: readonly string[];
  /** What may be imported as types alone. */
  readonly types?: readonly string[];
}

const PORTS: readonly string[] = STAGES;
/** CODE.md's table. Each place may import itself, and packages. */
const RULES: Readonly<Record<string, Rule>> = {
  model: { any: [] },
  plan: { any: ['model'] },
  'acl/plan': { any: ['model', 'plan'] },
  state: { any: ['model', 'plan', 'acl/plan'] },
  'acl/state': { any: ['model', 'plan', 'acl/plan', 'state'] },
  ground: { any: ['model', 'ground'] },
  apply: { any: ['model', 'plan', 'state', 'ground'], types: PORTS },
  'acl/apply': {
    any: ['model', 'plan', 'acl/plan', 'state', 'acl/state', 'apply', 'ground'],
    types: PORTS,
  },
  intake: { any: ['model', 'ground'], types: PORTS },
  lease: { any: ['model', 'ground'], types: PORTS },
  // Reads of Consul into the state.
  read: {
    any: ['model', 'plan', 'acl/plan', 'state', 'acl/state', 'apply', 'acl/apply', 'ground'],
    types: PORTS,
  },
  // What people decide: rulings, adoptions, quarantines, break-glass grants, freezes, the ejection.
  operator: {
    any: ['model', 'plan', 'acl/plan', 'state', 'acl/state', 'apply', 'acl/apply', 'read', 'ground'],
    types: PORTS,
  },
  // The jobs of the ACL house are parts of the jobs here, and call their helpers.
  'acl/job': {
    any: ['model', 'plan', 'state', ...ACL, 'apply', 'read', 'operator', 'reconcile', 'ground'],
    types: PORTS,
  },
  reconcile: {
    any: ['model', 'plan', 'state', ...ACL, 'apply', 'read', 'operator', 'ground'],
    types: PORTS,
  },
  // Questions to the decision trail: pure, over the port of the trail.
  trail: { any: ['model', 'plan', 'acl/plan', 'ground'], types: PORTS },
  config: { any: ['model', 'ground'], types: ['plan'] },
  embedded: { any: ['model', 'ground'] },
  // What both the daemon and the commands build.
  app: {
    any: [
      'model',
      'plan',
      'state',
      ...ACL,
      'apply',
      'intake',
      'lease',
      'read',
      'operator',
      'reconcile',
      'trail',
      'ground',
      'config',
      ...PORTS,
    ],
  },
  cli: {
    any: [
      'model',
      'plan',
      'state',
      ...ACL,
      'apply',
      'intake',
      'lease',
      'read',
      'operator',
      'reconcile',
      'app',
      'trail',
      'proposal',
      'ground',
      'config',
      ...PORTS,
    ],
  },
  // What `import` proposes for intentions that nobody explained yet.
  proposal: { any: ['model', 'plan', 'acl/plan'] },
  // The parts of the daemon that are no loops: its HTTP routes, its status, the reload.
  daemon: {
    any: [
      'console',
      'model',
      'plan',
      'state',
      ...ACL,
      'apply',
      'intake',
      'lease',
      'read',
      'operator',
      'reconcile',
      'trail',
      'ground',
      'config',
      'app',
      ...PORTS,
    ],
  },
  // The page and its sessions, on the server. Its routes use the daemon's own.
  console: {
    any: [
      'model',
      'plan',
      'state',
      ...ACL,
      'lease',
      'read',
      'operator',
      'trail',
      'ground',
      'config',
      'app',
      'daemon',
      'console/answers',
      'console/both',
      ...PORTS,
    ],
  },
  'console/answers': { any: ['console/answers'] },
  'console/both': { any: [] },
  // Runs in a browser: whatever it imports is sent there.
  'console/page': { any: ['console/both'], types: ['console/answers'] },
  demo: { any: ['model', 'ground', 'config', 'app', 'cli', 'embedded'], types: PORTS },
  workers: {
    any: [
      'model',
      'plan',
      'state',
      ...ACL,
      'apply',
      'intake',
      'lease',
      'read',
      'operator',
      'reconcile',
      'ground',
      'config',
      'app',
      'cli',
      'daemon',
      'wire',
      ...PORTS,
    ],
  },
};

/** Pure, and a few lines each: to write them again for the browser would be two of each. */
const SMALL = ['compare-text', 'field-of', 'group-by', 'is-record', 'segment'].map(
  (name) => `src/model/${name}.ts`,
);

/** Single files that another place may import although its folder may not. Each has a reason. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  // The configuration is checked by the code that plans with it.
  config: ['src/plan/pattern.ts', 'src/plan/selection.ts', 'src/acl/plan/rules-text.ts'],
  // `scopemesh demo` loads the demo lazily.
  cli: ['src/demo/demo.ts', 'src/demo/reporter.ts'],
  // Two writers of one file take turns.
  'consul/crd': ['src/state/mutex.ts'],
  // Publishing moves decisions from the journal to the log.
  decisions: ['src/queue/journal.ts', 'src/queue/key-value-store.ts'],
  // The page shows an expression as the commands do.
  'console/page': ['src/model/plain-path.ts', ...SMALL],
  // The trail reads the content of decisions by the schema that the topic has.
  trail: ['src/decisions/edge-access.ts'],
};

/** Why an import of our own is not allowed; undefined where it is. */
function fault({ from, to, isTypeOnly }: Import): string | undefined {
  if (!/^(src|workers|config|test)\//.test(to)) return undefined;
  const [a, b] = [placeOf(from), placeOf(to)];
  if (b === 'test') return 'nothing imports tests';
  if (a === 'wire' || a === 'entry' || a === 'root' || a === b) return undefined;
  if (EXCEPTIONS[a]?.includes(to)) return undefined;
  const [stage = ''] = a.split('/');
  const rule: Rule | undefined = STAGES.includes(stage) ? { any: [stage, 'model', 'ground'] } : RULES[a];
  if (rule?.any.includes(b) || (isTypeOnly && rule?.types?.includes(b))) return undefined;
  return rule?.types?.includes(b) ? `${a} imports ${b} as types only` : `${a} does not import ${b}`;
}

/** Every cycle that a walk along the imports meets, as a line. */
function cyclesOf(edges: readonly Import[]): readonly string[] {
  const graph = new Map<string, string[]>();
  for (const { from, to } of edges) if (/\.tsx?$/.test(to)) graph.set(from, [...(graph.get(from) ?? []), to]);
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
  return cycles;
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

  it('has no import cycle, imports of types included', () => {
    expect(cyclesOf(imports)).toEqual([]);
  });

  it('keeps every file under 400 lines', () => {
    const all = [...SOURCES, ...filesOf('test', 'bench')];
    const long = all.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 401);
    expect(long).toEqual([]);
  });

  it('keeps the environment, arguments, signals and the wall clock out of src', () => {
    // A program of its own: it reads its arguments and the environment.
    const programs = /\/write-[a-z-]+\.ts$|^src\/demo\/|^src\/console\/page\//;
    const reading = SOURCES.filter(
      (file) => file.startsWith('src/') && file !== 'src/clock.ts' && !programs.test(file),
    ).filter((file) =>
      /process\.(env|argv|on|exit)|Date\.now\(\)|new Date\(\)/.test(
        readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''),
      ),
    );
    expect(reading).toEqual([]);
  });
});
