import { BroadcastChannel } from 'node:worker_threads';
import { collectTests, startTests } from '@vitest/runner';
import { type RunnerTestCase, type RunnerTestFile, type RunnerTestSuite, TestRunner, vi } from 'vitest';
import { CHANNEL } from './channel.mjs';
import type { Answer, Coverage, Question, Ran } from './messages.js';

type RunnerTask = RunnerTestCase | RunnerTestSuite;

/** What vitest keeps private in a runner. */
interface Inside {
  readonly workerState: {
    current: unknown;
    readonly evaluatedModules: {
      readonly fileToModulesMap: ReadonlyMap<string, Iterable<object>>;
      invalidateModule(module: object): void;
    };
  };
  readonly moduleRunner: { import(path: string): Promise<unknown> };
  cancelRun: boolean;
  trace: (name: string, attributes: unknown, call?: () => unknown) => unknown;
}

const inside = (runner: TestRunner) => runner as unknown as Inside;

/** What Stryker's instrumented code reads and writes. */
interface Instrumented {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
  mutantCoverage?: Coverage | undefined;
}

const world = globalThis as { __stryker__?: Instrumented };
world.__stryker__ ??= {};
const instrumented = world.__stryker__;

/** Coverage before the first and after the last test of a file: all its tests have it. */
const wholeFile = (file: string) => `${file}#`;

const testsIn = (task: RunnerTask): readonly RunnerTestCase[] =>
  task.type === 'test' ? [task] : task.tasks.flatMap(testsIn);

const errorsIn = (task: RunnerTask): readonly { readonly message: string }[] => [
  ...(task.result?.errors ?? []),
  ...(task.type === 'test' ? [] : task.tasks.flatMap(errorsIn)),
];

const nameOf = (test: RunnerTestCase): string => {
  const names = [test.name];
  for (let suite = test.suite; suite !== undefined && suite !== test.file; suite = suite.suite) {
    names.unshift(suite.name);
  }
  return names.join(' > ');
};

/** Runs one file with the modules that are loaded already, and reports to nobody. */
class FileRunner extends TestRunner {
  private failed = false;

  constructor(
    config: TestRunner['config'],
    moduleRunner: object,
    private readonly stopAtFailure: boolean,
  ) {
    super(config);
    Object.defineProperty(this, 'moduleRunner', { value: moduleRunner });
    inside(this).trace = (_, attributes, call) => (call ?? (attributes as () => unknown))();
  }

  /** Only the file of the tests is evaluated again, so that what it calls at import meets the mutant too. */
  override importFile(filepath: string): unknown {
    const { evaluatedModules } = inside(this).workerState;
    for (const module of evaluatedModules.fileToModulesMap.get(filepath) ?? []) {
      evaluatedModules.invalidateModule(module);
    }
    return inside(this).moduleRunner.import(filepath);
  }

  override onBeforeTryTask(test: RunnerTestCase): void {
    super.onBeforeTryTask(test);
    instrumented.currentTestId = test.id;
  }

  override onAfterRunTask(test: RunnerTestCase): void {
    super.onAfterRunTask(test);
    instrumented.currentTestId = wholeFile(test.file.filepath);
    this.failed ||= test.result?.state === 'fail';
    inside(this).cancelRun ||= this.stopAtFailure && this.failed;
  }

  override async onAfterRunSuite(suite: RunnerTestSuite): Promise<void> {
    // Snapshots are not written: the tests of the core have none.
    inside(this).workerState.current = suite.suite ?? suite.file;
  }
}

/**
 * Vitest starts this in its worker. It never comes to the tests of that run: it answers Stryker's questions with the
 * modules that are loaded once. That is sound as modules hold no state, and checked: a test that fails with a mutant
 * must pass without it right after.
 */
export default class Session extends TestRunner {
  private readonly loaded = new Set<string>();

  async onBeforeCollect(): Promise<void> {
    const channel = new BroadcastChannel(CHANNEL);
    await new Promise<void>((resolve) => {
      channel.onmessage = (message: unknown) => {
        const question = (message as { readonly data: Question }).data;
        if (question.kind === 'end') resolve();
        if (question.kind !== 'end' && question.kind !== 'answer') {
          void this.answer(question).then((answer) =>
            channel.postMessage({ kind: 'answer', id: question.id, answer }),
          );
        }
      };
      channel.postMessage({ kind: 'answer', id: 0, answer: undefined });
    });
    channel.close();
  }

  private async answer(question: Exclude<Question, { readonly kind: 'end' | 'answer' }>): Promise<Answer> {
    switch (question.kind) {
      case 'all':
        return this.runAll(question.files);
      case 'mutant':
        return this.runMutant(question);
    }
  }

  private async runAll(files: readonly string[]): Promise<Answer> {
    const tests: Ran[] = [];
    for (const file of files) {
      await this.load(file);
      instrumented.currentTestId = wholeFile(file);
      const ran = await this.run(file, undefined, { stopAtFailure: false });
      instrumented.currentTestId = undefined;
      if (ran.errors.length > 0)
        tests.push({ file, id: wholeFile(file), name: file, ms: 0, failure: ran.errors[0] });
      tests.push(...ran.tests);
      instrumented.mutantCoverage ??= { static: {}, perTest: {} };
      const { perTest } = instrumented.mutantCoverage;
      const whole = perTest[wholeFile(file)] ?? {};
      delete perTest[wholeFile(file)];
      for (const { id } of ran.tests) {
        perTest[id] ??= {};
        const own = perTest[id];
        for (const [mutant, hits] of Object.entries(whole)) own[mutant] = (own[mutant] ?? 0) + hits;
      }
    }
    return { kind: 'all', tests, coverage: instrumented.mutantCoverage ?? { static: {}, perTest: {} } };
  }

  private async runMutant(question: Extract<Question, { readonly kind: 'mutant' }>): Promise<Answer> {
    let ran = 0;
    const started = performance.now();
    for (const { file, ids } of question.files) {
      if (performance.now() - started > question.limitMs) break;
      await this.load(file);
      instrumented.hitCount = question.hitLimit === undefined ? undefined : 0;
      instrumented.hitLimit = question.hitLimit;
      instrumented.activeMutant = question.mutant;
      const limits = { stopAtFailure: true, testTimeoutMs: question.testTimeoutMs };
      const result = await this.run(file, ids, limits);
      instrumented.activeMutant = undefined;
      ran += result.tests.length;
      const failed = result.tests.find(({ failure }) => failure !== undefined);
      const failure = failed?.failure ?? result.errors[0];
      if (failure !== undefined) {
        const by = failed?.id ?? ids[0] ?? file;
        const again = await this.run(file, failed === undefined ? ids : [failed.id], limits);
        const isDirty = again.errors.length > 0 || again.tests.some((test) => test.failure !== undefined);
        return isDirty ? { kind: 'dirty' } : { kind: 'killed', by, file, failure, ran };
      }
      if (question.hitLimit !== undefined && (instrumented.hitCount ?? 0) > question.hitLimit) {
        return { kind: 'endless' };
      }
    }
    return { kind: 'survived', ran };
  }

  /** Loads what a file imports while no mutant is active. */
  private async load(file: string): Promise<void> {
    if (this.loaded.has(file)) return;
    await collectTests([file], new FileRunner(this.config, inside(this).moduleRunner, false));
    this.loaded.add(file);
  }

  private async run(
    file: string,
    ids: readonly string[] | undefined,
    limits: { readonly stopAtFailure: boolean; readonly testTimeoutMs?: number },
  ): Promise<{ readonly tests: readonly Ran[]; readonly errors: readonly string[] }> {
    const config = { ...this.config, testTimeout: limits.testTimeoutMs ?? this.config.testTimeout };
    const runner = new FileRunner(config, inside(this).moduleRunner, limits.stopAtFailure);
    const spec = { filepath: file, ...(ids === undefined ? {} : { testIds: [...ids] }) };
    const [task]: readonly RunnerTestFile[] = await startTests([spec as never], runner);
    vi.resetConfig();
    vi.restoreAllMocks();
    vi.useRealTimers();
    if (task === undefined) return { tests: [], errors: [`no tests in ${file}`] };
    const tests = testsIn(task)
      .filter(({ result }) => result?.state === 'pass' || result?.state === 'fail')
      .map((test) => ({
        file,
        id: test.id,
        name: nameOf(test),
        ms: test.result?.duration ?? 0,
        ...(test.result?.state === 'fail'
          ? { failure: test.result.errors?.[0]?.message ?? 'failed without an error' }
          : {}),
      }));
    const hasFailed = tests.some((test) => 'failure' in test);
    return { tests, errors: hasFailed ? [] : errorsIn(task).map(({ message }) => message) };
  }
}
