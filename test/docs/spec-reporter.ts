import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';
import { type NamedTest, namedTests, SPECIFICATIONS } from './named-tests.js';

/**
 * Fails a run in which a test that a specification names did not pass. It judges the files that ran; a run of a whole
 * project must contain every named file of that project.
 */
export class SpecReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    // A run of the tests whose name matches a pattern skips the others.
    if (this.#vitest === undefined || this.#vitest.config.testNamePattern !== undefined) return;
    const whole = await wholeProjects(this.#vitest, modules);
    const faults = SPECIFICATIONS.flatMap((specification) =>
      namedTests(specification).flatMap((named) => {
        const module = modules.find(({ moduleId }) => moduleId === named.path);
        const fault = module === undefined ? faultOfAbsence(named, whole) : faultOf(named, module);
        return fault === undefined
          ? []
          : [`${specification.path} names ${named.file}: ${named.name}, ${fault}`];
      }),
    );
    if (faults.length === 0) return;
    this.#vitest.logger.error(`\nTests that a specification names did not pass:\n${faults.join('\n')}\n`);
    process.exitCode = 1;
  }
}

/** The names of the projects of which every file ran. */
async function wholeProjects(vitest: Vitest, modules: readonly TestModule[]): Promise<ReadonlySet<string>> {
  const files = await vitest.globTestSpecifications();
  const ran = new Set(modules.map(({ project, moduleId }) => `${project.name} ${moduleId}`));
  const names = new Set(modules.map(({ project }) => project.name));
  for (const { project, moduleId } of files)
    if (!ran.has(`${project.name} ${moduleId}`)) names.delete(project.name);
  return names;
}

function faultOfAbsence({ file }: NamedTest, whole: ReadonlySet<string>): string | undefined {
  const project = file.endsWith('.stack.test.ts') ? 'servers' : 'unit';
  return whole.has(project) ? `whose file did not run in the project ${project}` : undefined;
}

function faultOf({ name }: NamedTest, module: TestModule): string | undefined {
  const pattern = patternOf(name);
  const tests = [...module.children.allTests()].filter((test) =>
    namesOf(test).some((each) => pattern.test(each)),
  );
  if (tests.length === 0) return 'which did not run';
  const states = tests.map((test) => test.result().state).filter((state) => state !== 'passed');
  return states.length === 0 ? undefined : `which is ${[...new Set(states)].join(' and ')}`;
}

/** Of the test and of every group around it. */
function namesOf(test: TestCase): readonly string[] {
  const names = [test.name];
  for (let { parent } = test; parent.type === 'suite'; parent = parent.parent) names.push(parent.name);
  return names;
}

/** Matches the name with any values in it. */
function patternOf(name: string): RegExp {
  const literals = name
    .split(/%[sdifjoO#]|\$[\w.]+/)
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${literals.join('.*')}$`, 's');
}
