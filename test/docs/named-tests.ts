import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A test, or a group of tests, that a sentence of a specification names. */
export interface NamedTest {
  /** The path of its file in the folder of the tests, as the specification has it. */
  readonly file: string;
  readonly path: string;
  /** As in the source: `%j` and the like are for a value. */
  readonly name: string;
}

const NAMED_TEST = /^ +- ([a-z./-]+\.test\.ts): (.+)$/gm;

/** The specifications of the plan, each with the directory of its tests. */
export const SPECIFICATIONS = [
  { path: 'src/plan/SPEC.md', tests: 'test/plan/' },
  { path: 'src/acl/plan/SPEC.md', tests: 'test/acl/plan/' },
] as const;

export type Specification = (typeof SPECIFICATIONS)[number];

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export function readSpecification({ path }: Specification): string {
  return readFileSync(fromRoot(path), 'utf8');
}

export function namedTests(specification: Specification): readonly NamedTest[] {
  return [...readSpecification(specification).matchAll(NAMED_TEST)].map(([, file = '', name = '']) => ({
    file,
    path: fromRoot(specification.tests + file),
    name,
  }));
}
