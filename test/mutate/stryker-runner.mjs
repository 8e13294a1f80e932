import { basename, dirname, relative } from 'node:path';
import { BroadcastChannel } from 'node:worker_threads';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import { DryRunStatus, MutantRunStatus, TestStatus } from '@stryker-mutator/api/test-runner';
import { createVitest } from 'vitest/node';
import { CHANNEL } from './channel.mjs';

/** A test that takes longer with a mutant waits for what never comes. */
const TEST_TIMEOUT_MS = 5_000;

/**
 * Tests of one mutant begin within this time, quick ones first. What only a later one would notice counts as unnoticed.
 */
const LIMIT_MS = 15_000;

const QUICK_MS = 10;

const killKey = (source, file) => `${source} ${file}`;

/** Whether `test/a/b.test.ts` or `test/a/b/c.test.ts` is about `src/a/b.ts`. */
const isMirror = (source, file) =>
  [basename(file, '.test.ts'), basename(dirname(file))].includes(basename(source, '.ts'));

/**
 * Stryker's own runner for vitest starts a thread and loads all modules for each mutant: about a second. This one
 * keeps one thread with everything loaded (`session.ts`) and runs only the tests that reach the mutant, fast ones
 * first.
 */
class SessionTestRunner {
  constructor() {
    /** When a file of tests noticed a mutant of a source last, as the number of the question. */
    this.kills = new Map();
    this.asked = 0;
    this.answers = new Map();
  }

  capabilities() {
    return { reloadEnvironment: true };
  }

  async init() {
    process.env.NODE_ENV = 'test';
    process.env.VITEST = '1';
    await this.open();
  }

  async dryRun({ testFiles = [] }) {
    const found = await this.vitest.globTestSpecifications();
    const files = found
      .map(({ moduleId }) => moduleId)
      .filter((file) => testFiles.length === 0 || testFiles.includes(file));
    const { tests, coverage } = await this.ask({ kind: 'all', files: files.sort() });
    // The mutants run in other processes. They learn from the ID how long the test takes.
    const timed = new Map(tests.map(({ id, ms }) => [id, `${id}@${Math.ceil(ms)}`]));
    return {
      status: DryRunStatus.Complete,
      mutantCoverage: {
        static: coverage.static,
        perTest: Object.fromEntries(
          Object.entries(coverage.perTest).map(([id, hits]) => [timed.get(id), hits]),
        ),
      },
      tests: tests.map(({ id, file, name, ms, failure }) => ({
        id: timed.get(id),
        name: `${relative(process.cwd(), file)} > ${name}`,
        fileName: file,
        timeSpentMs: ms,
        ...(failure === undefined
          ? { status: TestStatus.Success }
          : { status: TestStatus.Failed, failureMessage: failure }),
      })),
    };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit }) {
    const files = await this.filesOf(activeMutant.fileName, testFilter ?? []);
    const question = {
      kind: 'mutant',
      mutant: activeMutant.id,
      hitLimit,
      files,
      testTimeoutMs: TEST_TIMEOUT_MS,
      limitMs: LIMIT_MS,
    };
    let answer = await this.ask(question);
    if (answer.kind === 'dirty') {
      await this.dispose();
      await this.open();
      answer = await this.ask(question);
    }
    switch (answer.kind) {
      case 'killed':
        this.kills.set(killKey(activeMutant.fileName, answer.file), this.asked);
        return {
          status: MutantRunStatus.Killed,
          killedBy: testFilter.filter((id) => id.startsWith(`${answer.by}@`)),
          failureMessage: answer.failure,
          nrOfTests: answer.ran,
        };
      case 'survived':
        return { status: MutantRunStatus.Survived, nrOfTests: answer.ran };
      case 'endless':
        return { status: MutantRunStatus.Timeout, reason: 'the mutant is reached again and again' };
      default:
        return { status: MutantRunStatus.Error, errorMessage: 'a test fails without the mutant too' };
    }
  }

  /** The quick tests of each file come first, then each slow one. An ID of vitest begins with the hash of its file. */
  async filesOf(source, ids) {
    const found = await this.vitest.globTestSpecifications();
    const fileOf = new Map(found.map(({ taskId, moduleId }) => [taskId, moduleId]));
    // What noticed the last mutant of a source notices the next one most likely.
    const lastKill = ({ file }) => this.kills.get(killKey(source, file)) ?? (isMirror(source, file) ? 0 : -1);
    const quick = new Map();
    const slow = [];
    for (const id of ids) {
      const file = fileOf.get(id.slice(0, id.indexOf('_')));
      if (file === undefined) throw new Error(`no test file has the test ${id}`);
      const [task, ms] = id.split('@');
      if (Number(ms) > QUICK_MS) slow.push({ file, ids: [task], ms: Number(ms) });
      else quick.set(file, [...(quick.get(file) ?? []), task]);
    }
    return [
      ...[...quick]
        .map(([file, ids]) => ({ file, ids }))
        .sort((one, other) => lastKill(other) - lastKill(one)),
      ...slow.sort((one, other) => one.ms - other.ms).map(({ file, ids }) => ({ file, ids })),
    ];
  }

  async open() {
    this.channel = new BroadcastChannel(CHANNEL);
    const ready = this.answer(0);
    this.channel.onmessage = ({ data }) => {
      if (data.kind === 'answer') this.answers.get(data.id)?.(data.answer);
    };
    this.vitest = await createVitest('test', {
      config: 'vitest.mutate.config.ts',
      runner: './test/mutate/session.ts',
      pool: 'threads',
      maxWorkers: 1,
      isolate: false,
      watch: false,
      reporters: [{}],
      onConsoleLog: () => false,
    });
    const [first] = await this.vitest.globTestSpecifications();
    // Never resolves before `dispose`: the session answers in place of it.
    this.session = this.vitest.runTestSpecifications([first]).catch(() => {});
    await ready;
  }

  async ask(question) {
    this.asked += 1;
    const answer = this.answer(this.asked);
    this.channel.postMessage({ ...question, id: this.asked });
    return answer;
  }

  answer(id) {
    return new Promise((resolve) => {
      this.answers.set(id, (answer) => {
        this.answers.delete(id);
        resolve(answer);
      });
    });
  }

  async dispose() {
    this.channel?.postMessage({ kind: 'end' });
    await this.session;
    this.channel?.close();
    await this.vitest?.close();
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'session', SessionTestRunner)];
